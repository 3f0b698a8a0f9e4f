"""The 512-byte footer of a VHD, and the header that dynamic and differencing disks have besides.

Source: Microsoft, "Virtual Hard Disk Image Format Specification" 1.0. All fields are big-endian. The bytes come from a
cloud, so nothing here trusts them: fixed size, no recursion, one error.
"""

from __future__ import annotations

import struct
import uuid
from dataclasses import dataclass

NAMES = ("vhd", "vpc")
"""Glance's word for the format, and QEMU's."""
FOOTER_BYTES = 512
COOKIE = b"conectix"
HEADER_BYTES = 1024
FIXED, DYNAMIC, DIFFERENCING = 2, 3, 4
"""Disk types. The first two hold a whole disk; a differencing disk needs a parent."""
EPOCH_S = 946_684_800
"""2000-01-01 00:00 UTC: VHDs count seconds from then."""
SIZE_MAX_BYTES = 2040 * 1024**3
"""The largest disk that a dynamic VHD can hold."""
CHS_MAX_BYTES = 65535 * 16 * 255 * 512
"""The largest disk that a geometry can express: 127 GiB."""
SIZE_FIELD_CREATORS = ("qem2", "win ", "d2v ", "tap\0", "CTXS", "wa\0\0")
"""Creator applications for whose disks readers take ``current size``; for all others they take the geometry.

Others are ``vpc ``, ``vs  ``, ``qemu``. Source: QEMU block/vpc.c."""

_CHECKSUM_AT = slice(64, 68)
# cookie, features, version, data offset, time, creator, its version, its OS, sizes, geometry, type, checksum, uuid
_LAYOUT = struct.Struct(">8sIIQI4sI4sQQHBBII16s")
_HIDDEN_AT = 85
"""XenServer's mark of a disk that only others build on."""
_HEADER_COOKIE = b"cxsparse"
# cookie, unused, table offset, version, entries, block size, checksum, parent's uuid and time, reserved, parent's name
_HEADER_LAYOUT = struct.Struct(">8sQQIIII16sII512s")
_HEADER_CHECKSUM_AT = slice(36, 40)


class NotAVhd(ValueError):
    """These bytes are not the part of a VHD that they should be."""


class NotAVhdFooter(NotAVhd):
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
    chs_bytes: int
    """What the geometry amounts to."""
    data_offset: int
    timestamp_s: int
    """Seconds since 2000."""
    uuid: uuid.UUID
    hidden: bool

    @property
    def geometry_is_the_size(self) -> bool:
        """Whether readers take the geometry for the size, by the creator application."""
        return self.creator not in SIZE_FIELD_CREATORS


@dataclass(frozen=True, kw_only=True)
class DynamicHeader:
    """What a dynamic or differencing disk says of its blocks and its parent."""

    table_offset: int
    entries: int
    block_bytes: int
    checksum: int
    computed_checksum: int
    parent_uuid: uuid.UUID
    parent_timestamp_s: int
    """Seconds since 2000."""


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
        computed_checksum=_checksum(block, _CHECKSUM_AT),
        chs_bytes=fields[10] * fields[11] * fields[12] * 512,
        data_offset=fields[3],
        timestamp_s=fields[4],
        uuid=uuid.UUID(bytes=fields[15]),
        hidden=bool(block[_HIDDEN_AT]),
    )


def read_header(block: bytes) -> DynamicHeader:
    """Parse the 1024 bytes at a footer's data offset. Raises ``NotAVhd`` for anything else."""
    if len(block) != HEADER_BYTES or not block.startswith(_HEADER_COOKIE):
        raise NotAVhd("there is no dynamic disk header where the footer says")
    fields = _HEADER_LAYOUT.unpack_from(block)
    return DynamicHeader(
        table_offset=fields[2],
        entries=fields[4],
        block_bytes=fields[5],
        checksum=fields[6],
        computed_checksum=_checksum(block, _HEADER_CHECKSUM_AT),
        parent_uuid=uuid.UUID(bytes=fields[7]),
        parent_timestamp_s=fields[8],
    )


def _checksum(block: bytes, at: slice) -> int:
    return ~(sum(block) - sum(block[at])) & 0xFFFFFFFF
