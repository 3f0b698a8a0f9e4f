"""The matrix that is kept in docs/proof is whole: page and digest are of the same document."""

from __future__ import annotations

import hashlib
import json
import re

from golden_flows.guideline import CURRENT, load_kill_matrix
from selftests.proof import page
from selftests.proof.__main__ import DOCUMENT, HTML_NAME
from selftests.proof.flows import FLOWS
from selftests.proof.record import Record, judge


def test_the_page_shows_the_document_and_the_guideline_knows_its_digest() -> None:
    kept = json.loads(DOCUMENT.read_text("utf-8"))
    assert page.as_text(kept) == DOCUMENT.read_text("utf-8")
    assert page.render(kept) == (DOCUMENT.parent / HTML_NAME).read_text("utf-8")
    told = load_kill_matrix(CURRENT)
    assert told is not None
    assert told.sha256 == hashlib.sha256(DOCUMENT.read_bytes()).hexdigest()
    assert (told.made_at, told.suite_version) == (kept["made_at"], kept["suite_version"])
    assert (told.checks, told.proved_on_guests) == (kept["summary"]["checks"], kept["summary"]["proved_on_guests"])


def test_each_way_of_cutting_a_run_short_has_tests_that_exist() -> None:
    page_text = (DOCUMENT.parent.parent / "proof.md").read_text("utf-8")
    rows = [line for line in page_text.splitlines() if re.match(r"\| \d+ \|", line)]
    assert len(rows) == 12
    named = {name for row in rows for name in re.findall(r"`(test_\w+)", row)}
    folder = DOCUMENT.parent.parent.parent / "selftests" / "interop_tests"
    source = (folder / "test_completeness.py").read_text("utf-8")
    assert named
    assert not [name for name in named if f"def {name}" not in source]


def test_the_variants_of_the_page_are_those_of_the_runs() -> None:
    """At least ten that cost nothing are part of the proof, and the page says on which clouds."""
    page_text = (DOCUMENT.parent.parent / "proof.md").read_text("utf-8")
    table = page_text.split("| variant | tried on |")[1].split("\n\n")[0]
    told = {
        (name, row.split("|")[2].split()[0]) for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row)
    }
    specs = [one.partition(":") for flow in FLOWS for one in flow.variants]
    flown = {(name.partition("=")[0], cloud) for cloud, _, name in specs}
    assert told == flown
    assert len({name for name, _ in flown}) >= 10


def test_every_run_that_it_rests_on_can_be_judged_again_and_shows_what_was_claimed() -> None:
    for one in json.loads(DOCUMENT.read_text("utf-8"))["runs"]:
        assert judge(Record.load(one)).troubles == (), one["run"]
