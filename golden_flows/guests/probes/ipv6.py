"""Prints IPv6 of every NIC as a JSON object: addresses, what routers announce, metadata at its link-local address.

Asks every link: on the machine of the suite that would be somebody else's.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Iterator

METADATA_ADDRESS = "fe80::a9fe:a9fe"
NET, CONF = "/sys/class/net", "/proc/sys/net/ipv6/conf"
LINK_SCOPE = "20"
RTM_NEWLINK, RTM_GETLINK, DUMP = 16, 18, 0x301
IFLA_PROTINFO, IFLA_INET6_FLAGS = 12, 1


def text(path: str) -> str | None:
    """A file's text, None when it cannot be read."""
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return None


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and content of netlink attributes."""
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        if length < 4:
            return
        yield kind & 0x3FFF, data[4:length]
        data = data[(length + 3) & ~3 :]


def flags() -> dict[int, int]:
    """IPv6 flags by interface number: among them those of the router's last advertisement, which no file shows."""
    found: dict[int, int] = {}
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as link:
        link.settimeout(5)
        link.send(struct.pack("=IHHIIB15x", 32, RTM_GETLINK, DUMP, 1, 0, socket.AF_INET6))
        while True:
            data = link.recv(1 << 18)
            while data:
                length, kind = struct.unpack_from("=IH", data)
                if kind != RTM_NEWLINK:
                    return found
                (index,) = struct.unpack_from("=i", data, 20)
                told = [value for name, value in attributes(data[32:length]) if name == IFLA_PROTINFO]
                for name, value in attributes(told[0] if told else b""):
                    if name == IFLA_INET6_FLAGS:
                        (found[index],) = struct.unpack("=I", value)
                data = data[(length + 3) & ~3 :]


def ask(name: str) -> dict[str, object]:
    """The metadata service of a link: HTTP status and the uuid it tells."""
    data = b""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as way:
            way.settimeout(3)
            way.connect((METADATA_ADDRESS, 80, 0, socket.if_nametoindex(name)))
            request = "GET /openstack/latest/meta_data.json HTTP/1.0\r\nHost: [{}]\r\n\r\n"
            way.sendall(request.format(METADATA_ADDRESS).encode())
            while len(data) < 1 << 20:
                part = way.recv(65536)
                if not part:
                    break
                data += part
    except OSError as error:
        return {"interface": name, "status": None, "error": str(error) or type(error).__name__}
    head, _, body = data.partition(b"\r\n\r\n")
    words = head.split()
    status = int(words[1]) if len(words) > 1 and words[1].isdigit() else None
    try:
        uuid = json.loads(body.decode()).get("uuid")
    except (ValueError, AttributeError):
        uuid = None
    return {"interface": name, "status": status, "uuid": uuid if isinstance(uuid, str) else None}


def nic(name: str, seen: dict[int, int], lines: list[list[str]]) -> dict[str, object]:
    """One NIC; ``lines`` are those of /proc/net/if_inet6, in fields."""
    addresses = [
        {
            "ip": socket.inet_ntop(socket.AF_INET6, bytes.fromhex(fields[0])),
            "prefixlen": int(fields[2], 16),
            "flags": int(fields[4], 16),
        }
        for fields in lines
        if fields[5] == name and fields[3] != LINK_SCOPE
    ]
    return {
        "name": name,
        "mac": text(NET + "/" + name + "/address"),
        "accept_ra": text(CONF + "/" + name + "/accept_ra"),
        "forwarding": text(CONF + "/" + name + "/forwarding"),
        "flags": seen.get(socket.if_nametoindex(name)),
        "addresses": addresses,
    }


def main() -> None:
    """Everything at once."""
    try:
        seen = flags()
    except (OSError, struct.error):
        seen = {}
    lines = [line.split() for line in (text("/proc/net/if_inet6") or "").splitlines()]
    names = [name for name in sorted(os.listdir(NET)) if os.path.exists(NET + "/" + name + "/device")]
    print(json.dumps({"nics": [nic(name, seen, lines) for name in names], "metadata": [ask(name) for name in names]}))


if __name__ == "__main__":
    main()
