"""The matrix as every format shows it: grouping, order, counts, words and symbols, in one place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from golden_flows.model.attribution import Attribution
from golden_flows.model.evidence import Evidence, EvidenceLevel
from golden_flows.model.finding import Finding
from golden_flows.model.guideline import Level, Requirement
from golden_flows.model.matrix import Cell, Result, Run, StageRun
from golden_flows.model.outcome import ExitCode, Outcome, worst
from golden_flows.model.stage import Point, Stage

SYMBOLS: Mapping[Outcome, str] = {
    Outcome.PASS: "✓",
    Outcome.FAIL: "✗",
    Outcome.BROKEN: "!",
    Outcome.BLOCKED: "⊘",
    Outcome.NOT_APPLICABLE: "–",
    Outcome.NOT_RUN: "?",
}

WORDS: Mapping[Outcome, str] = {
    Outcome.PASS: "pass",
    Outcome.FAIL: "fail",
    Outcome.BROKEN: "broken",
    Outcome.BLOCKED: "blocked",
    Outcome.NOT_APPLICABLE: "not applicable",
    Outcome.NOT_RUN: "not run",
}

MEANINGS: Mapping[Outcome, str] = {
    Outcome.PASS: "the cloud does what is expected",
    Outcome.FAIL: "the cloud, or the image, is wrong",
    Outcome.BROKEN: "we could not find out",
    Outcome.BLOCKED: "an earlier stage went wrong, so it could not be tried",
    Outcome.NOT_APPLICABLE: "nothing to judge here; the proof is given",
    Outcome.NOT_RUN: "never executed",
}

_EXIT_MEANINGS: Mapping[ExitCode, str] = {
    ExitCode.CERTIFIED: "certified: every required check passed or is proved not applicable",
    ExitCode.NONCONFORMANCE: "nonconformance: at least one required check failed",
    ExitCode.USAGE: "the run was asked for something that cannot be",
    ExitCode.INCOMPLETE: "incomplete: something was broken, blocked or not run, so nothing is certified",
}


_CERTIFIED_WITH_WAIVERS = "certified: every required check passed, is proved not applicable, or failed and is waived"

SHOWN = ("devices.txt",)
"""Evidence that readers get to see without opening a file: what drove disk and NICs, before and after drivers came."""


class Judgement(Enum):
    """What a deployer wants to hear of a pair."""

    COMPATIBLE = "compatible"
    NOT_COMPATIBLE = "not compatible"
    UNJUDGED = "could not be judged"

    @property
    def symbol(self) -> str:
        return {Judgement.COMPATIBLE: "✓", Judgement.NOT_COMPATIBLE: "✗"}.get(self, "?")


@dataclass(frozen=True)
class CheckRow:
    """One check in one cell."""

    requirement: Requirement
    result: Result
    planned: bool

    @property
    def reason(self) -> str:
        """Why it is not a plain pass or fail; for a check outside the plan, that."""
        if self.result.outcome is Outcome.NOT_RUN and not self.planned:
            return "not in the plan of this run"
        return self.result.reason

    def remedy(self, finding: Finding) -> str:
        """The finding's own remedy, or what the guideline advises."""
        return finding.remedy or self.requirement.remedy


@dataclass(frozen=True)
class StageRows:
    """One stage in one cell, with its checks in the guideline's order."""

    stage: Stage
    run: StageRun | None
    """None when the stage was never begun."""
    checks: tuple[CheckRow, ...]
    evidence: tuple[Evidence, ...]

    @property
    def shown(self) -> tuple[Evidence, ...]:
        return tuple(one for one in self.evidence if one.name in SHOWN)

    @property
    def tried(self) -> bool:
        """Whether the stage took place at all; a blocked one has no time to show."""
        return self.run is not None and self.run.outcome is not Outcome.BLOCKED

    @property
    def ending(self) -> str:
        """How the stage itself ended, where that is worth a word (``never begun``, ``broken``); else empty."""
        if self.run is None:
            return "never begun"
        return "" if self.run.outcome is Outcome.PASS else WORDS[self.run.outcome]

    @property
    def outcome(self) -> Outcome:
        """Of its checks; of a stage without checks, how the stage itself ended."""
        if not self.checks:
            return self.run.outcome if self.run else Outcome.NOT_RUN
        return worst(one.result.outcome for one in self.checks)


