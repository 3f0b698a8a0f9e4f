"""``results.subunit``: a subunit v2 stream, as OpenStack's own tools read it (``stestr load``, ``subunit2html``).

A test for each check of each pair, through testtools. Subunit knows success, failure and skip: what we could not find
out, and what never ran, are failures; tags say which, and how the check weighs.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO

from subunit import StreamResultToBytes
from testtools import ExtendedToStreamDecorator, PlaceHolder
from testtools.content import Content, text_content

from golden_flows.model.matrix import Cell, Run
from golden_flows.model.outcome import Outcome
from reports.atomic import put_file
from reports.rows import CheckRow, StageRows, check_rows, explanation, headline

NAME = "results.subunit"

_WAYS = {
    Outcome.PASS: "addSuccess",
    Outcome.FAIL: "addFailure",
    Outcome.BROKEN: "addError",
    Outcome.NOT_RUN: "addError",
    Outcome.BLOCKED: "addSkip",
    Outcome.NOT_APPLICABLE: "addSkip",
}


def write(run: Run, folder: Path) -> Path:
    def fill(file: BinaryIO) -> None:
        result: Any = ExtendedToStreamDecorator(StreamResultToBytes(file))  # testtools' own types do not know it
        result.startTestRun()
        for cell in run.cells:
            for stage, row in check_rows(run, cell):
                _test(run, cell, stage, row).run(result)
        result.stopTestRun()

    return put_file(folder / NAME, fill)


def _test(run: Run, cell: Cell, stage: StageRows, row: CheckRow) -> PlaceHolder:
    began = stage.run.started_at if stage.run and stage.run.started_at else run.started_at
    # A check is instant; the time went into the stage whose facts it judges, and is not counted once for each.
    ended = began + timedelta(seconds=row.result.seconds)
    return PlaceHolder(
        f"golden_flow.{cell.pair.id}.{row.requirement.id}",
        short_description=row.requirement.title,
        details=_details(stage, row),
        outcome=_WAYS[row.result.outcome],
        tags=frozenset((row.result.outcome.value, row.requirement.level.value, stage.stage.value, *row.result.flags)),
        timestamps=(began, ended),
    )


def _details(stage: StageRows, row: CheckRow) -> dict[str, Content]:
    """What the tools show: the reason of a skip, the text of a failure; where the evidence is."""
    found = {}
    if row.result.outcome in (Outcome.BLOCKED, Outcome.NOT_APPLICABLE):
        found["reason"] = headline(row)
    elif row.result.outcome is not Outcome.PASS:
        found["traceback"] = f"{row.requirement.title}\n{headline(row)}\n{explanation(row)}"
    if stage.evidence:
        found["evidence"] = "\n".join(f"evidence/{one.sha256}  {one.name}, {one.source}" for one in stage.evidence)
    return {name: text_content(text) for name, text in found.items()}
