"""Runs in the guest, on its own Python 3.7 or newer with nothing but its standard library: see ``guests.probe``.

What is asked for comes as one JSON argument, the answer is one JSON object on standard output. Whatever has to be
waited for is waited for side by side: where all is well, nothing here takes longer than a packet's way.
"""

from __future__ import annotations

import glob
import json
import os
import re
import select
import socket
import struct
import subprocess
import sys
import threading
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ANSWER_S = 3.0
TRY_S = 1.0
NET = "/sys/class/net"
#: Where systems keep what a NIC is to be; a folder is read with all below it.
CONFIGURATION = (
    "/etc/network",
    "/etc/netplan",
    "/etc/systemd/network",
    "/etc/NetworkManager/system-connections",
    "/etc/sysconfig/network-scripts",
    "/etc/sysconfig/network",
    "/etc/udev/rules.d",
    "/etc/dhcp",
    "/etc/inittab",
    "/etc/rc.local",
)
#: What is asked for traces of another cloud: all tables, as an agent that routes by policy writes into its own.
LOOKS = (
    ("a NIC", ("ip", "addr", "show")),
    ("a route", ("ip", "-4", "route", "show", "table", "all")),
    ("a route", ("ip", "-6", "route", "show", "table", "all")),
    ("a rule", ("ip", "-4", "rule", "show")),
    ("a rule", ("ip", "-6", "rule", "show")),
)
FILES_MAX, FILE_BYTES_MAX = 200, 65536
#: Of <linux/in.h>, which Python does not name.
IP_MTU_DISCOVER, IP_PMTUDISC_PROBE = 10, 3
COOKIE = b"\x63\x82\x53\x63"
#: Options asked for: netmask, router, DNS, NTP, lease time, server, search domains.
WANTED = (1, 3, 6, 42, 51, 54, 119)
RCODES = ("NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED")


def text_of(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(FILE_BYTES_MAX).decode("utf-8", "replace")
    except OSError:
        return ""


def number_of(path: str) -> int | None:
    text = text_of(path).strip()
    return int(text) if text.isdigit() else None


def nics() -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "mac": text_of(f"{NET}/{name}/address").strip(),
            "mtu": number_of(f"{NET}/{name}/mtu"),
            "mtu6": number_of(f"/proc/sys/net/ipv6/conf/{name}/mtu"),
            **vlan(name),
        }
        for name in sorted(os.listdir(NET))
        if name != "lo"
    ]


def vlan(name: str) -> dict[str, Any]:
    """Whether it is a VLAN, by the kernel; number and NIC, by its driver, which may tell them to root alone."""
    told = text_of(f"/proc/net/vlan/{name}")
    number, below = re.search(r"\bVID: *(\d+)", told), re.search(r"(?m)^Device: *(\S+)", told)
    return {
        "is_vlan": re.search(r"(?m)^DEVTYPE=vlan$", text_of(f"{NET}/{name}/uevent")) is not None,
        "vlan": int(number.group(1)) if number else None,
        "below": below.group(1) if below else None,
    }


def checksum(data: bytes) -> int:
    """RFC 1071."""
    data += bytes(len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def heard(way: socket.socket, until_s: float) -> bool:
    """Whether something comes before that time."""
    return bool(select.select([way], [], [], max(0.0, until_s - time.monotonic()))[0])


def ping(own: str, peer: str, size: int) -> dict[str, Any]:
    """An echo request of ``size`` bytes with its IPv4 header, not to be fragmented by anybody."""
    number = size & 0xFFFF
    body = bytes(size - 28)
    head = struct.pack("!BBHHH", 8, 0, 0, os.getpid() & 0xFFFF, number)
    packet = struct.pack("!BBHHH", 8, 0, checksum(head + body), os.getpid() & 0xFFFF, number) + body
    until_s = time.monotonic() + ANSWER_S
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as way:
            way.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE)
            way.bind((own, 0))
            while time.monotonic() < until_s:
                way.sendto(packet, (peer, 0))
                again_s = min(until_s, time.monotonic() + TRY_S)
                while time.monotonic() < again_s:
                    if not heard(way, again_s):
                        break
                    answer, (sender, _) = way.recvfrom(65536)
                    icmp = answer[(answer[0] & 15) * 4 :]
                    if sender == peer and icmp[:1] == b"\0" and icmp[4:8] == packet[4:8]:
                        return {"size_bytes": size, "outcome": "answered"}
    except OSError as error:
        too_long = error.errno == 90  # EMSGSIZE
        return {"size_bytes": size, "outcome": "too-long" if too_long else f"error: {error}"[:120]}
    return {"size_bytes": size, "outcome": "silent"}


