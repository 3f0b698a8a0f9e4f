"""Results as reports see them: a run, its cells, and what each check said there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from golden_flows.model.attribution import Attribution
from golden_flows.model.burst import Ramp
from golden_flows.model.cloud import Pair, Profile
from golden_flows.model.evidence import Evidence
from golden_flows.model.finding import Finding
from golden_flows.model.guideline import Guideline, KillMatrix, Level
from golden_flows.model.outcome import ExitCode, Outcome, exit_code, worst
from golden_flows.model.stage import Stage
from golden_flows.model.waiver import Waiver


@dataclass(frozen=True, kw_only=True)
class Result:
    """How one check ended in one cell."""

    check: str
    outcome: Outcome
    findings: tuple[Finding, ...] = ()
    reason: str = ""
    """Why it is blocked or broken; the proof when it is not applicable."""
    blocked_by: Stage | None = None
    seconds: float = 0.0
    flags: tuple[str, ...] = ()
    """``shim=NAME``, ``flaky=N``, ``waiver=ID until DATE``."""


@dataclass(frozen=True, kw_only=True)
class StageRun:
    """How long a stage took and how it ended."""

    stage: Stage
    outcome: Outcome
    """``PASS`` when its facts were read, ``FAIL`` when a cloud stopped it, ``BROKEN`` when we could not find out,
    ``BLOCKED`` when it was never tried."""
    seconds: float
    detail: str = ""
    started_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One ordered pair in one run."""

    pair: Pair
    src: Profile | None = None
    dst: Profile | None = None
    stages: tuple[StageRun, ...] = ()
    results: Mapping[str, Result] = field(default_factory=dict)
    """By check id. A planned check without an entry is ``NOT_RUN``."""
    evidence: Mapping[Stage, tuple[Evidence, ...]] = field(default_factory=dict)
    burst: Ramp | None = None
    """None where there was none."""
    judged_at: datetime | None = None
    """When the last of its checks was judged; None where none was."""
    attributions: tuple[Attribution, ...] = ()
    """Whose it is that something went wrong, in the order of the story. No outcome depends on them."""

    def result(self, check_id: str) -> Result:
        """What the check said; ``NOT_RUN`` when it never spoke."""
        return self.results.get(check_id, Result(check=check_id, outcome=Outcome.NOT_RUN, reason="never executed"))


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of the suite, rebuilt from its journal."""

    id: str
    started_at: datetime
    ended_at: datetime | None
    """None when the journal ends without the run having ended: killed or still running."""
    suite_version: str
    suite_sha256: str = ""
    """Of its sources, as they were when the run began; empty in the journal of an older suite."""
    guideline: Guideline
    guideline_sha256: str = ""
    """Of its file, as the run read it; empty in the journal of an older suite."""
    plan: tuple[str, ...]
    """Check ids that were to be executed in every cell."""
    plan_sha256: str
    cells: tuple[Cell, ...]
    host: Mapping[str, str] = field(default_factory=dict)
    kill_matrix: KillMatrix | None = None
    """How far the guideline's checks were proved able to fail, as the suite knew when the run began."""
    notes: tuple[str, ...] = ()
    """Things a reader must know: leftovers, interruptions, which clouds.yaml was used."""
    waivers: tuple[Waiver, ...] = ()
    """Failures that somebody answers for; they are applied to the results already."""
    doubts: tuple[str, ...] = ()
    """Why this may not be the whole record of the run that was planned; with any, nothing is certified."""
    said_exit_code: int | None = None
    """What the run itself ended with. It may know of trouble that no check speaks of (an interrupt, leftovers)."""

    def outcomes(self, cell: Cell, *, required_only: bool = True) -> tuple[Outcome, ...]:
        """Outcomes of the guideline's checks in this cell. Checks outside the plan count as not run."""
        return tuple(
            cell.result(one.id).outcome
            for one in self.guideline.requirements
            if not required_only or one.level is Level.REQUIRED
        )

    def verdict(self, cell: Cell) -> Outcome:
        return worst(self.outcomes(cell))

    @cached_property
    def verdicts(self) -> Mapping[Pair, Outcome]:
        """Of every cell; worked out once, as each cell's judgement asks for all of them."""
        return {one.pair: self.verdict(one) for one in self.cells}

    @cached_property
    def exit_code(self) -> ExitCode:
        """What CI gets. A run without an end, or without cells, is incomplete whatever its checks say.

        Never better than what the run itself ended with.
        """
        if self.ended_at is None or not self.cells:
            return ExitCode.INCOMPLETE
        earned = exit_code(outcome for cell in self.cells for outcome in self.outcomes(cell))
        if earned is ExitCode.CERTIFIED and (self.said_exit_code or self.doubts):
            return ExitCode.INCOMPLETE
        return earned
