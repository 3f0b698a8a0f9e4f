"""Request bodies of images: out of a file, or straight out of another cloud while they are sent.

Both have a length, which makes the HTTP library send Content-Length, and may be iterated again, when the library
repeats a request after a token was refused: then everything starts anew.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from golden_flows.clouds.digests import CHUNK_BYTES, Digests
from golden_flows.clouds.download import Road, worth_another_try
from golden_flows.clouds.passing import PassingDisk
from golden_flows.clouds.records import Download, Progress
from golden_flows.clouds.sparse import DataCounter
from golden_flows.errors import InteropError, WaitTimeout
from golden_flows.waiting import Deadline

QUEUED_CHUNKS = 4
POLL_S = 0.5


class Body(Protocol):
    """What is sent. ``sent_bytes`` and ``sha512`` are of the last iteration, ``wire_bytes`` of all."""

    sent_bytes: int
    wire_bytes: int
    sha512: str | None

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[bytes]: ...


class Upload:
    """Read from a file in chunks; hashes what is really handed to the socket.

    What is wrong with the file is ``Damaged``: the HTTP library would take an ``OSError`` for the connection's.
    """

    def __init__(self, source: Path, size_bytes: int, deadline: Deadline, progress: Progress | None) -> None:
        self._source, self._size = source, size_bytes
        self._deadline, self._progress = deadline, progress
        self.sent_bytes = self.wire_bytes = 0
        self.sha512: str | None = None

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        self.sent_bytes, self.sha512 = 0, None
        began_s = time.monotonic()
        with Digests(("sha512",)) as digests:
            for chunk in self._chunks():
                if self._deadline.left_s <= 0:
                    raise WaitTimeout("the upload", time.monotonic() - began_s, f"{self.sent_bytes} bytes sent")
                digests.update(chunk)
                yield chunk
                self.sent_bytes += len(chunk)
                self.wire_bytes += len(chunk)
                if self._progress:
                    self._progress(self.sent_bytes, self._size)
                # Here and not after the loop: the library stops asking once Content-Length is reached.
                if self.sent_bytes == self._size:
                    self.sha512 = digests.hex("sha512")

    def _chunks(self) -> Iterator[bytes]:
        left = self._size
        try:
            with open(self._source, "rb", buffering=0) as file:
                while left:
                    chunk = file.read(min(CHUNK_BYTES, left))
                    if not chunk:
                        raise Damaged(f"{self._source} ended after {self._size - left} of {self._size} bytes")
                    left -= len(chunk)
                    yield chunk
        except OSError as error:
            raise Damaged(f"cannot read {self._source}: {error.strerror}") from error


class Damaged(InteropError):
    """What is here is not the image that is to be sent: its last bytes were not, so that nothing was stored.

    It came otherwise than the source shows it, or our own copy is to blame; the destination is not.
    """


Read = Callable[[Road, Callable[[bytes], None]], Download]
"""Reads an image into a sink, by this road."""


class Passed:
    """A sink: what is to be known of an image of which nothing is kept."""

    def __init__(self) -> None:
        self.data, self.disk = DataCounter(), PassingDisk()

    def __call__(self, chunk: bytes) -> None:
        self.data(chunk)
        self.disk(chunk)


class _Abandoned(Exception):
    """Nobody takes the bytes any more."""


class Stream:
    """Downloaded in another thread while it is sent; a few chunks wait in memory.

    The last chunk is held back until all has come and is what the source says it is. Otherwise ``Damaged`` ends the
    request before its end, and the destination has half an upload, which it does not keep. Iterated again, it is
    downloaded again: in one piece where pieces did not make it.
    """

    def __init__(self, read: Read, size_bytes: int, road: Road) -> None:
        self._read, self._size = read, size_bytes
        self._road = replace(road, hashes=(*road.hashes, "sha512"))
        self._run: _Run | None = None
        self._tries: list[Download] = []
        self.sent_bytes = self.wire_bytes = 0
        self.sha512: str | None = None
        self.lost_bytes = 0
        """Came of readings that nobody wanted to their end, or that had none."""

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        self.close()
        if self._run is not None and not self._is_told(self._run):
            self.lost_bytes += self._run.came_bytes
        self.sent_bytes, self.sha512 = 0, None
        road = self._road.plain if any(map(worth_another_try, self._tries)) else self._road
        self._run = run = _Run(self._read, road)
        held = b""
        for chunk in run.chunks():
            if held:
                yield self._sent(held)
            held = chunk
        try:
            got = run.result()
        except InteropError as error:  # the source's trouble, which must not be taken for the destination's
            raise Damaged(error.what, error.remedy) from error
        except Exception as error:  # ours
            raise Damaged(f"the download: {type(error).__name__}: {error}") from error
        self._tries.append(got)
        if got.is_whole is False or got.downloaded_bytes != self._size:
            raise Damaged(got.error or f"what came of image {got.image.id} is not what Glance shows")
        self.sha512 = got.sha512
        if held:
            yield self._sent(held)

    def _sent(self, chunk: bytes) -> bytes:
        self.sent_bytes += len(chunk)
        self.wire_bytes += len(chunk)
        return chunk

    def close(self) -> None:
        """Let go of the source, however far its reading came."""
        if self._run is not None:
            self._run.abandon()

    def finish(self) -> tuple[list[Download], Passed]:
        """Every whole reading of the source; the last one comes to its end though nobody takes its bytes any more.

        None where nothing was ever asked for. And what passed in the last one. Raises what the download raised.
        """
        if self._run is None:
            return [], Passed()
        self._run.drain()
        got = self._run.result()
        if not self._is_told(self._run):
            self._tries.append(got)
        return self._tries, self._run.passed

    def _is_told(self, run: _Run) -> bool:
        return bool(self._tries) and self._tries[-1] is run.got


class _Run:
    """One download."""

    def __init__(self, read: Read, road: Road) -> None:
        self._queue: queue.Queue[bytes | None] = queue.Queue(QUEUED_CHUNKS)
        self.got: Download | None = None
        self._error: BaseException | None = None
        self._is_abandoned = self._is_drained = False
        self.passed = Passed()
        self.came_bytes = 0
        self._read, self._road = read, road
        self._thread = threading.Thread(target=self._work, name="download", daemon=True)
        self._thread.start()

    def chunks(self) -> Iterator[bytes]:
        while (chunk := self._queue.get()) is not None:
            yield chunk

    def result(self) -> Download:
        """Raises what the download raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        if self.got is None:
            raise InteropError("a download ended without a result")
        return self.got

    def drain(self) -> None:
        """Let it come to its end though nobody takes what it brings."""
        self._is_drained = True

    def abandon(self) -> None:
        """Let it end soon."""
        self._is_abandoned = True
        self._thread.join()

    def _work(self) -> None:
        try:
            self.got = self._read(self._road, self._sink)
        except BaseException as error:  # told to whoever asks for the result
            self._error = error
        with contextlib.suppress(_Abandoned):
            self._put(None)

    def _sink(self, chunk: bytes) -> None:
        self.passed(chunk)
        self.came_bytes += len(chunk)
        self._put(chunk)

    def _put(self, chunk: bytes | None) -> None:
        while True:
            if self._is_abandoned:
                raise _Abandoned
            if self._is_drained:
                return
            try:
                self._queue.put(chunk, timeout=POLL_S)
                return
            except queue.Full:
                continue
