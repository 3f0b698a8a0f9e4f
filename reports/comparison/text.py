"""The comparison in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from golden_flows.model.guideline import Level
from golden_flows.model.matrix import Result, Run
from golden_flows.model.outcome import ExitCode
from reports.comparison.compare import EXIT_MEANINGS, Change, Comparison, Line, PairLine
from reports.lines import JUDGED, STYLES, Lines
from reports.rows import SYMBOLS, WORDS, Judgement, summary

ABSENT = "·"
"""Where a run did not have what others have."""

_CHANGES = {Change.WORSE: "bold red", Change.GONE: "bold yellow", Change.BETTER: "bold green"}


def render(found: Comparison, console: Console) -> None:
    """Print the runs, every pair and every check that is not as it was, and what a gate makes of it."""
    page = Lines(console)
    _runs(page, found.runs)
    for note in found.notes:
        page.line((f"note: {note}", "dim"))
    _pairs(page, found.pairs)
    for change in Change:
        if change is not Change.SAME:
            _changed(page, found, change)
    if found.only_flaky:
        page.line()
        page.line((f"flaky, else the same: {len(found.only_flaky)}", "bold yellow"))
        _table(page, found.only_flaky)
    page.line()
    page.line((counted(found), "bold"))
    code = found.exit_code
    style = {ExitCode.CERTIFIED: "bold green", ExitCode.NONCONFORMANCE: "bold red"}.get(code, "bold yellow")
    page.line((f"exit code {code.value}: {EXIT_MEANINGS[code]}", style))


def counted(found: Comparison) -> str:
    """``3 worse, 1 better, 2 flaky, 97 the same``; what there is none of is left out."""
    told = [f"{number} {one.value}" for one, number in found.counts.items() if number and one is not Change.SAME]
    told += [f"{len(found.flaky)} flaky"] if found.flaky else []
    return ", ".join([*told, f"{found.counts[Change.SAME]} the same"])


def told(result: Result | None) -> str:
    """``✓ pass (shim=NAME)``, ``✗ fail``, ``·``."""
    if result is None:
        return ABSENT
    flags = f" ({', '.join(result.flags)})" if result.flags else ""
    return f"{SYMBOLS[result.outcome]} {WORDS[result.outcome]}{flags}"


def became(line: Line) -> str:
    """``✓ pass → ✗ fail``, ``✗ fail → ✓ pass, flaky``, ``✓ pass``; of what is gone, what it was."""
    now = told(line.now or line.before)
    if line.before and line.now and line.change is not Change.SAME:
        now = f"{told(line.before)} → {now}"
    return f"{now}, flaky" if line.flaky and line.change is not Change.SAME else now


def _runs(page: Lines, runs: Sequence[Run]) -> None:
    page.line()
    page.line((f"{len(runs)} runs, the oldest first; guideline {runs[-1].guideline.version}", "bold"))
    table = _grid(5)
    for number, run in enumerate(runs, 1):
        required = summary(outcome for cell in run.cells for outcome in run.outcomes(cell))
        words = (f"{number}", f"{run.started_at:%Y-%m-%d %H:%M}", run.id, f"exit {run.exit_code.value}", required)
        table.add_row(*(page.text((one, "")) for one in words))
    page.console.print(table, highlight=False)


def _pairs(page: Lines, pairs: Sequence[PairLine]) -> None:
    page.line()
    page.line(("pairs", "bold"))
    table = _grid(3)
    for one in pairs:
        last = next((judgement for judgement in reversed(one.judgements) if judgement), Judgement.UNJUDGED)
        words = one.change.value if one.change is Change.GONE else last.value
        words += ", new" if one.change is Change.NEW else ""
        table.add_row(page.text((str(one.pair), "")), _history(page, one), page.text((words, JUDGED[last])))
    page.console.print(table, highlight=False)


def _history(page: Lines, one: PairLine) -> Text:
    shown = [
        (judgement.symbol if judgement else ABSENT, JUDGED[judgement] if judgement else "dim")
        for judgement in one.judgements
    ]
    return page.text(*shown)


def _changed(page: Lines, found: Comparison, change: Change) -> None:
    lines = found.changed(change)
    moved = found.moved(change)
    if not lines and not moved:
        return
    page.line()
    page.line((f"{change.value}: {len(lines)}" if lines else change.value, _CHANGES.get(change, "bold")))
    for pair in moved:
        page.line((f"the pair {pair.pair}", ""), indent=2)
    _table(page, lines)


def _table(page: Lines, lines: Sequence[Line]) -> None:
    for one in lines:
        weight = "" if one.requirement.level is Level.REQUIRED else f" ({one.requirement.level.value})"
        page.line((f"{one.requirement.id}", "bold"), (f"  {one.requirement.title}{weight}, {one.pair}", ""), indent=2)
        shown = [
            (SYMBOLS[result.outcome] if result else ABSENT, STYLES[result.outcome] if result else "dim")
            for result in one.results
        ]
        page.line(*shown, (f"  {became(one)}", ""), indent=6)
        for finding in one.now.findings[:1] if one.now else ():
            page.line((str(finding), "dim"), indent=6)


def _grid(columns: int) -> Table:
    table = Table(box=None, show_header=False, pad_edge=True, padding=(0, 2, 0, 1))
    for _ in range(columns):
        table.add_column(overflow="fold")
    return table
