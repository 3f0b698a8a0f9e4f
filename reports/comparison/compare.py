"""Two or more runs side by side: what got better, worse, flaky, what is new and what is gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from pathlib import Path

from golden_flows.errors import UsageError
from golden_flows.guideline import load_guideline
from golden_flows.model.cloud import Pair
from golden_flows.model.guideline import Guideline, Level, Requirement
from golden_flows.model.matrix import Result, Run
from golden_flows.model.outcome import ExitCode, Outcome
from reports.read import open_run
from reports.rows import Judgement, active_faults, judge, shims, waivers


class Change(Enum):
    """What became of something by the last run, told in this order."""

    WORSE = "worse"
    GONE = "gone"
    """An earlier run has it, the last one has not."""
    DIFFERENT = "different"
    """Neither better nor worse: of a failure nothing is known any more, a pass does not apply any more."""
    BETTER = "better"
    NEW = "new"
    SAME = "same"


EXIT_MEANINGS = {
    ExitCode.CERTIFIED: "nothing that is required got worse",
    ExitCode.NONCONFORMANCE: "a required check that held before fails now",
    ExitCode.INCOMPLETE: "what was known before could not be found out now, or is gone",
}


@dataclass(frozen=True)
class Line:
    """One check of one pair, in every run."""

    pair: Pair
    requirement: Requirement
    results: tuple[Result | None, ...]
    """Oldest run first; None in a run that had no such pair or check."""

    @property
    def now(self) -> Result | None:
        return self.results[-1]

    @property
    def before(self) -> Result | None:
        """What was last known before the last run; where nothing ever was, what was last said.

        A night in which nothing could be found out hides no change from pass to fail.
        """
        earlier = [one for one in self.results[:-1] if one is not None]
        known = [one for one in earlier if one.outcome.certifies or one.outcome is Outcome.FAIL]
        return next(reversed(known or earlier), None)

    @property
    def change(self) -> Change:
        if self.before is None or self.now is None:
            return Change.GONE if self.now is None else Change.NEW
        was, is_now = _standing(self.before), _standing(self.now)
        if was != is_now:
            return Change.WORSE if is_now > was else Change.BETTER
        return Change.SAME if self.before.outcome is self.now.outcome else Change.DIFFERENT

    @property
    def flaky(self) -> bool:
        """Whether the last run had to tell it again, or it went and came back from run to run."""
        told = [one.outcome.certifies for one in self.results if one is not None]
        turns = sum(one is not other for one, other in pairwise(told))
        return turns > 1 or (self.now is not None and any(flag.startswith("flaky=") for flag in self.now.flags))


@dataclass(frozen=True)
class PairLine:
    """One pair in every run; None in a run that did not have it."""

    pair: Pair
    judgements: tuple[Judgement | None, ...]

    @property
    def change(self) -> Change:
        """New and gone pairs are told as such; all else its checks tell."""
        if self.judgements[-1] is None:
            return Change.GONE
        return Change.NEW if not any(self.judgements[:-1]) else Change.SAME


@dataclass(frozen=True)
class Comparison:
    """Runs, oldest first, and every check of every pair that any of them had."""

    runs: tuple[Run, ...]
    pairs: tuple[PairLine, ...]
    lines: tuple[Line, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """What makes these runs less comparable than they look."""
        return tuple(_notes(self.runs))

    def changed(self, change: Change) -> tuple[Line, ...]:
        """Checks of pairs that stayed; a pair that is new or gone is told as one."""
        moved = {one.pair for one in self.pairs if one.change is not Change.SAME}
        return tuple(one for one in self.lines if one.change is change and one.pair not in moved)

    def moved(self, change: Change) -> tuple[PairLine, ...]:
        return tuple(one for one in self.pairs if one.change is change)

    @property
    def flaky(self) -> tuple[Line, ...]:
        return tuple(one for one in self.lines if one.flaky)

    @property
    def only_flaky(self) -> tuple[Line, ...]:
        """Those that no change tells of."""
        return tuple(one for one in self.flaky if one.change is Change.SAME)

    @property
    def counts(self) -> dict[Change, int]:
        """Of checks; those of a pair that is new or gone are among them."""
        changes = [one.change for one in self.lines]
        return {one: changes.count(one) for one in Change}

    @property
    def exit_code(self) -> ExitCode:
        """What a gate gets. It speaks of changes only: whether the last run certifies, its own exit code says."""
        required = [one for one in self.lines if one.requirement.level is Level.REQUIRED]
        lost = [one for one in required if one.change is Change.WORSE and one.now and not one.now.outcome.certifies]
        if any(one.now.outcome is Outcome.FAIL for one in lost if one.now):
            return ExitCode.NONCONFORMANCE
        gone = any(one.change is Change.GONE for one in required)
        return ExitCode.INCOMPLETE if lost or gone or self.runs[-1].ended_at is None else ExitCode.CERTIFIED


def read_runs(folders: Sequence[Path], *, load: Callable[[str], Guideline] = load_guideline) -> tuple[Run, ...]:
    """The runs in these folders, oldest first.

    Raises ``UsageError`` where they cannot be compared: fewer than two, one twice, one still at work, a folder without
    a journal, other guidelines; other ``InteropError`` where a journal cannot be read.
    """
    found: dict[str, tuple[Run, Path]] = {}
    for folder in dict.fromkeys(one.resolve() for one in folders):
        run = open_run(folder, load=load)
        if run.id in found:
            raise UsageError(f"{folder} and {found[run.id][1]} hold the same run, {run.id}", "name each run once")
        found[run.id] = (run, folder)
    if len(found) < 2:
        raise UsageError("one run has nothing to be compared with", "name the folders of two runs or more")
    runs = tuple(sorted((run for run, _ in found.values()), key=lambda one: one.started_at))
    for run in runs[1:]:
        if run.guideline.version != runs[0].guideline.version:
            raise UsageError(
                f"{run.id} was judged by guideline {run.guideline.version}, {runs[0].id} by"
                f" {runs[0].guideline.version}: their checks ask for different things",
                "compare runs of one guideline (--guideline DATE)",
            )
    return runs


def compare(runs: Sequence[Run]) -> Comparison:
    """Of runs in the order in which they began."""
    columns = [_Column(run) for run in runs]
    pairs = tuple(dict.fromkeys(pair for one in (columns[-1], *columns) for pair in one.cells))
    asked = {one.id: one for run in runs for one in run.guideline.requirements}  # the last run's words count
    lines = (
        Line(pair, one, tuple(column.result(pair, one.id) for column in columns))
        for pair in pairs
        for one in asked.values()
    )
    return Comparison(
        runs=tuple(runs),
        pairs=tuple(PairLine(pair, tuple(column.judgement(pair) for column in columns)) for pair in pairs),
        lines=tuple(line for line in lines if any(result is not None for result in line.results)),
    )


class _Column:
    """One run, as it is asked for each of its results."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.cells = {cell.pair: cell for cell in run.cells}
        self.checks = {one.id for one in run.guideline.requirements} & set(run.plan)
        """What it was asked; what the guideline has had since, or what another option brings, is not among it."""

    def result(self, pair: Pair, check: str) -> Result | None:
        return self.cells[pair].result(check) if pair in self.cells and check in self.checks else None

    def judgement(self, pair: Pair) -> Judgement | None:
        return judge(self.run, self.cells[pair]) if pair in self.cells else None


def _standing(result: Result) -> int:
    """From a plain pass downwards; what fails and what could not be found out are one step: unknown is not better."""
    if not result.outcome.certifies:
        return 3
    return 2 if waivers([result]) else 1 if shims([result]) else 0


def _notes(runs: Sequence[Run]) -> Iterator[str]:
    for run in runs:
        if run.ended_at is None:
            yield f"{run.id} never ended: it was killed, or is still running"
        yield from (f"{run.id}: {doubt}" for doubt in run.doubts)
        faults = dict.fromkeys(fault for cell in run.cells for fault in active_faults(cell))
        if faults:
            yield f"{run.id} ran with faults: {', '.join(faults)}"
    if len({(run.suite_version, run.suite_sha256) for run in runs}) > 1:
        suites = (f"{run.id} {run.suite_version} ({run.suite_sha256[:12] or 'no digest'})" for run in runs)
        yield f"not the same suite: {', '.join(suites)}"
    if len({run.guideline_sha256 for run in runs}) > 1:
        yield "not the same text of the guideline: a check may ask for more, or less, than before"
