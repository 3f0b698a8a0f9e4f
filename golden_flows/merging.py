"""Several runs put together to one: the shards of a plan, or runs of different pairs, from one machine or many.

The merged run is a folder like any other, with a journal of its own: the events of all of them, their evidence, and
one beginning and one end. It is never better than its parts: a run without an end leaves the whole without one, and
cells of a shard that is not there are cells that were never run.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from golden_flows.errors import InteropError, RecordError, UsageError
from golden_flows.journal import SCHEMA, is_held, read_events
from golden_flows.model.cloud import Pair
from golden_flows.model.outcome import ExitCode
from golden_flows.model.plan import Plan
from golden_flows.workspace import new_run_id

Event = dict[str, Any]

ABOUT_PAIRS = ("--src=", "--dst=", "--shard=")
WAYS = ("evidence_level", "evidence_detail")
"""What may differ between two machines' descriptions of one cloud: how this machine could run it."""


@dataclass(frozen=True)
class _Part:
    """One run that goes into the merged one."""

    folder: Path
    started: Event
    events: Sequence[Event]
    """Without beginning and end."""
    ended: Event | None

    @property
    def run(self) -> str:
        return str(self.started["run"])

    @property
    def cells(self) -> tuple[Pair, ...]:
        return _pairs(self.started["cells"])

    @property
    def options(self) -> tuple[str, ...]:
        """What it was asked beside its pairs: which image, with or without shims …"""
        asked = self.started.get("options", self.started["argv"][1:])
        return tuple(str(one) for one in asked if not str(one).startswith(ABOUT_PAIRS))

    @property
    def whole(self) -> tuple[Pair, ...]:
        """What its command line asked for, of which it may be a shard."""
        return _pairs(self.started.get("whole") or self.started["cells"])


def merge(folders: Sequence[Path], results_root: Path) -> Path:
    """Put the runs in these folders together; returns the folder of the merged run, in ``results_root``.

    Raises ``UsageError`` where they cannot be one run (judged by different guidelines, checks or suites; a pair twice;
    a cloud that was not the same one; shards of different plans; a run that is still at work), other ``InteropError``
    where a journal or evidence cannot be read or the merged run cannot be written: then nothing of it is left.
    """
    try:
        return _merge(folders, results_root)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InteropError(
            f"a journal of these runs is not as this suite writes it: {error!r}", "`golden-flows report RUN` says which"
        ) from error


