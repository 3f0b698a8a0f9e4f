"""The header of a qcow2. Source: QEMU docs/interop/qcow2.txt. All fields are big-endian; the bytes are untrusted."""

from __future__ import annotations

import struct
from dataclasses import dataclass

MAGIC = b"QFI\xfb"
VERSION = 3
COMPRESSIONS = ("zlib", "zstd")
"""By the number in the header; the first is what every reader knows."""
INCOMPATIBLE = (
    "the dirty bit (reference counts may be wrong)",
    "the corrupt bit",
    "an external data file",
    "another compression than zlib",
    "extended L2 entries (QEMU 5.2 and later)",
)
"""What bit 0, 1 … of the incompatible features says; whoever does not know a bit must not open the image."""

_HEADER = struct.Struct(">4sIQI")
_FEATURES_AT, _LENGTH_AT, _COMPRESSION_AT = 72, 100, 104


class NotAQcow2(ValueError):
    """These bytes are not a whole qcow2 header."""


@dataclass(frozen=True, kw_only=True)
class Qcow2Header:
    """What a header says of its image."""

    version: int
    has_backing_file: bool
    incompatible: int
    compression: str
    """``zlib``, ``zstd``, or the number."""

    def features(self) -> tuple[str, ...]:
        """The incompatible features in words."""
        bits = [at for at in range(64) if self.incompatible >> at & 1]
        return tuple(INCOMPATIBLE[at] if at < len(INCOMPATIBLE) else f"unknown feature bit {at}" for at in bits)


def read_header(head: bytes) -> Qcow2Header:
    """The header at the start of an image. Raises ``NotAQcow2``."""
    if len(head) < _LENGTH_AT + 4 or not head.startswith(MAGIC):
        raise NotAQcow2(f"begins with {head[:4].hex() or 'nothing'}")
    _, version, backing_at, _ = _HEADER.unpack_from(head)
    if version < VERSION:
        return Qcow2Header(version=version, has_backing_file=bool(backing_at), incompatible=0, compression="zlib")
    (incompatible,) = struct.unpack_from(">Q", head, _FEATURES_AT)
    (length,) = struct.unpack_from(">I", head, _LENGTH_AT)
    number = head[_COMPRESSION_AT] if length > _COMPRESSION_AT and len(head) > _COMPRESSION_AT else 0
    return Qcow2Header(
        version=version,
        has_backing_file=bool(backing_at),
        incompatible=incompatible,
        compression=COMPRESSIONS[number] if number < len(COMPRESSIONS) else str(number),
    )
