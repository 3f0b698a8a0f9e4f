"""Which shim makes RAW of an export that is none, and its doing so."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from golden_flows.clouds import memory
from golden_flows.clouds.mover import Spooled
from golden_flows.errors import InteropError
from golden_flows.model.image_facts import ExportFacts, ShimFacts
from golden_flows.shims import snapshot_to_raw, tgz_vhd_to_raw

MakeRaw = Callable[[ExportFacts, Path, Path, Path], ShimFacts]
"""(what was exported, its bytes, an empty folder to work in, the file to make)."""


READY = (tgz_vhd_to_raw.NAME, *(snapshot_to_raw.NAMES))
"""Names of all of them."""


def find(export: ExportFacts) -> MakeRaw | None:
    """The shim for this export; None where it is RAW already, or nothing of ours can read it."""
    return next((one.make_raw for one in (tgz_vhd_to_raw, snapshot_to_raw) if one.applies(export)), None)


def to_raw(spooled: Spooled, make_raw: MakeRaw) -> Spooled:
    """The same export with its RAW disk in the spool's place; what is wrong with it is in ``facts.shim``.

    Raises ``InteropError`` when this machine has no room for it.
    """
    before, began_s = memory.reset_peak(), time.monotonic()
    raw = spooled.path.with_name(f"{spooled.path.name}.shim")
    folder = Path(tempfile.mkdtemp(prefix="shim-", dir=spooled.path.parent))
    try:
        facts = make_raw(spooled.facts, spooled.path, folder, raw)
    except OSError as error:
        raise InteropError(
            f"cannot unpack {spooled.path}: {error.strerror}", "free some space in the scratch folder"
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if not facts.error:
        raw.replace(spooled.path)
    peaks = [one for one in (spooled.rss_peak_bytes, memory.peak_bytes()) if one is not None]
    lows = [one for one in (spooled.rss_before_bytes, before) if one is not None]
    return replace(
        spooled,
        facts=replace(spooled.facts, shim=facts),
        seconds=spooled.seconds + time.monotonic() - began_s,
        rss_before_bytes=min(lows, default=None),
        rss_peak_bytes=max(peaks, default=None),
    )
