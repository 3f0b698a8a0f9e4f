"""Reads the EC2 tree of 2009 and tells the same as OpenStack metadata. What EC2 does not carry is not made up.

Of a second NIC it tells nothing, so there is no network_data.json; the uuid is the firmware's, as nova states it there.
Source: nova/api/metadata/base.py, ``get_ec2_metadata``.
"""

from __future__ import annotations

import hashlib
import json
import time

from golden_flows.shims.in_guest import address
from golden_flows.shims.in_guest.server import Tree
from golden_flows.shims.in_guest.source import Found, NotNeeded

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from typing import Any

META, KEYS = "/latest/meta-data", "/latest/meta-data/public-keys/"
TIMEOUT_S = 5.0
BODY_LIMIT_BYTES = 4 << 20
NOT_SETTABLE = ("", "00000000-0000-0000-0000-000000000000", "not settable", "not present")


class Asker:
    """Asks the service, and keeps a record of it as the reference agent does."""

    def __init__(self, connect: Callable[[float], socket.socket] = address.past_ourselves) -> None:
        self._connect = connect
        self.requests: list[dict[str, Any]] = []

    def get(self, path: str) -> tuple[int | None, bytes]:
        """Status (None without an answer) and body."""
        began_s, error = time.monotonic(), None
        status: int | None = None
        kind, body = "", b""
        try:
            status, kind, body = self._ask(path)
        except (OSError, ValueError) as trouble:
            error = f"{type(trouble).__name__}: {trouble}"[:100]
        record: dict[str, Any] = {
            "path": path,
            "status": status,
            "content_type": kind,
            "bytes": len(body),
            "error": error,
        }
        record["sha256"] = hashlib.sha256(body).hexdigest()
        record["elapsed_s"] = round(time.monotonic() - began_s, 3)
        self.requests.append(record)
        return status, body

    def text(self, path: str) -> str | None:
        """The body of a 200, else None."""
        status, body = self.get(path)
        return body.decode("utf-8", "replace") if status == 200 else None

    def _ask(self, path: str) -> tuple[int, str, bytes]:
        with self._connect(TIMEOUT_S) as connection:
            request = f"GET {path} HTTP/1.0\r\nHost: {address.HOST}\r\nConnection: close\r\n\r\n"
            connection.sendall(request.encode("ascii"))
            received = b""
            while len(received) < BODY_LIMIT_BYTES and (part := connection.recv(65536)):
                received += part
        head, _, body = received.partition(b"\r\n\r\n")
        status_line, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = headers.get("content-length", "")
        if length.isdigit() and len(body) < int(length):
            raise ValueError(f"answer is cut short: {len(body)} of {length} bytes")
        words = status_line.split()
        if len(words) < 2:
            raise ValueError(f"no status line: {status_line[:40]!r}")
        return int(words[1]), headers.get("content-type", ""), body


def look() -> Found | None:
    """The tree; None as long as nothing answers. Raises ``NotNeeded`` where OpenStack's own tree is there."""
    if not address.is_network_up():
        return None
    address.let_go()
    try:
        return translate(Asker(), firmware_uuid())
    finally:
        address.hold()


def translate(asker: Asker, firmware: str) -> Found | None:
    """``firmware``: the uuid that SMBIOS states; empty for none."""
    if asker.get("/openstack/latest/meta_data.json")[0] == 200:
        raise NotNeeded("the cloud serves OpenStack metadata itself")
    asker.requests.clear()
    root, names = asker.text("/"), asker.text(f"{META}/")
    instance_id = asker.text(f"{META}/instance-id") if names is not None else None
    if not instance_id:
        return None
    listing, keys = None, {}
    if "public-keys/" in (names or "").split():
        listing = asker.text(KEYS)
        name = (listing or "").splitlines()[0].partition("=")[2] if listing else ""
        key = asker.text(f"{KEYS}0/openssh-key")
        keys = {name or "key-0": key} if key else {}
    hostname = (asker.text(f"{META}/hostname") or "").strip()
    index = (asker.text(f"{META}/ami-launch-index") or "").strip()
    meta: dict[str, Any] = {
        "uuid": firmware or uuid_of(instance_id.strip()),
        "name": hostname.partition(".")[0],
        "hostname": hostname,
        "launch_index": int(index) if index.isascii() and index.isdigit() and len(index) < 10 else 0,
        "availability_zone": (asker.text(f"{META}/placement/availability-zone") or "").strip(),
        "public_keys": keys,
    }
    files = {"meta_data.json": json.dumps(meta).encode()}
    status, user_data = asker.get("/latest/user-data")
    if status == 200 and user_data:
        files["user_data"] = user_data
    seen = {
        "identity": {"ec2_instance_id": instance_id.strip()},
        "metadata": {"listing": {"/": root, KEYS: listing}, "requests": asker.requests},
    }
    return Found(Tree(files, {}, ["2012-08-10"]), f"EC2 instance {instance_id.strip()}", seen)


def uuid_of(instance_id: str) -> str:
    """One that is always the same for an instance, in the form of an RFC 4122 uuid."""
    digits = hashlib.sha256(instance_id.encode()).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-5{digits[13:16]}-8{digits[17:20]}-{digits[20:32]}"


def firmware_uuid() -> str:
    """In lower case; empty where the firmware states none."""
    try:
        with open("/sys/class/dmi/id/product_uuid", encoding="ascii") as file:
            told = file.read().strip().lower()
    except OSError:
        return ""
    return "" if told in NOT_SETTABLE else told
