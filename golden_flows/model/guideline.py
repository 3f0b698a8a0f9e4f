"""A dated list of what is required of a pair of clouds."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import Enum

from golden_flows.model.stage import Stage


class Level(Enum):
    """How much a check weighs. Nothing becomes required without having been advisory first."""

    REQUIRED = "required"
    ADVISORY = "advisory"
    DEPRECATED = "deprecated"


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """One check as a guideline asks for it."""

    id: str
    title: str
    stage: Stage
    level: Level
    source: str
    """Where the expectation comes from."""
    remedy: str
    """What a deployer can do about a failure."""
    faults: tuple[str, ...]
    """Faults of a reference cloud that this check must catch."""
    applies: str = ""
    """In which cells there is something to judge; empty: in every one."""
    option: str = ""
    """The command line's word without which it is no part of a run (``--return-trip``); empty: of every run."""


@dataclass(frozen=True, kw_only=True)
class KillMatrix:
    """The document that shows how far each check of a guideline was proved able to fail: ``docs/proof``."""

    sha256: str
    """Of ``kill-matrix.json``."""
    made_at: str
    """ISO 8601, UTC."""
    suite_version: str
    checks: int
    proved_on_guests: int

    def __str__(self) -> str:
        return f"{self.proved_on_guests} of {self.checks} checks proved on guests, {self.made_at[:10]}"


@dataclass(frozen=True, kw_only=True)
class NotObservable:
    """A check of the catalogue that no cell can show, and why."""

    id: str
    title: str
    why: str


@dataclass(frozen=True)
class Guideline:
    """All requirements, in the order of the story."""

    version: str
    """``2026.11``."""
    requirements: tuple[Requirement, ...]
    not_observable: tuple[NotObservable, ...] = ()

    def asked(self, options: Collection[str]) -> Guideline:
        """What is left of it in a run with these options."""
        return replace(self, requirements=tuple(one for one in self.requirements if one.option in ("", *options)))

    def planned(self, plan: Collection[str]) -> Guideline:
        """What is left of it in a run of these checks: what no option asked for is no part of it."""
        return replace(self, requirements=tuple(one for one in self.requirements if not one.option or one.id in plan))

    def __getitem__(self, check_id: str) -> Requirement:
        return next(one for one in self.requirements if one.id == check_id)
