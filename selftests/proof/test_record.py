"""A run proves what was claimed of it, or says what it does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from selftests.proof.record import Claim, Record, judge

AS_CLAIMED = Record(
    run="20261128-160000-0001",
    started_at="2026-11-28T16:00:00+00:00",
    seconds=90.0,
    suite_version="0.1.0",
    commit="abc1234",
    host={"cores": "2"},
    src="private",
    dst="public-lite",
    claims=(
        Claim(fault="public-lite:nd_empty", must_fail=("N2-1",), may_fail=("N2-5",)),
        Claim(fault="public-lite:md_slow", must_fail=("MD-12",)),
    ),
    blocked=("N2-4",),
    exit_code=1,
    judged=100,
    not_passed={"N2-1": "fail", "N2-5": "fail", "MD-12": "fail", "N2-4": "blocked", "MD-8": "not-applicable"},
    advisory=("MD-12",),
)


def ending(changes: dict[str, str], exit_code: int = 1) -> Record:
    outcomes = {**AS_CLAIMED.not_passed, **changes}
    return replace(
        AS_CLAIMED, not_passed={one: how for one, how in outcomes.items() if how != "pass"}, exit_code=exit_code
    )


def test_a_run_as_claimed_has_no_trouble_and_says_who_was_caught() -> None:
    verdict = judge(AS_CLAIMED)
    assert verdict.troubles == ()
    assert verdict.caught == {"public-lite:nd_empty": ("N2-1",), "public-lite:md_slow": ("MD-12",)}
    assert verdict.also == {"public-lite:nd_empty": ("N2-5",), "public-lite:md_slow": ()}


def test_a_declared_dependent_need_not_fail() -> None:
    assert judge(ending({"N2-5": "pass"})).troubles == ()


@pytest.mark.parametrize("outcome", ["pass", "broken", "not-applicable", "blocked", "not-run"])
def test_a_check_that_does_not_fail_has_missed_its_fault_however_it_ended(outcome: str) -> None:
    verdict = judge(ending({"N2-1": outcome}))
    assert verdict.missed == {"public-lite:nd_empty": {"N2-1": outcome}}
    assert verdict.troubles


def test_a_failure_that_no_fault_accounts_for_is_a_false_alarm() -> None:
    verdict = judge(ending({"AP-1": "fail"}))
    assert verdict.false_alarms == ("AP-1",)
    assert "AP-1 failed, and no fault accounts for it" in verdict.troubles


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"AP-1": "blocked"}, "AP-1 was blocked"),
        ({"N2-4": "pass"}, "N2-4 was not blocked"),
        ({"AP-1": "broken"}, "AP-1 ended as broken"),
        ({"AP-1": "not-run"}, "AP-1 ended as not-run"),
    ],
)
def test_what_else_is_not_as_it_was_to_be_is_told(changes: dict[str, str], told: str) -> None:
    assert told in judge(ending(changes)).troubles


def test_what_cannot_be_found_out_beside_a_fault_is_exactly_what_was_said() -> None:
    unseen = replace(ending({"AP-2": "broken"}), unseen=("AP-2",))
    assert judge(unseen).troubles == ()
    assert "AP-2 did not end as broken" in judge(replace(ending({"AP-2": "pass"}), unseen=("AP-2",))).troubles
    assert "AP-3 ended as broken" in judge(replace(ending({"AP-3": "broken"}), unseen=("AP-2",))).troubles


def test_a_check_that_fails_need_not_be_blocked_as_well() -> None:
    blocked = replace(AS_CLAIMED, claims=(Claim(fault="a:b", must_fail=("N2-1", "N2-4", "N2-5", "MD-12")),))
    assert judge(replace(blocked, not_passed={**blocked.not_passed, "N2-4": "fail"})).troubles == ()


def test_an_exit_code_that_the_outcomes_do_not_earn_is_told() -> None:
    assert "the exit code was 0, not 1" in judge(ending({}, exit_code=0)).troubles
    advisory = {"N2-1": "pass", "N2-5": "pass", "N2-4": "pass"}
    alone = replace(ending(advisory, exit_code=0), claims=AS_CLAIMED.claims[1:], blocked=())
    assert judge(alone).troubles == ()


def test_without_results_everything_is_missed() -> None:
    lost = replace(AS_CLAIMED, run="", not_passed={}, exit_code=-1, trouble="no results (exit code 2)")
    verdict = judge(lost)
    assert set(verdict.missed) == {"public-lite:nd_empty", "public-lite:md_slow"}
    assert "no results: no results (exit code 2)" in verdict.troubles


def test_a_benign_run_in_which_anything_fails_is_a_false_alarm() -> None:
    benign = replace(AS_CLAIMED, claims=(), blocked=(), variants=("public-lite:nic_order",), not_passed={}, exit_code=0)
    assert judge(benign).troubles == ()
    assert judge(replace(benign, not_passed={"N2-1": "fail"}, exit_code=1)).false_alarms == ("N2-1",)


def test_a_record_survives_being_written_down() -> None:
    assert Record.load(AS_CLAIMED.document()) == AS_CLAIMED
