"""``results.json``: the whole run for machines. Its schema is ``reports/results.schema.json``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from golden_flows.model.attribution import Attribution
from golden_flows.model.burst import Ramp
from golden_flows.model.cloud import Profile
from golden_flows.model.evidence import Evidence
from golden_flows.model.finding import Finding
from golden_flows.model.matrix import Cell, Run
from reports.atomic import put_text
from reports.rows import (
    CheckRow,
    PointRows,
    StageRows,
    active_faults,
    active_variants,
    counts,
    evidence_details,
    evidence_level,
    exit_meaning,
    judge,
    points,
)

NAME = "results.json"

SCHEMA = 1
"""Raised when a reader of the older form would misread the newer one; new keys alone do not raise it."""

JSON = dict[str, Any]


def write(run: Run, folder: Path) -> Path:
    text = json.dumps(document(run), ensure_ascii=False, indent=2, allow_nan=False)
    return put_text(folder / NAME, text + "\n")


def document(run: Run) -> JSON:
    """The run as the JSON Schema describes it."""
    return {
        "schema": SCHEMA,
        "run": run.id,
        "started_at": run.started_at.isoformat(),
        "ended_at": run.ended_at.isoformat() if run.ended_at else None,
        "suite_version": run.suite_version,
        "guideline": run.guideline.version,
        "plan": list(run.plan),
        "plan_sha256": run.plan_sha256,
        "exit_code": run.exit_code.value,
        "exit_meaning": exit_meaning(run),
        "host": dict(run.host),
        "kill_matrix": asdict(run.kill_matrix) if run.kill_matrix else None,
        "waivers": [asdict(one) | {"until": one.until.isoformat()} for one in run.waivers],
        "notes": list(run.notes),
        "cells": [_cell(run, cell) for cell in run.cells],
    }


def _cell(run: Run, cell: Cell) -> JSON:
    level = evidence_level(cell)
    return {
        "src": cell.pair.src,
        "dst": cell.pair.dst,
        "judgement": judge(run, cell).value,
        "verdict": run.verdict(cell).value,
        "evidence_level": level.value if level else None,
        "evidence_detail": "; ".join(evidence_details(cell)),
        "active_faults": list(active_faults(cell)),
        "active_variants": list(active_variants(cell)),
        "clouds": [_cloud(one) for one in dict.fromkeys((cell.src, cell.dst)) if one],
        "counts": {
            "required": {one.value: n for one, n in counts(run.outcomes(cell)).items()},
            "all": {one.value: n for one, n in counts(run.outcomes(cell, required_only=False)).items()},
        },
        "burst": _burst(cell.burst) if cell.burst else None,
        "attributions": [_attribution(one) for one in cell.attributions],
        "points": [_point(one) for one in points(run, cell)],
    }


def _attribution(one: Attribution) -> JSON:
    return {
        "stage": one.stage.value,
        "checks": list(one.checks),
        "party": one.party.value if one.party else None,
        "suspects": [suspect.value for suspect in one.suspects],
        "words": one.words,
        "reasons": list(one.reasons),
        "controls": [
            {"control": control.value, "title": control.title, "shown": answer.shown.value, "words": answer.words}
            for control, answer in one.answers.items()
        ],
    }


def _burst(ramp: Ramp) -> JSON:
    return {
        "asked": ramp.asked,
        "way": ramp.way,
        "up": len(ramp.up_s),
        "first_s": ramp.first_s,
        "median_s": ramp.median_s,
        "last_s": ramp.last_s,
        "active_s": list(ramp.active_s),
        "up_s": list(ramp.up_s),
        "lacking": list(ramp.lacking),
    }


def _cloud(profile: Profile) -> JSON:
    return {
        "cloud": profile.cloud,
        "hypervisor": profile.hypervisor,
        "image_format": profile.image_format,
        "auth": list(profile.auth),
        "channels": list(profile.channels),
        "agent": profile.agent,
        "evidence_level": profile.evidence_level.value,
        "evidence_detail": profile.evidence_detail,
        "active_faults": list(profile.active_faults),
        "active_variants": list(profile.active_variants),
    }


def _point(rows: PointRows) -> JSON:
    return {
        "point": rows.point.value,
        "outcome": rows.outcome.value,
        "words": rows.words,
        "stages": [_stage(one) for one in rows.stages],
    }


def _stage(rows: StageRows) -> JSON:
    ran = rows.run
    return {
        "stage": rows.stage.value,
        "title": rows.stage.title,
        "outcome": ran.outcome.value if ran else "not-run",
        "seconds": ran.seconds if ran else None,
        "started_at": ran.started_at.isoformat() if ran and ran.started_at else None,
        "detail": ran.detail if ran else "",
        "evidence": [_evidence(one) for one in rows.evidence],
        "checks": [_check(one) for one in rows.checks],
    }


def _evidence(one: Evidence) -> JSON:
    return {
        "name": one.name,
        "sha256": one.sha256,
        "size_bytes": one.size_bytes,
        "media_type": one.media_type,
        "source": one.source,
        "captured_at": one.captured_at.isoformat(),
    }


def _check(row: CheckRow) -> JSON:
    result = row.result
    return {
        "id": row.requirement.id,
        "title": row.requirement.title,
        "level": row.requirement.level.value,
        "planned": row.planned,
        "outcome": result.outcome.value,
        "findings": [_finding(row, one) for one in result.findings],
        "reason": row.reason,
        "blocked_by": result.blocked_by.value if result.blocked_by else None,
        "seconds": result.seconds,
        "flags": list(result.flags),
    }


def _finding(row: CheckRow, one: Finding) -> JSON:
    return {"subject": one.subject, "expected": one.expected, "actual": one.actual, "remedy": row.remedy(one)}
