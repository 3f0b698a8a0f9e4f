"""Run inside fresh namespaces by test_node_fabric: plugs two ports, sends frames from one, says what came out."""

import asyncio
import json
import os
import socket
import struct
import sys
from dataclasses import replace
from pathlib import Path

from refclouds.fabric import links, taps
from refclouds.fabric.namespace import NamespaceFabric
from refclouds.node import OPEN_RULES, HostEntry, IngressRule, NetworkSpec, NicSpec, PortRules

NETWORK = NetworkSpec("11111111-net", "private", "10.10.0.0/24", "10.10.0.1", True, ("10.10.0.1",), 1500, True)
ISOLATED = replace(NETWORK, id="22222222-net", name="multi", cidr="10.20.0.0/24", gateway=None, dhcp=False, dns=())
ISOLATED = replace(ISOLATED, metadata=False)
A = NicSpec("aaaaaaaa-port", "fa:16:3e:00:00:0a", NETWORK.id, "10.10.0.10", 24, "virtio-net-pci")
B = NicSpec("bbbbbbbb-port", "fa:16:3e:00:00:0b", NETWORK.id, "10.10.0.11", 24, "virtio-net-pci")
C = NicSpec("cccccccc-port", "fa:16:3e:00:00:0c", ISOLATED.id, "10.20.0.10", 24, "virtio-net-pci")
RULES = PortRules((IngressRule("tcp", 22, 25, "0.0.0.0/0"), IngressRule("tcp", 80, 80, "10.99.0.0/16")))
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


async def probe(folder: Path) -> dict[str, object]:
    fabric = NamespaceFabric(folder)
    await fabric.start([NETWORK, ISOLATED])
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
    await fabric.update_rules(B.port_id, OPEN_RULES)
    seen["closed_after_opening"] = await arrives(a, b, CASES["closed"])
    seen["lease"] = await lease(fabric, a, A, "10.10.0.10")
    await fabric.release(NETWORK.id, A.mac)
    seen["lease_of_an_address_given_back"] = await lease(fabric, b, B, "10.10.0.10")
    await fabric.stop()
    left = [line.split(":")[1].strip() for line in (os.popen("ip -o link").read()).splitlines()]
    return {"backend": "tap" if header else "relay", "seen": seen, "left": [name for name in left if name[:3] == "tap"]}


async def lease(fabric: NamespaceFabric, wire: Wire, nic: NicSpec, address: str) -> bool:
    """Whether the guest at ``wire`` gets that address, by a client id of its own."""
    await fabric.reserve(HostEntry(NETWORK.id, nic.mac, address, "guest"))
    head = struct.pack("!BBBBIHH16s16s192s", 1, 1, 6, 0, 7, 0, 0x8000, b"", mac(nic.mac), b"")
    wanted = b"\x35\x01\x03" + b"\x32\x04" + socket.inet_aton(address) + b"\x3d\x07\x01" + mac(nic.mac) + b"\xff"
    ask = head + b"\x63\x82\x53\x63" + wanted.ljust(60, b"\0")
    datagram = struct.pack("!HHHH", 68, 67, 8 + len(ask), 0) + ask
    for _ in range(10):  # dnsmasq may still be reading its hosts
        wire.send(ip_frame(nic.mac, "0.0.0.0", 17, datagram, "ff:ff:ff:ff:ff:ff", "255.255.255.255"))
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
