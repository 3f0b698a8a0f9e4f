"""A run is rebuilt from its journal, and never looks better than it was."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from golden_flows.errors import InteropError
from golden_flows.journal import SCHEMA, Journal
from golden_flows.model.cloud import Pair, Profile
from golden_flows.model.evidence import EvidenceLevel
from golden_flows.model.finding import Finding
from golden_flows.model.guideline import Guideline
from golden_flows.model.outcome import ExitCode, Outcome
from golden_flows.model.stage import Stage
from reports.read import read_run
from reports.rows import Judgement, active_faults, evidence_words, judge

if TYPE_CHECKING:
    from selftests.reports.conftest import JournalBuilder

Load = Callable[[str], Guideline]


def test_healthy_run_is_certified(healthy: Path, load: Load) -> None:
    run = read_run(healthy, load=load)
    assert run.exit_code is ExitCode.CERTIFIED
    assert [judge(run, cell) for cell in run.cells] == [Judgement.COMPATIBLE]
    assert len(run.cells[0].stages) == len(Stage)


def test_failing_run_is_a_nonconformance(failing: Path, load: Load) -> None:
    run = read_run(failing, load=load)
    (cell,) = run.cells
    assert run.exit_code is ExitCode.NONCONFORMANCE
    assert judge(run, cell) is Judgement.NOT_COMPATIBLE
    assert cell.result("N2-1").findings == (Finding("port fa:16:3e:01:02:03", "a link", "none"),)
    assert cell.result("AP-1").blocked_by is Stage.SECONDARY_NIC
    assert cell.result("AU-1").outcome is Outcome.NOT_RUN
    assert active_faults(cell) == ("public: nd_empty",)


def test_killed_run_is_incomplete_and_says_what_may_be_left(killed: Path, load: Load) -> None:
    run = read_run(killed, load=load)
    assert run.ended_at is None
    assert run.exit_code is ExitCode.INCOMPLETE
    assert judge(run, run.cells[0]) is Judgement.UNJUDGED
    assert any("server anne-dst on public" in note for note in run.notes)
    boot = next(one for one in run.cells[0].stages if one.stage is Stage.BOOT)
    assert boot.outcome is Outcome.BROKEN


def test_run_killed_after_its_last_check_is_not_certified(journal: JournalBuilder, load: Load) -> None:
    run = read_run(journal.start().all_pass().folder, load=load)
    assert run.exit_code is ExitCode.INCOMPLETE
    assert judge(run, run.cells[0]) is Judgement.UNJUDGED


def test_run_that_ended_badly_is_not_certified_though_every_check_passed(journal: JournalBuilder, load: Load) -> None:
    run = read_run(journal.start().all_pass().end(3, "could not remove a server").folder, load=load)
    assert run.exit_code is ExitCode.INCOMPLETE
    assert judge(run, run.cells[0]) is Judgement.UNJUDGED
    assert "the run ended: could not remove a server" in run.notes


def test_a_run_that_ended_badly_vouches_for_none_of_its_pairs(journal: JournalBuilder, load: Load) -> None:
    """Whichever pair it was of which something could not be removed."""
    journal.start(("private", "public"), ("public", "private")).all_pass()
    journal.all_pass(src="public", dst="private", but=("BT-1",))
    journal.result("BT-1", "fail", src="public", dst="private").end(3, "could not remove a server")
    run = read_run(journal.folder, load=load)
    assert [judge(run, cell) for cell in run.cells] == [Judgement.UNJUDGED, Judgement.NOT_COMPATIBLE]


def test_pair_that_passed_stays_compatible_beside_one_that_failed(journal: JournalBuilder, load: Load) -> None:
    journal.start(("private", "public"), ("public", "private")).all_pass()
    journal.all_pass(src="public", dst="private", but=("BT-1",))
    run = read_run(journal.result("BT-1", "fail", src="public", dst="private").end(1).folder, load=load)
    assert [judge(run, cell) for cell in run.cells] == [Judgement.COMPATIBLE, Judgement.NOT_COMPATIBLE]


def test_planned_cell_that_nothing_was_said_of_is_not_run(journal: JournalBuilder, load: Load) -> None:
    run = read_run(journal.start(("a", "b"), ("b", "a")).all_pass(src="a", dst="b").end(3).folder, load=load)
    silent = next(cell for cell in run.cells if cell.pair == Pair("b", "a"))
    assert run.verdict(silent) is Outcome.NOT_RUN
    assert run.exit_code is ExitCode.INCOMPLETE


@pytest.mark.parametrize("order", [("fail", "pass"), ("pass", "fail")], ids=["worse first", "worse last"])
def test_later_result_never_hides_a_worse_one(journal: JournalBuilder, load: Load, order: tuple[str, str]) -> None:
    journal.start().all_pass(but=("N2-1",))
    for outcome in order:
        journal.result("N2-1", outcome)
    run = read_run(journal.end().folder, load=load)
    assert run.cells[0].result("N2-1").outcome is Outcome.FAIL


@pytest.mark.parametrize(
    ("tellings", "outcome", "flags"),
    [
        (("broken", "pass"), Outcome.PASS, ("flaky=1",)),
        (("broken", "blocked", "pass"), Outcome.PASS, ("flaky=2",)),
        (("pass", "pass"), Outcome.PASS, ()),
        (("broken", "not-applicable"), Outcome.NOT_APPLICABLE, ("flaky=1",)),
        (("fail", "pass"), Outcome.FAIL, ()),
        (("broken", "fail", "pass"), Outcome.FAIL, ()),
        (("pass", "broken"), Outcome.BROKEN, ()),
        (("pass", ""), Outcome.NOT_RUN, ()),
    ],
    ids=lambda one: " then ".join(one) if isinstance(one, tuple) else str(one.value),
)
def test_of_a_story_told_again_no_failure_is_forgotten_and_what_was_found_out_later_says_so(
    journal: JournalBuilder, load: Load, tellings: tuple[str, ...], outcome: Outcome, flags: tuple[str, ...]
) -> None:
    journal.start()
    for attempt, one in enumerate(tellings):
        if attempt:
            journal.say("retold", src="private", dst="public", attempt=attempt)
        journal.all_pass(but=("N2-1",))
        if one:
            journal.result("N2-1", one)
    run = read_run(journal.end().folder, load=load)
    result = run.cells[0].result("N2-1")
    assert (result.outcome, result.flags) == (outcome, flags)
    assert run.cells[0].result("EX-1").flags == ()
    assert (run.exit_code is ExitCode.CERTIFIED) == outcome.certifies


def test_findings_of_both_failures_are_kept(journal: JournalBuilder, load: Load) -> None:
    journal.start()
    for subject in ("first", "second", "first"):
        journal.result("N2-1", "fail", findings=[{"subject": subject, "expected": "a", "actual": "b"}])
    run = read_run(journal.folder, load=load)
    assert [one.subject for one in run.cells[0].result("N2-1").findings] == ["first", "second"]


def test_fault_and_emulator_are_not_forgotten_when_a_cloud_is_described_again(
    journal: JournalBuilder, load: Load
) -> None:
    journal.start().cloud("public", active_faults=["no_boot"]).cloud("public", evidence_level="real cloud")
    (cell,) = read_run(journal.folder, load=load).cells
    assert active_faults(cell) == ("public: no_boot",)
    assert evidence_words(cell) == EvidenceLevel.EMULATED.value


def test_evidence_level_of_undescribed_clouds_is_unknown(journal: JournalBuilder, load: Load) -> None:
    journal.say("run_started", run="r", suite_version="0", guideline="2026.11", plan=[], cells=[["a", "b"]])
    (cell,) = read_run(journal.folder, load=load).cells
    assert evidence_words(cell).startswith("unknown")


def test_result_of_a_check_that_the_guideline_does_not_list_becomes_a_note(journal: JournalBuilder, load: Load) -> None:
    run = read_run(journal.start().all_pass().result("ZZ-9", "fail").end().folder, load=load)
    assert any("ZZ-9 (fail)" in note for note in run.notes)


def test_unknown_events_are_ignored(journal: JournalBuilder, load: Load) -> None:
    run = read_run(journal.start().say("from_the_future", x=1).all_pass().end().folder, load=load)
    assert run.exit_code is ExitCode.CERTIFIED


def test_newer_schema_is_refused(journal: JournalBuilder, load: Load) -> None:
    with pytest.raises(InteropError, match="newer than"):
        read_run(journal.start(schema=SCHEMA + 1).folder, load=load)


def test_a_guideline_that_this_suite_does_not_have_is_told_with_the_run(journal: JournalBuilder) -> None:
    folder = journal.start().say("run_ended", exit_code=0).folder
    journal.path.write_text(journal.path.read_text("utf-8").replace('"2026.11"', '"2031.02"'), "utf-8")
    with pytest.raises(InteropError, match=r"run-1/journal.jsonl: no guideline '2031.02', by which it was judged"):
        read_run(folder)


@pytest.mark.parametrize(
    "event",
    [
        {"event": "result", "src": "a", "dst": "b", "check": "N2-1", "outcome": "splendid"},
        {"event": "result", "src": "a"},
        {"event": "stage_ended", "src": "a", "dst": "b", "stage": "lunch", "outcome": "pass", "seconds": 1},
        {
            "event": "evidence", "src": "a", "dst": "b", "stage": "boot", "name": "x", "sha256": "../../etc/passwd",
            "size_bytes": 1, "media_type": "text/plain", "source": "", "captured_at": "2026-11-22T10:00:00+00:00",
        },
    ],
    ids=["unknown outcome", "missing fields", "unknown stage", "evidence outside its folder"],
)  # fmt: skip
def test_event_that_cannot_be_is_refused(journal: JournalBuilder, load: Load, event: dict[str, object]) -> None:
    name = str(event.pop("event"))
    with pytest.raises(InteropError, match=f"event 4 \\({name}\\)"):
        read_run(journal.start().say(name, **event).folder, load=load)


@pytest.mark.parametrize("content", ["", '{"at": "2026'], ids=["empty", "torn first line"])
def test_journal_without_a_run_is_refused(journal: JournalBuilder, load: Load, content: str) -> None:
    journal.path.write_text(content)
    with pytest.raises(InteropError, match="holds no run"):
        read_run(journal.folder, load=load)


def test_folder_without_a_journal_is_refused(tmp_path: Path, load: Load) -> None:
    with pytest.raises(InteropError, match="cannot read the journal"):
        read_run(tmp_path, load=load)


def test_control_characters_are_made_visible(hostile: Path, load: Load) -> None:
    run = read_run(hostile, load=load)
    text = repr(run)
    assert "\\x1b" not in text
    assert "\u202e" not in text
    assert "\\ud800" not in text
    assert "␛[31m" in run.cells[0].result("PV-1").reason


def test_journal_of_a_killed_run_can_be_cleaned_and_still_be_read(killed: Path, load: Load) -> None:
    ended = read_run(killed, load=load)
    cleaner = Journal(killed)
    cleaner.write("resource_gone", cloud="public", kind="server", key="k1", id="1")
    cleaner.close()
    run = read_run(killed, load=load)
    assert run.started_at == ended.started_at
    assert run.exit_code is ExitCode.INCOMPLETE
    assert not any("not confirmed gone" in note for note in run.notes)
    assert any("torn" in note for note in run.notes)


def test_a_run_that_leaves_something_on_a_cloud_is_not_whole(journal: JournalBuilder, load: Load) -> None:
    """Whatever it ended with: a worker far away may have been the only one to know."""
    journal.start().all_pass()
    journal.say("resource_planned", cloud="public", kind="server", name="anne-dst", key="k1")
    run = read_run(journal.end(0).folder, load=load)
    assert run.exit_code is ExitCode.INCOMPLETE
    assert "not confirmed gone (`golden-flows clean` looks after it): server anne-dst on public" in run.notes


def test_what_the_journal_writes_is_what_is_read(tmp_path: Path, load: Load) -> None:
    pair, at = Pair("private", "public"), tmp_path / "run"
    journal = Journal(at)
    journal.write(
        "run_started", schema=SCHEMA, run="run-7", suite_version="0.1.0", guideline="2026.11", plan=["N2-1"],
        plan_sha256="00", cells=[[pair.src, pair.dst]], host={}, argv=[],
    )  # fmt: skip
    profile = Profile(cloud="public", channels=("config-drive",), evidence_level=EvidenceLevel.EMULATED)
    journal.write("cloud", cloud="public", profile=profile)
    journal.write("stage_started", src=pair.src, dst=pair.dst, stage=Stage.BOOT)
    journal.write(
        "stage_ended", src=pair.src, dst=pair.dst, stage=Stage.BOOT, outcome=Outcome.PASS, seconds=1.5, detail=""
    )
    kept = journal.evidence(pair, Stage.BOOT, "console.log", b"hello", source="console")
    findings = (Finding("a port", "up", "down \ud800"),)
    journal.write(
        "result", src=pair.src, dst=pair.dst, check="N2-1", outcome=Outcome.FAIL, findings=findings, reason="",
        blocked_by=None, seconds=0.1, flags=("shim=x",),
    )  # fmt: skip
    journal.write("run_ended", exit_code=1, reason="")
    journal.close()
    run = read_run(at, load=load)
    (cell,) = run.cells
    assert cell.dst == profile
    assert cell.evidence[Stage.BOOT] == (kept,)
    assert cell.result("N2-1").findings == (Finding("a port", "up", "down �"),)
    assert cell.result("N2-1").flags == ("shim=x",)
    assert cell.stages[0].seconds == 1.5
    assert cell.stages[0].started_at is not None
    assert cell.stages[0].started_at - run.started_at < timedelta(minutes=1)
