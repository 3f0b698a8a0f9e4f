"""Workers on other machines (pytest-xdist's ``--tx ssh=HOST//python=…``).

A worker of this machine appends to the run's journal and borrows the run's reference clouds. One far away has a journal
and reference clouds of its own, and what it writes down comes home with its next test report, evidence included; so the
run has one journal in the end, wherever its pairs were told. Its own ledger stays beside it until it has ended: after a
crash ``golden-flows clean`` on that machine finds what it left.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import execnet
import platformdirs
import psutil
import pytest

from golden_flows import journal as journal_module
from golden_flows import reference_clouds, room, suite
from golden_flows.choosing import Choice
from golden_flows.errors import UsageError
from golden_flows.guideline import load_checks, load_guideline
from golden_flows.journal import Journal
from golden_flows.ledger import read_ledger
from golden_flows.lending import Lender
from golden_flows.preparation import lender_of
from golden_flows.reference_clouds import Told
from golden_flows.session import RunContext, Session
from golden_flows.workspace import Workspace

SHIPPED = "golden_flows_shipped"
"""Attribute of a test report, and key of a worker's last output."""

Parcel = dict[str, Any]
"""``lines``: journal lines, in order; ``evidence``: sha256 → content; the last one has ``left_behind``, too."""


def gateways(config: pytest.Config) -> Iterator[tuple[int, execnet.XSpec]]:
    """What ``--tx`` asks for: how many of what."""
    for text in getattr(config.option, "tx", None) or ():
        times, star, spec = str(text).partition("*")
        repeated = bool(star) and times.isdigit()
        yield (int(times) if repeated else 1), execnet.XSpec(spec if repeated else str(text))


def far_hosts(config: pytest.Config) -> dict[str, int]:
    """Machines that workers are asked for on, and how many on each; none where all are processes of this one.

    Raises ``UsageError`` where ``--tx`` is given and pytest-xdist was not told to distribute.
    """
    hosts: dict[str, int] = {}
    for times, spec in gateways(config):
        if not spec.popen:
            place = str(spec.ssh or spec.socket or spec.vagrant_ssh or spec)
            hosts[place] = hosts.get(place, 0) + times
    if hosts and config.option.dist == "no":
        raise UsageError("--tx without -d: pytest-xdist would run everything here", "add -d")
    return hosts


def joined(arguments: Sequence[str]) -> tuple[str, ...]:
    """``--results`` and its folder as one word: pytest-xdist takes every word that is a path for one to copy there."""
    words: list[str] = []
    for word in arguments:
        if words and words[-1].startswith("--") and "=" not in words[-1] and Path(word).exists():
            words[-1] += f"={word}"
        else:
            words.append(word)
    return tuple(words)


def told_to(node: Any, hosts: Mapping[str, int], told: Mapping[str, Told], *, install: bool) -> Parcel:
    """What a far worker must know beside the run's context; empty for a worker of this machine."""
    spec = node.gateway.spec
    if spec.popen:
        return {}
    place = str(spec.ssh or spec.socket or spec.vagrant_ssh)
    return {
        "neighbours": hosts.get(place, 1),
        "clouds": {cloud: [list(one.faults), list(one.variants)] for cloud, one in told.items()},
        "install": install,
        "suite": _suite(),
    }


def _suite() -> str:
    return f"{suite.version()}, sources {suite.sources_sha256()[:12]}…"


@dataclass
class FarWorker:
    """This process's share of a run that another machine began. Close it in the end."""

    session: Session
    workspace: Workspace
    lender: Lender
    _sent_bytes: int = 0

    @classmethod
    def begin(cls, context: RunContext, part: str, told: Parcel) -> FarWorker:
        """Raises ``UsageError`` when this machine has another suite; ``InteropError`` when it cannot make folders."""
        if _suite() != told["suite"]:
            raise UsageError(
                f"{platform.node()} has golden-flows {_suite()}, the run is of {told['suite']}",
                "install the same version on every machine",
            )
        workspace = Workspace.create(platformdirs.user_cache_path("golden-flows") / "far", f"{context.run_id}-{part}")
        try:
            return cls._begin(context, part, told, workspace)
        except BaseException:
            workspace.remove()
            raise

    @classmethod
    def _begin(cls, context: RunContext, part: str, told: Parcel, workspace: Workspace) -> FarWorker:
        mine = replace(context, results=workspace.results, scratch=workspace.scratch)
        # Whose this ledger is. By a writer of its own, as it is not sent: at home the run has begun already.
        beginning = Journal(mine.results)
        beginning.write("run_started", run=context.run_id, schema=journal_module.SCHEMA)
        beginning.close()
        sent_bytes = beginning.path.stat().st_size
        session = Session.open(mine, load_guideline(mine.plan.guideline), load_checks(), part)
        session.journal.write(
            "note",
            text=f"worker {part} is on {platform.node()}: {platform.platform()}, {psutil.cpu_count()} cores,"
            f" {psutil.virtual_memory().total / 2**30:.1f} GiB",
        )
        budget_mib = room.budget_mib(told["neighbours"]) // told["neighbours"]
        choice = Choice(mine.plan.cells, mine.reference, reference_clouds.known_profiles(), budget_mib)
        clouds = {cloud: Told(tuple(faults), tuple(variants)) for cloud, (faults, variants) in told["clouds"].items()}
        lender = lender_of(session, choice, clouds, told["install"], mine.image, lambda text: None)
        session.lender = lender
        return cls(session, workspace, lender, sent_bytes)

    def parcel(self) -> Parcel:
        """What was written down since the last one, up to the last whole line."""
        with self.session.journal.path.open("rb") as journal:
            journal.seek(self._sent_bytes)
            whole, newline, _ = journal.read().rpartition(b"\n")
        self._sent_bytes += len(whole) + len(newline)
        lines = [line for line in whole.split(b"\n") if line]
        folder = self.workspace.results / "evidence"
        digests = {str(event["sha256"]) for event in map(json.loads, lines) if event["event"] == "evidence"}
        return {"lines": lines, "evidence": {one: (folder / one).read_bytes() for one in sorted(digests)}}

    def close(self) -> Parcel:
        """Stop this machine's reference clouds and remove what is here; the last parcel.

        A ledger with open entries stays, for ``golden-flows clean``; so does everything where this raises.
        """
        try:
            try:
                self.session.end_cell()
            finally:
                self.lender.close()
            last = {**self.parcel(), "left_behind": self.session.left_behind}
            _, still_open = read_ledger(self.session.journal.path)
        finally:
            self.session.disconnect()
        if not still_open:
            self.workspace.remove()
        return last


def receive(session: Session, parcel: Parcel | None) -> None:
    """Write down here what a far worker wrote down there. Raises ``RecordError`` when it cannot be."""
    if not parcel:
        return
    session.left_behind += parcel.get("left_behind", ())
    for digest, content in parcel["evidence"].items():
        session.journal.adopt_evidence(Path(digest).name, content)
    for line in parcel["lines"]:
        session.journal.adopt(line)
