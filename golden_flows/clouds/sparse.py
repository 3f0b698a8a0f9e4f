"""Sparse files: zero blocks become holes when written, and holes count as zeros when hashed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import BinaryIO

from golden_flows.clouds.digests import CHUNK_BYTES
from golden_flows.errors import InteropError

BLOCK_BYTES = 64 * 1024
_ZERO_BLOCK = bytes(BLOCK_BYTES)
_ZERO_CHUNK = bytes(CHUNK_BYTES)


class SparseWriter:
    """A sink for ``export_image``. ``close`` sets the file's length; a full disk raises ``InteropError``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._size = 0
        try:
            self._file: BinaryIO = open(path, "wb", buffering=0)  # noqa: SIM115  # closed by close()
        except OSError as error:
            raise InteropError(f"cannot write {path}: {error.strerror}", "choose another scratch folder") from error

    def __call__(self, chunk: bytes) -> None:
        try:
            for start in range(0, len(chunk), BLOCK_BYTES):
                block = chunk[start : start + BLOCK_BYTES]  # bytes on purpose: comparing a memoryview is slow
                if block != _ZERO_BLOCK[: len(block)]:
                    self._file.seek(self._size + start)
                    self._write_all(block)
        except OSError as error:
            raise InteropError(
                f"cannot write {self.path}: {error.strerror}", "free some space in the scratch folder"
            ) from error
        self._size += len(chunk)

    def _write_all(self, block: bytes) -> None:
        while block:
            block = block[self._file.write(block) :]

    def close(self) -> None:
        self._file.truncate(self._size)
        self._file.close()

    def abandon(self) -> None:
        """Close, and remove what was written."""
        self._file.close()
        self.path.unlink(missing_ok=True)


def zeros_only(path: Path, start: int, end: int) -> bool:
    """Whether bytes ``start`` to ``end`` (exclusive) are zero; holes are not read."""
    with open(path, "rb", buffering=0) as file:
        for first, last in _data(file.fileno(), start, end):
            os.lseek(file.fileno(), first, os.SEEK_SET)
            while first < last:
                chunk = file.read(min(CHUNK_BYTES, last - first))
                if not chunk:
                    return True
                if chunk != _ZERO_CHUNK[: len(chunk)]:
                    return False
                first += len(chunk)
    return True


def sha256_of(path: Path, length: int) -> str:
    """Of the first ``length`` bytes, holes as zeros."""
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        position = 0
        for first, last in [*_data(file.fileno(), 0, length), (length, length)]:
            for start in range(position, first, CHUNK_BYTES):
                digest.update(_ZERO_CHUNK[: min(CHUNK_BYTES, first - start)])
            os.lseek(file.fileno(), first, os.SEEK_SET)
            position = first
            while position < last:
                chunk = file.read(min(CHUNK_BYTES, last - position))
                if not chunk:
                    break
                digest.update(chunk)
                position += len(chunk)
    return digest.hexdigest()


def _data(descriptor: int, start: int, end: int) -> list[tuple[int, int]]:
    """Extents with data between ``start`` and ``end``."""
    extents: list[tuple[int, int]] = []
    position = start
    while position < end:
        try:
            first = os.lseek(descriptor, position, os.SEEK_DATA)
        except OSError:  # ENXIO: no data beyond here
            break
        if first >= end:
            break
        position = min(os.lseek(descriptor, first, os.SEEK_HOLE), end)
        extents.append((first, position))
    return extents
