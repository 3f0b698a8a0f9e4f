"""An export that its owner wants to keep: a RAW file in the results, with its sha256 beside it."""

from __future__ import annotations

import os
from pathlib import Path

from golden_flows.clouds.mover import Spooled
from golden_flows.clouds.sparse import SparseWriter, read_sparse
from golden_flows.errors import InteropError


def keep(spooled: Spooled, target: Path) -> Path:
    """Keep what travels of this export at ``target``, readable by this user only: a disk may hold anything.

    Holes stay holes. ``sha256sum -c`` reads the file beside it. Raises ``InteropError`` when there is no room.
    """
    raw = spooled.facts.raw
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _link_or_copy(spooled.path, target, raw.size_bytes)
        target.chmod(0o600)
        target.with_name(f"{target.name}.sha256").write_text(f"{raw.sha256}  {target.name}\n", "utf-8")
    except OSError as error:
        raise InteropError(
            f"cannot keep the export as {target}: {error.strerror}", "free some space, or leave out --keep-export"
        ) from error
    return target


def _link_or_copy(source: Path, target: Path, length: int) -> None:
    """A second name where the file system allows it: the spool's own goes with the scratch."""
    target.unlink(missing_ok=True)  # of an earlier telling; it may be the spool itself by another name
    try:
        os.link(source, target)
        return
    except OSError:
        writer = SparseWriter(target)
    try:
        for chunk in read_sparse(source, length):
            writer(chunk)
        writer.close()
    except BaseException:
        writer.abandon()
        raise
