"""Which troubles a cell has, and which of them are worth a control."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from golden_flows.attributing import Told, troubles, verdicts
from golden_flows.errors import CloudError, NeverUp
from golden_flows.guideline import load_guideline
from golden_flows.judging import OWN_FAILURE
from golden_flows.model.attribution import Answer, Control, Party, Shown, Trouble
from golden_flows.model.finding import Finding
from golden_flows.model.matrix import Result, StageRun
from golden_flows.model.outcome import Outcome
from golden_flows.model.stage import Stage

GUIDELINE = load_guideline()
WRONG = (Finding("it", "well", "badly"),)


def told(*failed: str, broken: dict[str, str] | None = None, **stages: str) -> Told:
    """A cell in which these checks failed; ``stages``: how those ended that did not end well."""
    ended = {stage: Outcome(stages.get(stage.value, "pass")) for stage in Stage}
    results = [
        Result(check=one.id, outcome=Outcome.FAIL, findings=WRONG)
        if one.id in failed
        else Result(check=one.id, outcome=Outcome.BROKEN, reason=broken[one.id])
        if broken and one.id in broken
        else Result(check=one.id, outcome=Outcome.PASS)
        for one in GUIDELINE.requirements
    ]
    runs = {stage: StageRun(stage=stage, outcome=outcome, seconds=1.0) for stage, outcome in ended.items()}
    return Told(runs=runs, results=results)


class Asked:
    """Controls that show of everything what they are told to, and remember of what they were asked."""

    def __init__(self, **shown: Shown) -> None:
        self.answers = {Control[name.upper()]: Answer(one, "seen") for name, one in shown.items()}
        self.troubles: Sequence[Trouble] = ()

    def __call__(self, asked: Sequence[Trouble]) -> Sequence[Trouble]:
        self.troubles = asked
        return [replace(one, answers=self.answers) for one in asked]


def test_a_cell_without_trouble_has_no_verdict_and_no_control() -> None:
    asked = Asked()
    assert verdicts(told(), GUIDELINE, asked) == ()
    assert asked.troubles == ()


@pytest.mark.parametrize(
    ("check", "party"),
    [
        ("EX-3", Party.SOURCE),
        ("TX-1", Party.SOURCE),
        ("TX-6", Party.HARNESS),
        ("IM-2", Party.DESTINATION),
        ("CV-2", Party.CONVERSION),
        ("MD-5", Party.DESTINATION),
    ],
)
def test_a_failure_that_says_whose_it_is_starts_no_control(check: str, party: Party) -> None:
    asked = Asked()
    (verdict,) = verdicts(told(check), GUIDELINE, asked)
    assert (verdict.party, verdict.checks, asked.troubles) == (party, (check,), ())


def test_what_a_stage_was_stopped_by_is_one_trouble_with_all_checks_that_failed() -> None:
    asked = Asked(own_image=Shown.SAME, back_home=Shown.CLEAN)
    (verdict,) = verdicts(told("BT-1", "BT-2", boot="fail", primary_nic="blocked"), GUIDELINE, asked)
    assert (verdict.party, verdict.checks) == (Party.DESTINATION, ("BT-1", "BT-2"))
    assert [one.stage for one in asked.troubles] == [Stage.BOOT], "what was blocked only follows"


def test_a_stage_that_ended_without_a_check_that_failed_is_a_trouble_too() -> None:
    (one,) = troubles(told(auth="broken"), GUIDELINE)
    assert (one.stage, one.checks, one.proof) == (Stage.AUTH, (), None)


def test_without_controls_what_needs_them_is_undecided_and_the_rest_is_told() -> None:
    verdict, other = verdicts(told("CV-2", "N2-1"), GUIDELINE, None)
    assert (verdict.party, other.party) == (Party.CONVERSION, None)
    assert len(other.suspects) > 1


def test_what_only_advice_is_starts_no_control() -> None:
    asked = Asked(own_image=Shown.SAME, back_home=Shown.CLEAN)
    (verdict,) = verdicts(told("PV-2"), GUIDELINE, asked)
    assert (verdict.party, asked.troubles) == (None, ())


def test_an_error_of_this_suite_is_the_harness_s() -> None:
    story = replace(told(auth="broken"), errors={Stage.AUTH: KeyError("fingerprint")})
    (verdict,) = verdicts(story, GUIDELINE, Asked())
    assert verdict.party is Party.HARNESS
    assert "KeyError('fingerprint')" in verdict.reasons[0]


def test_a_check_that_trips_over_facts_is_the_harness_s() -> None:
    (verdict,) = verdicts(told(broken={"MD-1": f"{OWN_FAILURE}: IndexError()"}), GUIDELINE, Asked())
    assert (verdict.party, verdict.checks) == (Party.HARNESS, ("MD-1",))


def test_a_cloud_that_does_not_answer_is_no_error_of_this_suite() -> None:
    story = replace(told(auth="broken"), errors={Stage.AUTH: CloudError("HTTP 500")})
    (verdict,) = verdicts(story, GUIDELINE, None)
    assert (verdict.party, Party.HARNESS in verdict.suspects) == (None, True)


@pytest.mark.parametrize(
    ("error", "party"),
    [(NeverUp("server s is ACTIVE and silent"), Party.IMAGE), (CloudError("the snapshot failed"), None)],
)
def test_only_an_instance_that_never_came_up_at_home_is_held_against_another_there(
    error: Exception, party: Party | None
) -> None:
    story = replace(told(export="broken"), errors={Stage.EXPORT: error})
    asked = Asked(golden_image=Shown.CLEAN)
    (verdict,) = verdicts(story, GUIDELINE, asked)
    assert verdict.party is party


@pytest.mark.parametrize(
    ("failed", "outcome", "sound"), [((), Outcome.PASS, True), (("CV-3",), Outcome.PASS, False), ((), None, None)]
)
def test_a_conversion_is_sound_where_its_checks_say_so(
    failed: tuple[str, ...], outcome: Outcome | None, sound: bool | None
) -> None:
    """None: nothing could be read back."""
    story = told("N2-1", *failed)
    if outcome is None:
        story = replace(story, results=[one for one in story.results if one.check != "CV-2"])
    (one,) = (found for found in troubles(story, GUIDELINE) if found.stage is Stage.SECONDARY_NIC)
    assert one.stored_is_sound is sound


def test_what_the_metadata_says_otherwise_than_the_api_is_the_destination_s() -> None:
    asked = Asked()
    story = replace(told("N2-1", secondary_nic="fail"), served="network_data.json tells of no port")
    (verdict,) = verdicts(story, GUIDELINE, asked)
    assert (verdict.party, verdict.checks, asked.troubles) == (Party.DESTINATION, ("N2-1",), ())
    assert "tells of no port" in verdict.reasons[0]
    (elsewhere,) = troubles(replace(story, results=told("AP-1").results, runs={}), GUIDELINE)
    assert elsewhere.proof is None, "it explains nothing of other stages"
