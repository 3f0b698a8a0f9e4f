"""The comparison as one self-contained page that works from disk, offline, without a script."""

from __future__ import annotations

from pathlib import Path

from golden_flows.model.burst import duration
from golden_flows.model.matrix import Run
from golden_flows.model.outcome import Outcome
from reports.atomic import put_text
from reports.comparison.compare import EXIT_MEANINGS, Change, Comparison
from reports.comparison.text import ABSENT, became, counted, told
from reports.pages import templates
from reports.rows import SYMBOLS, WORDS, counts


def write(found: Comparison, path: Path) -> Path:
    return put_text(path, page(found))


def page(found: Comparison) -> str:
    known = templates()
    known.filters["duration"] = duration
    known.filters["told"] = told
    known.filters["became"] = became
    return known.get_template("compare.html.j2").render(
        found=found,
        counted=counted(found),
        required=[_required(run) for run in found.runs],
        changes=[one for one in Change if one is not Change.SAME],
        exit_meaning=EXIT_MEANINGS[found.exit_code],
        absent=ABSENT,
        symbols=SYMBOLS,
        words=WORDS,
        Change=Change,
    )


def _required(run: Run) -> dict[Outcome, int]:
    """How its required checks ended, over all pairs."""
    return counts(outcome for cell in run.cells for outcome in run.outcomes(cell))
