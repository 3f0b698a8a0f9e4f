"""A fact that is missing blocks, breaks, or, where nobody was to look inside, settles the check."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from golden_flows.flows.golden_flow import GoldenFlow, StageFunction
from golden_flows.guideline import load_checks, load_guideline
from golden_flows.journal import Journal
from golden_flows.judging import judge
from golden_flows.model.facts import Facts
from golden_flows.model.outcome import Outcome
from golden_flows.model.stage import Stage
from selftests.golden_flows.checks.facts_builder import healthy_facts


class Told:
    """A story in which every stage has been told."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts

    def stages(self) -> dict[Stage, StageFunction]:
        return dict.fromkeys(Stage, lambda: None)

    def stage_over(self) -> None:
        pass


@pytest.mark.parametrize(
    ("auth", "missing", "outcome"),
    [
        ((), "files", Outcome.NOT_APPLICABLE),
        (("password",), "files", Outcome.BROKEN),
        ((), "auth", Outcome.BROKEN),
    ],
)
def test_a_fact_that_only_a_login_tells(tmp_path: Path, auth: tuple[str, ...], missing: str, outcome: Outcome) -> None:
    check = next(one for one in load_checks().values() if missing in one.needs)
    full = healthy_facts()
    facts = replace(full, dst=replace(full.dst, auth=auth), **{missing: None})  # type: ignore[arg-type]  # a field
    journal = Journal(tmp_path)
    result = judge(GoldenFlow(Told(facts), journal), load_guideline()[check.id], check)
    journal.close()
    assert result.outcome is outcome
    assert (outcome is not Outcome.NOT_APPLICABLE) or "no way in" in result.reason
