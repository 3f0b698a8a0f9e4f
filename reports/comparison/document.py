"""The comparison for machines."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from golden_flows.model.matrix import Result, Run
from reports.atomic import put_text
from reports.comparison.compare import EXIT_MEANINGS, Change, Comparison, Line
from reports.rows import counts

SCHEMA = 1
"""Raised when a reader of the older form would misread the newer one; new keys alone do not raise it."""

JSON = dict[str, Any]


def write(found: Comparison, path: Path) -> Path:
    return put_text(path, json.dumps(document(found), ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def document(found: Comparison) -> JSON:
    """Runs oldest first, everything that is not as it was, and how much is."""
    return {
        "schema": SCHEMA,
        "guideline": found.runs[-1].guideline.version,
        "exit_code": found.exit_code.value,
        "exit_meaning": EXIT_MEANINGS[found.exit_code],
        "notes": list(found.notes),
        "runs": [_run(one) for one in found.runs],
        "pairs": [
            {
                "src": one.pair.src,
                "dst": one.pair.dst,
                "judgements": [judgement.value if judgement else None for judgement in one.judgements],
                "change": one.change.value,
            }
            for one in found.pairs
        ],
        "counts": {change.value: number for change, number in found.counts.items()} | {"flaky": len(found.flaky)},
        "checks": [_line(one) for one in found.lines if one.flaky or one.change is not Change.SAME],
    }


def _run(run: Run) -> JSON:
    return {
        "run": run.id,
        "started_at": run.started_at.isoformat(),
        "ended_at": run.ended_at.isoformat() if run.ended_at else None,
        "suite_version": run.suite_version,
        "exit_code": run.exit_code.value,
        "required": {
            one.value: number
            for one, number in counts(outcome for cell in run.cells for outcome in run.outcomes(cell)).items()
        },
    }


def _line(one: Line) -> JSON:
    return {
        "src": one.pair.src,
        "dst": one.pair.dst,
        "id": one.requirement.id,
        "title": one.requirement.title,
        "level": one.requirement.level.value,
        "change": one.change.value,
        "flaky": one.flaky,
        "results": [_result(result) for result in one.results],
        "findings": [
            asdict(finding) | {"remedy": finding.remedy or one.requirement.remedy}
            for finding in (one.now.findings if one.now else ())
        ],
    }


def _result(result: Result | None) -> JSON | None:
    if result is None:
        return None
    return {"outcome": result.outcome.value, "reason": result.reason, "flags": list(result.flags)}
