"""Many pairs at once: 4 clouds in 12 pairs, with one worker and with two."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cattrs

from benchmarks import flow
from benchmarks.taking import Taking
from benchmarks.told import Bar, Chart, Figure, Table, ratios, span

TITLE = "N×N: 4 clouds, 12 pairs"
SRC = ("private", "multinic-dhcp", "posted-password", "rawstore")
DST = SRC[:3]
"""Sources and destinations: 12 pairs, three of them from a cloud to itself."""
WORKERS = (1, 2)
ABOUT = (
    f"The whole suite with --src {','.join(SRC)} --dst {','.join(DST)}, by -n 1 and -n 2 in turns. A worker "
    "works while it tells a story; it does not while it waits for an export that another makes, for a reference "
    "cloud to start, or for the other worker to end. Of the time from the first story's beginning to the last "
    "one's end, times the number of workers. Guests are emulated, so that two stories share two processors with "
    "their guests: two workers cannot halve the time here."
)
_WAITS, _EXPORTS = "waiting for the export of ", "exporting from "


@dataclass(frozen=True)
class Matrix:
    """One run. ``used``: the share of the workers' time in which they worked."""

    workers: int
    cells: int
    exports: int
    seconds: float
    """From the first story's beginning to the last one's end."""
    wall_s: float
    used: float


def measure(take: Taking) -> dict[str, Any]:
    """Raises ``FlowFailed``."""
    src, dst = (SRC[:1], DST[:2]) if take.small else (SRC, DST)
    found: list[Matrix] = []
    for number in range(take.repeat):
        with take.repetition(f"{len(src) * len(dst)} pairs"):
            for workers in WORKERS:
                folder = take.scratch / f"{number}-{workers}"
                told = flow.tell(",".join(src), ",".join(dst), folder, "-n", str(workers))
                found.append(from_journal(told.events, workers, told.wall_s))
                take.say(f"{workers} workers: {found[-1].seconds:.0f} s, used {found[-1].used:.0%}")
    return {"runs": [cattrs.unstructure(one) for one in found]}


def from_journal(events: Sequence[Mapping[str, Any]], workers: int, wall_s: float) -> Matrix:
    """What a run's journal tells of its workers."""
    cells: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for event in events:
        if "src" in event and "dst" in event:
            cells.setdefault((event["src"], event["dst"]), []).append(event)
    ends = {cell: (flow.at_s(told[0]), flow.at_s(told[-1])) for cell, told in cells.items()}
    seconds = max(end for _, end in ends.values()) - min(begin for begin, _ in ends.values())
    working_s = sum(end - begin for begin, end in ends.values()) - sum(map(_waited_s, cells.values()))
    steps = [event["text"] for event in events if event["event"] == "step"]
    return Matrix(
        workers=workers,
        cells=len(cells),
        exports=sum(text.startswith(_EXPORTS) for text in steps),
        seconds=round(seconds, 2),
        wall_s=round(wall_s, 2),
        used=round(working_s / (workers * seconds), 4),
    )


def _waited_s(told: Sequence[Mapping[str, Any]]) -> float:
    """Of one story: each wait lasts until the next that is told of it."""
    return sum(
        flow.at_s(after) - flow.at_s(event)
        for event, after in itertools.pairwise(told)
        if event["event"] == "step" and event["text"].startswith(_WAITS)
    )


# -- the page


def _read(measured: Mapping[str, Any]) -> dict[int, list[Matrix]]:
    runs = cattrs.structure(measured["runs"], list[Matrix])
    return {workers: [one for one in runs if one.workers == workers] for workers in WORKERS}


def figures(measured: Mapping[str, Any]) -> Iterator[Figure]:
    by_workers = _read(measured)
    told = "; ".join(f"{n} workers: {span([one.exports for one in runs], 0)}" for n, runs in by_workers.items())
    most = max(one.exports for runs in by_workers.values() for one in runs)
    fewest = min(map(len, by_workers.values()))
    yield Figure("exports", most, told, fewest)
    used = {n: [one.used for one in runs] for n, runs in by_workers.items()}
    worst = min(statistics.median(values) for values in used.values())
    yield Figure("workers used", worst, "; ".join(f"{n} workers: {span(v)}" for n, v in used.items()), fewest)


def charts(measured: Mapping[str, Any]) -> Iterator[Chart]:
    bars = tuple(
        Bar("12 pairs", f"{n} workers" if n > 1 else "1 worker", tuple(one.seconds for one in runs))
        for n, runs in _read(measured).items()
    )
    yield Chart("From the first story's beginning to the last one's end", "seconds", bars)


def tables(measured: Mapping[str, Any]) -> Iterator[Table]:
    by_workers = _read(measured)
    alone = [one.seconds for one in by_workers[1]]
    rows = [
        (
            str(n),
            str(runs[0].cells),
            span([one.exports for one in runs], 0),
            span([one.seconds for one in runs], 0),
            span(ratios([one.seconds for one in runs], alone)),
            span([one.wall_s for one in runs], 0),
            span([one.used for one in runs]),
        )
        for n, runs in by_workers.items()
    ]
    head = ("workers", "pairs", "exports", "seconds", "of one worker's", "whole command, s", "workers used")
    yield Table("Medians with their range", head, rows)
