"""By what bytes a disk is taken for another format than RAW. Source: oslo.utils format_inspector."""

from __future__ import annotations

import re
import zlib

SIGNATURES = (
    (0, b"QFI\xfb", "qcow2"),
    (0, b"QED\0", "QED"),
    (0, b"KDMV", "VMDK"),
    (0, b"COWD", "VMDK of ESX"),
    (0, b"# Disk Desc", "VMDK descriptor"),
    (0, b"conectix", "dynamic VHD"),
    (0, b"vhdxfile", "VHDX"),
    (0, b"LUKS\xba\xbe", "LUKS"),
    (0, b"\x1f\x8b", "gzip"),
    (0x40, b"\x7f\x10\xda\xbe", "VDI"),
)
"""Offset, bytes, name."""

VHD_COOKIE = b"conectix"
_GZIP_WBITS = 31  # zlib's number for "with a gzip header"
_INSIDE_BYTES = 1 << 16
_TAR_BLOCK_BYTES = 512
_LINK = re.compile(rb"(\./)?[0-9]+\.vhd")


def foreign_formats(head: bytes, tail: bytes) -> list[str]:
    """Formats that the first 4 KiB and the last 512 bytes speak of; empty for a plain disk."""
    seen = [name for at, magic, name in SIGNATURES if head[at : at + len(magic)] == magic]
    if seen == ["gzip"]:
        seen = [inside_gzip(head)]
    if VHD_COOKIE in tail and "dynamic VHD" not in seen:
        seen.append("fixed VHD (footer)")
    return seen


def inside_gzip(head: bytes) -> str:
    """What the beginning of a gzip stream holds, as far as these bytes tell; at most 64 KiB are unpacked."""
    try:
        inside = zlib.decompressobj(wbits=_GZIP_WBITS).decompress(head, _INSIDE_BYTES)
    except zlib.error:
        return "gzip"
    names = [
        inside[at - 257 :][:100].split(b"\0", 1)[0]
        for at in (found.start() for found in re.finditer(b"ustar", inside))
        if at >= 257 and not (at - 257) % _TAR_BLOCK_BYTES
    ]
    if not names:
        return "gzip"
    if any(_LINK.fullmatch(name) for name in names):
        return "gzip'd tar of a chain of VHDs, as XenServer packs its images"
    return f"gzip'd tar of {', '.join(ascii(name.decode('latin-1')) for name in names[:3])}"