@dataclass(frozen=True)
class PointRows:
    """One point of compatibility in one cell."""

    point: Point
    stages: tuple[StageRows, ...]

    @property
    def checks(self) -> tuple[CheckRow, ...]:
        return tuple(check for stage in self.stages for check in stage.checks)

    @property
    def outcome(self) -> Outcome:
        """Of the required checks."""
        return worst(one.result.outcome for one in self.checks if one.requirement.level is Level.REQUIRED)

    @property
    def words(self) -> str:
        """``works``, ``works with shim NAME and waiver ID``, ``does not work``, ``not judged``."""
        if self.outcome is Outcome.PASS:
            results = [one.result for one in self.checks]
            means = means_words(shims(results), waivers(results))
            return f"works with {means}" if means else "works"
        if self.outcome is Outcome.NOT_APPLICABLE:
            return "not applicable"
        return "does not work" if self.outcome is Outcome.FAIL else "not judged"


def shims(results: Iterable[Result]) -> tuple[str, ...]:
    """Names of the shims to which these results owe a pass, each once."""
    flags = {flag for one in results for flag in one.flags}
    return tuple(sorted(flag.removeprefix("shim=") for flag in flags if flag.startswith("shim=")))


def waivers(results: Iterable[Result]) -> tuple[str, ...]:
    """Ids of the waivers to which these results owe a pass, each once."""
    flags = {flag for one in results for flag in one.flags if flag.startswith("waiver=")}
    return tuple(sorted(flag.removeprefix("waiver=").partition(" until ")[0] for flag in flags))


def means_words(by_shims: Sequence[str], by_waivers: Sequence[str]) -> str:
    """By what it works: ``shim NAME and waiver ID``; empty: by nothing of ours."""
    told = (f"{kind} {', '.join(names)}" for kind, names in (("shim", by_shims), ("waiver", by_waivers)) if names)
    return " and ".join(told)


def exit_meaning(run: Run) -> str:
    """What the run's exit code says."""
    if run.exit_code is ExitCode.CERTIFIED and any(waivers(cell.results.values()) for cell in run.cells):
        return _CERTIFIED_WITH_WAIVERS
    return _EXIT_MEANINGS[run.exit_code]


def is_plain(result: Result) -> bool:
    """A pass with nothing to say; one that rests on a waiver has the findings of its failure."""
    return result.outcome is Outcome.PASS and not result.findings and not waivers([result])


def points(run: Run, cell: Cell) -> tuple[PointRows, ...]:
    """The whole column of a cell. Every cell of a run has the same rows in the same order."""
    begun = {one.stage for every in run.cells for one in every.stages}
    wanted = begun | {one.stage for one in run.guideline.requirements}
    rows = tuple(_stage(run, cell, stage) for stage in Stage if stage in wanted)
    grouped = ((point, tuple(one for one in rows if one.stage.point is point)) for point in Point)
    return tuple(PointRows(point, stages) for point, stages in grouped if stages)


def _stage(run: Run, cell: Cell, stage: Stage) -> StageRows:
    checks = tuple(
        CheckRow(one, cell.result(one.id), one.id in run.plan)
        for one in run.guideline.requirements
        if one.stage is stage
    )
    ran = next((one for one in cell.stages if one.stage is stage), None)
    return StageRows(stage, ran, checks, cell.evidence.get(stage, ()))


def check_rows(run: Run, cell: Cell) -> tuple[tuple[StageRows, CheckRow], ...]:
    """Every check of a cell with its stage, in the order of the matrix."""
    return tuple((stage, check) for point in points(run, cell) for stage in point.stages for check in stage.checks)


def headline(row: CheckRow) -> str:
    """One line that says how the check ended, and why."""
    result = row.result
    weight = "" if row.requirement.level is Level.REQUIRED else f" ({row.requirement.level.value})"
    if result.outcome is Outcome.FAIL and result.findings:
        more = f" (and {len(result.findings) - 1} more)" if len(result.findings) > 1 else ""
        return f"fail{weight}: {result.findings[0]}{more}"
    by = f" by stage {result.blocked_by.title}" if result.blocked_by else ""
    reason = f": {row.reason}" if row.reason else ""
    return f"{result.outcome.value}{weight}{by}{reason}"


