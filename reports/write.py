"""The second pass: from the journal of a run to every report."""

from __future__ import annotations

import importlib
import logging
import pkgutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Protocol, cast

import reports.formats
from golden_flows.errors import InteropError
from golden_flows.guideline import load_guideline
from golden_flows.journal import read_events
from golden_flows.model.guideline import Guideline
from golden_flows.model.matrix import Run
from reports.atomic import put_link
from reports.read import read_run

logger = logging.getLogger(__name__)


class Format(Protocol):
    """What a file in ``reports/formats`` offers."""

    NAME: str
    """File (or folder) that it writes in the run's folder."""

    def write(self, run: Run, folder: Path) -> Path:
        """Write the report, whole or not at all. Raises ``InteropError`` when it cannot."""
        ...


def formats() -> dict[str, Format]:
    """Every format by the name of its output, found by the files in ``reports/formats``."""
    names = sorted(one.name for one in pkgutil.iter_modules(reports.formats.__path__))
    modules = (importlib.import_module(f"{reports.formats.__name__}.{name}") for name in names)
    return {one.NAME: one for one in (cast(Format, module) for module in modules)}


def write_all(folder: Path, *, load: Callable[[str], Guideline] = load_guideline) -> dict[str, Path]:
    """Write every report of the run in ``folder``; returns where each is, by name.

    Also points ``latest`` beside the folder at it, unless that already points at a run that began later. Raises
    ``InteropError`` when the journal cannot be read, or when a report could not be written (after trying them all).
    """
    folder = folder.resolve()  # may have been named by way of ``latest``
    run = read_run(folder, load=load)
    written: dict[str, Path] = {}
    failures: list[InteropError] = []
    for name, one in formats().items():
        try:
            written[name] = one.write(run, folder)
        except InteropError as error:
            failures.append(error)
    if failures:
        raise InteropError("; ".join(one.what for one in failures), failures[0].remedy) from failures[0]
    _point_latest(folder, run.started_at)
    return written


def _point_latest(folder: Path, started_at: datetime) -> None:
    link = folder.with_name("latest")
    newest = _began(link)
    if newest is not None and newest > started_at:
        return
    try:
        put_link(link, folder.name)
    except InteropError as error:
        logger.warning("%s", error.what)  # the reports themselves are in place


def _began(folder: Path) -> datetime | None:
    """When the run in that folder began; None when there is none to be read."""
    try:
        return next((datetime.fromisoformat(str(event["at"])) for event in read_events(folder / "journal.jsonl")), None)
    except (InteropError, KeyError, ValueError):
        return None
