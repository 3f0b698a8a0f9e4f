"""What is kept of bytes that pass once, in order, and never lie on a disk of ours."""

from __future__ import annotations

from golden_flows.model import file_system
from golden_flows.model.file_system import ExportedDisk

HEAD_BYTES = 1024 * 1024
"""Of a disk that passes: room for its partition table, before what usually is the first partition."""


class Window:
    """Keeps a few bytes of all that pass. Call it with each chunk, and with how many bytes came before that."""

    def __init__(self, start: int, length: int) -> None:
        self.start, self.length, self._seen = start, length, bytearray()

    def __call__(self, chunk: bytes, at: int) -> None:
        first, end = self.start + len(self._seen), self.start + self.length
        if len(self._seen) < self.length and at <= first < at + len(chunk):
            self._seen += chunk[first - at : end - at]

    @property
    def content(self) -> bytes:
        """As much of it as has passed."""
        return bytes(self._seen)


class PassingDisk:
    """Looks for file systems on a RAW disk, as ``file_system.look`` does on one that lies still."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._superblocks: dict[int, Window] | None = None
        self._passed = 0

    def __call__(self, chunk: bytes) -> None:
        if self._superblocks is None:
            self._head += chunk[: HEAD_BYTES - len(self._head)]
            if len(self._head) == HEAD_BYTES:
                self._look_out()
        for window in (self._superblocks or {}).values():
            window(chunk, self._passed)
        self._passed += len(chunk)

    def look(self) -> ExportedDisk:
        """What there was on all that has passed."""
        try:
            return file_system.look(self._read)
        except _BeyondHeadError as error:
            return ExportedDisk(error=str(error))

    def _look_out(self) -> None:
        self._superblocks = {}
        try:
            places = file_system.superblocks(self._read)
        except _BeyondHeadError:
            return  # look() says so
        for at in places:
            self._superblocks[at] = Window(at, file_system.SUPERBLOCK_BYTES)
            self._superblocks[at](bytes(self._head), 0)

    def _read(self, at: int, length: int) -> bytes:
        if window := (self._superblocks or {}).get(at):
            return window.content[:length]
        if at + length > HEAD_BYTES and self._passed > HEAD_BYTES:
            raise _BeyondHeadError(f"what tells of its partitions lies beyond the first {HEAD_BYTES} bytes: at {at}")
        return bytes(self._head[at : at + length])


class _BeyondHeadError(Exception):
    """It has passed, and nobody knew that it would be wanted."""
