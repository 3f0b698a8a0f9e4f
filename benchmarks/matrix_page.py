"""How soon Chromium shows a matrix of ten clouds by ten, and one pair of it."""

from __future__ import annotations

import hashlib
import shutil
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cattrs
from playwright.sync_api import Browser, sync_playwright

from benchmarks.aims import AIMS
from benchmarks.taking import Taking
from benchmarks.told import Bar, Chart, Figure, Table, span
from golden_flows.guideline import load_guideline
from golden_flows.model.cloud import Pair, Profile
from golden_flows.model.evidence import Evidence, EvidenceLevel
from golden_flows.model.finding import Finding
from golden_flows.model.guideline import Requirement
from golden_flows.model.matrix import Cell, Result, Run, StageRun
from golden_flows.model.outcome import Outcome
from golden_flows.model.stage import Stage
from reports.formats import matrix_html

TITLE = "Opening the matrix page"
ABOUT = (
    "The matrix.html of ten clouds by ten, with every check and 25 files of evidence a pair, from disk in headless "
    "Chromium: until the first paint, until the end of loading, and from a click on a square until its pair is "
    "painted. The aim is for all of the page."
)
CLOUDS = 10
FILES = 25
"""Of evidence, for each pair: as many as real runs have."""
FILE_BYTES = 7_000
_BEGAN = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


def ten_by_ten(folder: Path) -> Run:
    """A run of ten clouds by ten with every check of the guideline, its evidence in ``folder``.

    As real runs are: a quarter of the checks do not apply and say why; one source fails a check everywhere, one
    destination does not boot, one pair passes a check by a shim.
    """
    guideline = load_guideline()
    names = [f"cloud-{number:02}" for number in range(CLOUDS)]
    profiles = {one: Profile(cloud=one, evidence_level=EvidenceLevel.REAL_CLOUD) for one in names}
    (folder / "evidence").mkdir(parents=True)
    cells = tuple(
        Cell(
            pair=Pair(src, dst),
            src=profiles[src],
            dst=profiles[dst],
            stages=tuple(_stages(dst)),
            results={one.id: _result(number, one, src, dst) for number, one in enumerate(guideline.requirements)},
            evidence=_evidence(folder, src, dst),
        )
        for src in names
        for dst in names
    )
    return Run(
        id="ten-by-ten",
        started_at=_BEGAN,
        ended_at=_BEGAN + timedelta(hours=5),
        suite_version="0",
        guideline=guideline,
        plan=tuple(one.id for one in guideline.requirements),
        plan_sha256="0" * 64,
        cells=cells,
    )


def _stages(dst: str) -> Iterator[StageRun]:
    dead = dst == "cloud-09"
    for number, stage in enumerate(Stage):
        outcome = Outcome.PASS
        if dead and number >= list(Stage).index(Stage.BOOT):
            outcome = Outcome.FAIL if stage is Stage.BOOT else Outcome.BLOCKED
        yield StageRun(
            stage=stage, outcome=outcome, seconds=7.5 + number, started_at=_BEGAN + timedelta(minutes=number)
        )


def _result(number: int, one: Requirement, src: str, dst: str) -> Result:
    wrong = Finding(f"{one.id} of {src} → {dst}", "what the guideline says", "what no page may leave out", one.remedy)
    after_boot = list(Stage).index(one.stage) > list(Stage).index(Stage.BOOT)
    if dst == "cloud-09" and one.stage is Stage.BOOT:
        return Result(check=one.id, outcome=Outcome.FAIL, findings=(wrong,))
    if dst == "cloud-09" and after_boot:
        return Result(check=one.id, outcome=Outcome.BLOCKED, reason="the guest is not up", blocked_by=Stage.BOOT)
    if src == "cloud-03" and one.id == "EX-3":
        return Result(check=one.id, outcome=Outcome.FAIL, findings=(wrong,))
    if number % 4 == 3:
        return Result(check=one.id, outcome=Outcome.NOT_APPLICABLE, reason=f"{dst} does not claim this: it says so")
    flags = ("shim=pushed-metadata",) if (src, dst) == ("cloud-01", "cloud-02") and one.id == "MD-1" else ()
    return Result(check=one.id, outcome=Outcome.PASS, flags=flags, seconds=0.1)


