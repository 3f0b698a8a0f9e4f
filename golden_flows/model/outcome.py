"""Outcomes, and the algebra that cannot round up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum


class Outcome(Enum):
    """How one check of one cell ended. Listed from best to worst."""

    PASS = "pass"  # noqa: S105  # an outcome, not a password
    NOT_APPLICABLE = "not-applicable"
    """The cell does not claim this, or it cannot be observed by construction; always with the proof."""
    FAIL = "fail"
    """A cloud (or the image) is wrong."""
    BLOCKED = "blocked"
    """An earlier stage went wrong, so this could not be tried."""
    BROKEN = "broken"
    """We could not find out."""
    NOT_RUN = "not-run"
    """Planned, and never executed."""

    @property
    def certifies(self) -> bool:
        """Whether a certificate may be built on this outcome."""
        return self in (Outcome.PASS, Outcome.NOT_APPLICABLE)


_WORST_FIRST = (
    Outcome.FAIL,
    Outcome.BROKEN,
    Outcome.NOT_RUN,
    Outcome.BLOCKED,
    Outcome.PASS,
    Outcome.NOT_APPLICABLE,
)


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """The outcome that speaks for a group. An empty group is ``NOT_RUN``: silence is not a pass.

    A proved defect outranks what we could not find out, which outranks what was blocked by either.
    A group of not-applicable checks with one pass is a pass; of nothing but not-applicable, not-applicable.
    """
    seen = set(outcomes)
    return next((one for one in _WORST_FIRST if one in seen), Outcome.NOT_RUN)


def retold(tellings: Sequence[Outcome]) -> tuple[Outcome, int]:
    """What stands of a check whose story was told several times, first to last; and how often it was not certified.

    A failure is never told away. What could not be found out is, by a later telling that could: the number goes with it
    as ``flaky=N``. Raises ``ValueError`` for no telling at all.
    """
    if not tellings:
        raise ValueError("a check that was never told has no outcome")
    if Outcome.FAIL in tellings:
        return Outcome.FAIL, 0
    last = tellings[-1]
    return last, sum(not one.certifies for one in tellings[:-1]) if last.certifies else 0


class ExitCode(Enum):
    """Exit codes of the command line, of pytest runs of the suite, and of CI gates."""

    CERTIFIED = 0
    NONCONFORMANCE = 1
    USAGE = 2
    INCOMPLETE = 3
    """Broken, blocked without a failure, interrupted, or fewer checks executed than planned."""


def exit_code(outcomes: Iterable[Outcome]) -> ExitCode:
    """The exit code that a set of required checks earns; never 0 on an empty set."""
    verdict = worst(outcomes)
    if verdict is Outcome.FAIL:
        return ExitCode.NONCONFORMANCE
    if verdict is Outcome.PASS:
        return ExitCode.CERTIFIED
    return ExitCode.INCOMPLETE
