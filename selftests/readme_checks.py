"""Writes README's table of checks from the guideline: `python -m selftests.readme_checks`."""

from __future__ import annotations

from pathlib import Path

from golden_flows.guideline import load_guideline
from golden_flows.model.guideline import Level, Requirement
from golden_flows.model.stage import Point

README = Path(__file__).parent.parent / "README.md"
BEGIN, END = "a selftest fails when it is stale -->\n", "<!-- /checks -->"


def table() -> str:
    """A Markdown table, one row per check, grouped by point and stage."""
    rows = ["| id | stage | what must hold |", "|---|---|---|"]
    requirements = load_guideline().requirements
    for point in Point:
        rows.append(f"| | **{point.value}** | |")
        rows += [
            f"| {one.id} | {one.stage.title} | {one.title}{_remark(one)} |"
            for one in requirements
            if one.stage.point is point
        ]
    return "\n".join(rows) + "\n"


def _remark(one: Requirement) -> str:
    weight = "" if one.level is Level.REQUIRED else " *(advisory)*"
    return f"{weight} (with `{one.option}`)" if one.option else weight


def expected(text: str) -> str:
    """README's text with a fresh table."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}{table()}{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    README.write_text(expected(README.read_text("utf-8")), "utf-8")
