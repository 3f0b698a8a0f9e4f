"""``SHA256SUMS`` of what a certificate rests on: written for ``sha256sum -c``, and read again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

NAME = "SHA256SUMS"

_LINE = re.compile(r"([0-9a-f]{64})  (.+)")


def render(sums: Mapping[str, str]) -> bytes:
    """``sums``: sha256 by path, relative to the folder in which ``sha256sum -c`` is to be run."""
    return "".join(f"{sums[path]}  {path}\n" for path in sorted(sums)).encode()


def parse(content: bytes) -> dict[str, str]:
    """Raises ``ValueError`` for anything else than ``render`` writes; no path leads out of the folder."""
    sums = {}
    for line in content.decode("utf-8").splitlines():
        match = _LINE.fullmatch(line)
        if match is None:
            raise ValueError(f"not a line of sha256sum: {line[:80]!r}")
        digest, path = match.groups()
        if path in sums or PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
            raise ValueError(f"not a path within the folder, or there twice: {path[:80]!r}")
        sums[path] = digest
    return sums


def sha256_of(path: Path) -> str:
    """Raises ``OSError``."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class Broken:
    """A file that is not as the manifest says."""

    path: str
    is_missing: bool

    def __str__(self) -> str:
        return f"{self.path} {'is missing' if self.is_missing else 'was altered'}"


def broken(sums: Mapping[str, str], root: Path) -> Iterator[Broken]:
    """Files under ``root`` that are gone or have another hash."""
    for path, digest in sorted(sums.items()):
        try:
            if sha256_of(root / path) != digest:
                yield Broken(path, is_missing=False)
        except OSError:
            yield Broken(path, is_missing=True)
