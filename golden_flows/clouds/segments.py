"""The journal of a spool that is being written: how far it came, so that whoever comes next need not begin anew.

JSON lines beside the spool, each flushed before the next bytes are taken: first which image it is, then marks of
``{"end": bytes, "sha256": of everything before}``. What a crash lost of the spool is known by its hash.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from golden_flows.clouds.records import ImageRef
from golden_flows.clouds.sparse import read_sparse


class Segments:
    """Of one spool and one image."""

    def __init__(self, spool: Path, cloud: str, image: ImageRef) -> None:
        self._spool = spool
        self.path = spool.with_name(f"{spool.name}.segments")
        self._image = {
            "cloud": cloud,
            "image": image.id,
            "size": image.size_bytes,
            "hash": image.os_hash_value or image.checksum,
        }
        self._file: IO[str] | None = None

    def intact_bytes(self) -> int:
        """How many bytes of the spool are what was written; 0 where there is none, or it is of another image."""
        marks = self._marks()
        if not marks or not self._spool.is_file():
            return 0
        digest, intact, due = hashlib.sha256(), 0, dict(marks)
        at = 0
        for chunk in read_sparse(self._spool, max(due)):
            while chunk:
                step = min((one - at for one in due if one > at), default=len(chunk))
                piece, chunk = chunk[:step], chunk[step:]
                digest.update(piece)
                at += len(piece)
                if at in due:
                    if due[at] != digest.hexdigest():
                        return intact
                    intact = at
        return intact

    def begin(self, intact_bytes: int) -> None:
        """Start writing; marks up to ``intact_bytes`` stay. Raises ``OSError``."""
        kept = [(end, digest) for end, digest in self._marks() if end <= intact_bytes]
        self._file = self.path.open("w", encoding="utf-8")
        self._write(self._image)
        for end, digest in kept:
            self.mark(end, digest)

    def mark(self, end: int, sha256: str) -> None:
        """The first ``end`` bytes are in the spool. Raises ``OSError``."""
        self._write({"end": end, "sha256": sha256})

    def remove(self) -> None:
        """The spool is whole, or gone."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self.path.unlink(missing_ok=True)

    def _write(self, line: dict[str, Any]) -> None:
        if self._file is None:
            raise ValueError("a journal of segments is written to before it is begun")
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def _marks(self) -> list[tuple[int, str]]:
        """In their order; none where the journal is of another image. A last line that was cut short does not count."""
        return list(self._read()) if self.path.is_file() else []

    def _read(self) -> Iterator[tuple[int, str]]:
        try:
            lines = [
                json.loads(line) for line in self.path.read_text("utf-8").splitlines(keepends=True) if line[-1] == "\n"
            ]
            if not lines or lines[0] != self._image:
                return
            yield from ((int(one["end"]), str(one["sha256"])) for one in lines[1:])
        except (ValueError, KeyError, TypeError):
            return
