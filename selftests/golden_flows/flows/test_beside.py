"""A story that is told beside another, and what is done before the end of one: neither touches a cell's outcome."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

import golden_flows.session
from golden_flows.errors import RecordError
from golden_flows.flows.anne import Anne
from golden_flows.flows.golden_flow import GoldenFlow, StageFunction
from golden_flows.flows.setting import Setting
from golden_flows.guideline import load_guideline
from golden_flows.journal import Journal, read_events
from golden_flows.model.attribution import Party, Trouble, attribute
from golden_flows.model.check import Check
from golden_flows.model.cloud import Pair
from golden_flows.model.facts import Facts
from golden_flows.model.matrix import Result
from golden_flows.model.outcome import Outcome
from golden_flows.model.plan import Plan
from golden_flows.model.stage import Stage
from golden_flows.session import RunContext, Session
from selftests.golden_flows.checks.facts_builder import healthy_facts


@dataclass
class Told:
    """A story that notes what is told."""

    facts: Facts = field(default_factory=healthy_facts)
    order: list[str] = field(default_factory=list)

    def stages(self) -> dict[Stage, StageFunction]:
        return {stage: lambda stage=stage: self.order.append(stage.value) for stage in Stage}  # type: ignore[misc]  # bound

    def stage_over(self) -> None:
        """There is nothing to keep."""


def test_what_comes_at_the_end_comes_once_before_anything_is_deleted(tmp_path: Path) -> None:
    story, journal = Told(), Journal(tmp_path)
    flow = GoldenFlow(story, journal, at_the_end=lambda: story.order.append("controls"))
    for stage in (Stage.BOOT, Stage.LIFECYCLE, Stage.LIFECYCLE):
        flow.reach(stage)
    journal.close()
    assert story.order == ["export", "transfer", "import", "boot", "controls", "lifecycle"]
    assert flow.runs[Stage.BOOT].outcome is Outcome.PASS


def test_of_a_story_beside_another_nothing_is_written_down(tmp_path: Path) -> None:
    story, journal = Told(), Journal(tmp_path)
    flow = GoldenFlow(story, journal, beside=(Stage.EXPORT, Stage.TRANSFER, Stage.IMPORT))
    assert flow.reach(Stage.METADATA).run.outcome is Outcome.PASS
    journal.close()
    assert story.order == ["boot", "metadata"]
    assert list(read_events(journal.path)) == []


@pytest.fixture
def session(tmp_path: Path) -> Session:
    for name in ("results", "scratch"):
        (tmp_path / name).mkdir()
    context = RunContext(
        *("run-1", tmp_path / "results", tmp_path / "scratch"),
        plan=Plan((Pair("a", "b"),), ("BT-1",), "2026.11"),
        reference=("a", "b"),
        controls=False,
    )
    return Session.open(context, load_guideline(), {})


def tell(session: Session, monkeypatch: pytest.MonkeyPatch, find_out: object) -> list[dict[str, object]]:
    """What is written down about whose it is."""
    monkeypatch.setattr(golden_flows.session, "find_out", find_out)
    flow = GoldenFlow(Told(), session.journal)
    session._attribute(flow, cast(Anne, None), cast(Setting, None))  # controls are off: nobody asks them
    return [one for one in read_events(session.journal.path) if one["event"] == "attribution"]


def test_a_verdict_is_written_down_as_reports_read_it(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    verdict = attribute(Trouble(stage=Stage.AUTH, proof=(Party.HARNESS, "the suite itself failed: KeyError()")))
    (written,) = tell(session, monkeypatch, lambda *_: (verdict,))
    assert (written["stage"], written["party"], written["suspects"]) == ("auth", "harness", ["harness"])


def test_an_error_in_finding_out_costs_the_verdict_and_nothing_else(
    session: Session, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> object:
        raise KeyError("mistake")

    with caplog.at_level(logging.WARNING):
        assert tell(session, monkeypatch, broken) == []
    assert "could not be found out" in caplog.text


def test_a_journal_that_cannot_be_written_is_not_passed_over(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> object:
        raise RecordError("disk full")

    with pytest.raises(RecordError):
        tell(session, monkeypatch, full)


@pytest.mark.parametrize(("check", "parties"), [("LC-1", ["destination"]), ("LC-2", []), ("BT-1", [])])
def test_what_fails_in_the_very_end_and_says_whose_it_is_is_told_too(
    check: str, parties: list[str], session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A leftover names its cloud itself; what fails earlier waits for the controls."""
    failed = Result(check=check, outcome=Outcome.FAIL)
    monkeypatch.setattr(golden_flows.session, "judge", lambda *_: failed)
    monkeypatch.setattr(Session, "flow", lambda *_: None)
    session.checks = {check: cast(Check, None)}
    assert session.judge(Pair("a", "b"), check) == failed
    written = [one for one in read_events(session.journal.path) if one["event"] == "attribution"]
    assert [one["party"] for one in written] == parties
