"""The kill matrix as one page that works from disk, offline; and as text for machines."""

from __future__ import annotations

import json
from pathlib import Path

import jinja2

from selftests.proof.matrix import JSON, exit_code

TEMPLATES = Path(__file__).parent
MARKS = {
    "guests": ("●", "caught on guests"),
    "also": ("◐", "fails too on guests: a declared dependent"),
    "facts": ("○", "caught on facts only"),
    "missed": ("✗", "missed"),
}


def as_text(document: JSON) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def render(document: JSON) -> str:
    """What ``kill-matrix.json`` holds, for people; of nothing else."""
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return templates.get_template("kill-matrix.html.j2").render(
        **document,
        rows=[
            (fault, {check["id"]: _mark(fault, check["id"]) for check in document["checks"]})
            for fault in document["faults"]
        ],
        marks=MARKS,
        code=exit_code(document["summary"]),
        by_run={one["run"]: one for one in document["runs"]},
    )


def _mark(fault: JSON, check_id: str) -> str:
    """What the fault shows of this check, the worst first; empty: nothing."""
    if any(check_id in one["missed"] for one in fault["on_guests"]) or check_id in fault["on_facts"]["missed"]:
        return "missed"
    if any(check_id in one["caught"] for one in fault["on_guests"]):
        return "guests"
    if any(check_id in one["also"] for one in fault["on_guests"]):
        return "also"
    return "facts" if check_id in fault["on_facts"]["caught"] else ""
