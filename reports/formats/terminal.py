"""The matrix in a terminal (``render``), and the same text without colour as ``matrix.txt`` for logs and mail."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from golden_flows.model.attribution import Attribution
from golden_flows.model.guideline import Level
from golden_flows.model.matrix import Cell, Run
from golden_flows.model.outcome import ExitCode, Outcome
from reports.atomic import put_text
from reports.grid import Grid, Square, Trouble, grid, is_grid, places, troubles
from reports.lines import JUDGED, STYLES, Lines
from reports.ramp import words
from reports.rows import (
    SYMBOLS,
    WORDS,
    CheckRow,
    Judgement,
    PointRows,
    StageRows,
    about,
    active_faults,
    active_variants,
    attributions,
    check_rows,
    evidence_details,
    evidence_words,
    exit_meaning,
    is_plain,
    judge,
    points,
    stage_troubles,
    summary,
)

NAME = "matrix.txt"

_WIDTH = 110
"""Columns of the text file."""

_OTHER_COLUMNS = 48
"""What the matrix needs beside its column of checks."""

_NARROWEST = 24

_MANY = 6
"""So many checks that share an explanation are named by id only."""


def write(run: Run, folder: Path) -> Path:
    page = io.StringIO()
    render(run, Console(file=page, width=_WIDTH, no_color=True, force_terminal=False, legacy_windows=False))
    lines = (line.rstrip() for line in page.getvalue().splitlines())
    return put_text(folder / NAME, "\n".join(lines).strip("\n") + "\n")


def render(run: Run, console: Console, reports: Mapping[str, Path] | None = None) -> None:
    """Print the matrix, everything that is not a pass, the verdicts, and where the reports are."""
    page = _Page(console)
    if is_grid(run):
        page.grid(run)
    else:
        for cell in run.cells:
            page.matrix(run, cell)
        for cell in run.cells:
            page.trouble(run, cell)
    page.verdicts(run)
    for path in (reports or {}).values():
        page.line(("  ", ""), (str(path), "cyan"))


class _Page(Lines):
    def matrix(self, run: Run, cell: Cell) -> None:
        self.line()
        self.line((str(cell.pair), "bold"), (f"  {evidence_words(cell)}", "dim"))
        for one in evidence_details(cell):
            self.line((one, "dim"), indent=2)
        if faults := active_faults(cell):
            self.line((f"active faults: {', '.join(faults)}", "bold yellow"), indent=2)
        if variants := active_variants(cell):
            self.line((f"benign variants: {', '.join(variants)}", "dim"), indent=2)
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0), collapse_padding=True)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        table.add_column(justify="right", no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
        for point in points(run, cell):
            self._point(table, point)
        self.console.print(table, highlight=False)
        if cell.burst is not None:
            self.line((f"burst: {words(cell.burst)}", ""), indent=2)

    def _point(self, table: Table, point: PointRows) -> None:
        style = STYLES[point.outcome]
        passed = sum(one.result.outcome is Outcome.PASS for one in point.checks)
        title = self.text((point.point.value, "bold"))
        words = self.text((f"{SYMBOLS[point.outcome]} {point.words}", style))
        table.add_row(title, words, self.text((f"{passed}/{len(point.checks)}", "dim")), "")
        for stage in point.stages:
            table.add_row(*self._stage(stage))

    def _stage(self, stage: StageRows) -> tuple[Text, Text, Text, Text]:
        passed = sum(one.result.outcome is Outcome.PASS for one in stage.checks)
        checks = [self._check(one) for one in stage.checks]
        count = f"{passed}/{len(stage.checks)}" if stage.checks else ""
        seconds = f"{stage.run.seconds:.1f} s" if stage.run and stage.tried else ""
        return (
            self.text((f"  {stage.stage.title}", "")),
            self._packed(checks),
            self.text((count, "dim")),
            self.text((f"{stage.ending} {seconds}".strip(), "dim")),
        )

    def _packed(self, checks: list[Text]) -> Text:
        """Checks side by side; a check and its word stay on one line."""
        room = max(_NARROWEST, self.console.width - _OTHER_COLUMNS)
        whole, used = Text(), 0
        for one in checks:
            gap = "" if not used else "  " if used + 2 + one.cell_len <= room else "\n"
            used = one.cell_len + (used + 2 if gap == "  " else 0)
            whole.append(gap).append_text(one)
        return whole

    def _check(self, row: CheckRow) -> Text:
        outcome = row.result.outcome
        word = "" if outcome is Outcome.PASS else f" {WORDS[outcome]}"
        flags = f" ({', '.join(row.result.flags)})" if row.result.flags else ""
        text = self.text((f"{SYMBOLS[outcome]} {row.requirement.id}{word}{flags}", STYLES[outcome]))
        # a check and its word stay on one line
        return (
            Text(text.plain.replace(" ", "\N{NO-BREAK SPACE}"), text.style, spans=text.spans) if self.unicode else text
        )

    def grid(self, run: Run) -> None:
        """All pairs at a glance, and what went wrong where: so many matrices nobody reads in a terminal."""
        overview = grid(run)
        self.line()
        self.line((f"{len(run.cells)} pairs: from the cloud at the left to the numbered one", "bold"))
        for one in overview.evidence:
            self.line((one, "dim"), indent=2)
        if overview.faults:
            self.line((f"active faults: {', '.join(overview.faults)}", "bold yellow"), indent=2)
        table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
        table.add_column(no_wrap=True)
        for number, _ in enumerate(overview.destinations, 1):
            table.add_column(str(number), justify="right", no_wrap=True)
        for source in overview.sources:
            table.add_row(self.text((source, "")), *(self._square(one) for one in overview.row(source)))
        self.console.print(table, highlight=False)
        for number, name in enumerate(overview.destinations, 1):
            self.line((f"{number:>3} ", "dim"), (f"to {name}", ""))
        for mark, meaning in overview.marks.items():
            self.line((f"  {mark} {meaning}", "dim"))
        for trouble in troubles(run, overview):
            self._trouble_of_many(trouble, overview)
        for cell, whose in attributions(run):
            self.line((f"{cell.pair}, whose {about(whose)} is: ", ""), (whose.words, "bold"))

    def _square(self, square: Square | None) -> Text:
        if square is None:
            return Text("")
        return self.text((f"{square.judgement.symbol}{square.marks}", JUDGED[square.judgement]))

    def _trouble_of_many(self, trouble: Trouble, overview: Grid) -> None:
        style = STYLES[trouble.outcome]
        self.line()
        head = f"{SYMBOLS[trouble.outcome]} {trouble.name} {WORDS[trouble.outcome]}"
        self.line((head, style), (f"  {trouble.title}", ""))
        self.line((places(trouble, overview), ""), indent=6)
        self.line((trouble.said, "dim"), indent=6)

    def trouble(self, run: Run, cell: Cell) -> None:
        rows = [row for _, row in check_rows(run, cell) if not is_plain(row.result)]
        wrong = stage_troubles(cell)
        if rows or wrong:
            self.line()
            self.line((f"{cell.pair}: what is not a pass", "bold"))
        for one in wrong:
            words = f"{SYMBOLS[one.outcome]} stage {one.stage.title} {WORDS[one.outcome]}"
            self.line((words, STYLES[one.outcome]), (f"  {one.detail}", ""), indent=2)
        for whose in cell.attributions:
            self.whose(whose)
        # Checks that share outcome and reason (all that one stage blocked) are said once.
        for _, group in groupby(rows, key=_sameness):
            together = list(group)
            if len(together) >= _MANY:
                self._heads(together)
            else:
                for row in together:
                    self._head(row)
            for text, style, indent in _explained(together[0]):
                self.line((text, style), indent=indent)

    def whose(self, one: Attribution) -> None:
        self.line((f"whose {about(one)} is: ", ""), (one.words, "bold"), indent=2)
        for reason in one.reasons:
            self.line((reason, "dim"), indent=6)

    def _head(self, row: CheckRow) -> None:
        asked, outcome = row.requirement, row.result.outcome
        weight = "" if asked.level is Level.REQUIRED else f" ({asked.level.value})"
        by = f" by stage {row.result.blocked_by.title}" if row.result.blocked_by else ""
        self.line(
            (f"{SYMBOLS[outcome]} {asked.id} {WORDS[outcome]}{by}", STYLES[outcome]),
            (f"  {asked.title}{weight}", ""),
            indent=2,
        )

    def _heads(self, rows: list[CheckRow]) -> None:
        by, outcome = rows[0].result.blocked_by, rows[0].result.outcome
        words = f"{SYMBOLS[outcome]} {len(rows)} checks {WORDS[outcome]}{f' by stage {by.title}' if by else ''}"
        self.line((words, STYLES[outcome]), (f"  {' '.join(row.requirement.id for row in rows)}", ""), indent=2)

    def verdicts(self, run: Run) -> None:
        self.line()
        for note in run.notes:
            self.line((f"note: {note}", "dim"))
        for cell in () if is_grid(run) else run.cells:
            judged = judge(run, cell)
            self.line(
                (f"{judged.symbol} {cell.pair}: {judged.value}", JUDGED[judged]),
                (f"  required: {summary(run.outcomes(cell))}", "dim"),
            )
        if is_grid(run):
            counted = Counter(judge(run, cell) for cell in run.cells)
            parts = [(f"{one.symbol} {counted[one]} {one.value}  ", JUDGED[one]) for one in Judgement if counted[one]]
            self.line(*parts, ("the checks of each pair: matrix.html", "dim"))
        code = run.exit_code
        style = {ExitCode.CERTIFIED: "bold green", ExitCode.NONCONFORMANCE: "bold red"}.get(code, "bold yellow")
        self.line((f"exit code {code.value}: {exit_meaning(run)}", style))
        took = f", {(run.ended_at - run.started_at).total_seconds():.0f} s" if run.ended_at else ", never ended"
        self.line((f"run {run.id}, guideline {run.guideline.version}, suite {run.suite_version}{took}", "dim"))


def _sameness(row: CheckRow) -> object:
    """Equal for neighbours that can share one explanation."""
    if row.result.findings or not row.reason:
        return row.requirement.id
    return row.result.outcome, row.result.blocked_by, row.reason


def _explained(row: CheckRow) -> Iterator[tuple[str, str, int]]:
    """Text, style and indent of the lines below a check."""
    if row.reason:
        yield row.reason, "dim", 6
    for one in row.result.findings:
        yield one.subject, "", 6
        yield f"expected  {one.expected}", "green", 8
        yield f"actual    {one.actual}", "red", 8
        if remedy := row.remedy(one):
            yield f"remedy    {remedy}", "cyan", 8