def renew(ip: str, mac: str, server: str) -> dict[str, Any]:
    """DHCPREQUEST as in the state RENEWING, sent raw: the guest's own client may hold the port."""
    xid = os.urandom(4)
    address = bytes.fromhex(mac.replace(":", ""))
    options = b"\x35\x01\x03" + bytes((55, len(WANTED), *WANTED)) + b"\xff"
    request = (
        struct.pack("!BBBB4sHH4s12x16s192x", 1, 1, 6, 0, xid, 0, 0, socket.inet_aton(ip), address) + COOKIE + options
    )
    packet = struct.pack("!HHHH", 68, 67, 8 + len(request), 0) + request
    told: dict[str, Any] = {"answer": "", "ip": "", "lease_s": None, "error": ""}
    until_s = time.monotonic() + ANSWER_S
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP) as way:
            way.bind((ip, 0))
            while time.monotonic() < until_s:
                way.sendto(packet, (server, 0))
                again_s = min(until_s, time.monotonic() + TRY_S)
                while time.monotonic() < again_s:
                    if not heard(way, again_s):
                        break
                    answer = way.recv(65536)
                    datagram = answer[(answer[0] & 15) * 4 :]
                    reply = datagram[8:]
                    if datagram[:4] == struct.pack("!HH", 67, 68) and reply[4:8] == xid and reply[236:240] == COOKIE:
                        found = options_of(reply[240:])
                        kind = found.get(53, b"")
                        told["answer"] = {b"\x05": "ack", b"\x06": "nak"}.get(kind, f"message type {kind.hex()}")
                        told["ip"] = socket.inet_ntoa(reply[16:20])
                        if len(found.get(51, b"")) == 4:
                            told["lease_s"] = struct.unpack("!I", found[51])[0]
                        if told["answer"] == "ack":
                            ntp = found.get(42, b"")
                            told["ntp"] = [socket.inet_ntoa(ntp[at : at + 4]) for at in range(0, len(ntp) - 3, 4)]
                            told["search"] = domains(found.get(119, b""))
                        return told
    except OSError as error:
        told["error"] = str(error)[:120]
    return told


def domains(data: bytes) -> list[str]:
    """Option 119: names as in DNS messages, with pointers into the option itself (RFC 3397)."""
    found, at = [], 0
    while at < len(data):
        labels, at = name_at(data, at)
        found.append(".".join(labels))
    return found


def name_at(data: bytes, at: int, hops: int = 0) -> tuple[list[str], int]:
    """Its labels, as far as they can be read, and where the next name begins."""
    labels: list[str] = []
    while at < len(data) and data[at]:
        if data[at] >= 0xC0:
            if hops > 8 or at + 1 >= len(data):
                return labels, len(data)
            behind = name_at(data, ((data[at] & 0x3F) << 8) + data[at + 1], hops + 1)[0]
            return labels + behind, at + 2
        labels.append(data[at + 1 : at + 1 + data[at]].decode("ascii", "replace"))
        at += 1 + data[at]
    return labels, at + 1


