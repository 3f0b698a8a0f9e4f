"""Anne's burst beside as many bare clones of the same image, from a template and cold."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cattrs

from benchmarks import flow, unavoidable
from benchmarks.taking import Taking
from benchmarks.told import Bar, Chart, Figure, Table, ratios, span
from benchmarks.unavoidable import Golden

TITLE = "The burst"
SRC, DST = "private", "public-lite"
COUNTS = (8, 24, 36)
BURST, TEMPLATE, COLD = "burst", "bare, from a template", "bare, cold"
ABOUT = (
    f"--burst N from {SRC} to {DST}: from the request until the last of N instances has answered and was judged, "
    "beside the same machines made without API, scheduler and suite: as many guests at a time as there are "
    "processors, each with disk, two NICs and config drive of its own, until SSH answers of the last. From a "
    "template, which the first of them makes, as the burst does; and cold. The bare machines are made by the "
    "hypervisor module of the reference clouds, whose templates they share: what the ratio shows is what stands "
    "around it. The aim is held against the template. Emulated guests: 11 s of processor for a cold boot."
)


@dataclass(frozen=True)
class Came:
    """How N of them came up. Seconds, sorted."""

    way: str
    count: int
    up_s: list[float]

    @property
    def last_s(self) -> float:
        return self.up_s[-1]


def measure(take: Taking, *, counts: Sequence[int] = COUNTS) -> dict[str, Any]:
    """Raises ``FlowFailed`` or ``CalledProcessError``."""
    wanted = (2,) if take.small else tuple(counts)
    take.total = take.repeat * len(wanted)
    golden = unavoidable.find_golden()
    vhd = take.scratch / "golden.vhd"
    unavoidable.convert("raw", golden.image, "vpc", vhd)
    found: list[Came] = []
    for number in range(take.repeat):
        for count in wanted:
            with take.repetition(f"{count} instances"):
                for way in (BURST, TEMPLATE, COLD):
                    folder = take.scratch / f"{number}-{count}-{way.replace(', ', '-').replace(' ', '-')}"
                    found.append(_suite(count, folder) if way == BURST else _bare(way, count, golden, vhd, folder))
                    take.say(f"{way}: the last of {count} after {found[-1].last_s:.0f} s")
                    shutil.rmtree(folder)
    return {"came": [cattrs.unstructure(one) for one in found]}


def _suite(count: int, folder: Path) -> Came:
    """Raises ``FlowFailed`` where nothing came up at all; where fewer did than were asked for, that is a figure."""
    told = flow.tell(SRC, DST, folder, "--burst", str(count), accepted=(0, 1, 3))
    up_s: list[float] = next((event["up_s"] for event in told.events if event["event"] == "burst"), [])
    if not up_s:
        raise flow.FlowFailed(f"nothing came up of a burst of {count}; see {folder}")
    return Came(BURST, count, up_s)


def _bare(way: str, count: int, golden: Golden, vhd: Path, folder: Path) -> Came:
    folder.mkdir()
    argv = [*unavoidable.NAMESPACES, sys.executable, "-m", "benchmarks.bare_burst", str(count), str(vhd), str(folder)]
    argv += ["--bundle", str(golden.bundle), "--kernel", golden.kernel, *(["--template"] if way == TEMPLATE else [])]
    told = json.loads(subprocess.run(argv, stdout=subprocess.PIPE, check=True).stdout)
    if (way == TEMPLATE) is not (told["starts"].get("template") == count):
        raise RuntimeError(f"{way}: the guests started otherwise: {told['starts']}")
    return Came(way, count, told["up_s"])


# -- the page


def _read(measured: Mapping[str, Any]) -> dict[int, dict[str, list[Came]]]:
    """By count, and then by way."""
    found: dict[int, dict[str, list[Came]]] = {}
    for one in cattrs.structure(measured["came"], list[Came]):
        found.setdefault(one.count, {}).setdefault(one.way, []).append(one)
    return dict(sorted(found.items()))


def _of(ways: Mapping[str, Sequence[Came]], bare: str) -> tuple[float, ...]:
    ours, others = ([one.last_s for one in ways[way]] for way in (BURST, bare))
    return ratios(ours, others)


def figures(measured: Mapping[str, Any]) -> Iterator[Figure]:
    found = _read(measured)
    of_bare = {count: _of(ways, TEMPLATE) for count, ways in found.items()}
    worst = max(of_bare, key=lambda count: statistics.median(of_bare[count]))
    told = ", ".join(f"{count}: {span(values)}" for count, values in of_bare.items())
    yield Figure("burst", statistics.median(of_bare[worst]), told, min(map(len, of_bare.values())))
    if 36 in found:
        up = [len(one.up_s) for one in found[36][BURST]]
        yield Figure("burst up", min(up), f"{span(up, 0)} of 36", len(up))


def charts(measured: Mapping[str, Any]) -> Iterator[Chart]:
    bars = tuple(
        Bar(f"{count} instances", way, tuple(one.last_s for one in came))
        for count, ways in _read(measured).items()
        for way, came in ways.items()
    )
    yield Chart("Until the last is up", "seconds", bars)


def tables(measured: Mapping[str, Any]) -> Iterator[Table]:
    rows = []
    for count, ways in _read(measured).items():
        for way, came in ways.items():
            first, middle, last = (span([of(one.up_s) for one in came], 0) for of in (min, statistics.median, max))
            share = span(_of(ways, TEMPLATE)) if way == BURST else ""
            up = "-".join(sorted({str(len(one.up_s)) for one in came}))
            rows.append((f"{count}: {way}", up, first, middle, last, share))
    yield Table("Seconds, medians with their range", ("", "up", "first", "median", "last", "of bare"), rows)
