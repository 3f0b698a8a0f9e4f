"""Who is to blame follows from what the controls showed, and from nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden_flows.guideline import load_guideline
from golden_flows.model.attribution import (
    ABOUT_HOME,
    CONTROLLED,
    PROVEN_BY_CHECK,
    Answer,
    Attribution,
    Control,
    Party,
    Shown,
    Trouble,
    attribute,
    could_help,
    proof_of,
    together,
)
from golden_flows.model.stage import Stage

CLEAN, SAME, UNKNOWN = (Answer(one, f"seen to be {one.value}") for one in Shown)
OWN, BACK, GOLDEN, RESTART = Control
ANSWERS = st.dictionaries(st.sampled_from(Control), st.sampled_from((CLEAN, SAME, UNKNOWN)))


@st.composite
def troubles(draw: st.DrawFn) -> Trouble:
    """Whatever controls may show, together or against one another, of what only they can tell."""
    at_home = draw(st.booleans())
    return Trouble(
        stage=Stage.EXPORT if at_home else draw(st.sampled_from(CONTROLLED)),
        checks=draw(st.sampled_from(((), ("BT-1",), ("N2-1", "N2-4")))),
        at_home=at_home,
        was_up_at_home=not at_home and draw(st.booleans()),
        stored_is_sound=draw(st.sampled_from((True, False, None))),
        own_is_annes=draw(st.booleans()),
        own_is_golden=draw(st.booleans()),
        shim=draw(st.sampled_from(("", "pushed-metadata"))),
        answers=draw(ANSWERS),
    )


def boot(**told: Answer) -> Trouble:
    """A guest that did not come up abroad and did at home; ``told`` by name of the control."""
    answers = {Control[name.upper()]: answer for name, answer in told.items()}
    return Trouble(stage=Stage.BOOT, checks=("BT-1",), was_up_at_home=True, answers=answers)


@pytest.mark.parametrize(
    ("trouble", "party"),
    [
        (boot(own_image=SAME, back_home=CLEAN), Party.DESTINATION),
        (replace(boot(own_image=SAME, back_home=CLEAN), own_is_annes=True), Party.DESTINATION),
        (boot(own_image=CLEAN, back_home=SAME, restart=SAME), Party.IMAGE),
        (boot(own_image=CLEAN, back_home=SAME, restart=CLEAN), Party.SOURCE),
        (replace(boot(own_image=CLEAN, back_home=CLEAN), stored_is_sound=False), Party.CONVERSION),
        (
            replace(boot(own_image=CLEAN, back_home=CLEAN, golden_image=SAME), own_is_golden=True),
            Party.CONVERSION,
        ),
        (Trouble(stage=Stage.EXPORT, at_home=True, answers={GOLDEN: CLEAN}), Party.IMAGE),
        (Trouble(stage=Stage.EXPORT, at_home=True, answers={GOLDEN: SAME, OWN: CLEAN}), Party.SOURCE),
        (Trouble(stage=Stage.AUTH, proof=(Party.HARNESS, "the suite itself failed: KeyError()")), Party.HARNESS),
        (Trouble(stage=Stage.EXPORT, checks=("EX-3",), proof=proof_of("EX-3", Stage.EXPORT)), Party.SOURCE),
    ],
)
def test_a_fault_of_each_kind_is_named(trouble: Trouble, party: Party) -> None:
    verdict = attribute(trouble)
    assert (verdict.party, verdict.suspects) == (party, (party,))
    assert verdict.words == f"the {party.value}"
    assert party.value in verdict.reasons[-1] or trouble.proof


@pytest.mark.parametrize(
    ("trouble", "suspects"),
    [
        # Nothing could be tried.
        (boot(), "source image conversion destination harness"),
        # Its own image fails there too, and nobody knows whether Anne's would run at home.
        (boot(own_image=SAME), "destination harness"),
        (replace(boot(own_image=SAME), own_is_annes=True), "image destination harness"),
        # The destination has no image of its own.
        (boot(own_image=UNKNOWN, back_home=CLEAN), "conversion destination"),
        # Her image does not run at home either; whether that is the copy's fault nobody knows.
        (boot(own_image=CLEAN, back_home=SAME), "source image"),
        # Each is sound by itself.
        (replace(boot(own_image=CLEAN, back_home=CLEAN), stored_is_sound=True), "image destination"),
        (boot(own_image=CLEAN, back_home=CLEAN, golden_image=CLEAN), "image destination"),
        # A golden image of the source need not suit the destination, whose own is another.
        (boot(own_image=CLEAN, back_home=CLEAN, golden_image=SAME), "image conversion destination"),
        # What fails on both clouds, with every image, is in this suite, or in both clouds.
        (boot(own_image=SAME, back_home=SAME, golden_image=SAME), "destination harness"),
        # It cannot fail always.
        (boot(own_image=SAME, golden_image=CLEAN), "source image conversion destination harness"),
        # What a shim of ours does at home says nothing of what it does abroad.
        (replace(boot(own_image=SAME, back_home=CLEAN), shim="pushed-metadata"), "destination harness"),
        (Trouble(stage=Stage.EXPORT, at_home=True, answers={GOLDEN: SAME}), "source harness"),
    ],
)
def test_what_the_controls_do_not_show_is_undecided(trouble: Trouble, suspects: str) -> None:
    verdict = attribute(trouble)
    assert verdict.party is None
    assert " ".join(one.value for one in verdict.suspects) == suspects
    assert verdict.words == f"undecided: {suspects.replace(' ', ' or ')}"


@given(troubles())
def test_without_a_control_that_was_run_nobody_is_named(trouble: Trouble) -> None:
    for answers in ({}, dict.fromkeys(Control, UNKNOWN)):
        assert attribute(replace(trouble, answers=answers, stored_is_sound=None)).party is None


@given(troubles())
def test_nobody_is_named_against_whom_nothing_was_seen(trouble: Trouble) -> None:
    """Of each party, what at least must have been seen, whatever else was."""
    least = {
        Party.DESTINATION: {(OWN, SAME)},
        Party.CONVERSION: {(OWN, CLEAN), (BACK, CLEAN)},
        Party.SOURCE: {(GOLDEN, SAME), (OWN, CLEAN)} if trouble.at_home else {(BACK, SAME), (RESTART, CLEAN)},
        Party.IMAGE: {(GOLDEN, CLEAN)} if trouble.at_home else {(BACK, SAME), (RESTART, SAME)},
    }
    verdict = attribute(trouble)
    assert verdict.party is not Party.HARNESS, "this suite is named by its own errors alone"
    if verdict.party:
        assert least[verdict.party] <= set(trouble.answers.items())


@given(troubles(), st.sampled_from(Control))
def test_what_could_not_be_tried_never_turns_one_name_into_another(trouble: Trouble, lost: Control) -> None:
    full, less = attribute(trouble), attribute(replace(trouble, answers={**trouble.answers, lost: UNKNOWN}))
    assert less.party in (None, full.party) or full.party is None
    if full.party and not less.party:
        assert full.party in less.suspects


@given(troubles())
def test_every_control_that_was_tried_is_told_of_with_what_it_saw(trouble: Trouble) -> None:
    verdict = attribute(trouble)
    for control, answer in trouble.answers.items():
        assert any(control.title in one and answer.words in one for one in verdict.reasons)
    assert verdict.answers == trouble.answers


@given(troubles(), st.sampled_from(Control), st.sampled_from((CLEAN, SAME)))
def test_a_control_that_could_not_help_would_change_nothing(trouble: Trouble, control: Control, answer: Answer) -> None:
    others = {one: shown for one, shown in trouble.answers.items() if one is not control}
    before = replace(trouble, answers=others)
    after = attribute(replace(trouble, answers={**others, control: answer}))
    now = attribute(before)
    if now.party is None and not could_help(control, before):
        assert (after.party, after.suspects) == (now.party, now.suspects)


def test_no_control_is_run_where_the_failure_says_whose_it_is() -> None:
    proven = Trouble(stage=Stage.EXPORT, checks=("EX-3",), proof=proof_of("EX-3", Stage.EXPORT))
    assert not any(could_help(one, proven) for one in Control)
    assert not any(could_help(one, Trouble(stage=Stage.BURST, checks=("BU-1",))) for one in Control)
    assert [one for one in Control if could_help(one, boot())] == [OWN, BACK, GOLDEN]
    assert [one for one in Control if could_help(one, boot(own_image=CLEAN, back_home=SAME))] == [RESTART]


@given(st.lists(troubles(), min_size=1, max_size=4))
def test_verdicts_of_several_tellings_that_name_two_name_nobody(several: list[Trouble]) -> None:
    verdicts = [attribute(one) for one in several]
    named = {one.party for one in verdicts} - {None}
    whole = together(verdicts)
    assert whole.party in named if len(named) == 1 else whole.party is None
    assert whole in verdicts or set(whole.suspects) == named


def test_no_verdict_is_no_verdict() -> None:
    with pytest.raises(ValueError, match="no verdict"):
        together([])


def test_checks_that_are_named_exist() -> None:
    listed = {one.id for one in load_guideline().requirements}
    assert {*PROVEN_BY_CHECK, *ABOUT_HOME} <= listed


def test_words_of_nobody() -> None:
    verdict = Attribution(stage=Stage.BOOT, checks=(), party=None, suspects=(), reasons=())
    assert verdict.words == "undecided"
