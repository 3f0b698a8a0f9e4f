"""A run in one file, to be handed over: ``RUN.tar.gz``, and what is in such a file that somebody handed over.

The same folder gives the same bytes, wherever it is packed. Only what the run itself has written goes in: its journal,
the evidence that the journal names, reports, certificates; nothing that somebody left in the folder. Whatever looks
like a secret stops it (``reports.leaks``): what is handed on cannot be called back.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from golden_flows.errors import InteropError, UsageError
from golden_flows.model.matrix import Run
from reports.atomic import put_file
from reports.certificate import certify, earning, manifest
from reports.certificate.places import FOLDER
from reports.certificate.signing import PublicKey
from reports.certificate.verification import Flaw, Verification, Wrong, verify
from reports.leaks import leak
from reports.read import open_run
from reports.write import formats

MOST_FILES = 100_000
MOST_BYTES = 4 << 30
"""More than that, unpacked, is no bundle but an attack on the disk of whoever verifies it."""


@dataclass(frozen=True)
class Bundle:
    """What was packed."""

    path: Path
    sha256: str
    files: int


def pack(folder: Path, target: Path | None = None) -> Bundle:
    """Put the run in this folder into one file, whole or not at all (default: ``RUN.tar.gz`` in the current folder).

    Raises ``UsageError`` where a file looks like it holds a secret, and for a folder without a run or with one at work;
    ``InteropError`` where evidence is gone or altered, or where the file cannot be written.
    """
    run = open_run(folder)
    name = re.sub(r"[^A-Za-z0-9._-]", "_", run.id).lstrip(".") or "run"
    content = _gathered(run, folder)
    for path, one in content.items():
        if kind := leak(one):
            raise UsageError(
                f"{path} seems to hold {kind}: nothing was packed",
                "look at the file; if a guest or a cloud gave it away, change that secret, and run again without it",
            )
    content[manifest.NAME] = manifest.render({path: _sha256(one) for path, one in content.items()})
    moment_s = int((run.ended_at or run.started_at).timestamp())

    def fill(file: BinaryIO) -> None:
        with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed, _plain_tar(packed) as archive:
            for path in sorted(content):
                member = tarfile.TarInfo(f"{name}/{path}")
                member.size, member.mtime, member.mode = len(content[path]), moment_s, 0o644
                archive.addfile(member, io.BytesIO(content[path]))

    written = put_file(target or Path(f"{name}.tar.gz"), fill)
    return Bundle(written, manifest.sha256_of(written), len(content))


def _plain_tar(file: gzip.GzipFile) -> tarfile.TarFile:
    return tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT)


def _gathered(run: Run, folder: Path) -> dict[str, bytes]:
    """What goes in, by its path in the run's folder."""
    evidence = {one.sha256: one for cell in run.cells for one in earning.evidence_of(cell)}
    content = {"journal.jsonl": _read(folder / "journal.jsonl")}
    for sha256, one in evidence.items():
        path = folder / "evidence" / sha256
        if not path.is_file():
            raise InteropError(f"evidence {one.name} ({sha256[:12]}…) is missing in {folder}", _AS_THE_RUN_LEFT_IT)
        content[f"evidence/{sha256}"] = _read(path)
        if _sha256(content[f"evidence/{sha256}"]) != sha256:
            raise InteropError(f"evidence {one.name} ({sha256[:12]}…) was altered since the run", _AS_THE_RUN_LEFT_IT)
    for top in (*formats(), FOLDER):
        for path in _files(folder / top):
            content[path.relative_to(folder).as_posix()] = _read(path)
    return content


_AS_THE_RUN_LEFT_IT = "bundle the folder as the run left it"


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    elif path.is_dir():
        yield from (one for one in sorted(path.rglob("*")) if one.is_file() and not one.is_symlink())


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InteropError(f"cannot read {path}: {error.strerror}", "make it readable") from error


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def is_bundle(path: Path) -> bool:
    """Whether it begins as a gzip file does."""
    try:
        with path.open("rb") as file:
            return file.read(2) == b"\x1f\x8b"
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", "name a file that you may read") from error


def verify_bundle(
    path: Path, trusted: Sequence[PublicKey] = (), *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> tuple[Verification, ...]:
    """Of the bundle itself first, then of each certificate in it. Raises ``UsageError`` for what is no bundle."""
    with tempfile.TemporaryDirectory(prefix="golden-flows-") as scratch:
        try:
            root = _unpack(path, Path(scratch))
        except (EOFError, zlib.error, tarfile.ReadError) as error:
            return (Verification(path, wrong=(Wrong(Flaw.TRUNCATED, f"{path.name}: {error}"),)),)
        except (tarfile.TarError, OSError) as error:
            raise UsageError(f"cannot unpack {path}: {error}", "is it what `golden-flows bundle` wrote?") from error
        wrong = tuple(_listed(root))
        attestations = sorted((root / FOLDER).glob(f"*/{certify.ATTESTATION}"))
        doubts = () if attestations else ("there is no certificate in it",)
        whole = Verification(path, wrong=wrong, doubts=doubts)
        return (whole, *(verify(one, trusted, now=now) for one in attestations))


def _unpack(path: Path, scratch: Path) -> Path:
    """The one folder that is in it. Only plain files are taken out, and only so many."""
    with tarfile.open(path, "r:gz") as archive:
        members = archive.getmembers()
        tops = {PurePosixPath(one.name).parts[:1] for one in members}
        if len(members) > MOST_FILES or sum(one.size for one in members) > MOST_BYTES:
            raise UsageError(f"{path} is too large for a bundle: {len(members)} files", "do not unpack it")
        if len(tops) != 1 or ("/",) in tops or not all(one.isfile() for one in members):
            raise UsageError(f"{path} is not laid out like a bundle", "is it what `golden-flows bundle` wrote?")
        archive.extractall(scratch, filter="data")
    return scratch.joinpath(*tops.pop())


def _listed(root: Path) -> Iterator[Wrong]:
    try:
        sums: Mapping[str, str] = manifest.parse((root / manifest.NAME).read_bytes())
    except OSError:
        yield Wrong(Flaw.EVIDENCE_MISSING, f"there is no {manifest.NAME} in the bundle")
        return
    except ValueError as error:
        yield Wrong(Flaw.MANIFEST_EDITED, str(error))
        return
    for one in manifest.broken(sums, root):
        yield Wrong(Flaw.EVIDENCE_MISSING if one.is_missing else Flaw.EVIDENCE_ALTERED, one.path)
    there = {path.relative_to(root).as_posix() for path in _files(root)} - {manifest.NAME}
    for path in sorted(there - set(sums)):
        yield Wrong(Flaw.MANIFEST_EDITED, f"{path} is in the bundle and not listed")
