"""Many pairs: all of them at a glance, what went wrong where, and a way from a square to its checks."""

from __future__ import annotations

import io
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from golden_flows.model.guideline import Guideline
from golden_flows.model.outcome import Outcome
from reports.formats import matrix_html, matrix_md, terminal
from reports.grid import grid, is_grid, places, troubles
from reports.read import read_run
from reports.write import formats

if TYPE_CHECKING:
    from selftests.reports.conftest import JournalBuilder

Load = Callable[[str], Guideline]


def shown(folder: Path, load: Load, width: int = 100) -> str:
    page = io.StringIO()
    terminal.render(read_run(folder, load=load), Console(file=page, width=width, no_color=True))
    return page.getvalue()


def test_a_square_says_how_its_pair_ended(crowd: Path, load: Load) -> None:
    overview = grid(read_run(crowd, load=load))
    words = {pair: square.words for pair, square in overview.squares.items()}
    assert words[("a", "b")] == "compatible"
    assert words[("a", "c")] == "fail: N2-1"
    assert words[("b", "a")] == "with shim qcow2-to-raw"
    assert words[("b", "c")] == "fail: N2-1"
    assert overview.row("b")[1] is None, "that pair was not asked for"


def test_a_pair_of_which_much_is_unknown_says_how_much(journal: JournalBuilder, load: Load) -> None:
    journal.start(*((src, dst) for src in "ab" for dst in "ab")).all_pass(src="a", dst="a", but=("UD-1",)).end(3)
    words = grid(read_run(journal.folder, load=load)).squares[("a", "a")].words
    assert words == "not judged: UD-1"
    assert grid(read_run(journal.folder, load=load)).squares[("b", "b")].words == "not judged: EX-1 IM-2 and 11 more"


def test_what_went_wrong_is_said_once_with_every_place(crowd: Path, load: Load) -> None:
    run = read_run(crowd, load=load)
    overview = grid(run)
    found = {one.name: one for one in troubles(run, overview)}
    assert (found["N2-1"].outcome, places(found["N2-1"], overview)) == (Outcome.FAIL, "every source → c")
    assert (found["stage boot"].outcome, places(found["stage boot"], overview)) == (Outcome.BROKEN, "b → c")
    assert "AP-1" not in found, "what a stage blocked follows from it"
    assert found["12 checks"].outcome is Outcome.NOT_RUN
    assert found["12 checks"].title.startswith("EX-1 TX-6"), "what was never tried is said once"
    assert next(iter(found)) == "N2-1", "a proved defect comes first"


@pytest.mark.parametrize("width", [40, 100])
def test_terminal_shows_the_grid_and_not_every_matrix(crowd: Path, load: Load, width: int) -> None:
    text = shown(crowd, load, width)
    lines = [line.split() for line in text.splitlines()]
    assert ["a", "✓", "✓", "✗"] in lines
    assert ["b", "✓s", "✗"] in lines
    assert ["3", "to", "c"] in lines
    assert "✓ 3 compatible" in text
    assert "✗ 2 not compatible" in text
    assert "\x1b" not in text


@pytest.mark.parametrize("name", ["matrix.txt", "matrix.md", "matrix.html"])
def test_a_grid_says_how_real_its_clouds_were_and_what_they_were_told(
    name: str, journal: JournalBuilder, load: Load
) -> None:
    journal.start(("a", "a"), ("a", "b"), ("b", "a"), ("b", "b")).cloud("b", active_faults=["nd_empty"])
    page = formats()[name].write(read_run(journal.end(3).folder, load=load), journal.folder).read_text("utf-8")
    for words in ("reference cloud on emulated hardware", "a: QEMU", "b: QEMU", "nd_empty"):
        assert words in page.replace("&#39;", "'"), words


def test_few_pairs_stand_side_by_side(failing: Path, load: Load) -> None:
    run = read_run(failing, load=load)
    assert not is_grid(run)
    assert "at the left" not in matrix_md.write(run, failing).read_text("utf-8")


def test_every_square_of_the_page_leads_to_its_pair(crowd: Path, load: Load) -> None:
    page = matrix_html.write(read_run(crowd, load=load), crowd).read_text("utf-8")
    seen: list[tuple[str, dict[str, str | None]]] = []

    class _Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            seen.append((tag, dict(attrs)))

    _Reader().feed(page)
    squares = [attrs["href"] for tag, attrs in seen if tag == "a" and "square" in str(attrs.get("class"))]
    pairs = [attrs["id"] for tag, attrs in seen if tag == "section" and attrs.get("class") == "pair"]
    assert squares == [f"#{one}" for one in pairs]
    assert sorted(str(one) for one in pairs) == ["a/a", "a/b", "a/c", "b/a", "b/c"]


def test_a_pair_has_a_place_of_its_own_whatever_its_clouds_are_called(journal: JournalBuilder, load: Load) -> None:
    pairs = (("a/b", "c"), ("a", "b/c"), ("x y", "<i>"), ('"', "#"))
    journal.start(*pairs).end(3)
    anchors = {one.anchor for one in grid(read_run(journal.folder, load=load)).squares.values()}
    assert anchors == {"a%2Fb/c", "a/b%2Fc", "x%20y/%3Ci%3E", "%22/%23"}
