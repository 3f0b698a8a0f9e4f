"""Opens XenServer's packaging of an image (a gzip'd tar of ``0.vhd``, ``1.vhd`` …), trusting nothing in it.

Source: nova's XenAPI driver, os-xenapi's dom0 plugins. No name of the archive is ever used as a path; what unpacks
out of proportion is given up; headers that would make tarfile read on its own account are refused.
"""

from __future__ import annotations

import gzip
import tarfile
import zlib
from pathlib import Path
from typing import Self

from golden_flows.clouds.digests import CHUNK_BYTES

LINKS_MAX = 30
"""XenServer's own limit of a chain."""
EXPECTED_RATIO_MAX = 100
SMALL_BYTES = 64 * 1024**2
"""What unpacks to less is no bomb whatever its ratio."""
UNPACKED_MAX_BYTES = 256 * 1024**3
_SIMPLE_FILES = (tarfile.REGTYPE, tarfile.AREGTYPE)


class BadArchive(Exception):
    """What is wrong with it, in words that follow "the archive"."""


class _SimpleHeader(tarfile.TarInfo):
    """A header that is files or the folder, and nothing that is followed, expanded or read ahead."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        header = super().frombuf(buf, encoding, errors)
        kind = header.type
        if kind in (tarfile.LNKTYPE, tarfile.SYMTYPE):
            raise BadArchive(f"holds a link: {header.name!r} to {header.linkname!r}")
        if kind not in (*_SIMPLE_FILES, tarfile.DIRTYPE):
            raise BadArchive(f"holds {header.name!r} of tar type {kind!r}: only plain files belong in it")
        return header


class _Unzipped:
    """What tarfile reads from: the unzipped bytes, up to an allowance."""

    def __init__(self, file: gzip.GzipFile, packed_bytes: int) -> None:
        self._file, self._packed_bytes, self._given = file, packed_bytes, 0
        self._allowance = min(UNPACKED_MAX_BYTES, max(SMALL_BYTES, EXPECTED_RATIO_MAX * packed_bytes))

    def read(self, size: int) -> bytes:
        chunk = self._file.read(size)
        self._given += len(chunk)
        if self._given > self._allowance:
            raise BadArchive(f"unpacks to more than {self._allowance} bytes from {self._packed_bytes}: a bomb?")
        return chunk


def unpack(archive: Path, folder: Path) -> list[Path]:
    """Unpack the chain into ``folder``, newest first, one chunk in memory at a time.

    Raises ``BadArchive``, or ``OSError`` when it cannot be read or written here. What was written stays in ``folder``.
    """
    try:
        with gzip.open(archive, "rb") as unzipped:
            source = _Unzipped(unzipped, archive.stat().st_size)
            with tarfile.open(fileobj=source, mode="r|", tarinfo=_SimpleHeader, bufsize=CHUNK_BYTES) as tar:  # type: ignore[call-overload]  # tarfile only reads; typeshed wants a whole file
                found = _links(tar, folder)
            while source.read(CHUNK_BYTES):  # gzip compares its checksum at the very end
                pass
    except (EOFError, zlib.error, gzip.BadGzipFile, tarfile.TarError) as error:
        raise BadArchive(f"is damaged or cut short ({error})") from error
    gap = next((number for number in range(LINKS_MAX) if number not in found), LINKS_MAX)
    if gap < len(found) or not found:
        present = ", ".join(f"{number}.vhd" for number in sorted(found)) or "nothing of a chain"
        raise BadArchive(f"lacks {gap}.vhd; it holds {present}")
    return [found[number] for number in range(gap)]


def _links(tar: tarfile.TarFile, folder: Path) -> dict[int, Path]:
    found: dict[int, Path] = {}
    for header in tar:
        name = header.name.removeprefix("./")
        if name.startswith("/") or ".." in name.split("/"):
            raise BadArchive(f"holds {header.name!r}, a path that leads out of it")
        if header.isdir() or name == "swap.vhd":  # the folder itself; a swap disk of old versions, long ignored
            continue
        stem, _, suffix = name.partition(".")
        if suffix != "vhd" or not stem.isdecimal() or stem != str(int(stem)) or int(stem) >= LINKS_MAX:
            raise BadArchive(f"holds {header.name!r}, which is no link of a chain (0.vhd, 1.vhd …)")
        if int(stem) in found:
            raise BadArchive(f"holds {name} twice")
        found[int(stem)] = folder / f"link-{int(stem)}"
        _write(tar, header, found[int(stem)])
    return found


def _write(tar: tarfile.TarFile, header: tarfile.TarInfo, path: Path) -> None:
    content = tar.extractfile(header)
    if content is None:
        raise BadArchive(f"holds {header.name!r} without content")
    with open(path, "xb") as out:
        written = 0
        while chunk := content.read(CHUNK_BYTES):
            written += out.write(chunk)
    if written != header.size:
        raise BadArchive(f"is cut short: {header.name!r} has {written} of {header.size} bytes")
