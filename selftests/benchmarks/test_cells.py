"""The benchmark of collecting and judging has a run that could be certified beside as many empty tests."""

from __future__ import annotations

from pathlib import Path

from benchmarks import cells
from golden_flows.guideline import load_checks


def test_a_run_on_ready_facts_judges_as_many_items_as_plain_pytest_has(tmp_path: Path) -> None:
    """A run that is not certified would have ended otherwise than with 0, which raises."""
    ours, plain = (cells._run(make(1, tmp_path), tmp_path) for make in (cells._ours, cells._plain))
    assert ours.items == plain.items > len(load_checks()) / 2
    assert ours.collection_cpu_s > 0
    assert (
        ours.frozen > 10_000
    )  # what the run has imported; without that, collecting ten cells costs twice plain pytest's
