"""How a flow's stages are run: lazily, each at most once, and what their failure means for the rest.

A flow is a set of stage functions. ``GoldenFlow.reach`` runs a stage and, before it, whatever it depends on:

- a stage that returns has read its facts (``PASS``);
- a stage that raises ``StageStopped`` has read its facts too, but a cloud stopped the story there (``FAIL``): its own
  checks judge from the facts, whatever needs the stage is blocked;
- a stage that raises anything else could not find out (``BROKEN``).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from golden_flows.errors import RecordError
from golden_flows.journal import Journal
from golden_flows.model.cloud import Pair
from golden_flows.model.facts import Facts
from golden_flows.model.matrix import StageRun
from golden_flows.model.outcome import Outcome
from golden_flows.model.stage import Stage

logger = logging.getLogger(__name__)

DEPENDS: Mapping[Stage, tuple[Stage, ...]] = {
    Stage.EXPORT: (),
    Stage.TRANSFER: (Stage.EXPORT,),
    Stage.IMPORT: (Stage.TRANSFER,),
    Stage.CONVERSION: (Stage.IMPORT,),
    Stage.BOOT: (Stage.IMPORT,),
    Stage.PRIMARY_NIC: (Stage.BOOT,),
    Stage.METADATA: (Stage.BOOT,),
    Stage.SECONDARY_NIC: (Stage.METADATA,),
    Stage.PV_DRIVERS: (Stage.BOOT,),
    Stage.AUTH: (Stage.PRIMARY_NIC,),
    Stage.USER_DATA: (Stage.METADATA,),
    Stage.APPLICATION: (Stage.PRIMARY_NIC,),
    Stage.RETURN_TRIP: (Stage.AUTH, Stage.USER_DATA, Stage.APPLICATION),
    Stage.SECOND_INSTANCE: (Stage.AUTH, Stage.USER_DATA, Stage.APPLICATION),
    Stage.BURST: (Stage.AUTH, Stage.USER_DATA, Stage.APPLICATION),
    Stage.LIFECYCLE: (),
}
"""What must have been told before. Conversion is judged beside the story: a guest may boot from a poor conversion."""


class StageStopped(Exception):  # not an error of ours: the story ended here
    """A cloud stopped the story at this stage; the facts say how."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


StageFunction = Callable[[], None]


@dataclass(frozen=True)
class Reached:
    """How far the story came on the way to a stage."""

    run: StageRun
    blocked_by: Stage | None = None


class Story(Protocol):
    """What a flow does at each stage, and the facts it has gathered so far."""

    @property
    def facts(self) -> Facts: ...

    def stages(self) -> Mapping[Stage, StageFunction]: ...

    def stage_over(self) -> None:
        """Told after each stage that was begun, however it ended."""


class GoldenFlow:
    """One cell's story, told as far as somebody asks."""

    def __init__(
        self,
        story: Story,
        journal: Journal,
        *,
        at_the_end: Callable[[], None] = lambda: None,
        beside: Collection[Stage] | None = None,
    ) -> None:
        """``at_the_end``: called when all is told but how everything is deleted.

        ``beside``: for a story that is told beside another one (a control): what it takes for told. Nothing is written
        down of its stages, which are not the cell's.
        """
        self.journal = journal
        self.errors: dict[Stage, Exception] = {}
        """Of stages that are broken."""
        self._story = story
        self._at_the_end = at_the_end
        self._is_beside = beside is not None
        self._runs: dict[Stage, Reached] = {
            stage: Reached(StageRun(stage=stage, outcome=Outcome.PASS, seconds=0.0)) for stage in beside or ()
        }

    @property
    def facts(self) -> Facts:
        return self._story.facts

    @property
    def pair(self) -> Pair:
        return self.facts.pair

    def reach(self, stage: Stage) -> Reached:
        """Run this stage, and what it depends on, unless it has been run.

        Never raises but for interrupts, and ``RecordError``: a story that cannot be written down is not told on.
        """
        if stage not in self._runs:
            self._runs[stage] = self._enter(stage)
        return self._runs[stage]

    @property
    def runs(self) -> Mapping[Stage, StageRun]:
        """What has been told so far."""
        return {stage: reached.run for stage, reached in self._runs.items()}

    def stopped_at(self) -> Stage | None:
        """The first stage, in the order of the story, where a cloud stopped it or we lost sight; None so far."""
        return next(
            (
                one
                for one in Stage
                if one in self._runs and self._runs[one].run.outcome in (Outcome.FAIL, Outcome.BROKEN)
            ),
            None,
        )

    def _enter(self, stage: Stage) -> Reached:
        for before in DEPENDS[stage]:
            reached = self.reach(before)
            if reached.run.outcome is not Outcome.PASS:
                culprit = reached.blocked_by or before
                run = StageRun(stage=stage, outcome=Outcome.BLOCKED, seconds=0.0, detail=f"blocked by {culprit.title}")
                self._record(run)
                return Reached(run, culprit)
        if stage is Stage.LIFECYCLE:
            self._at_the_end()
        if not self._is_beside:
            self.journal.write("stage_started", src=self.pair.src, dst=self.pair.dst, stage=stage)
        began_s = time.monotonic()
        outcome, detail = self._attempt(stage)
        self._story.stage_over()
        run = StageRun(stage=stage, outcome=outcome, seconds=round(time.monotonic() - began_s, 2), detail=detail)
        self._record(run)
        return Reached(run)

    def _attempt(self, stage: Stage) -> tuple[Outcome, str]:
        try:
            self._story.stages()[stage]()
        except StageStopped as stopped:
            return Outcome.FAIL, stopped.reason
        except RecordError:
            raise
        except Exception as error:  # whatever it was, we could not find out, and the reader must see why
            logger.info("stage %s of %s is broken", stage.value, self.pair.id, exc_info=True)
            self.errors[stage] = error
            return Outcome.BROKEN, self.journal.redact(str(error) or type(error).__name__)
        return Outcome.PASS, ""

    def _record(self, run: StageRun) -> None:
        if self._is_beside:
            return
        self.journal.write(
            "stage_ended",
            src=self.pair.src,
            dst=self.pair.dst,
            stage=run.stage,
            outcome=run.outcome,
            seconds=run.seconds,
            detail=run.detail,
        )
