"""What a run's processes tell one another."""

from __future__ import annotations

from pathlib import Path

import pytest

from golden_flows.model.cloud import Pair
from golden_flows.session import Plan, RunContext


@pytest.mark.parametrize("image", [None, "golden-pocket"])
def test_a_worker_gets_the_whole_context(image: str | None, tmp_path: Path) -> None:
    plan = Plan((Pair("a", "b"),), ("EX-1", "BT-1"), "2026.11")
    context = RunContext("run-1", tmp_path, tmp_path / "scratch", plan, (tmp_path / "clouds.yaml",), image)
    assert RunContext.loads(context.dumps()) == context