def _evidence(folder: Path, src: str, dst: str) -> dict[Stage, tuple[Evidence, ...]]:
    kept: dict[Stage, list[Evidence]] = {}
    for number in range(FILES):
        stage = list(Stage)[number % len(Stage)]
        name = "devices.txt" if stage is Stage.PV_DRIVERS else f"seen-{number}.txt"
        line = f"{name} of {src} to {dst}: a line as guests and clouds write them\n".encode()
        content = (line * (FILE_BYTES // len(line) + 1))[:FILE_BYTES]
        digest = hashlib.sha256(content).hexdigest()
        (folder / "evidence" / digest).write_bytes(content)
        one = Evidence(name, digest, len(content), "text/plain", "destination console", _BEGAN)
        kept.setdefault(stage, []).append(one)
    return {stage: tuple(files) for stage, files in kept.items()}


@dataclass(frozen=True)
class Opened:
    """Seconds from the request to pixels and to the end of loading, then from a click on a square to its pair."""

    painted_s: float
    loaded_s: float
    pair_s: float


def measure(take: Taking) -> dict[str, Any]:
    """Raises ``RuntimeError`` where no Chromium is."""
    chromium = shutil.which("chromium")
    if chromium is None:
        raise RuntimeError("Chromium is not installed (Debian package chromium)")
    run = ten_by_ten(take.scratch)
    page = matrix_html.write(run, take.scratch)
    openings = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        try:
            _opened(browser, page)  # the first one pays for the browser's own start
            for _ in range(take.repeat):
                with take.repetition("the page"):
                    openings.append(_opened(browser, page))
            version = browser.version
        finally:
            browser.close()
    return {
        "chromium": version,
        "pairs": len(run.cells),
        "checks": len(run.plan),
        "page_bytes": page.stat().st_size,
        "openings": cattrs.unstructure(openings),
    }


def _opened(browser: Browser, path: Path) -> Opened:
    page = browser.new_page()
    page.goto(path.as_uri(), wait_until="load")
    painted_s = float(page.evaluate(_PAINTED)) / 1000
    loaded_s = float(page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")) / 1000
    pair_s = float(page.evaluate(_CLICK)) / 1000
    page.close()
    return Opened(round(painted_s, 3), round(loaded_s, 3), round(pair_s, 3))


_PAINTED = """
() => new Promise((done) => {
  new PerformanceObserver((list) => {
    const first = list.getEntriesByName("first-contentful-paint")[0];
    if (first) done(first.startTime);
  }).observe({type: "paint", buffered: true});
})
"""
"""Not by Playwright's waiting for a condition, which evaluates a string in the page: its policy forbids that."""
_CLICK = """
() => new Promise((done) => {
  const began = performance.now();
  document.querySelector("a.square").click();
  requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - began)));
})
"""
"""The second frame after a click is only begun when what the first one shows has been laid out and painted."""


# -- the page of benchmarks


def _parts(measured: Mapping[str, Any]) -> dict[str, Sequence[float]]:
    found = cattrs.structure(measured["openings"], list[Opened])
    return {
        "first paint": [one.painted_s for one in found],
        "all of the page": [one.loaded_s for one in found],
        "a pair, from a click": [one.pair_s for one in found],
    }


def figures(measured: Mapping[str, Any]) -> Iterator[Figure]:
    parts = _parts(measured)
    told = ", ".join(f"{name} {span(values)} s" for name, values in parts.items())
    loaded = parts["all of the page"]
    yield Figure("opening", statistics.median(loaded), told, len(loaded))


def charts(measured: Mapping[str, Any]) -> Iterator[Chart]:
    bars = tuple(Bar(name, "Chromium", tuple(values)) for name, values in _parts(measured).items())
    yield Chart("Until it is shown", "seconds", bars, aim=AIMS["opening"].bound)


def tables(measured: Mapping[str, Any]) -> Iterator[Table]:
    rows = [(name, span(values)) for name, values in _parts(measured).items()]
    yield Table("Medians with their range", ("", "seconds"), rows)
    facts = ("pairs", "checks", "chromium")
    opened = (*(str(measured[name]) for name in facts), f"{measured['page_bytes'] / 1e6:.1f}")
    yield Table("What was opened", ("page", *facts[:2], "Chromium", "MB"), [("matrix.html", *opened)])
