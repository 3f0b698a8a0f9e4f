"""Writes docs/checks.md from the guideline: `python -m selftests.checks_page`."""

from __future__ import annotations

from pathlib import Path

from refclouds.faults import FAULTS

from golden_flows.guideline import load_guideline
from golden_flows.model.guideline import Requirement
from golden_flows.model.stage import Point

PAGE = Path(__file__).parent.parent / "docs" / "checks.md"
_HEAD = """\
<!-- written from the guideline by `python -m selftests.checks_page`; a selftest fails when it is stale -->
# Every check of guideline {version}

In the order of the story, by point of compatibility. *required*: a certificate needs it to pass, or
to be proved not applicable. *advisory*: shown, and decides nothing. A fault is a defect that a reference cloud can be
told to have (`golden-flows faults`, `--fault CLOUD:NAME`), and that the check is proved to catch. The guideline itself
is golden_flows/guidelines/{version}.toml, and has a [schema](../golden_flows/guidelines/guideline.schema.json).
"""


def page() -> str:
    """The whole page."""
    guideline = load_guideline()
    parts = [_HEAD.format(version=guideline.version)]
    for point in Point:
        parts.append(f"## {point.value}\n")
        parts += [_entry(one) for one in guideline.requirements if one.stage.point is point]
    parts.append("## What cannot be observed\n\nThese are in the catalogue of checks, and no cell can show them.\n")
    parts += [f"### {one.id}: {one.title}\n\n{one.why}\n" for one in guideline.not_observable]
    return "\n".join(parts)


def _entry(one: Requirement) -> str:
    option = f", with `{one.option}`" if one.option else ""
    faults = ", ".join(f"`{name}` ({FAULTS[name].title})" for name in one.faults)
    lines = [
        f"### {one.id}: {one.title}",
        "",
        f"*{one.level.value}*, stage {one.stage.title}{option}.",
        "",
        f"- applies: {one.applies or 'everywhere'}",
        f"- source: {one.source}",
        f"- remedy: {one.remedy}",
        f"- faults: {faults or 'none that a cloud could have; proved on facts'}",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
