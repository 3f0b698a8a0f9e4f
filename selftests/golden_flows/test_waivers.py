"""A waiver has a reason, an owner and a last day, and is for something that there is; or the run does not begin."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from golden_flows.errors import UsageError
from golden_flows.model.cloud import Pair
from golden_flows.waivers import read_waivers

TODAY = date(2026, 11, 28)
CELLS = (Pair("private", "public"), Pair("private", "public-lite"))
FINE = """
[[waivers]]
id = "OPS-1"
check = "N2-3"
cells = ["private->public", "*->public-lite"]
reason = "policy routing comes with the agent's next release"
owner = "anne@example.org"
until = 2026-12-31
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "waivers.toml"
    path.write_text(text, "utf-8")
    return path


def refusal(path: Path, today: date = TODAY) -> str:
    with pytest.raises(UsageError) as refused:
        read_waivers(path, ("N2-3", "EX-1"), CELLS, today)
    assert str(path) in refused.value.what
    assert refused.value.remedy
    return refused.value.what


def test_a_waiver_covers_its_cells_and_says_until_when(tmp_path: Path) -> None:
    (one,) = read_waivers(write(tmp_path, FINE), ("N2-3",), CELLS, TODAY)
    assert one.flag == "waiver=OPS-1 until 2026-12-31"
    assert [one.covers(pair) for pair in (*CELLS, Pair("public", "private"))] == [True, True, False]


def test_the_last_day_is_a_day_on_which_it_holds(tmp_path: Path) -> None:
    path = write(tmp_path, FINE)
    assert len(read_waivers(path, ("N2-3",), CELLS, date(2026, 12, 31))) == 1
    assert "waiver OPS-1 expired on 2026-12-31" in refusal(path, date(2027, 1, 1))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("N2-3", "N2-33", "'N2-33', which is no check of this run"),
        ('private->public"', 'privat->public"', "'privat->public', which is no cell of this run"),
        ('private->public"', 'private"', "cells is"),
        ('["private->public", "*->public-lite"]', "[]", "cells is []"),
        ("2026-12-31", '"2026-12-31"', "until is '2026-12-31'"),
        ("2026-12-31", "2026-12-31T10:00:00", "until is"),
        ('owner = "anne@example.org"', "", "lacks or has too much: owner"),
        ("owner =", "keeper =", "keeper, owner"),
        ("anne@example.org", " ", "owner says nothing"),
        ("[[waivers]]", "[[waiver]]", "holds no waivers"),
        ("[[waivers]]", "[waivers]", "holds no waivers"),
        ('id = "OPS-1"', "id = ", "no TOML"),
    ],
)
def test_a_waiver_that_says_too_little_is_refused(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in FINE
    assert told in refusal(write(tmp_path, FINE.replace(old, new)))


def test_two_of_one_name_are_refused_and_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert "two waivers are called OPS-1" in refusal(write(tmp_path, FINE + FINE))
    assert "cannot read the waivers" in refusal(tmp_path / "none.toml")
