"""Digests of a byte stream, computed beside the transfer: hashlib lets go of the interpreter lock on large chunks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

CHUNK_BYTES = 1024 * 1024
HEAD_BYTES = 4096
TAIL_BYTES = 512

KNOWN_HASHES = frozenset({"md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha3_256", "sha3_512", "blake2b"})
"""Algorithms that a cloud may name in ``os_hash_algo``; whatever else it says is not handed to hashlib."""


class Digests:
    """Feed with ``update``; one thread per algorithm, at most one chunk behind, so memory stays bounded."""

    def __init__(self, algorithms: Iterable[str]) -> None:
        self._hashes = {
            name: hashlib.new(name, usedforsecurity=False) for name in dict.fromkeys(algorithms) if name in KNOWN_HASHES
        }
        self._pool = ThreadPoolExecutor(max(1, len(self._hashes)), "digest")
        self._pending: list[Future[None]] = []
        self.count = 0
        self.head = b""
        self.tail = b""

    def __enter__(self) -> Digests:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True)

    def update(self, chunk: bytes) -> None:
        self._settle()
        if len(self.head) < HEAD_BYTES:
            self.head += chunk[: HEAD_BYTES - len(self.head)]
        self.tail = (self.tail + chunk[-TAIL_BYTES:])[-TAIL_BYTES:]
        self.count += len(chunk)
        self._pending = [self._pool.submit(one.update, chunk) for one in self._hashes.values()]

    def hex(self, algorithm: str | None) -> str | None:
        """Of everything so far; None for an algorithm that was not asked for or is not known."""
        self._settle()
        one = self._hashes.get(algorithm or "")
        return one.hexdigest() if one is not None else None

    def _settle(self) -> None:
        for future in self._pending:
            future.result()
        self._pending = []
