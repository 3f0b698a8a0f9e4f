"""Whose trouble it is: from what the controls showed to the party that is left, and why.

A verdict is reached by elimination. Everybody is suspected at first; each control that could be run takes away those
who are not needed for what was seen. A name is given only to somebody who is left alone *and* against whom something
speaks. Whatever could not be tried takes nobody away, so it can only leave more undecided.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from golden_flows.model.stage import Stage


class Party(Enum):
    """Who can be at fault."""

    SOURCE = "source"
    """The cloud at home: what it runs, what it takes snapshots of, what it exports."""
    IMAGE = "image"
    """What is on the disk that travels."""
    CONVERSION = "conversion"
    """The destination's way of taking it in: import, and conversion to its own format."""
    DESTINATION = "destination"
    """The cloud abroad, whatever runs on it, and the way to its guests."""
    HARNESS = "harness"
    """This suite, its shims, and the machine it runs on."""


class Control(Enum):
    """What is tried when a stage went wrong, in this order."""

    OWN_IMAGE = "own-image"
    BACK_HOME = "back-home"
    GOLDEN_IMAGE = "golden-image"
    RESTART = "restart-at-home"

    @property
    def title(self) -> str:
        return _TITLES[self]


_TITLES = {
    Control.OWN_IMAGE: "the destination's own image on the destination",
    Control.BACK_HOME: "Anne's image, as it was exported, back on the source",
    Control.GOLDEN_IMAGE: "the untouched golden image on the same way",
    Control.RESTART: "Anne's own instance, stopped and started at home",
}


class Shown(Enum):
    """What a control showed of one trouble."""

    CLEAN = "clean"
    """It went well there."""
    SAME = "same"
    """The same went wrong there."""
    UNKNOWN = "unknown"
    """It could not be tried, or not as far as that."""


@dataclass(frozen=True)
class Answer:
    shown: Shown
    words: str
    """What was seen; of what is unknown, why."""


UNASKED = Answer(Shown.UNKNOWN, "not tried")


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """Something that went wrong in one stage of a cell, and what is known beside it."""

    stage: Stage
    checks: tuple[str, ...] = ()
    """Ids of the checks that failed; none: the stage itself ended."""
    proof: tuple[Party, str] | None = None
    """Whose it is where it needs no control, and why."""
    at_home: bool = False
    """Whether Anne's instance never came up on the source: nothing has travelled then."""
    was_up_at_home: bool = False
    """Whether this suite saw Anne's instance come up there before her image left."""
    stored_is_sound: bool | None = None
    """Whether all checks of what the destination stored passed; None: they do not say."""
    own_is_annes: bool = False
    """Whether the destination's own image is the one that Anne started from, which may share what is wrong with it."""
    own_is_golden: bool = False
    """Whether it is the golden image of the source."""
    shim: str = ""
    """A shim of ours in Anne's image."""
    answers: Mapping[Control, Answer] = field(default_factory=dict)

    def shown(self, control: Control) -> Shown:
        return self.answers.get(control, UNASKED).shown


@dataclass(frozen=True, kw_only=True)
class Attribution:
    """The verdict on one trouble."""

    stage: Stage
    checks: tuple[str, ...]
    party: Party | None
    """None: undecided."""
    suspects: tuple[Party, ...]
    """Whom it may be; with a verdict the one who is left. None at all: nobody fails alone."""
    reasons: tuple[str, ...]
    """From what that is concluded, a sentence each."""
    answers: Mapping[Control, Answer] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """``the destination``, ``undecided: image or destination``."""
        if self.party:
            return f"the {self.party.value}"
        return "undecided" + (f": {' or '.join(one.value for one in self.suspects)}" if self.suspects else "")


PROVEN_BY_STAGE: Mapping[Stage, tuple[Party, str]] = {
    Stage.EXPORT: (Party.SOURCE, "what the source handed out is held against what the source says of it"),
    Stage.IMPORT: (Party.DESTINATION, "the destination's image service is held against its own answers"),
    Stage.CONVERSION: (Party.CONVERSION, "what the destination stored is held against what was sent"),
}
_HANDED_OUT = (Party.SOURCE, "the same bytes are asked of the source twice, and held against one another")
_SERVED = (Party.DESTINATION, "what the destination tells the guest is held against the destination's own API")
_ANSWERED = (Party.DESTINATION, "the destination's API answered that, whatever ran there")
_SERVICE = (Party.DESTINATION, "the destination's metadata service answered that, whoever asked")
_BROUGHT = (Party.IMAGE, "it was read on the disk that travelled")
PROVEN_BY_CHECK: Mapping[str, tuple[Party, str]] = {
    "TX-1": _HANDED_OUT,
    "TX-3": _HANDED_OUT,
    "TX-4": (Party.CONVERSION, "what the destination stored is held against what was sent"),
    "TX-5": _ANSWERED,
    "TX-6": (Party.HARNESS, "it is this suite's own memory"),
    "EX-8": _BROUGHT,
    "BT-3": _BROUGHT,
    "BT-8": (Party.DESTINATION, "the hardware is the destination's"),
    "N1-1": _SERVED,
    "N1-9": _SERVED,
    "N2-13": _BROUGHT,
    "MD-3": _SERVED,
    "MD-4": _SERVICE,
    "MD-5": _SERVED,
    "MD-6": _SERVICE,
    "MD-7": _SERVICE,
    "MD-9": (Party.DESTINATION, "the drive is of the destination's making"),
    "MD-11": _SERVICE,
    "MD-13": _SERVICE,
    "MD-14": _SERVED,
    "MD-15": _SERVICE,
    "AU-6": _ANSWERED,
    "PV-3": _BROUGHT,
    "UD-6": _ANSWERED,
    "LC-1": (Party.DESTINATION, "the destination's own words before a stop are held against those after it"),
}
"""Failures that say by themselves whose they are: no control could say more."""

