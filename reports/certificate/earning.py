"""Whether a pair of a run has earned a certificate, and if not, every reason why."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from golden_flows.journal import read_events
from golden_flows.model.evidence import Evidence
from golden_flows.model.guideline import Level
from golden_flows.model.matrix import Cell, Result, Run
from golden_flows.model.outcome import ExitCode, Outcome, exit_code
from golden_flows.model.waiver import Waiver
from reports.certificate.manifest import sha256_of
from reports.rows import active_faults, check_rows, headline

_REASON_CHARS = 300


def waivers(run: Run, cell: Cell) -> tuple[Waiver, ...]:
    """Those to which a check of this pair owes its pass."""
    flags = {flag for one in cell.results.values() for flag in one.flags}
    return tuple(one for one in run.waivers if one.flag in flags)


def evidence_of(cell: Cell) -> tuple[Evidence, ...]:
    """Every file that was kept of this pair, once."""
    return tuple({one.sha256: one for kept in cell.evidence.values() for one in kept}.values())


def refusals(run: Run, cell: Cell, folder: Path, now: datetime) -> tuple[str, ...]:
    """Why this pair is not certified by what lies in the run's ``folder``; empty when it has earned it."""
    return (
        *_of_run(run, folder, now),
        *_of_plan(run, cell),
        *_of_results(run, cell, now),
        *_of_clouds(cell),
        *_of_evidence(cell, folder),
    )


def _of_run(run: Run, folder: Path, now: datetime) -> Iterator[str]:
    if run.ended_at is None:
        yield "the run has not ended: it was killed, or is still running"
    elif run.ended_at > now:
        yield f"the run ended after that, at {run.ended_at:%Y-%m-%d %H:%M} UTC: which clock is wrong?"
    elif run.said_exit_code != 0:
        yield f"the run itself ended with exit code {run.said_exit_code}: see the notes of its report"
    yield from run.doubts
    beginnings = sum(event["event"] == "run_started" for event in read_events(folder / "journal.jsonl"))
    if beginnings != 1:
        yield f"the journal holds {beginnings} runs: put runs together with `golden-flows merge`"


def _of_plan(run: Run, cell: Cell) -> Iterator[str]:
    planned, spoke = set(run.plan), set(cell.results)
    if never := [one for one in run.plan if one not in spoke]:
        yield f"planned and never executed: {' '.join(never)}"
    if more := sorted(spoke - planned):
        yield f"executed and not in the plan: {' '.join(more)}"
    required = [one.id for one in run.guideline.requirements if one.level is Level.REQUIRED]
    if left_out := [one for one in required if one not in planned]:
        yield f"required by guideline {run.guideline.version} and not in the plan: {' '.join(left_out)}"


def _of_results(run: Run, cell: Cell, now: datetime) -> Iterator[str]:
    for _, row in check_rows(run, cell):
        result = row.result
        if row.requirement.level is Level.REQUIRED and not result.outcome.certifies:
            said = " ".join(headline(row).split())
            yield f"{row.requirement.id} {said[:_REASON_CHARS]}{'…' if len(said) > _REASON_CHARS else ''}"
        elif lacks_proof(result):
            yield f"{row.requirement.id} is called not applicable without a proof"
    if all(one.certifies for one in run.outcomes(cell)) and exit_code(run.outcomes(cell)) is not ExitCode.CERTIFIED:
        yield "nothing was shown to work: no required check passed"
    for waiver in waivers(run, cell):
        if waiver.until < now.astimezone(UTC).date():
            yield f"{waiver.check}: waiver {waiver.id} ended on {waiver.until}"
    known = {one.flag for one in run.waivers}
    for one in cell.results.values():
        for flag in one.flags:
            if flag.startswith("waiver=") and flag not in known:
                yield f"{one.check}: {flag}, and the run knows of no such waiver"


def lacks_proof(result: Result) -> bool:
    return result.outcome is Outcome.NOT_APPLICABLE and not result.reason.strip()


def _of_clouds(cell: Cell) -> Iterator[str]:
    for name, profile in ((cell.pair.src, cell.src), (cell.pair.dst, cell.dst)):
        if profile is None:
            yield f"the journal never describes cloud {name}"
    for fault in active_faults(cell):
        yield f"a cloud was told to misbehave: {fault}"


def _of_evidence(cell: Cell, folder: Path) -> Iterator[str]:
    if not evidence_of(cell):
        yield "no evidence was kept of this pair"
    yield from evidence_troubles(cell, folder)


def evidence_troubles(cell: Cell, folder: Path) -> Iterator[str]:
    """A line for each file of this pair that is not as the run left it."""
    for one in evidence_of(cell):
        try:
            if sha256_of(folder / "evidence" / one.sha256) != one.sha256:
                yield f"evidence {one.name} ({one.sha256[:12]}…) was altered since the run"
        except OSError:
            yield f"evidence {one.name} ({one.sha256[:12]}…) is missing"
