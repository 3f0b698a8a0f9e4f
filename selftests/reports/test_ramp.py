"""How a burst came up, as reports tell and draw it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from golden_flows.model.burst import Ramp
from golden_flows.model.guideline import Guideline
from reports.ramp import HEIGHT, WIDTH, picture, quarters, words
from reports.read import read_run
from reports.write import formats

Load = Callable[[str], Guideline]
RAMP = Ramp(asked=4, way="one request", active_s=(0.5, 0.5, 0.7, 0.9), up_s=(2.0, 5.0, 11.0, 75.0))


def points(text: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (one.split(",") for one in text.split())]


def test_words_name_first_median_and_last() -> None:
    assert words(RAMP) == (
        "4 of 4 up, asked for in one request; the first after 2.0 s, median after 8.0 s, the last after 1 min 15 s"
    )
    assert words(Ramp(asked=9, way="single requests")) == "0 of 9 up, asked for in single requests"


def test_the_figures_are_the_first_each_quarter_and_the_last() -> None:
    assert quarters(RAMP) == ((1, 2.0), (2, 5.0), (3, 11.0), (4, 75.0))
    assert quarters(replace(RAMP, asked=12)) == ((1, 2.0), (3, 11.0), (4, 75.0))
    assert quarters(replace(RAMP, up_s=())) == ()


def test_the_picture_rises_step_by_step_to_what_came_up() -> None:
    drawn = picture(replace(RAMP, asked=8))
    assert drawn is not None
    line = points(drawn.up)
    assert line[0] == (0.0, HEIGHT)
    assert line[-1] == (WIDTH, HEIGHT / 2), "four of eight"
    assert [x for x, _ in line] == sorted(x for x, _ in line)
    assert [y for _, y in line] == sorted((y for _, y in line), reverse=True)
    assert [words for _, words in drawn.ticks] == ["0", "15 s", "30 s", "45 s", "1 min 00 s", "1 min 15 s"]
    assert picture(Ramp(asked=3)) is None


@pytest.mark.parametrize("name", ["matrix.html", "matrix.md", "matrix.txt"])
def test_pages_tell_of_the_burst(name: str, bursting: Path, healthy: Path, load: Load) -> None:
    text = formats()[name].write(read_run(bursting, load=load), bursting).read_text("utf-8")
    assert "3 of 4 up" in text
    assert "11 s" in text
    assert "<script>alert(1)" not in text


def test_the_page_draws_it(bursting: Path, load: Load) -> None:
    text = formats()["matrix.html"].write(read_run(bursting, load=load), bursting).read_text("utf-8")
    (svg,) = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert svg.count("<polyline") == 2


def test_a_run_without_a_burst_shows_none(healthy: Path, load: Load) -> None:
    page = formats()["matrix.html"].write(read_run(healthy, load=load), healthy).read_text("utf-8")
    assert "<svg" not in page
    document = json.loads(formats()["results.json"].write(read_run(healthy, load=load), healthy).read_text("utf-8"))
    assert document["cells"][0]["burst"] is None


def test_results_have_every_figure(bursting: Path, load: Load) -> None:
    document = json.loads(formats()["results.json"].write(read_run(bursting, load=load), bursting).read_text("utf-8"))
    seen = document["cells"][0]["burst"]
    assert (seen["asked"], seen["up"], seen["first_s"], seen["median_s"], seen["last_s"]) == (4, 3, 2.0, 5.0, 11.0)
    assert seen["up_s"] == [2.0, 5.0, 11.0]
    assert len(seen["lacking"]) == 1
