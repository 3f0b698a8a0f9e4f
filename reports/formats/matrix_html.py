"""``matrix.html``: the matrix as one self-contained page that works from disk, offline.

What guests and clouds wrote is hostile: everything is escaped by the template engine, and a content security policy
lets no script run but our own, by its hash.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import jinja2

from golden_flows.model.burst import duration
from golden_flows.model.cloud import Pair
from golden_flows.model.guideline import Level
from golden_flows.model.matrix import Cell, Run
from golden_flows.model.outcome import Outcome
from reports import ramp
from reports.atomic import put_text
from reports.certificate.places import FOLDER, PAGES, folder_name
from reports.grid import grid, is_grid, troubles
from reports.kept import Kept, passages, read_kept
from reports.pages import templates
from reports.rows import (
    MEANINGS,
    SYMBOLS,
    WORDS,
    Judgement,
    PointRows,
    StageRows,
    about,
    active_faults,
    active_variants,
    check_rows,
    counts,
    evidence_details,
    evidence_words,
    exit_meaning,
    judge,
    points,
)

NAME = "matrix.html"


@dataclass(frozen=True)
class Column:
    """One pair as the template wants it."""

    cell: Cell
    judgement: Judgement
    evidence: str
    details: tuple[str, ...]
    faults: tuple[str, ...]
    variants: tuple[str, ...]
    points: tuple[PointRows, ...]
    counts: dict[Outcome, int]
    """Of the required checks."""
    advisory_fails: int
    begun: tuple[StageRows, ...]
    """Stages that took time, in the order of the story."""
    said: tuple[str, ...]
    """What was found by the checks that failed; it may quote lines of the evidence."""
    certificate: str | None
    """Where its certificate is, as a link from the page; None where there is none."""

    @property
    def seconds(self) -> float:
        return sum(one.run.seconds for one in self.begun if one.run)


def write(run: Run, folder: Path) -> Path:
    return put_text(folder / NAME, page(run, read_kept(run, folder), certificates(run, folder)))


def certificates(run: Run, folder: Path) -> dict[Pair, str]:
    """Links to those that lie beside the run, by pair; a pair that is not compatible has none, whatever lies there."""
    places = {cell.pair: f"{FOLDER}/{folder_name(cell.pair)}/{PAGES[0]}" for cell in run.cells}
    earned = (cell.pair for cell in run.cells if judge(run, cell) is Judgement.COMPATIBLE)
    return {pair: quote(places[pair], safe="/+") for pair in earned if (folder / places[pair]).is_file()}


def page(run: Run, kept: dict[str, Kept], certified: Mapping[Pair, str]) -> str:
    found = templates()
    found.filters["duration"] = duration
    found.filters["passages"] = passages
    found.filters["about"] = about
    found.filters["ramp_words"] = ramp.words
    found.filters["ramp_picture"] = ramp.picture
    columns = [_column(run, cell, certified.get(cell.pair)) for cell in run.cells]
    overview = grid(run) if is_grid(run) else None
    return found.get_template("matrix.html.j2").render(
        run=run,
        columns=columns,
        faults=list(dict.fromkeys(fault for one in columns for fault in one.faults)),
        variants=list(dict.fromkeys(variant for one in columns for variant in one.variants)),
        longest_s=max((one.seconds for one in columns), default=0.0) or 1.0,
        grid=overview,
        squares=list(overview.squares.values()) if overview else [],
        judgements={one: n for one in Judgement if (n := sum(column.judgement is one for column in columns))},
        troubles=troubles(run, overview) if overview else (),
        kept=kept,
        script_hash=_hash(found, "matrix.js"),
        exit_meaning=exit_meaning(run),
        symbols=SYMBOLS,
        words=WORDS,
        meanings=MEANINGS,
        Outcome=Outcome,
        Level=Level,
    )


def _column(run: Run, cell: Cell, certificate: str | None) -> Column:
    rows = points(run, cell)
    story = list(type(rows[0].stages[0].stage)) if rows else []
    begun = sorted((one for point in rows for one in point.stages if one.tried), key=lambda one: story.index(one.stage))
    fails = [row for _, row in check_rows(run, cell) if row.result.outcome is Outcome.FAIL]
    return Column(
        cell=cell,
        judgement=judge(run, cell),
        evidence=evidence_words(cell),
        details=evidence_details(cell),
        faults=active_faults(cell),
        variants=active_variants(cell),
        points=rows,
        counts=counts(run.outcomes(cell)),
        advisory_fails=sum(row.requirement.level is not Level.REQUIRED for row in fails),
        begun=tuple(begun),
        said=tuple(finding.actual for row in fails for finding in row.result.findings),
        certificate=certificate,
    )


def _hash(found: jinja2.Environment, name: str) -> str:
    """Source expression of an inline script for the content security policy."""
    digest = hashlib.sha256(found.get_template(name).render().encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
