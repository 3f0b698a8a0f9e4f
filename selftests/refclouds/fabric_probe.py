"""Run inside fresh namespaces by test_node_fabric: plugs two ports, sends frames from one, says what came out."""

import asyncio
import contextlib
import json
import os
import socket
import struct
import sys
from dataclasses import replace
from pathlib import Path

from guest_agent import dhcp6
from refclouds import eui64
from refclouds.fabric import links, relay, taps
from refclouds.fabric.namespace import NamespaceFabric
from refclouds.node import OPEN_RULES, HostEntry, IngressRule, NetworkSpec, NicSpec, PortRules, Subnet6

NETWORK = NetworkSpec("11111111-net", "private", "10.10.0.0/24", "10.10.0.1", True, ("10.10.0.1",), 1500, True)
ISOLATED = replace(NETWORK, id="22222222-net", name="multi", cidr="10.20.0.0/24", gateway=None, dhcp=False, dns=())
ISOLATED = replace(ISOLATED, metadata=False)
A = NicSpec("aaaaaaaa-port", "fa:16:3e:00:00:0a", NETWORK.id, "10.10.0.10", 24, "virtio-net-pci")
B = NicSpec("bbbbbbbb-port", "fa:16:3e:00:00:0b", NETWORK.id, "10.10.0.11", 24, "virtio-net-pci")
C = NicSpec("cccccccc-port", "fa:16:3e:00:00:0c", ISOLATED.id, "10.20.0.10", 24, "virtio-net-pci")
RULES = PortRules((IngressRule("tcp", 22, 25, "0.0.0.0/0"), IngressRule("tcp", 80, 80, "10.99.0.0/16")))
SIX = NetworkSpec("66666666-net", "six", "", None, False, (), 1500, True)
GATEWAY6 = "fd00:66::1"
SIX = replace(SIX, ipv6=Subnet6("fd00:66::/64", GATEWAY6, "dhcpv6-stateful"))
D = NicSpec("dddddddd-port", "fa:16:3e:00:00:0d", SIX.id, None, 0, "virtio-net-pci", ("fd00:66::10",))
E = NicSpec("eeeeeeee-port", "fa:16:3e:00:00:0e", SIX.id, None, 0, "virtio-net-pci", ("fd00:66::11",))
RULES6 = PortRules((IngressRule("tcp", 22, 25, "::/0", 6), IngressRule("tcp", 80, 80, "fd99::/16", 6)))
TRUNK = NetworkSpec("77777777-net", "trunk", "10.30.0.0/24", "10.30.0.1", False, (), 1500, False)
TAGGED = NetworkSpec("88888888-net", "tagged", "10.30.1.0/24", None, True, (), 1500, False, vlan=42)
F = NicSpec("ffffffff-port", "fa:16:3e:00:00:0f", TRUNK.id, "10.30.0.10", 24, "virtio-net-pci")
G = NicSpec("99999999-port", "fa:16:3e:00:00:09", TAGGED.id, "10.30.1.10", 24, "", vlan=42, parent=F.port_id)
G_AGAIN = replace(G, mac="fa:16:3e:00:00:19", ip="10.30.1.11")  # another MAC, since a lease is known by it
SYN, ACK = 0x02, 0x10
PING = struct.pack("!BBHI", 8, 0, 0xF7FF, 0)


class Wire:
    """The guest's end of a plugged port; a tap puts ten bytes of virtio header before each frame."""

    def __init__(self, fd: int, header_bytes: int) -> None:
        self.fd, self.header_bytes = fd, header_bytes
        os.set_blocking(fd, False)

    def send(self, frame: bytes) -> None:
        os.write(self.fd, bytes(self.header_bytes) + frame)

    async def frames(self) -> list[bytes]:
        await asyncio.sleep(0.05)
        found = []
        while True:
            try:
                found.append(os.read(self.fd, 65_000)[self.header_bytes :])
            except BlockingIOError:
                return found


def mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def ip_frame(
    sender: str, source: str, protocol: int, payload: bytes, to: str = B.mac, target: str = "10.10.0.11"
) -> bytes:
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0)
    head += socket.inet_aton(source) + socket.inet_aton(target)
    words = struct.unpack("!10H", head)
    total = sum(words)
    total = (total & 0xFFFF) + (total >> 16)
    checksum = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    return mac(to) + mac(sender) + b"\x08\x00" + head[:10] + struct.pack("!H", checksum) + head[12:] + payload


