"""``matrix.md``: the matrix for issues, merge requests and wikis (GitHub-flavoured Markdown)."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from golden_flows.model.burst import duration
from golden_flows.model.guideline import Level
from golden_flows.model.matrix import Cell, Run
from golden_flows.model.outcome import Outcome
from reports.atomic import put_text
from reports.grid import grid, is_grid, places, troubles
from reports.kept import Kept, read_kept
from reports.ramp import quarters, words
from reports.rows import (
    MEANINGS,
    SYMBOLS,
    WORDS,
    CheckRow,
    StageRows,
    about,
    active_faults,
    active_variants,
    attributions,
    check_rows,
    evidence_details,
    evidence_heads,
    evidence_words,
    exit_meaning,
    is_plain,
    judge,
    points,
    stage_troubles,
    summary,
)

NAME = "matrix.md"

_SHOWN_LINES = 60


def write(run: Run, folder: Path) -> Path:
    return put_text(folder / NAME, "\n".join(_lines(run, read_kept(run, folder))) + "\n")


def prose(text: str) -> str:
    """Foreign text as inert inline Markdown: no markup, no links, no mentions, one line."""
    text = html.escape(" ".join(text.split()), quote=False)
    text = re.sub(r"([\\`*_\[\]|~#])", r"\\\1", text)
    return text.replace("://", "&#58;//").replace("www.", "www&#46;").replace("@", "&#64;")


def code(text: str) -> str:
    """Foreign text as a code span, fenced with more backticks than it holds."""
    text = " ".join(text.split()) or " "
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _in_table(text: str) -> str:
    return text.replace("|", "\\|")


def _lines(run: Run, kept: Mapping[str, Kept]) -> Iterator[str]:
    yield "# Compatibility matrix"
    yield ""
    if is_grid(run):
        yield from _grid(run)
        yield from _facts(run)
    else:
        for cell in run.cells:
            yield from _verdict(run, cell)
        if not run.cells:
            yield "**Nothing was judged:** the run has no pairs of clouds."
        yield ""
        yield from _facts(run)
        yield from _table(run)
        for cell in run.cells:
            yield from _burst(cell)
            yield from _details(run, cell)
            yield from _shown(run, cell, kept)
    yield ""
    yield "Symbols: " + " · ".join(f"{SYMBOLS[one]} {WORDS[one]}: {MEANINGS[one]}" for one in Outcome) + "."


def _grid(run: Run) -> Iterator[str]:
    """All pairs at a glance, and what went wrong where; the checks of each pair are in ``matrix.html``."""
    overview = grid(run)
    if overview.faults:
        yield f"> **Active faults:** {', '.join(map(code, overview.faults))}. These clouds were told to misbehave."
        yield ""
    yield f"{len(run.cells)} pairs, from the cloud at the left to the cloud above. The checks of each: `matrix.html`."
    yield ""
    yield f"| | {' | '.join(prose(one) for one in overview.destinations)} |"
    yield f"|---|{'---|' * len(overview.destinations)}"
    for source in overview.sources:
        squares = (f"{one.judgement.symbol} {prose(one.words)}" if one else "" for one in overview.row(source))
        yield f"| **{prose(source)}** | {' | '.join(squares)} |"
    yield ""
    yield f"evidence: {'; '.join(map(prose, overview.evidence))}"
    yield ""
    yield "## What is not a pass, and where"
    yield ""
    for one in (found := troubles(run, overview)):
        yield f"- {SYMBOLS[one.outcome]} **{one.name}** {prose(one.title)}: **{WORDS[one.outcome]}**"
        yield f"  - {prose(places(one, overview))}"
        yield f"  - {prose(one.said)}"
    if not found:
        yield "Nothing: every check of every pair passed, or was proved not applicable."
    for cell, whose in attributions(run):
        yield f"- {prose(str(cell.pair))}, whose {prose(about(whose))} is: **{prose(whose.words)}**"
    yield ""


def _verdict(run: Run, cell: Cell) -> Iterator[str]:
    judgement = judge(run, cell)
    yield f"**{judgement.symbol} {prose(str(cell.pair))}: {judgement.value}**  "
    yield f"required: {summary(run.outcomes(cell))}  "
    yield f"evidence: {evidence_words(cell)} ({prose('; '.join(evidence_details(cell)) or 'no details')})"
    if faults := active_faults(cell):
        yield ""
        yield f"> **Active faults:** {', '.join(code(one) for one in faults)}. This cloud was told to misbehave."
    if variants := active_variants(cell):
        yield ""
        yield f"> **Benign variants:** {', '.join(code(one) for one in variants)}. Nothing may fail by them."
    yield ""


def _facts(run: Run) -> Iterator[str]:
    ended = run.ended_at.strftime("%Y-%m-%d %H:%M:%S UTC") if run.ended_at else "**never: killed or still running**"
    yield "| | |"
    yield "|---|---|"
    yield f"| Run | {_in_table(code(run.id))} |"
    yield f"| Began | {run.started_at:%Y-%m-%d %H:%M:%S} UTC |"
    yield f"| Ended | {ended} |"
    yield f"| Guideline | {prose(run.guideline.version)} |"
    yield f"| Suite | {prose(run.suite_version)} |"
    yield f"| Plan | {len(run.plan)} checks, sha256 {_in_table(code(run.plan_sha256))} |"
    if run.kill_matrix:
        yield f"| Kill matrix | {run.kill_matrix}, sha256 {_in_table(code(run.kill_matrix.sha256))} |"
    yield f"| Exit code | {run.exit_code.value}: {exit_meaning(run)} |"
    yield ""
    for note in run.notes:
        yield f"- {prose(note)}"
    yield ""


def _table(run: Run) -> Iterator[str]:
    columns = [points(run, cell) for cell in run.cells]
    if not columns:
        return
    heads = ("<br>".join(prose(one) for one in (str(cell.pair), *evidence_heads(cell))) for cell in run.cells)
    yield f"| Check | | {' | '.join(heads)} |"
    yield f"|---|---|{'---|' * len(columns)}"
    for at, point in enumerate(columns[0]):
        mine = [column[at] for column in columns]
        words = " | ".join(f"**{SYMBOLS[one.outcome]} {prose(one.words)}**" for one in mine)
        yield f"| **{point.point.value}** | | {words} |"
        for stages in zip(*(one.stages for one in mine), strict=True):
            yield f"| *{stages[0].stage.title}* | | {' | '.join(_stage(one) for one in stages)} |"
            for rows in zip(*(one.checks for one in stages), strict=True):
                asked = rows[0].requirement
                weight = "" if asked.level is Level.REQUIRED else f" ({asked.level.value})"
                yield f"| {asked.id} | {prose(asked.title)}{weight} | {' | '.join(_check(one) for one in rows)} |"
    yield ""


def _stage(rows: StageRows) -> str:
    seconds = f"{rows.run.seconds:.1f} s" if rows.run and rows.tried else ""
    return f"*{f'{rows.ending} {seconds}'.strip()}*"


def _check(row: CheckRow) -> str:
    flags = f" ({prose(', '.join(row.result.flags))})" if row.result.flags else ""
    return f"{SYMBOLS[row.result.outcome]} {WORDS[row.result.outcome]}{flags}"


def _burst(cell: Cell) -> Iterator[str]:
    """How it came up, by its figures; the picture is in ``matrix.html``."""
    if cell.burst is None:
        return
    yield f"## {prose(str(cell.pair))}: burst"
    yield ""
    yield f"{prose(words(cell.burst))}."
    yield ""
    if marks := quarters(cell.burst):
        yield f"| instances up | {' | '.join(str(count) for count, _ in marks)} |"
        yield f"|---|{'---|' * len(marks)}"
        yield f"| after | {' | '.join(duration(moment) for _, moment in marks)} |"
        yield ""
    for one in cell.burst.lacking:
        yield f"- did not come up: {prose(one)}"
    if cell.burst.lacking:
        yield ""


def _details(run: Run, cell: Cell) -> Iterator[str]:
    rows = [(stage, one) for stage, one in check_rows(run, cell) if not is_plain(one.result)]
    wrong = stage_troubles(cell)
    if not rows and not wrong:
        return
    yield f"## {prose(str(cell.pair))}: what is not a pass"
    yield ""
    for one in wrong:
        words = f"stage {one.stage.title}: **{WORDS[one.outcome]}**"
        yield f"- {SYMBOLS[one.outcome]} {words}: {prose(one.detail)}"
    yield from _whose(cell)
    for stage, row in rows:
        result, asked = row.result, row.requirement
        blocked = f" by stage {result.blocked_by.title}" if result.blocked_by else ""
        yield f"- {SYMBOLS[result.outcome]} **{asked.id}** {prose(asked.title)}: **{WORDS[result.outcome]}**{blocked}"
        if row.reason:
            yield f"  - {prose(row.reason)}"
        for finding in result.findings:
            yield f"  - {prose(finding.subject)}"
            yield f"    - expected: {code(finding.expected)}"
            yield f"    - actual: {code(finding.actual)}"
            if remedy := row.remedy(finding):
                yield f"    - remedy: {prose(remedy)}"
        if result.findings and stage.evidence:
            links = (f"[{prose(kept.name)}](evidence/{kept.sha256})" for kept in stage.evidence)
            yield f"  - evidence: {', '.join(links)}"
    yield ""


def _whose(cell: Cell) -> Iterator[str]:
    for one in cell.attributions:
        yield f"- whose {prose(about(one))} is: **{prose(one.words)}**"
        yield from (f"  - {prose(reason)}" for reason in one.reasons)


def _shown(run: Run, cell: Cell, kept: Mapping[str, Kept]) -> Iterator[str]:
    """Evidence that is worth a place on the page, a code span for each line: nothing in it can become markup."""
    for point in points(run, cell):
        for stage in point.stages:
            for one in stage.shown:
                text = kept[one.sha256].text
                if text is None:
                    continue
                yield f"## {prose(str(cell.pair))}: {stage.stage.title}, {prose(one.name)}"
                yield ""
                for line in text.splitlines()[:_SHOWN_LINES]:
                    nested = line.startswith(" ")
                    if line.strip():
                        yield f"{'  ' if nested else ''}- {code(line.strip()) if nested else prose(line)}"
                yield ""
