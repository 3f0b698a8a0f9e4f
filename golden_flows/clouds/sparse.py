"""Sparse files: zero blocks become holes when written, and holes count as zeros when hashed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from golden_flows.clouds.digests import CHUNK_BYTES
from golden_flows.errors import InteropError
from golden_flows.model.transfer import DataMap

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
            for start, block in data_blocks(chunk):
                self._file.seek(self._size + start)
                self._write_all(block)
        except OSError as error:
            raise self._no_room(error) from error
        self._size += len(chunk)

    def _write_all(self, block: bytes) -> None:
        while block:
            block = block[self._file.write(block) :]

    def close(self) -> None:
        try:
            self._file.truncate(self._size)
        except OSError as error:
            raise self._no_room(error) from error
        self._file.close()

    def _no_room(self, error: OSError) -> InteropError:
        return InteropError(f"cannot write {self.path}: {error.strerror}", "free some space in the scratch folder")

    def abandon(self) -> None:
        """Close, and remove what was written."""
        self._file.close()
        self.path.unlink(missing_ok=True)


class DataCounter:
    """A sink that counts what is not zero, for disks that never lie on ours."""

    def __init__(self) -> None:
        self._at = self._data = 0
        self._blocks, self._last = 0, -1

    def __call__(self, chunk: bytes) -> None:
        for start, block in data_blocks(chunk):
            self._data += len(block)
            number = (self._at + start) // DataMap.BLOCK_BYTES
            if number != self._last:
                self._blocks, self._last = self._blocks + 1, number
        self._at += len(chunk)

    @property
    def counted(self) -> DataMap:
        return DataMap(self._data, self._blocks * DataMap.BLOCK_BYTES)


def data_blocks(chunk: bytes) -> Iterator[tuple[int, bytes]]:
    """(offset, block) of every block of a chunk that is not zero."""
    if chunk == _ZERO_CHUNK[: len(chunk)]:
        return
    for start in range(0, len(chunk), BLOCK_BYTES):
        block = chunk[start : start + BLOCK_BYTES]  # bytes on purpose: comparing a memoryview is slow
        if block != _ZERO_BLOCK[: len(block)]:
            yield start, block


def data_map(path: Path, length: int) -> DataMap:
    """Of the first ``length`` bytes of a sparse file; what lies in no hole counts as data."""
    data, blocks, last = 0, 0, -1
    with open(path, "rb", buffering=0) as file:
        for first, end in _data(file.fileno(), 0, length):
            data += end - first
            low, high = max(first // DataMap.BLOCK_BYTES, last + 1), (end - 1) // DataMap.BLOCK_BYTES
            blocks, last = blocks + max(0, high - low + 1), max(last, high)
    return DataMap(data, blocks * DataMap.BLOCK_BYTES)


def read_sparse(path: Path, length: int) -> Iterator[bytes]:
    """The first ``length`` bytes in chunks, fewer where the file is shorter; holes are zeros, and not read."""
    with open(path, "rb", buffering=0) as file:
        size = min(length, os.fstat(file.fileno()).st_size)
        position = 0
        for first, last in [*_data(file.fileno(), 0, size), (size, size)]:
            while position < first:
                hole = _ZERO_CHUNK[: min(CHUNK_BYTES, first - position)]
                yield hole
                position += len(hole)
            os.lseek(file.fileno(), first, os.SEEK_SET)
            while position < last:
                chunk = file.read(min(CHUNK_BYTES, last - position))
                if not chunk:
                    return
                yield chunk
                position += len(chunk)


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
    for chunk in read_sparse(path, length):
        digest.update(chunk)
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
