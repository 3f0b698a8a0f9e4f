"""GUID partition tables as far as checks need them. Source: UEFI specification 2.10, chapter 5."""

from __future__ import annotations

import struct
import zlib

SECTOR_BYTES = 512
SIGNATURE = b"EFI PART"
PROTECTIVE = 0xEE
_HEADER_BYTES_MIN = 92


def is_header(sector: bytes, *, own_lba: int) -> bool:
    """Whether a sector is a table's header, sound and for this place."""
    if not sector.startswith(SIGNATURE) or len(sector) < _HEADER_BYTES_MIN:
        return False
    length, checksum = struct.unpack_from("<II", sector, 12)
    if not _HEADER_BYTES_MIN <= length <= len(sector):
        return False
    blank = sector[:16] + bytes(4) + sector[20:length]
    (place,) = struct.unpack_from("<Q", sector, 24)
    return zlib.crc32(blank) == int(checksum) and int(place) == own_lba


def alternate_lba(disk: bytes) -> int | None:
    """Where the primary header says that its backup is; None for a disk without a primary header."""
    header = disk[SECTOR_BYTES : 2 * SECTOR_BYTES]
    return struct.unpack_from("<Q", header, 32)[0] if is_header(header, own_lba=1) else None


def protective_sectors(disk: bytes) -> int | None:
    """The size that the protective partition is said to have; None where there is no such partition."""
    for at in range(446, 510, 16):
        if len(disk) >= at + 16 and disk[at + 4] == PROTECTIVE:
            return int(struct.unpack_from("<I", disk, at + 12)[0])
    return None