def options_of(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    while at + 1 < len(data) and data[at] != 255:
        if data[at] == 0:
            at += 1
            continue
        found[data[at]] = found.get(data[at], b"") + data[at + 2 : at + 2 + data[at + 1]]
        at += 2 + data[at + 1]
    return found


def resolve(server: str, own: str, questions: list[list[Any]]) -> dict[str, Any]:
    """Ask (name, type) after (name, type); from ``own`` where that is of the server's family."""
    told: dict[str, Any] = {"address": server, "answers": [], "error": ""}
    until_s = time.monotonic() + ANSWER_S
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as way:
            if own and (":" in own) == (":" in server):
                way.bind((own, 0))
            way.connect((server, 53))
            for name, kind in questions:
                number = os.urandom(2)
                labels = b"".join(bytes((len(one),)) + one.encode("ascii") for one in name.strip(".").split("."))
                packet = (
                    number + struct.pack("!HHHHH", 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", kind, 1)
                )
                rcode = None
                while rcode is None and time.monotonic() < until_s:
                    way.send(packet)
                    if not heard(way, min(until_s, time.monotonic() + TRY_S)):
                        continue
                    answer = way.recv(65536)
                    if answer[:2] == number and len(answer) >= 12:
                        rcode = answer[3] & 15
                if rcode is None:
                    told["error"] = "no answer"
                    return told
                told["answers"].append(RCODES[rcode] if rcode < len(RCODES) else f"RCODE {rcode}")
    except (OSError, ValueError) as error:
        told["error"] = str(error)[:120]
    return told


def resolv_conf() -> dict[str, Any]:
    """What the system resolves names with; behind the stub of systemd-resolved, what that asks."""
    text = text_of("/etc/resolv.conf")
    if re.search(r"(?m)^\s*nameserver\s+127\.0\.0\.5[34]\s*$", text):
        text = text_of("/run/systemd/resolve/resolv.conf") or text
    rows = [line.split() for line in text.splitlines()]
    search = [row[1:] for row in rows if row[:1] in (["search"], ["domain"])]
    return {
        "nameservers": [row[1] for row in rows if row[:1] == ["nameserver"] and len(row) > 1],
        "search": search[-1] if search else [],
    }


def left(home: list[str]) -> list[dict[str, str]]:
    """Where any of these MACs and addresses is still named: on NICs, in routes and rules, in what configures them.

    Raises ``OSError`` where that cannot be asked.
    """
    if not home:
        return []
    found = []
    patterns = [
        (one, re.compile(rf"(?<![0-9a-fA-F:.-]){re.escape(one)}(?![0-9a-fA-F:-]|\.[0-9])", re.I)) for one in home
    ]
    for what, argv in LOOKS:
        told = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        if told.returncode and "-6" not in argv:  # a system without IPv6 has none of it to forget
            raise OSError(f"{' '.join(argv)}: exit code {told.returncode}")
        text = told.stdout.decode("utf-8", "replace")
        found += [{"what": one, "where": what} for one, pattern in patterns if pattern.search(text)]
    for path in configuration():
        text = "".join(line for line in text_of(path).splitlines(True) if not line.lstrip().startswith("#"))
        found += [{"what": one, "where": path} for one, pattern in patterns if pattern.search(text)]
    return found


def configuration() -> list[str]:
    paths = []
    for place in CONFIGURATION:
        below = sorted(glob.glob(f"{place}/**", recursive=True)) if os.path.isdir(place) else [place]
        paths += [path for path in below if os.path.isfile(path)]
    return paths[:FILES_MAX]


def look(asked: dict[str, Any]) -> dict[str, Any]:
    """Everything that was asked for."""
    seen: dict[str, Any] = {"pings": [], "resolvers": [], "renewal": None}
    waiting = []

    def beside(work: Any) -> None:
        thread = threading.Thread(target=work)
        thread.start()
        waiting.append(thread)

    own, gateway = asked.get("ip", ""), asked.get("gateway", "")
    for size in asked.get("sizes", []) if gateway else []:
        beside(lambda size=size: seen["pings"].append(ping(own, gateway, size)))
    if asked.get("dhcp_server"):
        beside(lambda: seen.update(renewal=renew(own, asked["mac"], asked["dhcp_server"])))
    for server in asked.get("resolvers", []):
        beside(lambda server=server: seen["resolvers"].append(resolve(server, own, asked.get("questions", []))))
    seen["nics"], seen["left"], seen["left_unseen"] = nics(), [], ""
    try:
        seen["left"] = left(asked.get("home", []))
    except OSError as error:
        seen["left_unseen"] = str(error)[:120]
    seen.update(resolv_conf())
    for one in waiting:
        one.join()
    seen["pings"].sort(key=lambda one: one["size_bytes"])
    return seen


if __name__ == "__main__":
    json.dump(look(json.loads(sys.argv[1])), sys.stdout)
