"""Runs flows between real guests, by the suite's own command line, and writes down what each showed."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import host
from golden_flows.journal import read_events
from selftests.flows.interop import InteropResult, run_interop
from selftests.proof.flows import Flow
from selftests.proof.record import Record, claims_of, record_of

UNKNOWN_S = 150.0
"""What a flow is taken to last that was never run."""
LIMIT_S = 3000.0
NOT_RECORDED = "commit not recorded"


def run_flow(flow: Flow, out: Path) -> Record:
    """One run; its record is kept in ``out/records`` before this returns, and its reports in ``out/runs``."""
    began_s, began_at, about = time.monotonic(), datetime.now(UTC), host.describe()
    try:
        done = between_guests(flow, out / "runs" / slug(flow))
        took_s = time.monotonic() - began_s
        record = record_of(flow, done.folder, done.document, commit=about["commit"], seconds=took_s)
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        record = Record(
            run="",
            started_at=began_at.isoformat(),
            seconds=round(time.monotonic() - began_s, 1),
            suite_version=importlib.metadata.version("golden-flows"),
            commit=about["commit"],
            host={},
            src=flow.src,
            dst=flow.dst,
            claims=claims_of(flow),
            blocked=tuple(sorted(flow.blocked)),
            unseen=tuple(sorted(flow.unseen)),
            variants=flow.variants,
            image=flow.image,
            options=flow.options,
            exit_code=-1,
            trouble=str(error)[-2000:],
        )
    write_record(record, out / "records" / f"{slug(flow)}.json")
    return record


def write_record(record: Record, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(record.document(), indent=1, sort_keys=True) + "\n", "utf-8")


def between_guests(flow: Flow, results: Path) -> InteropResult:
    """The run itself. Raises ``RuntimeError`` when it leaves no results, ``subprocess.TimeoutExpired``."""
    return run_interop(
        flow.src,
        flow.dst,
        results,
        [one.spec for one in flow.faults],
        image=flow.image,
        options=(*flow.options, *(word for one in flow.variants for word in ("--variant", one))),
        limit_s=LIMIT_S,
    )


def slug(flow: Flow) -> str:
    """A file name of its own for each flow."""
    digest = hashlib.sha256("\0".join((flow.src, flow.dst, flow.id, flow.image or "")).encode()).hexdigest()
    return f"{flow.src}-{flow.dst}-{digest[:10]}"


def read_records(folders: Iterable[Path]) -> Iterator[Record]:
    """What ``run_flow`` left in these folders. Raises ``OSError``, ``ValueError``."""
    for folder in folders:
        for path in sorted((folder / "records").glob("*.json")):
            yield Record.load(json.loads(path.read_text("utf-8")))


def judged_by(flow: Flow, record: Record) -> Record:
    """What a run of this flow's faults showed, held against what the table claims now."""
    blocked, unseen = tuple(sorted(flow.blocked)), tuple(sorted(flow.unseen))
    return replace(record, claims=claims_of(flow), blocked=blocked, unseen=unseen)


def is_run_of(flow: Flow, record: Record) -> bool:
    """Whether the record's clouds were told the same."""
    told = (record.src, record.dst, record.image, record.options, set(record.variants))
    same = told == (flow.src, flow.dst, flow.image, flow.options, set(flow.variants))
    return same and {one.fault for one in record.claims} == {one.spec for one in flow.faults}


def taken(folder: Path, flows: Sequence[Flow]) -> tuple[Flow, Record] | None:
    """The record of a run that somebody made otherwise, with pytest or by hand; None: the table makes no such run.

    ``folder``: of the run. Raises ``OSError``, ``ValueError``, ``KeyError``, ``InteropError`` for what is none.
    """
    document = json.loads((folder / "results.json").read_text("utf-8"))
    if len(document["cells"]) != 1 or document["ended_at"] is None or document.get("waivers"):
        return None  # a waived failure looks like a pass
    (cell,) = document["cells"]
    faults, variants = (
        {one.replace(": ", ":", 1) for one in cell.get(key, ())} for key in ("active_faults", "active_variants")
    )
    argv = next(event["argv"] for event in read_events(folder / "journal.jsonl") if event["event"] == "run_started")
    asked = {word for word in argv[1:] if not word.startswith(("--src=", "--dst="))}
    for flow in flows:
        options = {*flow.options, *([f"--image={flow.image}"] if flow.image else [])}
        told = {one.spec for one in flow.faults}, set(flow.variants), options
        if (cell["src"], cell["dst"], faults, variants, asked) == (flow.src, flow.dst, *told):
            began, ended = (datetime.fromisoformat(document[key]) for key in ("started_at", "ended_at"))
            seconds = (ended - began).total_seconds()
            return flow, record_of(flow, folder, document, commit=NOT_RECORDED, seconds=seconds)
    return None


def lasts_s(flow: Flow, known: Sequence[Record]) -> float:
    """What its newest run took, whichever faults it had; of a pair that was never run, a guess."""
    alike = [one for one in known if (one.src, one.dst, one.options) == (flow.src, flow.dst, flow.options)]
    exact = [one for one in alike if {claim.fault for claim in one.claims} == {fault.spec for fault in flow.faults}]
    newest = max(exact or alike, key=lambda one: one.started_at, default=None)
    return newest.seconds if newest else UNKNOWN_S


def shards(flows: Sequence[Flow], seconds: Mapping[str, float], count: int) -> list[list[Flow]]:
    """The flows dealt out so that shards last about as long: the longest first, each to the shard that has least."""
    dealt: list[list[Flow]] = [[] for _ in range(count)]
    for flow in sorted(flows, key=lambda one: (-seconds[one.id], one.id)):
        min(dealt, key=lambda one: sum(seconds[mine.id] for mine in one)).append(flow)
    return dealt
