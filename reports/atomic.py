"""Puts a finished report in place of the last one, whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from golden_flows.errors import InteropError


def _fail(path: Path, error: OSError) -> InteropError:
    return InteropError(
        f"cannot write {path}: {error.strerror or error}",
        "free some space, then give the command again (`golden-flows report RUN` for a run's reports)",
    )


def put_bytes(path: Path, content: bytes) -> Path:
    """Write a file. On ``InteropError`` (full disk) what was there before is still there."""

    def fill(file: BinaryIO) -> None:
        file.write(content)

    return put_file(path, fill)


def put_file(path: Path, fill: Callable[[BinaryIO], None]) -> Path:
    """A file that ``fill`` writes, in place of the old one. Raises as ``put_bytes``."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with partial.open("wb") as file:
            fill(file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise _fail(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
    return path


def put_text(path: Path, text: str) -> Path:
    """As ``put_bytes``, UTF-8."""
    return put_bytes(path, text.encode("utf-8", "replace"))


def put_folder(path: Path, fill: Callable[[Path], None]) -> Path:
    """A folder that ``fill`` fills, in place of the old one. Raises as ``put_bytes``."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    old = path.with_name(f".{path.name}.{os.getpid()}.old")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        fill(partial)
        if path.exists():
            path.rename(old)
        partial.rename(path)
    except OSError as error:
        if old.exists() and not path.exists():
            old.rename(path)
        raise _fail(path, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
    return path


def put_link(link: Path, target: str) -> None:
    """Point a symbolic link at ``target``. Raises as ``put_bytes``, also when no link but a file or folder is there."""
    partial = link.with_name(f".{link.name}.{os.getpid()}")
    try:
        partial.unlink(missing_ok=True)
        partial.symlink_to(target)
        if link.exists() and not link.is_symlink():
            raise FileExistsError(0, "something that is not a link is in its place; move it away")
        partial.replace(link)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise _fail(link, error) from error
