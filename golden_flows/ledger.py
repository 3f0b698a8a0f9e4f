"""What a run made on clouds: written down before it is made, ticked off when it is seen gone.

The ledger is the part of the journal that concerns cloud resources (``resource_planned``, ``resource_created``,
``resource_gone``), so it survives a run that was killed at any moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from golden_flows.journal import Journal
from golden_flows.model.facts import Leftover
from golden_flows.waiting import Deadline


@dataclass(frozen=True)
class Entry:
    """One resource. Without an ``id`` it was planned, and may or may not exist."""

    key: str
    cloud: str
    kind: str
    name: str
    id: str | None


@dataclass(frozen=True)
class CleanupReport:
    """What a cleanup did on one cloud."""

    removed: tuple[Leftover, ...] = ()
    leftovers: tuple[Leftover, ...] = ()
    """Still there: the cloud accepted the deletion and nothing happened, or refused it."""
    failures: tuple[str, ...] = ()
    """One line each, naming the resource and why."""


class Ledger:
    """The run's ledger. Thread-safe; several processes may hold one of the same journal (xdist)."""

    def __init__(self, journal: Journal, run: str, entries: Iterable[Entry] = ()) -> None:
        raise NotImplementedError

    @property
    def prefix(self) -> str:
        """What every name that this run gives begins with: ``interop-<run>-``."""
        raise NotImplementedError

    def planned(self, cloud: str, kind: str, name: str) -> str:
        """Write down a resource that is about to be made; returns its key."""
        raise NotImplementedError

    def created(self, key: str, id: str) -> None:
        raise NotImplementedError

    def gone(self, key: str) -> None:
        raise NotImplementedError

    def open_entries(self, cloud: str) -> tuple[Entry, ...]:
        """Entries not ticked off, oldest first."""
        raise NotImplementedError


class Sweeper(Protocol):
    """What ``clean_run`` needs of a cloud."""

    def cleanup(self, deadline: Deadline) -> CleanupReport: ...

    def close(self) -> None: ...


def read_ledger(journal_path: Path) -> tuple[str, tuple[Entry, ...]]:
    """The run's id and the entries that were never ticked off, oldest first."""
    raise NotImplementedError


def clean_run(
    journal_path: Path, connect_fn: Callable[[str, Ledger, Journal], Sweeper], deadline: Deadline
) -> dict[str, CleanupReport]:
    """Remove what a dead run left, by cloud name: only what its ledger names *and* what carries its prefix."""
    raise NotImplementedError
