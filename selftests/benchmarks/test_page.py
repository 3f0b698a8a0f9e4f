"""The page of benchmarks says what the results say, all of it, and cannot hide a missed aim."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmarks import page, record
from benchmarks.__main__ import benchmarks
from benchmarks.aims import AIMS
from benchmarks.record import Run
from benchmarks.taking import Repetition, Taking
from benchmarks.told import Bar, Chart, Figure, Table

ROOT = Path(__file__).resolve().parent.parent.parent


def nothing(chart: Chart) -> str:
    return "<svg/>"


def without_drawings(text: str) -> str:
    """Drawings differ between versions of matplotlib; the page names the digest of what each is of."""
    return re.sub(r"<svg.*?</svg>", "<svg/>", text, flags=re.DOTALL)


def test_the_page_is_fresh() -> None:
    expected = page.render(benchmarks(), record.newest(record.RESULTS), nothing)
    assert without_drawings(page.PAGE.read_text("utf-8")) == expected, "run: python -m benchmarks page"


def test_every_chart_of_the_page_is_drawn() -> None:
    text = page.PAGE.read_text("utf-8")
    assert text.count("<svg") == text.count("</svg>") == text.count("<figure") > 0


def test_the_page_needs_nothing_from_elsewhere() -> None:
    assert not re.findall(r"""(?:src|href)=["'](?!#)""", page.PAGE.read_text("utf-8"))


@pytest.mark.parametrize("document", ["README.md", "docs/scaling.md", "docs/burst.md", "docs/decisions/0012-mover.md"])
def test_the_page_is_linked(document: str) -> None:
    assert "benchmarks.html" in (ROOT / document).read_text("utf-8")


class OneFigure:
    """A benchmark that found one thing."""

    TITLE, ABOUT = "One", "of its kind"

    def __init__(self, figure: Figure) -> None:
        self._figure = figure

    def measure(self, take: Taking, **options: Any) -> dict[str, Any]:
        raise AssertionError("never")

    def figures(self, measured: Mapping[str, Any]) -> Iterable[Figure]:
        return [self._figure]

    def charts(self, measured: Mapping[str, Any]) -> Iterable[Chart]:
        return [Chart("drawn", "s", (Bar("g", "n", (1.0, 2.0)),), aim=1.5)]

    def tables(self, measured: Mapping[str, Any]) -> Iterable[Table]:
        return []


def run(name: str, *, others_cpus: float | None = 0.0, **claims: Any) -> Run:
    host = {"cores": "2"}
    return Run(name, "2026-11-28T10:00:00", "python", host, 5, False, [Repetition(0.3, 1.0, others_cpus)], claims)


def rendered(key: str, value: float, *, repetitions: int = 5, others_cpus: float | None = 0.0, **claims: Any) -> str:
    name = AIMS[key].benchmark
    one = OneFigure(Figure(key, value, "as found", repetitions))
    return page.render({name: one}, {name: run(name, others_cpus=others_cpus, **claims)}, nothing)


def row_of(key: str, text: str) -> str:
    rows: list[str] = re.findall(r"<tr>.*?</tr>", html.unescape(text), re.DOTALL)
    return next(row for row in rows if AIMS[key].what in row)


@pytest.mark.parametrize("key", AIMS)
def test_a_missed_aim_is_called_missed_whatever_the_results_claim(key: str) -> None:
    aim = AIMS[key]
    just_beyond = aim.bound + (0.001 if aim.at_most else -0.001)
    text = rendered(key, just_beyond, met=True, verdict="met", aims={key: 1e9})
    assert '<span class="missed">missed</span>' in row_of(key, text)
    assert f">{aim.bound:.2f}{aim.unit}</td>" not in row_of(key, text)  # nor rounded to its bound
    assert '<span class="missed">1 missed</span>' in text


@pytest.mark.parametrize("key", AIMS)
def test_an_aim_that_is_reached_is_met(key: str) -> None:
    assert '<span class="met">met</span>' in row_of(key, rendered(key, AIMS[key].bound))


@pytest.mark.parametrize("key", AIMS)
def test_an_aim_that_nothing_was_measured_for_is_listed(key: str) -> None:
    assert '<span class="not">not measured</span>' in row_of(key, page.render(benchmarks(), {}, nothing))


def test_the_worst_of_several_figures_counts() -> None:
    costs = {
        cells: [
            {"items": 1, "peak_mib": 1.0} | {f"{part}{kind}": seconds for part in PARTS for kind in ("_s", "_cpu_s")}
        ]
        for cells, seconds in ((10, 1.0), (100, 4.0))
    }
    plain = costs[10]
    measured = {"counts": [{"cells": cells, "ours": ours, "plain": plain} for cells, ours in costs.items()]}
    (found,) = benchmarks()["cells"].figures(measured)
    assert found.value == 4.0


PARTS = ("collection", "running", "rest")


def test_an_unknown_aim_is_our_mistake() -> None:
    with pytest.raises(KeyError, match="no aim"):
        page.render({"flow": OneFigure(Figure("flwo", 1.0, "", 5))}, {"flow": run("flow")}, nothing)


@pytest.mark.parametrize(("others_cpus", "told"), [(0.9, "others used up to 0.90 of 2"), (None, "was not recorded")])
def test_a_figure_of_a_busy_machine_says_so(others_cpus: float | None, told: str) -> None:
    assert told in row_of("flow", rendered("flow", 1.0, others_cpus=others_cpus))


def test_a_figure_of_a_quiet_machine_has_no_doubts() -> None:
    assert "busy" not in row_of("flow", rendered("flow", 1.0))


def test_few_repetitions_are_told() -> None:
    assert "3 of 5 repetitions" in row_of("flow", rendered("flow", 1.0, repetitions=3))


def test_a_small_run_is_not_shown(tmp_path: Path) -> None:
    small = run("flow")
    small.small = True
    record.add(tmp_path, small)
    assert record.newest(tmp_path) == {}


def test_the_newest_run_is_shown_and_none_is_lost(tmp_path: Path) -> None:
    first, second = run("flow"), run("flow")
    second.began_at = "2026-11-28T11:00:00"
    record.add(tmp_path, second)
    path = record.add(tmp_path, first)
    assert record.newest(tmp_path) == {"flow": second}
    assert record.read_file(path) == [second, first]


def test_a_chart_is_drawn_the_same_twice() -> None:
    charts = pytest.importorskip("benchmarks.charts", reason="matplotlib is not installed")
    chart = Chart("drawn <&>", "s", (Bar("g", "n", (1.0, 2.0)), Bar("g", "m", (3.0,))), aim=1.5, log=True)
    drawn = charts.draw(chart)
    assert drawn == charts.draw(chart)
    assert drawn.startswith("<svg")
    assert "<&>" not in drawn
