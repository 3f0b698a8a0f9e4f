"""File systems on a RAW disk, by the bytes of their superblocks. Nothing is mounted, nothing is replayed.

Sources: UEFI specification 2.10, chapter 5 (MBR and GPT); Linux Documentation/filesystems/ext4/super.rst.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from golden_flows.model import gpt

SECTOR_BYTES = 512
SUPERBLOCK_AT, SUPERBLOCK_BYTES = 1024, 1024
_EXT_MAGIC = 0xEF53
_VALID, _ERRORS = 1, 2
_HAS_JOURNAL, _RECOVER = 0x4, 0x4
_ENTRIES_MAX, _ENTRY_BYTES_MAX = 128, 4096

Read = Callable[[int, int], bytes]
"""(offset, length) → bytes of the disk; fewer at its end."""


@dataclass(frozen=True, kw_only=True)
class FileSystemSeen:
    """An ext2, ext3 or ext4 file system, as its superblock tells."""

    start_bytes: int
    """Where it begins on the disk."""
    uuid: str
    is_valid: bool
    """It was unmounted, or never was mounted."""
    has_errors: bool
    """The kernel has found errors in it, and nobody has mended them."""
    has_journal: bool
    needs_recovery: bool
    """Its journal is to be replayed: it was mounted when this was read."""


@dataclass(frozen=True, kw_only=True)
class ExportedDisk:
    """What was read of the disk that travels."""

    file_systems: tuple[FileSystemSeen, ...] = ()
    partitions: int = 0
    error: str = ""
    """Why it could not be read."""


def look(read: Read) -> ExportedDisk:
    """Every ext file system that begins with a partition, or with the disk."""
    starts = _partitions(read)
    seen = (_superblock(read, start) for start in starts or [0])
    return ExportedDisk(file_systems=tuple(one for one in seen if one is not None), partitions=len(starts))


def superblocks(read: Read) -> list[int]:
    """Where ``look`` reads one, in bytes."""
    return [start + SUPERBLOCK_AT for start in _partitions(read) or [0]]


def _partitions(read: Read) -> list[int]:
    """Where they begin, in bytes: of the GPT where there is one, else of the MBR."""
    first = read(0, 2 * SECTOR_BYTES)
    if first[510:512] != b"\x55\xaa":
        return []
    if gpt.is_header(first[SECTOR_BYTES:], own_lba=1):
        return _gpt_partitions(read, first[SECTOR_BYTES:])
    starts = (struct.unpack_from("<I", first, at + 8)[0] for at in range(446, 510, 16) if first[at + 4])
    return [start * SECTOR_BYTES for start in starts if start]


def _gpt_partitions(read: Read, header: bytes) -> list[int]:
    table, count, size = struct.unpack_from("<QII", header, 72)
    if not 128 <= size <= _ENTRY_BYTES_MAX:
        return []
    count = min(count, _ENTRIES_MAX)
    entries = read(table * SECTOR_BYTES, count * size)
    whole = [entries[at : at + size] for at in range(0, len(entries) - size + 1, size)]
    return [struct.unpack_from("<Q", one, 32)[0] * SECTOR_BYTES for one in whole if any(one[:16])]


def _superblock(read: Read, start: int) -> FileSystemSeen | None:
    block = read(start + SUPERBLOCK_AT, SUPERBLOCK_BYTES)
    if len(block) < SUPERBLOCK_BYTES or struct.unpack_from("<H", block, 0x38)[0] != _EXT_MAGIC:
        return None
    (state,) = struct.unpack_from("<H", block, 0x3A)
    compatible, incompatible = struct.unpack_from("<II", block, 0x5C)
    digits = block[0x68:0x78].hex()
    return FileSystemSeen(
        start_bytes=start,
        uuid="-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])),
        is_valid=bool(state & _VALID),
        has_errors=bool(state & _ERRORS),
        has_journal=bool(compatible & _HAS_JOURNAL),
        needs_recovery=bool(incompatible & _RECOVER),
    )
