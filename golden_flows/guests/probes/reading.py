"""What the probes of a guest with a whole system read by: files, programs, digests. Nothing here raises."""

from __future__ import annotations

import hashlib
import json
import subprocess

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def text_of(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return None


def bytes_of(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None


def stripped(path: str) -> str | None:
    return (text_of(path) or "").strip() or None


def document(content: str | bytes | None) -> Any:
    """Parsed JSON; None for anything else."""
    try:
        return json.loads(content) if content else None
    except (ValueError, RecursionError):
        return None


def said(*argv: str) -> str:
    """What a program prints; nothing where there is no such program."""
    try:
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=30, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", "replace")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
