"""What a check is, and the registry that checks fill on import."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from golden_flows.errors import InteropError
from golden_flows.model.facts import Facts
from golden_flows.model.finding import Finding, NotApplicable, NotObserved, Said

T = TypeVar("T")
CheckFunction = Callable[[Facts], Said]


@dataclass(frozen=True)
class Check:
    """A pure function of facts under a durable id of the catalogue; the guideline says the rest of it."""

    id: str
    """``EX-2``; once released it never changes meaning."""
    needs: tuple[str, ...]
    """Names of the ``Facts`` fields that must not be None; while one is, the check is blocked, not run."""
    function: CheckFunction


REGISTRY: dict[str, Check] = {}
"""Every check by id. Filled by ``golden_flows.guideline.load_checks``."""


def check(check_id: str, *, needs: tuple[str, ...]) -> Callable[[CheckFunction], CheckFunction]:
    """Register a check. The decorated function stays an ordinary function."""

    def register(function: CheckFunction) -> CheckFunction:
        if check_id in REGISTRY:
            raise ValueError(f"check {check_id} is registered twice")
        REGISTRY[check_id] = Check(check_id, needs, function)
        return function

    return register


SILENT_GUEST = NotObserved("the guest never reported, neither over SSH nor on its console (see BT-1)")
"""What checks that read the guest's report say when there is none."""


def unseen_inside(facts: Facts, reason: str) -> NotApplicable | NotObserved:
    """What could not be looked at in the guest; where its owner asked for no way in, nobody was to look."""
    if facts.dst.auth:
        return NotObserved(reason)
    return NotApplicable(f"the server on {facts.dst.cloud} was launched with no way in: {reason}")


def given(fact: T | None) -> T:
    """A fact that the check declares in ``needs``. Raises ``InteropError`` where the caller forgot to block it."""
    if fact is None:
        raise InteropError(
            "a check was run without a fact that it needs", "block a check while a fact it needs is None"
        )
    return fact


def verdict(findings: list[Finding], unseen: list[str]) -> Said:
    """Findings if there are any; otherwise what could not be seen; a pass only when nothing is missing."""
    if findings:
        return tuple(findings)
    return NotObserved("; ".join(unseen)) if unseen else ()
