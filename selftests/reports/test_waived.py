"""A waiver makes a failure a pass that nobody can take for one of its own; nothing else can be waived."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden_flows.model.cloud import Pair
from golden_flows.model.finding import Finding
from golden_flows.model.guideline import Guideline
from golden_flows.model.matrix import Result
from golden_flows.model.outcome import ExitCode, Outcome, exit_code
from reports import waived
from reports import write as writing
from reports.formats.badge import verdict
from reports.grid import grid
from reports.read import read_run
from reports.rows import exit_meaning
from reports.write import write_all

if TYPE_CHECKING:
    from selftests.reports.conftest import JournalBuilder

Load = Callable[[str], Guideline]
WAIVER: Mapping[str, Any] = {
    "id": "OPS-1",
    "check": "N2-1",
    "cells": ["*->public"],
    "reason": "comes with the next release",
    "owner": "anne of the network team",
    "until": "2026-12-31",
}
FLAG = "waiver=OPS-1 until 2026-12-31"
WRONG = {"subject": "port fa:16:3e:01:02:03", "expected": "a link", "actual": "none", "remedy": ""}


@pytest.fixture
def failed(journal: JournalBuilder) -> Callable[..., Path]:
    """A run in which N2-1 failed, with these waivers."""

    def write(*waivers: Mapping[str, Any]) -> Path:
        journal.start(waivers=list(waivers)).all_pass(but=("N2-1",)).result("N2-1", "fail", findings=[WRONG])
        return journal.end().folder

    return write


def test_a_waived_failure_is_a_pass_with_its_flag_and_its_findings(failed: Callable[..., Path], load: Load) -> None:
    run = read_run(failed(WAIVER), load=load)
    result = run.cells[0].result("N2-1")
    assert (result.outcome, result.flags) == (Outcome.PASS, (FLAG,))
    assert result.findings == (Finding("port fa:16:3e:01:02:03", "a link", "none"),)
    assert run.exit_code is ExitCode.CERTIFIED


@pytest.mark.parametrize(
    "changes", [{"cells": ["public->*"]}, {"check": "AP-1"}, {"until": "2026-01-01"}], ids=["cell", "check", "expired"]
)
def test_a_waiver_for_something_else_changes_nothing(
    changes: dict[str, object], failed: Callable[..., Path], load: Load
) -> None:
    run = read_run(failed({**WAIVER, **changes}), load=load)
    assert run.cells[0].result("N2-1").outcome is Outcome.FAIL
    assert run.exit_code is ExitCode.NONCONFORMANCE


def test_every_report_lists_waivers_and_what_failed(failed: Callable[..., Path], load: Load) -> None:
    files = write_all(failed(WAIVER), load=load)
    document = json.loads(files["results.json"].read_text("utf-8"))
    assert document["waivers"] == [WAIVER]
    schema = json.loads((Path(writing.__file__).parent / "results.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(schema).validate(document)
    for name in ("matrix.html", "matrix.md", "matrix.txt"):
        text = files[name].read_text("utf-8")
        for wanted in ("OPS-1", "2026-12-31", "comes with the next release", "anne of the", "works with waiver"):
            assert wanted in text, (name, wanted)
        assert "a link" in text, "what failed stays to be seen"
    assert FLAG in files["junit.xml"].read_text("utf-8")
    assert any(FLAG in one.read_text("utf-8") for one in files["allure-results"].glob("*.json"))


def test_a_grid_of_pairs_shows_what_is_waived(journal: JournalBuilder, load: Load) -> None:
    pairs = [("a", "a"), ("a", "b"), ("b", "a"), ("b", "b")]
    journal.start(*pairs, waivers=[{**WAIVER, "cells": ["*->b"]}])
    for src, dst in pairs:
        journal.all_pass(src=src, dst=dst, but=("N2-1", "EX-1"))
        journal.result("EX-1", src=src, dst=dst, flags=["shim=raw"] if src == "b" else [])
        failed = dst == "b"
        journal.result(
            "N2-1", "fail" if failed else "pass", src=src, dst=dst, findings=[WRONG] if (src, dst) == ("b", "b") else []
        )
    run = read_run(journal.end().folder, load=load)
    overview = grid(run)
    assert [one.words for one in overview.squares.values()] == [
        "compatible",
        "with waiver OPS-1",
        "with shim raw",
        "with shim raw and waiver OPS-1",
    ]
    assert verdict(run)[1] == "4 of 4 pairs compatible with waivers"
    files = write_all(journal.folder, load=load)
    for name in ("matrix.html", "matrix.md", "matrix.txt"):
        text = " ".join(files[name].read_text("utf-8").split())
        for wanted in (FLAG, "waived by anne of the network team: comes with the next", "or failed and is waived"):
            assert wanted in text, (name, wanted)
        assert "every check of every pair" not in text
    for name in ("matrix.html", "matrix.txt"):
        assert "with a waiver: a check failed, and somebody" in files[name].read_text("utf-8")
    lines = [line.split() for line in files["matrix.txt"].read_text("utf-8").splitlines()]
    assert ["b", "✓s", "✓sw"] in lines


def test_a_run_in_which_nothing_was_waived_speaks_of_no_waiver(journal: JournalBuilder, load: Load) -> None:
    run = read_run(journal.start(waivers=[dict(WAIVER)]).all_pass().end().folder, load=load)
    assert "waive" not in exit_meaning(run) + verdict(run)[1]


def test_a_waiver_that_was_not_needed_says_so(journal: JournalBuilder, load: Load) -> None:
    run = read_run(journal.start(waivers=[dict(WAIVER)]).all_pass().end().folder, load=load)
    assert any("OPS-1" in note and "not needed" in note for note in run.notes)
    assert run.cells[0].result("N2-1").flags == ()


OUTCOMES = st.dictionaries(st.sampled_from(["EX-1", "N2-1", "AP-1", "LC-2"]), st.sampled_from(Outcome), min_size=1)
WAIVED = st.sets(st.sampled_from(["EX-1", "N2-1", "AP-1", "LC-2"]))


@given(OUTCOMES, WAIVED)
def test_waivers_certify_only_what_failed_and_was_waived(outcomes: dict[str, Outcome], names: set[str]) -> None:
    waivers = [waived.read({**WAIVER, "id": f"W-{name}", "check": name}) for name in sorted(names)]
    before = {name: Result(check=name, outcome=outcome) for name, outcome in outcomes.items()}
    after = waived.results(before, Pair("private", "public"), waivers)
    for name, outcome in outcomes.items():
        is_waived = outcome is Outcome.FAIL and name in names
        assert after[name].outcome is (Outcome.PASS if is_waived else outcome)
        assert bool(after[name].flags) == is_waived
    failed = {name for name, one in outcomes.items() if one is Outcome.FAIL}
    judged = {Outcome.PASS, Outcome.NOT_APPLICABLE, Outcome.FAIL}.issuperset(outcomes.values())
    certified = exit_code(one.outcome for one in after.values()) is ExitCode.CERTIFIED
    assert not certified or (judged and failed <= names)
    assert waived.results(after, Pair("private", "public"), waivers) == after, "once is enough"


@given(OUTCOMES)
def test_without_waivers_nothing_changes(outcomes: dict[str, Outcome]) -> None:
    before = {name: Result(check=name, outcome=outcome) for name, outcome in outcomes.items()}
    assert waived.results(before, Pair("a", "b"), []) == before
