"""``junit.xml`` for CI systems: a test suite per cell, a test case per check.

JUnit knows pass, failure, error and skipped. What we could not find out and what never ran are errors; blocked and
not applicable are skipped, and the message says which, so that neither looks like a pass.
"""

from __future__ import annotations

import io
from pathlib import Path

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from golden_flows.model.matrix import Cell, Run
from golden_flows.model.outcome import Outcome
from reports.atomic import put_bytes
from reports.rows import (
    CheckRow,
    about,
    active_faults,
    active_variants,
    check_rows,
    evidence_details,
    evidence_words,
    explanation,
    headline,
    judge,
)

NAME = "junit.xml"

_ELEMENTS = {
    Outcome.FAIL: Failure,
    Outcome.BROKEN: Error,
    Outcome.NOT_RUN: Error,
    Outcome.BLOCKED: Skipped,
    Outcome.NOT_APPLICABLE: Skipped,
}


def write(run: Run, folder: Path) -> Path:
    document = JUnitXml("golden flows")
    for cell in run.cells:
        document.add_testsuite(_suite(run, cell))
    content = io.BytesIO()
    document.write(content, pretty=True)
    return put_bytes(folder / NAME, content.getvalue())


def _suite(run: Run, cell: Cell) -> TestSuite:
    suite = TestSuite(f"golden_flow.{cell.pair.id}")
    suite.timestamp = run.started_at.strftime("%Y-%m-%dT%H:%M:%S")
    for name, value in _properties(run, cell).items():
        suite.add_property(name, value)
    for _, row in check_rows(run, cell):
        suite.add_testcase(_case(cell, row))
    suite.update_statistics()
    # A check is instant; the time went into the stages whose facts it judges.
    suite.time = round(sum(one.seconds for one in cell.stages), 3)
    return suite


def _properties(run: Run, cell: Cell) -> dict[str, str]:
    return {
        "run": run.id,
        "pair": str(cell.pair),
        "judgement": judge(run, cell).value,
        "evidence_level": evidence_words(cell),
        "evidence_detail": "; ".join(evidence_details(cell)),
        "active_faults": ", ".join(active_faults(cell)) or "none",
        "active_variants": ", ".join(active_variants(cell)) or "none",
        "guideline": run.guideline.version,
        "suite_version": run.suite_version,
        "plan_sha256": run.plan_sha256,
        "started_at": run.started_at.isoformat(),
        "ended_at": run.ended_at.isoformat() if run.ended_at else "never: killed or still running",
        "exit_code": str(run.exit_code.value),
        "whose": "; ".join(f"{about(one)}: {one.words}" for one in cell.attributions) or "nobody was asked",
        **{f"seconds.{one.stage.value}": f"{one.seconds:.3f}" for one in cell.stages},
    }


def _case(cell: Cell, row: CheckRow) -> TestCase:
    case = TestCase(f"{row.requirement.id} {row.requirement.title}", f"golden_flow.{cell.pair.id}", row.result.seconds)
    element = _ELEMENTS.get(row.result.outcome)
    if element is not None:
        said = element(headline(row), row.result.outcome.value)
        said.text = explanation(row)
        case.result = [said]
    elif row.result.flags:
        case.system_out = "passed with " + ", ".join(row.result.flags)
    return case
