"""What the suite adds to pytest: collecting and judging many cells, beside plain pytest with as many empty tests."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cattrs
import yaml

from benchmarks.taking import Taking
from benchmarks.told import Bar, Chart, Figure, Table, ratios, span
from golden_flows.guideline import load_checks

TITLE = "Collecting and judging cells"
ABOUT = (
    "One process each, taking turns. Ours begins a run of that many pairs, collects an item for every pair and "
    "check, judges facts that are ready (the real checks, on facts of a healthy cell; no cloud is spoken to), "
    "writes the journal, and all reports in the end. Plain pytest has one empty parametrized test with as many "
    "items of the same names, and the same other plugins. The aim is for collection, in processor time, which "
    "others on the machine disturb least; what judging and reports take beside an empty test is stated without "
    "an aim."
)
COUNTS = (10, 100, 1000)
ENDS = {1: (1, 1), 10: (2, 5), 100: (10, 10), 1000: (25, 40)}
"""Sources and destinations that make so many pairs."""
_ENTRY = {
    "auth": {
        "auth_url": "http://127.0.0.1:9/v3",
        "username": "anne",
        "password": "nobody-asks",
        "project_name": "demo",
    },
    "region_name": "RegionOne",
    "interop": {"image": "golden", "networks": ["net"]},
}
_PLAIN = '''"""As many empty tests."""
import pytest

PAIRS, CHECKS = {pairs!r}, {checks!r}

@pytest.mark.parametrize(
    ("pair", "check_id"), [pytest.param(pair, check, id=pair + "-" + check) for pair in PAIRS for check in CHECKS]
)
def test_empty(pair, check_id):
    pass
'''


@dataclass(frozen=True)
class Cost:
    """Seconds of one run of pytest. The rest: start, and what comes after the last test (reports, for ours)."""

    items: int
    collection_s: float
    collection_cpu_s: float
    running_s: float
    running_cpu_s: float
    rest_s: float
    rest_cpu_s: float
    peak_mib: float
    frozen: int = 0
    """Objects that garbage collections leave out."""


@dataclass
class Taken:
    """Both, repetition by repetition."""

    cells: int
    ours: list[Cost] = field(default_factory=list)
    plain: list[Cost] = field(default_factory=list)


def measure(take: Taking, *, counts: Sequence[int] = COUNTS) -> dict[str, Any]:
    """Every count with all repetitions."""
    wanted = (1, 10) if take.small else tuple(counts)
    take.total = take.repeat * len(wanted)
    found = []
    for count in wanted:
        taken = Taken(count)
        found.append(taken)
        for number in range(take.repeat):
            folder = take.scratch / f"{count}-{number}"
            folder.mkdir(parents=True)
            with take.repetition(f"{count} cells"):
                taken.ours.append(_run(_ours(count, folder), folder))
                taken.plain.append(_run(_plain(count, folder), folder))
            if taken.ours[-1].items != taken.plain[-1].items:
                raise RuntimeError(f"{taken.ours[-1].items} items beside {taken.plain[-1].items}")
    return {"counts": cattrs.unstructure(found)}


def _names(count: int) -> tuple[list[str], list[str]]:
    sources, destinations = ENDS[count]
    return [f"from-{n}" for n in range(sources)], [f"to-{n}" for n in range(destinations)]


def _pytest(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "benchmarks.clocked", *arguments]


def _ours(count: int, folder: Path) -> list[str]:
    sources, destinations = _names(count)
    clouds = {"clouds": {name: _ENTRY for name in (*sources, *destinations)}}
    (folder / "clouds.yaml").write_text(yaml.safe_dump(clouds), "utf-8")
    return _pytest(
        *("-p", "benchmarks.ready_facts", "--pyargs", "interop_tests.test_golden_flow"),
        *("--src", ",".join(sources), "--dst", ",".join(destinations)),
    )


def _plain(count: int, folder: Path) -> list[str]:
    sources, destinations = _names(count)
    pairs = [f"{one}-{other}" for one in sources for other in destinations]
    checks = _planned(folder)
    (folder / "test_empty.py").write_text(_PLAIN.format(pairs=pairs, checks=checks), "utf-8")
    return _pytest("-p", "no:golden_flows", "test_empty.py")


def _planned(folder: Path) -> list[str]:
    """The checks of the run that was just made beside it."""
    results = json.loads((folder / "interop-results" / "latest" / "results.json").read_text("utf-8"))
    return [check for check in results["plan"] if check in load_checks()]


def _run(argv: Sequence[str], folder: Path) -> Cost:
    told, log = folder / "clocked.json", folder / "output.txt"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "PYTEST_"))}
    environment |= {"BENCH_CLOCKED": str(told), "XDG_CONFIG_HOME": str(folder)}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    began_s = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            argv, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall_s = time.monotonic() - began_s
    if process.returncode:
        raise RuntimeError(f"exit code {process.returncode}; the end of {log}: {log.read_text()[-300:]}")
    took = json.loads(told.read_text("utf-8"))
    cpu_s = used.ru_utime + used.ru_stime
    return Cost(
        **{name: round(value, 4) for name, value in took.items()},
        rest_s=round(wall_s - took["collection_s"] - took["running_s"], 4),
        rest_cpu_s=round(cpu_s - took["collection_cpu_s"] - took["running_cpu_s"], 4),
        peak_mib=round(used.ru_maxrss / 1024, 1),
    )


# -- the page


def _read(measured: Mapping[str, Any]) -> list[Taken]:
    return cattrs.structure(measured["counts"], list[Taken])


def _both(taken: Taken, part: str) -> tuple[list[float], list[float]]:
    ours, plain = ([float(getattr(one, part)) for one in costs] for costs in (taken.ours, taken.plain))
    return ours, plain


def figures(measured: Mapping[str, Any]) -> Iterator[Figure]:
    found = {taken.cells: ratios(*_both(taken, "collection_cpu_s")) for taken in _read(measured)}
    worst = max(found, key=lambda cells: statistics.median(found[cells]))
    told = ", ".join(f"{cells} cells {span(values)}" for cells, values in found.items())
    yield Figure("collection", statistics.median(found[worst]), told, len(found[worst]))


def charts(measured: Mapping[str, Any]) -> Iterator[Chart]:
    for part, title in (
        ("collection_cpu_s", "Collection"),
        ("running_cpu_s", "Running: our judging beside empty tests"),
    ):
        bars = [
            Bar(f"{taken.cells} cells", name, tuple(values))
            for taken in _read(measured)
            for name, values in zip(("golden-flows", "plain pytest"), _both(taken, part), strict=True)
        ]
        yield Chart(title, "processor seconds", tuple(bars), log=True)


def tables(measured: Mapping[str, Any]) -> Iterator[Table]:
    head = ("", "items", "collection", "running", "start and end (ours: with all reports)", "peak MiB")
    for kind, suffix in (("Processor", "_cpu_s"), ("Wall clock", "_s")):
        rows = []
        for taken in _read(measured):
            parts = [_both(taken, f"{part}{suffix}") for part in ("collection", "running", "rest")]
            for name, costs, at in (("golden-flows", taken.ours, 0), ("plain pytest", taken.plain, 1)):
                spans, peak = [span(both[at]) for both in parts], max(one.peak_mib for one in costs)
                rows.append((f"{taken.cells} cells, {name}", str(costs[0].items), *spans, f"{peak:.0f}"))
            rows.append((f"{taken.cells} cells, ratio", "", *(span(ratios(*both)) for both in parts), ""))
        yield Table(f"{kind} seconds, medians with their range", head, rows)