ABOUT_HOME = frozenset({"AP-5", "AU-10", "N2-13"})
"""Checks that look for what was at home: an image that was never there cannot be asked."""

CONTROLLED = (
    Stage.BOOT,
    Stage.PRIMARY_NIC,
    Stage.METADATA,
    Stage.SECONDARY_NIC,
    Stage.PV_DRIVERS,
    Stage.AUTH,
    Stage.USER_DATA,
    Stage.APPLICATION,
)
"""Stages that a control can come to."""


def proof_of(check: str, stage: Stage) -> tuple[Party, str] | None:
    """Whose a failure of this check is by itself, and why; None: controls must tell."""
    return PROVEN_BY_CHECK.get(check) or PROVEN_BY_STAGE.get(stage)


def could_help(control: Control, trouble: Trouble) -> bool:
    """Whether anything that this control, not asked yet, may show would change the verdict as it is."""
    now = attribute(trouble)
    if now.party or control in trouble.answers:
        return False
    return any(
        (then.party, then.suspects) != (now.party, now.suspects)
        for shown in (Shown.CLEAN, Shown.SAME)
        for then in (attribute(replace(trouble, answers={**trouble.answers, control: Answer(shown, "")})),)
    )


def _may_be_controlled(trouble: Trouble) -> bool:
    return trouble.at_home or trouble.stage in CONTROLLED


def attribute(trouble: Trouble) -> Attribution:
    """The verdict, and from what it is concluded. Never blames beyond what the controls showed."""
    if trouble.proof:
        party, why = trouble.proof
        about = f"{', '.join(trouble.checks)}: " if trouble.checks else ""
        return _verdict(trouble, party, (party,), (f"{about}{why}; no control is needed",))
    if not _may_be_controlled(trouble):
        return _verdict(trouble, None, tuple(Party), (f"there is no control for stage {trouble.stage.title}",))
    if trouble.shown(Control.OWN_IMAGE) is Shown.SAME and trouble.shown(Control.GOLDEN_IMAGE) is Shown.CLEAN:
        why = "these contradict one another: what fails here does not fail always"
        return _verdict(trouble, None, tuple(Party), (*_told(trouble, {}), why))
    cleared = _cleared_at_home(trouble) if trouble.at_home else _cleared_abroad(trouble)
    everybody = (Party.SOURCE, Party.IMAGE, Party.HARNESS) if trouble.at_home else tuple(Party)
    gone = {party for parties, _ in cleared.values() for party in parties}
    if trouble.stored_is_sound and not trouble.at_home:
        gone.add(Party.CONVERSION)
    left = tuple(one for one in everybody if one not in gone)
    reasons = list(_told(trouble, cleared))
    if trouble.stored_is_sound and not trouble.at_home:
        reasons.append("what the destination stored is what was sent, by every check: it is not the conversion")
    if len(left) == 1 and (against := _speaks_against(left[0], trouble)):
        return _verdict(trouble, left[0], left, (*reasons, against))
    if left in ((), (Party.CONVERSION,)):  # each is sound by itself: then it may be two of them together
        also = "it is the conversion, or " if left else ""
        reasons.append(f"{also}image and destination do not go together, though neither fails alone")
        left = tuple(one for one in Party if one in (*left, Party.IMAGE, Party.DESTINATION))
    elif len(left) == 1:
        reasons.append(f"only the {left[0].value} is left, and nothing was seen that speaks against it")
    return _verdict(trouble, None, left, reasons)


def _verdict(trouble: Trouble, party: Party | None, suspects: tuple[Party, ...], reasons: Iterable[str]) -> Attribution:
    return Attribution(
        stage=trouble.stage,
        checks=trouble.checks,
        party=party,
        suspects=suspects,
        reasons=tuple(reasons),
        answers=trouble.answers,
    )


_Cleared = dict[Control, tuple[frozenset[Party], str]]
"""Whom each control takes away, and in what words."""