def explanation(row: CheckRow) -> str:
    """All that is known of why it ended so, as plain text of many lines."""
    lines = [row.reason] if row.reason else []
    for one in row.result.findings:
        lines += [one.subject, f"  expected: {one.expected}", f"  actual:   {one.actual}"]
        if remedy := row.remedy(one):
            lines.append(f"  remedy:   {remedy}")
    lines.append(f"source of the expectation: {row.requirement.source}")
    return "\n".join(lines)


def stage_troubles(cell: Cell) -> tuple[StageRun, ...]:
    """Stages that went wrong themselves and say how; the blocked ones only follow from these."""
    order = list(Stage)
    wrong = (one for one in cell.stages if one.outcome in (Outcome.FAIL, Outcome.BROKEN) and one.detail)
    return tuple(sorted(wrong, key=lambda one: order.index(one.stage)))


def about(one: Attribution) -> str:
    """``boot (BT-1, BT-2)``."""
    return one.stage.title + (f" ({', '.join(one.checks)})" if one.checks else "")


def attributions(run: Run) -> tuple[tuple[Cell, Attribution], ...]:
    """Of all pairs."""
    return tuple((cell, one) for cell in run.cells for one in cell.attributions)


def counts(outcomes: Iterable[Outcome]) -> dict[Outcome, int]:
    """How many of each, from best to worst, without zeros."""
    seen = list(outcomes)
    return {one: seen.count(one) for one in Outcome if one in seen}


def summary(outcomes: Iterable[Outcome]) -> str:
    """``36 pass, 1 fail, 4 blocked``."""
    return ", ".join(f"{number} {WORDS[one]}" for one, number in counts(outcomes).items()) or "no checks"


def judge(run: Run, cell: Cell) -> Judgement:
    """The verdict on a pair. A defect that was proved stays proved; everything else needs a run that ended well."""
    verdict = run.verdicts[cell.pair]
    if verdict is Outcome.FAIL:
        return Judgement.NOT_COMPATIBLE
    all_passed = all(one is Outcome.PASS for one in run.verdicts.values())
    ended_badly = run.ended_at is None or run.said_exit_code == ExitCode.INCOMPLETE.value or bool(run.doubts)
    doubted = ended_badly or (all_passed and run.exit_code is not ExitCode.CERTIFIED)
    return Judgement.COMPATIBLE if verdict is Outcome.PASS and not doubted else Judgement.UNJUDGED


def evidence_level(cell: Cell) -> EvidenceLevel | None:
    """The weaker of both clouds' levels; None when a cloud was never described."""
    if cell.src is None or cell.dst is None:
        return None
    weakest_last = list(EvidenceLevel)
    return max((cell.src.evidence_level, cell.dst.evidence_level), key=weakest_last.index)


def evidence_words(cell: Cell) -> str:
    level = evidence_level(cell)
    return level.value if level else "unknown: the clouds were never described"


def evidence_details(cell: Cell) -> tuple[str, ...]:
    """What each cloud of the pair is, source first: ``public: QEMU 7.2.22 TCG``."""
    profiles = (one for one in (cell.src, cell.dst) if one is not None)
    return tuple(dict.fromkeys(f"{one.cloud}: {one.evidence_detail or one.evidence_level.value}" for one in profiles))


def evidence_heads(cell: Cell) -> tuple[str, ...]:
    """What stands over a column, a line each: how real the weaker cloud was, then what either of them is."""
    return (evidence_words(cell), *evidence_details(cell))


def active_faults(cell: Cell) -> tuple[str, ...]:
    """Faults that the clouds of this pair were told to have, as ``public: nd_empty``."""
    profiles = (one for one in (cell.src, cell.dst) if one is not None)
    return tuple(dict.fromkeys(f"{one.cloud}: {fault}" for one in profiles for fault in one.active_faults))


def active_variants(cell: Cell) -> tuple[str, ...]:
    """Benign variants that they were told to be, as ``public: slow``."""
    profiles = (one for one in (cell.src, cell.dst) if one is not None)
    return tuple(dict.fromkeys(f"{one.cloud}: {variant}" for one in profiles for variant in one.active_variants))
