"""``allure-results/``: a folder that Allure Report reads, with the evidence attached.

Written through ``allure_commons``' own model and file logger, so that the format is Allure's business.
"""

from __future__ import annotations

import hashlib
import json
import mimetypes
import uuid
from datetime import datetime
from pathlib import Path

from allure_commons.logger import AllureFileLogger
from allure_commons.model2 import Attachment, Label, Link, Parameter, Status, StatusDetails, TestResult, TestStepResult

from golden_flows.model.evidence import Evidence
from golden_flows.model.matrix import Cell, Run
from golden_flows.model.outcome import Outcome
from reports.atomic import put_folder
from reports.rows import CheckRow, PointRows, StageRows, active_faults, evidence_words, exit_meaning, headline, points

NAME = "allure-results"

_STATUSES = {
    Outcome.PASS: Status.PASSED,
    Outcome.FAIL: Status.FAILED,
    Outcome.BROKEN: Status.BROKEN,
    Outcome.NOT_RUN: Status.BROKEN,
    Outcome.BLOCKED: Status.SKIPPED,
    Outcome.NOT_APPLICABLE: Status.SKIPPED,
}

CATEGORIES = [
    {"name": "Nonconformance: a cloud is wrong", "matchedStatuses": [Status.FAILED]},
    {"name": "Never executed", "matchedStatuses": [Status.BROKEN], "messageRegex": "(?s)not-run.*"},
    {"name": "Broken: we could not find out", "matchedStatuses": [Status.BROKEN], "messageRegex": "(?s)broken.*"},
    {"name": "Blocked by an earlier stage", "matchedStatuses": [Status.SKIPPED], "messageRegex": "(?s)blocked.*"},
    {"name": "Not applicable", "matchedStatuses": [Status.SKIPPED], "messageRegex": "(?s)not-applicable.*"},
]


def write(run: Run, folder: Path) -> Path:
    def fill(target: Path) -> None:
        logger = AllureFileLogger(str(target))
        for cell in run.cells:
            rows = points(run, cell)
            for point in rows:
                for stage in point.stages:
                    _copy(logger, stage.evidence, folder)
                    for row in stage.checks:
                        logger.report_result(_result(run, cell, rows, point, stage, row, folder))
        (target / "categories.json").write_text(json.dumps(CATEGORIES, indent=2), "utf-8")
        (target / "environment.properties").write_text(_environment(run), "ascii")

    return put_folder(folder / NAME, fill)


def _source(one: Evidence) -> str:
    """Name of the attached copy; the same bytes are kept once, however many checks rest on them."""
    return f"{one.sha256}-attachment{mimetypes.guess_extension(one.media_type) or '.bin'}"


def _copy(logger: AllureFileLogger, evidence: tuple[Evidence, ...], folder: Path) -> None:
    for one in evidence:
        kept = folder / "evidence" / one.sha256
        if kept.is_file():
            logger.report_attached_file(str(kept), _source(one))


def _result(
    run: Run, cell: Cell, rows: tuple[PointRows, ...], point: PointRows, stage: StageRows, row: CheckRow, folder: Path
) -> TestResult:
    identity = f"{cell.pair.src}\0{cell.pair.dst}\0{row.requirement.id}"
    began_ms = _ms(stage.run.started_at if stage.run and stage.run.started_at else run.started_at)
    ended_ms = began_ms + round(1000 * ((stage.run.seconds if stage.run else 0.0) + row.result.seconds))
    return TestResult(
        uuid=str(uuid.uuid5(uuid.NAMESPACE_URL, f"{run.id}\0{identity}")),
        historyId=hashlib.sha256(identity.encode("utf-8", "replace")).hexdigest(),
        testCaseId=hashlib.sha256(row.requirement.id.encode()).hexdigest(),
        name=f"{row.requirement.id} {row.requirement.title}",
        fullName=f"golden_flow.{cell.pair.id}.{row.requirement.id}",
        titlePath=[str(cell.pair), point.point.value, stage.stage.title],
        status=_STATUSES[row.result.outcome],
        statusDetails=_details(row),
        stage="finished",
        description=f"Source of the expectation: {row.requirement.source}",
        start=began_ms,
        stop=ended_ms,
        labels=_labels(cell, point, stage, row),
        links=[Link(type="link", url=row.requirement.source, name="source")]
        if row.requirement.source.startswith("https://")
        else [],
        parameters=[
            Parameter(name="pair", value=str(cell.pair)),
            Parameter(name="evidence", value=evidence_words(cell)),
        ],
        steps=_steps(rows, stage),
        attachments=[
            Attachment(name=f"{one.name} ({one.source})", source=_source(one), type=one.media_type)
            for one in stage.evidence
            if (folder / "evidence" / one.sha256).is_file()
        ],
    )