def _merge(folders: Sequence[Path], results_root: Path) -> Path:
    parts = [_read(folder.resolve()) for folder in dict.fromkeys(folders)]
    if len(parts) < 2:
        raise UsageError("one run is whole as it is", "name the folders of two runs or more")
    _require_one_run(parts)
    run_id = new_run_id()
    target, partial = results_root.absolute() / run_id, results_root.absolute() / f".{run_id}.partial"
    try:
        (partial / "evidence").mkdir(parents=True)
        for part in parts:
            _copy_evidence(part, partial / "evidence")
        with (partial / "journal.jsonl").open("x", encoding="utf-8", errors="backslashreplace") as journal:
            for number, event in enumerate(_merged(run_id, parts), 1):
                journal.write(json.dumps({**event, "by": run_id, "n": number}, ensure_ascii=False) + "\n")
            journal.flush()
            os.fsync(journal.fileno())
        partial.rename(target)
    except OSError as error:
        raise RecordError(
            f"cannot write the merged run to {target}: {error.strerror}", "free some space or choose --results FOLDER"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(partial)
    return target


def _read(folder: Path) -> _Part:
    path = folder / "journal.jsonl"
    if not path.is_file():
        raise UsageError(f"{folder} holds no journal.jsonl", "give the folders of runs, as interop-results/20261128-…")
    if is_held(path):
        raise UsageError(f"the run in {folder} is still at work", "merge it when it has ended")
    started, ended, events = None, None, []
    for event in read_events(path):
        kind = event["event"]
        if kind == "run_started" and started is None:
            started = event
        elif kind == "run_ended":
            ended = event
        elif kind == "damaged":
            events.append({"event": "note", "text": f"line {event['line']} of {folder.name}'s journal is torn"})
        else:
            events.append(event)
    if started is None:
        raise UsageError(f"{path} holds no run: it has no run_started event", "give the folders of runs")
    if int(started.get("schema", 1)) > SCHEMA:
        raise UsageError(
            f"{path}: schema {started['schema']} is newer than {SCHEMA}, the newest this suite reads",
            "merge with the suite that wrote it",
        )
    part = _Part(folder, started, events, ended)
    if _plan(part.cells, started).sha256 != started.get("plan_sha256"):  # hashed anew below, it would look sound again
        raise UsageError(
            f"the plan in {path} is not the one that was hashed when the run began",
            "merge the folder as the run left it",
        )
    return part


def _require_one_run(parts: Sequence[_Part]) -> None:
    first = parts[0]
    for part in parts[1:]:
        for key, what in (
            ("guideline", "guideline"),
            ("guideline_sha256", "text of the guideline"),
            ("plan", "checks"),
            ("suite_version", "version of the suite"),
            ("suite_sha256", "sources of the suite"),
            ("kill_matrix", "kill matrix"),
        ):
            if part.started.get(key) != first.started.get(key):
                raise UsageError(
                    f"{part.run} and {first.run} do not go together: not the same {what}",
                    "merge runs of one suite, guideline and set of options",
                )
        if part.options != first.options:
            raise UsageError(
                f"{part.run} and {first.run} do not go together: {' '.join(part.options) or 'no options'} and"
                f" {' '.join(first.options) or 'no options'}",
                "merge runs of one suite, guideline and set of options",
            )
        if part.started.get("waivers") != first.started.get("waivers"):
            raise UsageError(
                f"{part.run} and {first.run} do not go together: not the same waivers", "give all the same --waivers"
            )
    by_cell: dict[Pair, str] = {}
    for part in parts:
        for cell in part.cells:
            if cell in by_cell:
                raise UsageError(
                    f"{cell} is in {by_cell[cell]} and in {part.run}",
                    "each pair may come once: leave one out, and merge all shards of a plan at once",
                )
            by_cell[cell] = part.run
    shards = [part for part in parts if part.started.get("shard")]
    for part in shards[1:]:
        if part.whole != shards[0].whole:
            raise UsageError(
                f"{part.run} and {shards[0].run} are shards of different plans",
                "give every shard the same --src, --dst and machine size",
            )
    _require_same_clouds(parts)


def _require_same_clouds(parts: Sequence[_Part]) -> None:
    seen: dict[str, tuple[Mapping[str, Any], str]] = {}
    for part in parts:
        for event in part.events:
            if event["event"] != "cloud":
                continue
            profile = {key: value for key, value in event["profile"].items() if key not in WAYS}
            profile.pop("access", None)  # the way in to a cloud of the run's own is a socket of that run
            if any(one.startswith("--image=") for one in part.options):
                profile.pop("image", None)  # it was replaced where the cloud is a source of that run, and only there
            known, where = seen.setdefault(str(event["cloud"]), (profile, part.run))
            if profile != known:
                keys = [key for key in {*profile, *known} if profile.get(key) != known.get(key)]
                raise UsageError(
                    f"{event['cloud']} was not the same cloud in {where} and in {part.run}: {', '.join(sorted(keys))}",
                    "merge runs of the same profiles and faults",
                )


def _merged(run_id: str, parts: Sequence[_Part]) -> Iterator[Event]:
    first = parts[0].started
    cells = tuple(dict.fromkeys(cell for part in parts for cell in (*part.whole, *part.cells)))
    plan = _plan(cells, first)
    hosts = [part.started.get("host") or {} for part in parts]
    yield {
        **{key: first[key] for key in ("event", "suite_version", "guideline", "plan")},
        "schema": SCHEMA,
        "at": min(str(part.started["at"]) for part in parts),
        "run": run_id,
        "plan_sha256": plan.sha256,
        "cells": [[cell.src, cell.dst] for cell in cells],
        "kill_matrix": first.get("kill_matrix"),
        **({"waivers": first["waivers"]} if first.get("waivers") else {}),
        "guideline_sha256": first.get("guideline_sha256"),
        "suite_sha256": first.get("suite_sha256"),
        "host": {key: " / ".join(dict.fromkeys(str(one.get(key)) for one in hosts)) for key in hosts[0]},
        "argv": ["golden-flows", "merge", *(part.run for part in parts)],
        "options": list(parts[0].options),
    }
    for part in parts:
        shard = f", shard {part.started['shard']}" if part.started.get("shard") else ""
        text = f"run {part.run}{shard}: {len(part.cells)} pairs, begun {part.started['at']}"
        yield {"event": "note", "text": text}
    missing = [str(cell) for cell in cells if not any(cell in part.cells for part in parts)]
    if missing:
        few = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        yield {"event": "note", "text": f"a shard is missing: nobody ran {few}"}
    for part in parts:
        yield from part.events
    if all(part.ended for part in parts):
        ends = [(part.run, part.ended) for part in parts if part.ended]
        yield {
            "event": "run_ended",
            "at": max(str(end["at"]) for _, end in ends),
            "exit_code": max([ExitCode(end["exit_code"]).value for _, end in ends] + [3 if missing else 0]),
            "reason": "; ".join(f"{run}: {end['reason']}" for run, end in ends if end.get("reason")),
        }
    else:
        open_runs = ", ".join(part.run for part in parts if not part.ended)
        yield {"event": "note", "text": f"never ended: {open_runs}"}


def _plan(cells: Sequence[Pair], started: Event) -> Plan:
    return Plan(tuple(cells), tuple(str(one) for one in started["plan"]), str(started["guideline"]))


def _copy_evidence(part: _Part, folder: Path) -> None:
    """Every file that its journal names, once. What is missing there is missing here: reports say so."""
    for digest in {str(event["sha256"]) for event in part.events if event["event"] == "evidence"}:
        source = part.folder / "evidence" / Path(digest).name
        target = folder / source.name
        if target.exists() or not source.is_file():
            continue
        content = source.read_bytes()
        if hashlib.sha256(content).hexdigest() != digest:
            raise InteropError(
                f"evidence {digest[:12]}… of run {part.run} was altered since",
                "merge from the folder as the run left it",
            )
        target.write_bytes(content)


def _pairs(cells: Sequence[Sequence[str]]) -> tuple[Pair, ...]:
    return tuple(Pair(str(src), str(dst)) for src, dst in cells)
