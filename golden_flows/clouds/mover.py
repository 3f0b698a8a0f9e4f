"""Moves an image from one cloud to another in bounded memory: out into a sparse spool file, in from there."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from golden_flows.clouds import memory
from golden_flows.clouds.cloud import Cloud
from golden_flows.clouds.digests import CHUNK_BYTES
from golden_flows.clouds.records import Progress
from golden_flows.clouds.sparse import SparseWriter
from golden_flows.model.image_facts import ExportFacts, ImportFacts, TransferFacts
from golden_flows.waiting import Deadline


@dataclass(frozen=True)
class Spooled:
    """An export that waits on disk for its imports: exported once per source, imported once per destination."""

    facts: ExportFacts
    path: Path
    """Sparse: takes up what is not zero."""
    seconds: float
    rss_before_bytes: int | None
    rss_peak_bytes: int | None


def export_to_spool(
    source: Cloud, image_id: str, spool: Path, *, deadline: Deadline, progress: Progress | None = None
) -> Spooled:
    """Stream the image into ``spool``. Raises ``InteropError`` when the disk is full; the spool is then removed."""
    before = memory.reset_peak()
    began_s = time.monotonic()
    writer = SparseWriter(spool)
    try:
        facts = source.export_image(image_id, writer, deadline=deadline, progress=progress)
        writer.close()
    except BaseException:
        writer.abandon()
        raise
    return Spooled(facts, spool, time.monotonic() - began_s, before, memory.peak_bytes())


def import_from_spool(
    spooled: Spooled,
    destination: Cloud,
    *,
    name: str,
    properties: Mapping[str, str] | None = None,
    deadline: Deadline,
    progress: Progress | None = None,
) -> tuple[TransferFacts, ImportFacts]:
    """``TransferFacts`` covers the export and the upload together."""
    before = memory.reset_peak()
    began_s = time.monotonic()
    imported = destination.import_image(
        name=name,
        source=spooled.path,
        size_bytes=spooled.facts.raw.size_bytes,
        properties=properties,
        deadline=deadline,
        progress=progress,
    )
    peaks = [one for one in (spooled.rss_peak_bytes, memory.peak_bytes()) if one is not None]
    readings_before = [one for one in (spooled.rss_before_bytes, before) if one is not None]
    transferred = TransferFacts(
        moved_bytes=imported.sent_bytes,
        seconds=spooled.seconds + time.monotonic() - began_s,
        chunk_bytes=CHUNK_BYTES,
        workers=1,
        rss_before_bytes=min(readings_before, default=None),
        rss_peak_bytes=max(peaks, default=None),
    )
    return transferred, imported
