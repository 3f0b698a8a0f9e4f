"""The 512-byte footer of a VHD.

Source: Microsoft, "Virtual Hard Disk Image Format Specification" 1.0, hard disk footer format. All fields are
big-endian. The bytes come from a cloud, so nothing here trusts them: fixed size, no recursion, one error.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

FOOTER_BYTES = 512
COOKIE = b"conectix"
FIXED, DYNAMIC = 2, 3
"""Disk types that hold a whole disk. 4 is a differencing disk, which needs a parent."""

_CHECKSUM_AT = slice(64, 68)
# cookie, features, version, data offset, time, creator, its version, its OS, sizes, geometry, type, checksum
_LAYOUT = struct.Struct(">8sIIQI4sI4sQQHBBII")


class NotAVhdFooter(ValueError):
    """These bytes are not a VHD footer."""


@dataclass(frozen=True, kw_only=True)
class VhdFooter:
    """What a footer says of its disk."""

    creator: str
    """``qemu`` (size rounded to cylinders), ``qem2`` (exact), ``win ``, ``tap `` …"""
    original_bytes: int
    current_bytes: int
    disk_type: int
    checksum: int
    """As stored."""
    computed_checksum: int
    """One's complement of the sum of all other bytes."""


def read_footer(block: bytes) -> VhdFooter:
    """Parse the last 512 bytes of a VHD. Raises ``NotAVhdFooter`` for anything else."""
    if len(block) != FOOTER_BYTES:
        raise NotAVhdFooter(f"{len(block)} bytes instead of {FOOTER_BYTES}")
    fields = _LAYOUT.unpack_from(block)
    if fields[0] != COOKIE:
        raise NotAVhdFooter(f"begins with {fields[0]!r} instead of {COOKIE!r}")
    return VhdFooter(
        creator=fields[5].decode("ascii", "replace"),
        original_bytes=fields[8],
        current_bytes=fields[9],
        disk_type=fields[13],
        checksum=fields[14],
        computed_checksum=~(sum(block) - sum(block[_CHECKSUM_AT])) & 0xFFFFFFFF,
    )
