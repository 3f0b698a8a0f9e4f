"""Evidence files as a page can show them: linked, and embedded where they are short text."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from golden_flows.errors import shorten
from golden_flows.model.evidence import Evidence
from golden_flows.model.matrix import Run
from golden_flows.printable import printable

EMBED_BYTES = 65_536
"""Longer text is linked only."""

EMBED_ALL_BYTES = 4_194_304
"""How much text one page embeds in all."""

_HEAD_BYTES = 1024

_QUOTED_CHARS = 160
"""So much of a line do checks quote."""


@dataclass(frozen=True)
class Kept:
    """One evidence file."""

    evidence: Evidence
    path: str
    """Relative to the run's folder."""
    linked: bool
    """False when the file is gone, or when a browser may take it for a page and run what a guest wrote."""
    text: str | None
    """Printable content, not escaped; None when it is not embedded."""
    trouble: str
    """``missing``, ``altered``; empty when the file is as it was recorded."""


def read_kept(run: Run, folder: Path) -> dict[str, Kept]:
    """Every evidence file of the run by its sha256."""
    every = {one.sha256: one for cell in run.cells for kept in cell.evidence.values() for one in kept}
    left_bytes = EMBED_ALL_BYTES
    found = {}
    for one in every.values():
        kept = _read(one, folder, embed=one.size_bytes <= min(EMBED_BYTES, left_bytes))
        left_bytes -= one.size_bytes if kept.text is not None else 0
        found[one.sha256] = kept
    return found


@dataclass(frozen=True)
class Passage:
    """Some lines of a text."""

    text: str
    quoted: bool
    """Whether a finding quotes them."""


def passages(text: str, said: Iterable[str]) -> tuple[Passage, ...]:
    """The text, whole, with the lines told apart that are quoted in what was ``said``.

    Checks quote a line as ``repr`` of it, shortened: see ``golden_flows.checks.boot``.
    """
    known = [one for one in said if "'" in one or '"' in one]
    quoted = (
        (line, any(repr(shorten(line.strip(), _QUOTED_CHARS)) in one for one in known) if line.strip() else False)
        for line in text.splitlines(keepends=True)
    )
    return tuple(
        Passage("".join(line for line, _ in lines), is_quoted)
        for is_quoted, lines in groupby(quoted, key=lambda one: one[1])
    )


def _read(one: Evidence, folder: Path, *, embed: bool) -> Kept:
    path = f"evidence/{one.sha256}"
    try:
        with (folder / path).open("rb") as file:
            content = file.read(EMBED_BYTES + 1 if embed else _HEAD_BYTES)
    except OSError:
        return Kept(one, path, linked=False, text=None, trouble="missing")
    linked = not content.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<")
    if not embed:
        return Kept(one, path, linked=linked, text=None, trouble="")
    if hashlib.sha256(content).hexdigest() != one.sha256:
        return Kept(one, path, linked=linked, text=None, trouble="altered")
    is_text = one.media_type.startswith("text/") or one.media_type.partition(";")[0] in ("application/json",)
    text = printable(content.decode("utf-8", "replace"), 2 * EMBED_BYTES) if is_text else None
    return Kept(one, path, linked=linked, text=text, trouble="")
