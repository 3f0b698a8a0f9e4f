"""Moves an image from one cloud to another in bounded memory: out into a sparse spool file, in from there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from golden_flows.clouds.cloud import Cloud
from golden_flows.clouds.records import Progress
from golden_flows.model.facts import ExportFacts, ImportFacts, TransferFacts
from golden_flows.waiting import Deadline


@dataclass(frozen=True)
class Spooled:
    """An export that waits on disk for its imports: exported once per source, imported once per destination."""

    facts: ExportFacts
    path: Path
    seconds: float
    rss_before_bytes: int | None
    rss_peak_bytes: int | None


def export_to_spool(
    source: Cloud, image_id: str, spool: Path, *, deadline: Deadline, progress: Progress | None = None
) -> Spooled:
    raise NotImplementedError


def import_from_spool(
    spooled: Spooled,
    destination: Cloud,
    *,
    name: str,
    properties: dict[str, str] | None = None,
    deadline: Deadline,
    progress: Progress | None = None,
) -> tuple[TransferFacts, ImportFacts]:
    """``TransferFacts`` covers the export and the upload together."""
    raise NotImplementedError


def move(
    source: Cloud,
    image_id: str,
    destination: Cloud,
    *,
    name: str,
    spool: Path,
    properties: dict[str, str] | None = None,
    deadline: Deadline,
    progress: Progress | None = None,
) -> tuple[ExportFacts, TransferFacts, ImportFacts]:
    raise NotImplementedError