def tcp(port: int, flags: int) -> bytes:
    return struct.pack("!HHIIBBHHH", 40_000, port, 1, 0, 0x50, flags, 1024, 0, 0)


def udp(source: int, port: int) -> bytes:
    return struct.pack("!HHHH", source, port, 8, 0)


def arp(sender: str, claimed: str) -> bytes:
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + mac(sender) + socket.inet_aton(claimed)
    return b"\xff" * 6 + mac(sender) + b"\x08\x06" + body + bytes(6) + socket.inet_aton("10.10.0.11")


CASES = {
    "allowed": ip_frame(A.mac, "10.10.0.10", 6, tcp(22, SYN)),
    "end_of_range": ip_frame(A.mac, "10.10.0.10", 6, tcp(25, SYN)),
    "closed": ip_frame(A.mac, "10.10.0.10", 6, tcp(26, SYN)),
    "other_remote": ip_frame(A.mac, "10.10.0.10", 6, tcp(80, SYN)),
    "established": ip_frame(A.mac, "10.10.0.10", 6, tcp(26, ACK)),
    "spoofed_address": ip_frame(A.mac, "10.10.0.77", 6, tcp(22, SYN)),
    "spoofed_mac": ip_frame("fa:16:3e:00:00:99", "10.10.0.10", 6, tcp(22, SYN)),
    "udp": ip_frame(A.mac, "10.10.0.10", 17, udp(5000, 5001)),
    "dns_reply": ip_frame(A.mac, "10.10.0.10", 17, udp(53, 5002)),
    "dhcp_server": ip_frame(A.mac, "10.10.0.10", 17, udp(67, 68)),
    "ping": ip_frame(A.mac, "10.10.0.10", 1, PING),
    "arp": arp(A.mac, "10.10.0.10"),
    "arp_of_gateway": arp(A.mac, "10.10.0.1"),
    "ipv6": mac(B.mac) + mac(A.mac) + b"\x86\xdd" + bytes(40),
}