def _details(row: CheckRow) -> StatusDetails | None:
    if row.result.outcome is Outcome.PASS:
        return StatusDetails(message="passed with " + ", ".join(row.result.flags)) if row.result.flags else None
    trace = "\n\n".join(
        f"{one.subject}\n  expected: {one.expected}\n  actual:   {one.actual}\n  remedy:   {row.remedy(one)}"
        for one in row.result.findings
    )
    return StatusDetails(message=headline(row), trace=trace or None)


def _labels(cell: Cell, point: PointRows, stage: StageRows, row: CheckRow) -> list[Label]:
    pairs = {
        "parentSuite": str(cell.pair),
        "suite": point.point.value,
        "subSuite": stage.stage.title,
        "epic": point.point.value,
        "feature": stage.stage.title,
        "story": str(cell.pair),
        "severity": "critical" if row.requirement.level.value == "required" else "minor",
        "framework": "golden-flows",
    }
    labels = [Label(name=name, value=value) for name, value in pairs.items()]
    tags = (row.requirement.level.value, row.result.outcome.value, *row.result.flags)
    return labels + [Label(name="tag", value=one) for one in tags]


def _steps(rows: tuple[PointRows, ...], until: StageRows) -> list[TestStepResult]:
    """How the cell got here: the stages begun, in the order of the story, up to this check's."""
    begun = sorted((one for point in rows for one in point.stages if one.run), key=_story)
    steps = []
    for one in begun:
        if one.run is None or _story(one) > _story(until):
            continue
        start_ms = _ms(one.run.started_at) if one.run.started_at else None
        step = TestStepResult(name=one.stage.title, status=_STATUSES[one.run.outcome], stage="finished", start=start_ms)
        step.stop = start_ms + round(1000 * one.run.seconds) if start_ms is not None else None
        step.statusDetails = StatusDetails(message=one.run.detail) if one.run.detail else None
        steps.append(step)
    return steps


def _story(rows: StageRows) -> int:
    return list(type(rows.stage)).index(rows.stage)


def _ms(moment: datetime) -> int:
    return round(1000 * moment.timestamp())


def _environment(run: Run) -> str:
    """Java properties: ASCII, everything else escaped."""
    pairs = {
        "run": run.id,
        "suite_version": run.suite_version,
        "guideline": run.guideline.version,
        "plan_sha256": run.plan_sha256,
        "exit_code": f"{run.exit_code.value} ({exit_meaning(run)})",
        **{f"evidence.{cell.pair.id}": evidence_words(cell) for cell in run.cells},
        **{f"active_faults.{cell.pair.id}": ", ".join(active_faults(cell)) or "none" for cell in run.cells},
        **{f"host.{key}": value for key, value in run.host.items()},
    }
    return "".join(f"{_escape(key, '=:#! ')}={_escape(value)}\n" for key, value in pairs.items())


def _escape(text: str, also: str = "") -> str:
    units = text.encode("utf-16-be", "replace")
    codes = (int.from_bytes(units[at : at + 2], "big") for at in range(0, len(units), 2))
    plain = set(range(0x20, 0x7F)) - {ord(one) for one in "\\" + also}
    return "".join(chr(code) if code in plain else f"\\u{code:04x}" for code in codes)
