"""Every report tells whose it is and why, and no outcome depends on it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from golden_flows.model.attribution import Answer, Attribution, Control, Party, Shown
from golden_flows.model.guideline import Guideline
from golden_flows.model.matrix import Run
from golden_flows.model.outcome import ExitCode
from golden_flows.model.stage import Stage
from reports.formats import junit_xml, matrix_html, matrix_md, results_json, terminal
from reports.read import read_run

if TYPE_CHECKING:
    from selftests.reports.conftest import JournalBuilder

Load = Callable[[str], Guideline]
WHY = "it does so to its own image"


def test_the_verdict_is_read_as_it_was_written(failing: Path, load: Load) -> None:
    (cell,) = read_run(failing, load=load).cells
    assert cell.attributions == (
        Attribution(
            stage=Stage.SECONDARY_NIC,
            checks=("N2-1",),
            party=Party.DESTINATION,
            suspects=(Party.DESTINATION,),
            reasons=(WHY,),
            answers={Control.OWN_IMAGE: Answer(Shown.SAME, WHY)},
        ),
    )


FOR_PEOPLE = pytest.mark.parametrize("write", [matrix_html.write, matrix_md.write, terminal.write])
Write = Callable[[Run, Path], Path]


@FOR_PEOPLE
def test_a_person_reads_who_it_is_and_why(write: Write, failing: Path, load: Load) -> None:
    text = write(read_run(failing, load=load), failing).read_text("utf-8")
    assert "secondary NIC (N2-1) is:" in text
    assert "the destination" in text
    assert WHY in text


@FOR_PEOPLE
def test_of_many_pairs_a_person_reads_it_with_the_pair(write: Write, crowd: Path, load: Load) -> None:
    text = write(read_run(crowd, load=load), crowd).read_text("utf-8")
    assert text.count("secondary NIC (N2-1) is:") == 1
    assert "the destination" in text


def test_a_machine_reads_it_too(failing: Path, healthy: Path, load: Load) -> None:
    (cell,) = json.loads(results_json.write(read_run(failing, load=load), failing).read_text("utf-8"))["cells"]
    (whose,) = cell["attributions"]
    assert (whose["party"], whose["stage"], whose["checks"]) == ("destination", "secondary_nic", ["N2-1"])
    assert whose["words"] == "the destination"
    own = {"control": "own-image", "title": Control.OWN_IMAGE.title, "shown": "same", "words": WHY}
    assert whose["controls"] == [own]


def test_ci_reads_it_beside_the_pair(failing: Path, load: Load) -> None:
    text = junit_xml.write(read_run(failing, load=load), failing).read_text("utf-8")
    assert 'name="whose" value="secondary NIC (N2-1): the destination"' in text


def test_of_what_a_later_telling_found_out_nothing_is_laid_to_anybody(journal: JournalBuilder, load: Load) -> None:
    journal.start().all_pass(but=("N2-1", "PV-1")).result("N2-1", "fail").result("PV-1", "broken")
    journal.attribution(Stage.SECONDARY_NIC, "N2-1", party="destination", why=WHY)
    journal.attribution(Stage.PV_DRIVERS, "PV-1", party="harness", why=WHY)
    journal.say("retold", src="private", dst="public", attempt=1).all_pass()
    run = read_run(journal.end(1).folder, load=load)
    assert [one.checks for one in run.cells[0].attributions] == [("N2-1",)], "what failed once stays failed"


def test_tellings_that_lay_it_to_two_lay_it_to_nobody(journal: JournalBuilder, load: Load) -> None:
    journal.start()
    for party in ("destination", "image"):
        journal.all_pass(but=("N2-1",)).result("N2-1", "fail")
        journal.attribution(Stage.SECONDARY_NIC, "N2-1", party=party, why=WHY)
        journal.say("retold", src="private", dst="public", attempt=1)
    (whose,) = read_run(journal.end(1).folder, load=load).cells[0].attributions
    assert (whose.party, whose.words) == (None, "undecided: image or destination")


@pytest.mark.parametrize("party", ["destination", None])
def test_no_outcome_depends_on_it(party: str | None, journal: JournalBuilder, load: Load) -> None:
    journal.start().all_pass().attribution(Stage.BOOT, "BT-1", party=party, why=WHY)
    journal.say("control", src="private", dst="public", control="own-image", seconds=1.0, answers=[])
    run = read_run(journal.end().folder, load=load)
    assert run.exit_code is ExitCode.CERTIFIED
    assert run.cells[0].attributions == (), "nothing is wrong with what it speaks of"
