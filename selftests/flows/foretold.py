"""Whether `golden-flows plan` had told the truth about a run that was then made."""

from __future__ import annotations

import re
from collections import Counter

from golden_flows.journal import read_events
from golden_flows.planning.expecting import Ahead
from golden_flows.planning.plan import PlanAhead, draw_up
from golden_flows.preparation import Asked
from selftests.flows.interop import InteropResult

Made = Counter[tuple[str, str, str]]
"""(cloud, kind, name without the run's prefix)."""


def require_foretold(
    result: InteropResult,
    src: str,
    dst: str,
    *,
    image: str | None = None,
    return_trip: bool = False,
    burst: int = 0,
    whole: bool,
) -> None:
    """The run made what the plan says, and judged what the plan says; ``whole``: nothing less, either."""
    plan = draw_up(Asked([src], [dst], image=image, return_trip=return_trip, burst=burst))
    told = Counter((cloud, one.kind, one.name) for cloud, makes in plan.makes.items() for one in makes)
    made = _made(result)
    fleeting = {(cloud, one.kind, one.name) for cloud, makes in plan.makes.items() for one in makes if one.at_once}
    # What is deleted at once is made once more where a defect shut the first way.
    surplus = {one: count for one, count in (made - told).items() if whole or one not in fleeting}
    assert not surplus, f"made, and not planned: {surplus}"
    if whole:
        assert made == told, f"planned, and not made: {told - made}"
    _require_expected(result, plan, whole)


def _made(result: InteropResult) -> Made:
    """By the run's ledger: what was written down before it was made, refused or not."""
    made: Made = Counter()
    for event in read_events(result.folder / "journal.jsonl"):
        if event["event"] == "resource_planned":
            name = re.sub(r"^interop-\d{8}-\d{6}-[0-9a-f]+-", "", event["name"])
            made[event["cloud"], event["kind"], re.sub(r"^for-[0-9a-f-]{36}$", "for-SERVER", name)] += 1
    return made


def _require_expected(result: InteropResult, plan: PlanAhead, whole: bool) -> None:
    """Blocked and broken checks say nothing for or against; a defect may leave a check nothing to judge."""
    (cell,) = plan.cells
    not_applicable, judged = result.by_outcome("not-applicable"), result.by_outcome("pass") | result.by_outcome("fail")
    applies, does_not = set(cell.of(Ahead.APPLIES)), set(cell.of(Ahead.DOES_NOT))
    assert not does_not & judged, f"said to have nothing to judge: {does_not & judged}"
    assert not whole or not applies & not_applicable, f"said to apply: {applies & not_applicable}\n{result.explain()}"
