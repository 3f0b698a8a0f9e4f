"""The golden flow as a stranger runs it, in a process of its own; its times come from its journal."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.resident import Watch


class FlowFailed(RuntimeError):
    """The flow did not certify the pair, so its times mean nothing; the text says where to look."""


@dataclass(frozen=True)
class Flow:
    """One run. ``cell_s`` is the story alone: from its first stage to its last."""

    wall_s: float
    start_s: float
    cell_s: float
    end_s: float
    stages: dict[str, float]
    steps: dict[str, float]
    peaks_mib: dict[str, float]


@dataclass(frozen=True)
class Told:
    """A whole run: its journal, and what its processes took."""

    events: list[dict[str, Any]]
    began_at_s: float
    wall_s: float
    peaks_mib: dict[str, float]


def tell(src: str, dst: str, results: Path, *more: str, accepted: Sequence[int] = (0,)) -> Told:
    """Run the suite once, with further arguments. Raises ``FlowFailed`` for an exit code that is not accepted."""
    argv = [sys.executable, "-m", "pytest", "--pyargs", "interop_tests.test_golden_flow", "-p", "no:cacheprovider"]
    argv += ["--src", src, "--dst", dst, "--results", str(results), *more]
    log = results / "output.txt"
    results.mkdir(parents=True)
    began_s, began_at_s = time.monotonic(), time.time()
    with log.open("wb") as output:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        with Watch(process.pid) as watch:
            code = process.wait()
    wall_s = time.monotonic() - began_s
    if code not in accepted:
        raise FlowFailed(f"exit code {code}; see {log}")
    return Told(_journal(results), began_at_s, wall_s, watch.peaks_mib)


def run(src: str, dst: str, results: Path) -> Flow:
    """One cell. Raises ``FlowFailed``."""
    told = tell(src, dst, results)
    return _from_journal(told.events, told.began_at_s, told.wall_s, told.peaks_mib)


def _journal(results: Path) -> list[dict[str, Any]]:
    path = next(path for path in sorted(results.glob("*/journal.jsonl")) if not path.parent.is_symlink())
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def _from_journal(events: list[dict[str, Any]], began_at_s: float, wall_s: float, peaks: dict[str, float]) -> Flow:
    stages: dict[str, float] = {}
    first_s, last_s = 0.0, 0.0
    for event in events:
        if event["event"] == "stage_started":
            first_s = first_s or at_s(event)
        if event["event"] == "stage_ended":
            last_s = at_s(event)
            stages[event["stage"]] = event["seconds"]
    start_s, cell_s = first_s - began_at_s, last_s - first_s
    return Flow(
        wall_s=round(wall_s, 2),
        start_s=round(start_s, 2),
        cell_s=round(cell_s, 2),
        end_s=round(wall_s - start_s - cell_s, 2),
        stages=stages,
        steps=_steps(events),
        peaks_mib=dict(sorted(peaks.items())),
    )


def _steps(events: list[dict[str, Any]]) -> dict[str, float]:
    """Seconds of each step the flow told of: until the next step, or the end of its stage."""
    seconds: dict[str, float] = {}
    name, since_s = "", 0.0
    for event in events:
        if event["event"] not in ("step", "stage_ended"):
            continue
        if name:
            seconds[name] = round(seconds.get(name, 0.0) + at_s(event) - since_s, 2)
        name = f"{event['stage']}: {event['text']}" if event["event"] == "step" else ""
        since_s = at_s(event)
    return seconds


def at_s(event: Mapping[str, Any]) -> float:
    """Of an event of the journal, since the epoch."""
    return datetime.fromisoformat(event["at"]).timestamp()
