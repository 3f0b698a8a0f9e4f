"""What a run made on clouds: written down before it is made, ticked off when it is seen gone.

The ledger is the part of the journal that concerns cloud resources (``resource_planned``, ``resource_created``,
``resource_gone``), so it survives a run that was killed at any moment.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from golden_flows.errors import InteropError
from golden_flows.journal import Journal, read_events
from golden_flows.model.facts import Leftover
from golden_flows.waiting import Deadline

logger = logging.getLogger(__name__)

RUN_PREFIX = "interop-"
"""What the name of everything that any run makes begins with."""


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

    def __init__(self, journal: Journal, run: str, entries: Iterable[Entry] = (), part: str = "") -> None:
        """``part`` tells the processes of one run apart: two of them may make the same thing on one cloud."""
        self.run = run
        self._part = f"{part}-" if part else ""
        self._journal = journal
        self._lock = threading.Lock()
        self._open = {entry.key: entry for entry in entries}
        self._seen = {(entry.cloud, entry.kind, entry.id) for entry in entries}
        self.made = 0
        """How many resources this object has seen created."""

    @property
    def prefix(self) -> str:
        """What every name that this run gives begins with: ``interop-<run>-``."""
        return f"{RUN_PREFIX}{self.run}-"

    def full_name(self, name: str) -> str:
        """The name that a resource gets on a cloud, prefix included."""
        return name if name.startswith(self.prefix) else self.prefix + self._part + name

    def adopt(self, entries: Iterable[Entry]) -> None:
        """Take charge of what other processes of this run left open."""
        with self._lock:
            for entry in entries:
                self._open.setdefault(entry.key, entry)
                self._seen.add((entry.cloud, entry.kind, entry.id))

    def is_foreign(self, cloud: str, kind: str, id: str, name: str) -> bool:
        """Whether another run, or another process of this one, made that; it comes and goes without our doing."""
        with self._lock:
            return name.startswith(RUN_PREFIX) and (cloud, kind, id) not in self._seen

    def planned(self, cloud: str, kind: str, name: str) -> str:
        """Write down a resource that is about to be made; returns its key.

        ``name`` is the full name: without the prefix it could not be told from other people's. Raises ``ValueError``.
        """
        if not name.startswith(self.prefix):
            raise ValueError(f"{kind} {name!r} does not begin with {self.prefix!r}")
        key = uuid.uuid4().hex[:12]
        self._journal.write("resource_planned", cloud=cloud, kind=kind, name=name, key=key)
        with self._lock:
            self._open[key] = Entry(key, cloud, kind, name, None)
        return key

    def created(self, key: str, id: str) -> None:
        with self._lock:
            entry = self._open[key] = replace(self._open[key], id=id)
            self._seen.add((entry.cloud, entry.kind, id))
            self.made += 1
        self._journal.write("resource_created", cloud=entry.cloud, kind=entry.kind, name=entry.name, key=key, id=id)

    def gone(self, key: str) -> None:
        """Tick off. Ticking off twice is harmless: two workers may both have seen it gone."""
        with self._lock:
            entry = self._open.pop(key, None)
        if entry is None:
            return
        try:
            self._journal.write("resource_gone", cloud=entry.cloud, kind=entry.kind, key=key, id=entry.id)
        except InteropError as error:
            # A full disk must not keep us from deleting the rest; `clean` will find this one gone by itself.
            logger.error("%s", error)

    def open_entries(self, cloud: str) -> tuple[Entry, ...]:
        """Entries not ticked off, oldest first."""
        with self._lock:
            return tuple(entry for entry in self._open.values() if entry.cloud == cloud)

    def key_of(self, cloud: str, kind: str, id: str) -> str | None:
        """The key of an open entry, or None when this run did not make that."""
        return next((one.key for one in self.open_entries(cloud) if (one.kind, one.id) == (kind, id)), None)


class Sweeper(Protocol):
    """What ``clean_run`` needs of a cloud."""

    def cleanup(self, deadline: Deadline) -> CleanupReport: ...

    def close(self) -> None: ...


def read_ledger(journal_path: Path) -> tuple[str, tuple[Entry, ...]]:
    """The run's id and the entries that were never ticked off, oldest first.

    Raises ``InteropError`` when the file cannot be read, or does not say which run it is of.
    """
    run: str | None = None
    entries: dict[str, Entry] = {}
    for event in read_events(journal_path):
        kind = event["event"]
        try:
            if kind == "run_started":
                run = _text(event, "run")
            elif kind == "resource_planned":
                key, cloud, label, name = (_text(event, one) for one in ("key", "cloud", "kind", "name"))
                entries[key] = Entry(key, cloud, label, name, None)
            elif kind == "resource_created":
                key = _text(event, "key")
                entries[key] = replace(entries[key], id=_text(event, "id"))
            elif kind == "resource_gone":
                entries.pop(_text(event, "key"), None)
        except (KeyError, TypeError) as error:
            raise InteropError(f"{journal_path}: {kind} event lacks or contradicts {error}") from error
    if run is None:
        raise InteropError(f"{journal_path} does not say which run it is of", "is this the journal of a run?")
    return run, tuple(entries.values())


def _text(event: dict[str, Any], key: str) -> str:
    value = event[key]
    if not isinstance(value, str):
        raise TypeError(key)
    return value


def clean_run(
    journal_path: Path, connect_fn: Callable[[str, Ledger, Journal], Sweeper], deadline: Deadline
) -> dict[str, CleanupReport]:
    """Remove what a dead run left, by cloud name: only what its ledger names *and* what carries its prefix.

    A cloud that cannot be reached is reported like any other leftover, and does not stop the others.
    """
    run, entries = read_ledger(journal_path)
    journal = Journal(journal_path.parent)
    reports: dict[str, CleanupReport] = {}
    try:
        ledger = Ledger(journal, run, entries)
        for cloud in dict.fromkeys(entry.cloud for entry in entries):
            try:
                sweeper = connect_fn(cloud, ledger, journal)
                try:
                    reports[cloud] = sweeper.cleanup(deadline)
                finally:
                    sweeper.close()
            except InteropError as error:
                left = tuple(
                    Leftover(cloud=cloud, kind=one.kind, id=one.id or "", name=one.name)
                    for one in ledger.open_entries(cloud)
                )
                reports[cloud] = CleanupReport(leftovers=left, failures=(str(error),))
    finally:
        journal.close()
    return reports
