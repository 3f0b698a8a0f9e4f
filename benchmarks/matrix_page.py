"""``python -m benchmarks page``: how soon Chromium shows a matrix of ten clouds by ten, and one pair of it."""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks import host
from golden_flows.guideline import load_guideline
from golden_flows.model.cloud import Pair, Profile
from golden_flows.model.evidence import Evidence, EvidenceLevel
from golden_flows.model.finding import Finding
from golden_flows.model.guideline import Requirement
from golden_flows.model.matrix import Cell, Result, Run, StageRun
from golden_flows.model.outcome import Outcome
from golden_flows.model.stage import Stage
from reports.formats import matrix_html

CLOUDS = 10
FILES = 25
"""Of evidence, for each pair: as many as real runs have."""
FILE_BYTES = 7_000
AIM_S = 1.0
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


def main(arguments: Sequence[str]) -> int:
    """Exit codes: 0 measured, 3 no browser to measure with."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks page", description=__doc__)
    parser.add_argument("--repeat", type=int, default=9, metavar="N", help="repetitions (default 9)")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    asked = parser.parse_args(arguments)
    chromium = shutil.which("chromium")
    if chromium is None:
        print("error: chromium is not installed: apt-get install chromium", file=sys.stderr)
        return 3
    with tempfile.TemporaryDirectory(prefix="golden-flows-bench-page-") as scratch:
        run = ten_by_ten(Path(scratch))
        page = matrix_html.write(run, Path(scratch))
        document = _measure(page, chromium, asked.repeat) | {
            "pairs": len(run.cells),
            "checks": len(run.plan),
            "page_bytes": page.stat().st_size,
        }
    target = asked.output / f"{document['date']}-page.json"
    asked.output.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    print(json.dumps(document, indent=1))
    print(f"written to {target}", file=sys.stderr)
    return 0


def _measure(page: Path, chromium: str, repeat: int) -> dict[str, Any]:
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        try:
            _opened(browser, page)  # the first one pays for the browser's own start
            taken = [_opened(browser, page) for _ in range(repeat)]
            version = browser.version
        finally:
            browser.close()
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "host": host.describe(),
        "chromium": version,
        "load": host.load(),
        "aim_s": AIM_S,
        "taken": taken,
        "median_s": {key: round(statistics.median(one[key] for one in taken), 3) for key in taken[0]},
    }


def _opened(browser: Browser, path: Path) -> dict[str, float]:
    """Seconds from the request to pixels and to the end of loading, then from a click on a square to its pair."""
    page = browser.new_page()
    page.goto(path.as_uri(), wait_until="load")
    painted_s = _painted_s(page)
    loaded_s = float(page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")) / 1000
    pair_s = float(page.evaluate(_CLICK)) / 1000
    page.close()
    return {"painted": round(painted_s, 3), "loaded": round(loaded_s, 3), "pair": round(pair_s, 3)}


def _painted_s(page: Page) -> float:
    paint = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
    page.wait_for_function(paint)
    return float(page.evaluate(paint)) / 1000


_CLICK = """
() => new Promise((done) => {
  const began = performance.now();
  document.querySelector("a.square").click();
  requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - began)));
})
"""
"""The second frame after a click is only begun when what the first one shows has been laid out and painted."""
