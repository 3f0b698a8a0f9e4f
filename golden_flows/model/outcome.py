"""Outcomes, and the algebra that cannot round up."""

from __future__ import annotations

from collections.abc import Iterable
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