def _cleared_at_home(trouble: Trouble) -> _Cleared:
    found: _Cleared = {}
    golden = trouble.shown(Control.GOLDEN_IMAGE)
    if golden is Shown.CLEAN:
        found[Control.GOLDEN_IMAGE] = frozenset({Party.SOURCE, Party.HARNESS}), "the source runs another image"
    elif golden is Shown.SAME:
        found[Control.GOLDEN_IMAGE] = frozenset({Party.IMAGE}), "it takes no image of Anne's"
    if trouble.shown(Control.OWN_IMAGE) is Shown.CLEAN:
        found[Control.OWN_IMAGE] = frozenset({Party.HARNESS}), "this suite sees a guest where there is one"
    return found


def _cleared_abroad(trouble: Trouble) -> _Cleared:
    found: _Cleared = {}
    shown = trouble.shown
    ours = frozenset() if trouble.shim else frozenset({Party.HARNESS})
    if shown(Control.OWN_IMAGE) is Shown.CLEAN:
        found[Control.OWN_IMAGE] = frozenset({Party.DESTINATION, Party.HARNESS}), "the destination can do it"
    elif shown(Control.OWN_IMAGE) is Shown.SAME:
        same = frozenset() if trouble.own_is_annes else frozenset({Party.IMAGE})
        words = "it takes neither the source nor a conversion" + (", nor Anne's image" if same else "")
        found[Control.OWN_IMAGE] = frozenset({Party.SOURCE, Party.CONVERSION}) | same, words
    if shown(Control.BACK_HOME) is Shown.CLEAN:
        found[Control.BACK_HOME] = frozenset({Party.SOURCE, Party.IMAGE}) | ours, "what left the source is sound"
    elif shown(Control.BACK_HOME) is Shown.SAME:
        found[Control.BACK_HOME] = frozenset({Party.CONVERSION}), "it takes no conversion of the destination's"
    if shown(Control.GOLDEN_IMAGE) is Shown.CLEAN:
        found[Control.GOLDEN_IMAGE] = (
            frozenset({Party.DESTINATION, Party.CONVERSION}) | ours,
            "an image can make that way and run there",
        )
    if shown(Control.BACK_HOME) is Shown.SAME:
        if shown(Control.RESTART) is Shown.CLEAN:
            found[Control.RESTART] = frozenset({Party.IMAGE}) | ours, "the disk that was copied is sound"
        elif shown(Control.RESTART) is Shown.SAME and trouble.was_up_at_home:
            found[Control.RESTART] = frozenset({Party.SOURCE}) | ours, "the source had it running once, and saw it so"
    return found


def _told(trouble: Trouble, cleared: _Cleared) -> Iterable[str]:
    """A sentence for each control that concerns this trouble."""
    for control in Control:
        answer = trouble.answers.get(control)
        if answer is None:
            continue
        if answer.shown is Shown.UNKNOWN:
            yield f"{control.title}: not known ({answer.words})"
            continue
        word = "went well" if answer.shown is Shown.CLEAN else "shows the same"
        so = f", so {cleared[control][1]}" if control in cleared else ""
        yield f"{control.title} {word} ({answer.words}){so}"


def _speaks_against(party: Party, trouble: Trouble) -> str:
    """What was seen of the last suspect himself; empty where nothing was: being left over is no proof."""
    shown = trouble.shown
    if party is Party.DESTINATION and shown(Control.OWN_IMAGE) is Shown.SAME:
        return "so it is the destination: it does so to its own image"
    if party is Party.CONVERSION and trouble.stored_is_sound is False:
        return "so it is the conversion: what the destination stored failed its own checks"
    if (
        party is Party.CONVERSION
        and (shown(Control.GOLDEN_IMAGE), shown(Control.OWN_IMAGE)) == (Shown.SAME, Shown.CLEAN)
        and trouble.own_is_golden
    ):
        return "so it is the conversion: the same image runs there where it was not brought in"
    if party is Party.IMAGE and trouble.at_home and shown(Control.GOLDEN_IMAGE) is Shown.CLEAN:
        return "so it is the image: it does not come up where another does"
    if party is Party.IMAGE and shown(Control.BACK_HOME) is Shown.SAME:
        return "so it is the image: it does so at home and abroad"
    if party is Party.SOURCE and trouble.at_home and shown(Control.GOLDEN_IMAGE) is Shown.SAME:
        return "so it is the source: it does so to its own image"
    if party is Party.SOURCE and (shown(Control.BACK_HOME), shown(Control.RESTART)) == (Shown.SAME, Shown.CLEAN):
        return "so it is the source: what it gave is not what its instance has"
    return ""


def together(verdicts: Sequence[Attribution]) -> Attribution:
    """What stands of verdicts on one trouble that was told several times: two names are no name.

    Raises ``ValueError`` for none.
    """
    if not verdicts:
        raise ValueError("no verdict")
    named = {one.party: one for one in verdicts if one.party}
    if len(named) == 1:
        return next(iter(named.values()))
    last = verdicts[-1]
    if not named:
        return last
    names = " and ".join(sorted(one.value for one in named if one))
    suspects = tuple(one for one in Party if one in named)
    why = f"told several times, it was laid to {names}: what fails here does not fail always"
    return Attribution(
        stage=last.stage,
        checks=last.checks,
        party=None,
        suspects=suspects,
        reasons=(*last.reasons, why),
        answers=last.answers,
    )
