"""Nothing rounds up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden_flows.model.outcome import ExitCode, Outcome, exit_code, retold, worst

OUTCOMES = st.sampled_from(Outcome)
GROUPS = st.lists(OUTCOMES, min_size=1, max_size=12)


def test_silence_is_not_a_pass() -> None:
    assert worst([]) is Outcome.NOT_RUN
    assert exit_code([]) is ExitCode.INCOMPLETE


@given(GROUPS)
def test_a_group_speaks_with_the_voice_of_one_of_its_members(group: list[Outcome]) -> None:
    assert worst(group) in group


@given(GROUPS)
def test_a_group_certifies_only_if_every_member_does(group: list[Outcome]) -> None:
    assert worst(group).certifies == all(one.certifies for one in group)


@given(GROUPS, OUTCOMES.filter(lambda one: not one.certifies))
def test_one_that_does_not_certify_is_enough(group: list[Outcome], bad: Outcome) -> None:
    assert not worst([*group, bad]).certifies
    assert exit_code([*group, bad]) is not ExitCode.CERTIFIED


@given(st.lists(OUTCOMES, max_size=12))
def test_no_outcome_outranks_a_failure(group: list[Outcome]) -> None:
    assert worst([*group, Outcome.FAIL]) is Outcome.FAIL
    assert exit_code([*group, Outcome.FAIL]) is ExitCode.NONCONFORMANCE


@given(GROUPS, GROUPS)
def test_grouping_and_order_do_not_matter(one: list[Outcome], other: list[Outcome]) -> None:
    assert worst(one + other) is worst(other + one)
    assert worst([worst(one), worst(other)]) is worst(one + other)


@given(st.lists(OUTCOMES, max_size=12))
def test_a_certificate_needs_a_pass_and_nothing_but_proof_beside_it(group: list[Outcome]) -> None:
    certified = exit_code(group) is ExitCode.CERTIFIED
    assert certified == (Outcome.PASS in group and all(one.certifies for one in group))


@given(st.lists(OUTCOMES, max_size=12))
def test_an_iterator_is_judged_like_a_list(group: list[Outcome]) -> None:
    assert worst(iter(group)) is worst(group)


@pytest.mark.parametrize("outcome", [Outcome.BROKEN, Outcome.BLOCKED, Outcome.NOT_RUN, Outcome.NOT_APPLICABLE])
def test_what_was_not_judged_is_incomplete(outcome: Outcome) -> None:
    assert exit_code([outcome]) is ExitCode.INCOMPLETE


@given(GROUPS)
def test_a_story_told_again_never_says_more_than_its_tellings(tellings: list[Outcome]) -> None:
    outcome, flaky = retold(tellings)
    assert outcome in tellings
    assert (outcome is Outcome.FAIL) == (Outcome.FAIL in tellings)
    assert not outcome.certifies or tellings[-1].certifies
    assert flaky == (sum(not one.certifies for one in tellings) if outcome.certifies else 0)


@given(GROUPS)
def test_a_story_told_once_is_as_it_was_told(tellings: list[Outcome]) -> None:
    assert retold(tellings[:1]) == (tellings[0], 0)


def test_what_was_never_told_has_no_outcome() -> None:
    with pytest.raises(ValueError, match="never told"):
        retold([])
