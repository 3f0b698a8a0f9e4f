"""What checks read as facts, as a text that a reader can hold against them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict

from golden_flows.model import disk_signature, qcow2, vhd
from golden_flows.model.guest import GuestReport

_LINE_BYTES, _HEAD_BYTES = 16, 128


def leases(report: GuestReport) -> str:
    """What DHCP told the guest, of either family, as its agent took it down."""
    return _as_json({"dhcp": [asdict(one) for one in report.leases], "dhcp6": [asdict(one) for one in report.leases6]})


def metadata(report: GuestReport) -> str:
    """The channels that the guest found, what it asked for there, and what it was answered.

    Values that channels have in common are told by their sha256, and called so: else they look like what they hide.
    """
    shared = [{name: f"sha256:{value}" for name, value in one.keys.items()} for one in report.channels]
    return _as_json(
        {
            "channels": [asdict(one) | {"keys": keys} for one, keys in zip(report.channels, shared, strict=True)],
            "listings": dict(report.listing),
            "requests": [asdict(one) for one in report.requests],
        }
    )


def image_header(head: bytes, tail: bytes) -> str:
    """The format that these bytes speak of, its header in words where that is known, and the bytes themselves."""
    formats = ", ".join(disk_signature.foreign_formats(head, tail)) or "none but RAW"
    blocks = [f"formats seen: {formats}"]
    if head.startswith(qcow2.MAGIC):
        blocks.append(_fields("qcow2 header", lambda: asdict(qcow2.read_header(head))))
    if tail.startswith(vhd.COOKIE):
        blocks.append(_fields("VHD footer", lambda: asdict(vhd.read_footer(tail))))
    blocks += [f"first bytes\n{_dump(head[:_HEAD_BYTES])}", f"last 512 bytes\n{_dump(tail)}"]
    return "\n\n".join(blocks) + "\n"


def _fields(title: str, read: Callable[[], dict[str, object]]) -> str:
    try:
        return "\n".join([title, *(f"  {name}: {value}" for name, value in read().items())])
    except ValueError as error:
        return f"{title}: {error}"


def _dump(content: bytes) -> str:
    """As ``hexdump -C``, without lines of zeros."""
    lines = []
    for at in range(0, len(content), _LINE_BYTES):
        line = content[at : at + _LINE_BYTES]
        if any(line):
            text = "".join(chr(one) if 0x20 <= one < 0x7F else "." for one in line)
            lines.append(f"  {at:04x}  {line.hex(' '):<{3 * _LINE_BYTES}} |{text}|")
    return "\n".join(lines or ["  only zeros"])


def _as_json(document: object) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False)