def ip6_frame(
    source: str, protocol: int, payload: bytes, *, sender: str = D.mac, to: str = E.mac, target: str = E.ip6s[0]
) -> bytes:
    """The checksum is right: it covers the addresses, and nobody may do without over IPv6."""
    ends = socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, target)
    at = {6: 16, 17: 6, 58: 2}[protocol]
    whole = ends + struct.pack("!IxxxB", len(payload), protocol) + payload
    total = sum(struct.unpack(f"!{(len(whole) + 1) // 2}H", whole + bytes(len(whole) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    payload = payload[:at] + struct.pack("!H", ~total & 0xFFFF) + payload[at + 2 :]
    return (
        mac(to)
        + mac(sender)
        + b"\x86\xdd"
        + struct.pack("!IHBB", 6 << 28, len(payload), protocol, 255)
        + ends
        + payload
    )


def neighbour(kind: int, target: str) -> bytes:
    """A neighbour solicitation (135) or advertisement (136)."""
    return struct.pack("!BBHI", kind, 0, 0, 0) + socket.inet_pton(socket.AF_INET6, target)


PING6 = struct.pack("!BBHI", 128, 0, 0, 0)
ROUTER = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0)
OWN6, OTHER6 = D.ip6s[0], E.ip6s[0]
CASES6 = {
    "v6_allowed": ip6_frame(OWN6, 6, tcp(22, SYN)),
    "v6_closed": ip6_frame(OWN6, 6, tcp(26, SYN)),
    "v6_other_remote": ip6_frame(OWN6, 6, tcp(80, SYN)),
    "v6_established": ip6_frame(OWN6, 6, tcp(26, ACK)),
    "v6_from_link_local": ip6_frame(eui64.link_local(D.mac), 6, tcp(22, SYN)),
    "v6_spoofed_address": ip6_frame("fd00:66::77", 6, tcp(22, SYN)),
    "v6_spoofed_mac": ip6_frame(OWN6, 6, tcp(22, SYN), sender="fa:16:3e:00:00:99"),
    "v6_udp": ip6_frame(OWN6, 17, udp(5000, 5001)),
    "v6_dhcp_server": ip6_frame(OWN6, 17, udp(547, 546)),
    "v6_ping": ip6_frame(OWN6, 58, PING6),
    "v6_router": ip6_frame(eui64.link_local(D.mac), 58, ROUTER),
    "v6_solicitation": ip6_frame(OWN6, 58, neighbour(135, OTHER6)),
    "v6_duplicate_detection": ip6_frame("::", 58, neighbour(135, OWN6)),
    "v6_advertisement": ip6_frame(OWN6, 58, neighbour(136, OWN6)),
    "v6_advertisement_of_another": ip6_frame(OWN6, 58, neighbour(136, OTHER6)),
    "v4_on_it": ip_frame(D.mac, "10.66.0.10", 6, tcp(22, SYN), E.mac, "10.66.0.11"),
}


async def probe6(fabric: NamespaceFabric, header: int) -> dict[str, bool]:
    """The network that has IPv6 alone."""
    wires = []
    for nic in (D, E):
        fd = (await fabric.plug(nic, RULES6)).fd
        assert fd is not None
        wires.append(Wire(fd, header))
    d, e = wires
    seen = {name: await arrives(d, e, frame) for name, frame in CASES6.items()}
    bridge = links.bridge_name(SIX.id)
    for nic in (D, E):
        await links.batch([f"neigh replace {eui64.link_local(nic.mac)} lladdr {nic.mac} dev {bridge}"])
    ask = ip6_frame(eui64.link_local(D.mac), 58, PING6, to=links.bridge_mac(SIX), target="fe80::a9fe:a9fe")
    await d.frames()
    d.send(ask)
    told = socket.inet_pton(socket.AF_INET6, "fe80::a9fe:a9fe")
    seen["v6_metadata_answers"] = any(answer[22:38] == told for answer in await d.frames())
    seen["v6_router_says_so"] = await says_router(wires[0])
    seen["v6_lease"] = await lease6(fabric, d, D, OWN6)
    await fabric.release(SIX.id, D.mac)
    seen["v6_lease_of_an_address_given_back"] = await lease6(fabric, e, E, OWN6)
    return seen


async def says_router(wire: Wire) -> bool:
    """Whether neighbour advertisements of the gateway have the R flag: without it no guest keeps its route."""
    asked = ip6_frame(eui64.link_local(D.mac), 58, neighbour(135, GATEWAY6), to=links.bridge_mac(SIX), target=GATEWAY6)
    await wire.frames()
    wire.send(asked)
    told = [frame[54:] for frame in await wire.frames() if frame[12:14] == b"\x86\xdd" and frame[20] == 58]
    return any(one[0] == 136 and one[4] & 0x80 for one in told)


async def lease6(fabric: NamespaceFabric, wire: Wire, nic: NicSpec, address: str) -> bool:
    """Whether the guest at ``wire`` gets that address by DHCPv6."""
    await fabric.reserve(HostEntry(SIX.id, nic.mac, None, "guest", address))
    server = b""
    for _ in range(20):  # dnsmasq may still be reading its hosts
        identity = dhcp6.identity_of(nic.mac, address if server else None)
        kind = dhcp6.REQUEST if server else dhcp6.SOLICIT
        asked = dhcp6.message(kind, b"abc", nic.mac, server=server, identity=identity)
        datagram = struct.pack("!HHHH", 546, 547, 8 + len(asked), 0) + asked
        source = eui64.link_local(nic.mac)
        wire.send(ip6_frame(source, 17, datagram, sender=nic.mac, to="33:33:00:01:00:02", target="ff02::1:2"))
        await asyncio.sleep(0.1)
        for frame in await wire.frames():
            if frame[12:14] == b"\x86\xdd" and frame[20] == 17 and frame[54:56] == struct.pack("!H", 547):
                with contextlib.suppress(dhcp6.Dhcp6Error):
                    got, told = dhcp6.parse(frame[62:], b"abc", nic.mac)
                    if got == dhcp6.REPLY:
                        return bool(told["ip"] == address)
                    server = bytes.fromhex(told["server_duid"])
    return False


async def probe(folder: Path) -> dict[str, object]:
    fabric = NamespaceFabric(folder)
    await fabric.start([NETWORK, ISOLATED, SIX])
    header = 0 if taps.tun_problem() else 10
    wires = []
    for nic, rules in ((A, RULES), (B, RULES), (C, RULES)):
        fd = (await fabric.plug(nic, rules)).fd
        assert fd is not None
        wires.append(Wire(fd, header))
    a, b, c = wires
    seen = {name: await arrives(a, b, frame) for name, frame in CASES.items()}
    gateway = links.bridge_commands(NETWORK)[0].split(" address ")[1].split()[0]
    await links.batch([f"neigh add {A.ip} lladdr {A.mac} dev {links.bridge_name(NETWORK.id)}"])
    ask = ip_frame(A.mac, "10.10.0.10", 1, PING, gateway, "169.254.169.254")
    seen["metadata_answers"] = await replies(a, ask)
    isolated = links.bridge_commands(ISOLATED)[0].split(" address ")[1].split()[0]
    await links.batch([f"neigh add {C.ip} lladdr {C.mac} dev {links.bridge_name(ISOLATED.id)}"])
    ask = ip_frame(C.mac, "10.20.0.10", 1, PING, isolated, "169.254.169.254")
    seen["metadata_from_isolated"] = await replies(c, ask)
    await fabric.update_rules({B.port_id: OPEN_RULES})
    seen["closed_after_opening"] = await arrives(a, b, CASES["closed"])
    seen["lease"] = await lease(fabric, a, A, "10.10.0.10")
    await fabric.release(NETWORK.id, A.mac)
    seen["lease_of_an_address_given_back"] = await lease(fabric, b, B, "10.10.0.10")
    seen |= await probe6(fabric, header)
    await fabric.stop()
    seen |= await probe_vlan(folder / "vlan")
    left = [line.split(":")[1].strip() for line in (os.popen("ip -o link").read()).splitlines()]
    return {"backend": "tap" if header else "relay", "seen": seen, "left": [name for name in left if name[:3] == "tap"]}


async def probe_vlan(folder: Path) -> dict[str, bool]:
    """A cloud whose second network comes under a tag, on the wire of the first NIC."""
    fabric = NamespaceFabric(folder)
    await fabric.start([TRUNK, TAGGED])
    fd = (await fabric.plug(F, OPEN_RULES)).fd
    assert fd is not None
    await fabric.plug(G, RULES)
    wire = Wire(fd, 0)
    seen = {f"vlan_lease_by_tag_{tag}": await lease(fabric, wire, G, "10.30.1.10", tag) for tag in (0, 43, 42)}
    answers = await wire.frames()
    seen["vlan_answers_have_the_tag"] = bool(answers) and all(relay.untagged(one)[0] == 42 for one in answers)
    await fabric.unplug(F.port_id)
    fd = (await fabric.plug(F, OPEN_RULES)).fd
    assert fd is not None
    await fabric.plug(G_AGAIN, RULES)
    seen["vlan_lease_after_another_plug"] = await lease(fabric, Wire(fd, 0), G_AGAIN, "10.30.1.11", 42)
    await fabric.unplug(F.port_id)
    await fabric.stop()
    return seen


async def lease(fabric: NamespaceFabric, wire: Wire, nic: NicSpec, address: str, tag: int = 0) -> bool:
    """Whether the guest at ``wire`` gets that address, by a client id of its own."""
    await fabric.reserve(HostEntry(nic.network_id, nic.mac, address, "guest"))
    head = struct.pack("!BBBBIHH16s16s192s", 1, 1, 6, 0, 7, 0, 0x8000, b"", mac(nic.mac), b"")
    wanted = b"\x35\x01\x03" + b"\x32\x04" + socket.inet_aton(address) + b"\x3d\x07\x01" + mac(nic.mac) + b"\xff"
    ask = head + b"\x63\x82\x53\x63" + wanted.ljust(60, b"\0")
    datagram = struct.pack("!HHHH", 68, 67, 8 + len(ask), 0) + ask
    for _ in range(10):  # dnsmasq may still be reading its hosts
        frame = ip_frame(nic.mac, "0.0.0.0", 17, datagram, "ff:ff:ff:ff:ff:ff", "255.255.255.255")
        wire.send(relay.tagged(frame, tag) if tag else frame)
        await asyncio.sleep(0.1)
        if f"{nic.mac} {address} ".encode() in fabric.leases():
            return True
    return False


async def arrives(sender: Wire, receiver: Wire, frame: bytes) -> bool:
    await receiver.frames()
    sender.send(frame)
    return frame in await receiver.frames()


async def replies(wire: Wire, frame: bytes) -> bool:
    await wire.frames()
    wire.send(frame)
    return any(answer[26:30] == socket.inet_aton("169.254.169.254") for answer in await wire.frames())


if __name__ == "__main__":
    if "--no-tun" in sys.argv:
        taps.TUN_DEVICE = "/dev/null/closed"
    print(json.dumps(asyncio.run(probe(Path(sys.argv[1])))))
