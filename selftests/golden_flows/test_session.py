"""What a run's processes tell one another."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from golden_flows.errors import CloudError
from golden_flows.flows.home import SourceImage
from golden_flows.flows.shared_source import SourceShelf
from golden_flows.guideline import load_checks, load_guideline
from golden_flows.journal import Journal
from golden_flows.ledger import Ledger
from golden_flows.model.cloud import Pair
from golden_flows.model.plan import Plan
from golden_flows.reference_clouds import ReferenceCloud
from golden_flows.session import RunContext, Session
from golden_flows.waiting import Deadline
from selftests.golden_flows.clouds.conftest import Drive, drive, golden

__all__ = ["drive", "golden"]


@pytest.mark.parametrize("image", [None, "golden-pocket"])
def test_a_worker_gets_the_whole_context(image: str | None, tmp_path: Path) -> None:
    plan = Plan((Pair("a", "b"),), ("EX-1", "BT-1"), "2026.11")
    context = RunContext(
        "run-1", tmp_path, tmp_path / "scratch", plan, image, ("a",), "ticket", keep_export=True, controls=False
    )
    assert RunContext.loads(context.dumps()) == context


@pytest.mark.parametrize(
    ("cells", "keep_export", "straight"),
    [([("a", "b")], False, True), ([("a", "b"), ("a", "c")], False, False), ([("a", "b"), ("c", "b")], True, False)],
    ids=["alone", "shared", "kept"],
)
def test_an_export_goes_straight_on_where_nobody_needs_a_copy(
    cells: list[tuple[str, str]], keep_export: bool, straight: bool, tmp_path: Path
) -> None:
    plan = Plan(tuple(Pair(*one) for one in cells), ("EX-1",), "2026.11")
    names = ("a", "b", "c")
    context = RunContext("run-1", tmp_path, tmp_path, plan, reference=names, keep_export=keep_export)
    session = Session.open(context, load_guideline(), {})
    assert session.goes_straight(Pair(*cells[0])) is straight
    session.disconnect()


def test_the_next_telling_asks_a_source_anew_that_gave_nothing(drive: Drive, tmp_path: Path) -> None:
    driven, pair, asked = drive("private"), Pair("private", "private"), []
    entry = {
        **driven.reference.auth("anne"),
        "region_name": "RegionOne",
        "interop": {"image": "golden-pocket", "networks": ["private"], "floating_network": "public"},
    }
    file = tmp_path / "clouds.yaml"
    file.write_text(yaml.safe_dump({"clouds": {"private": entry}}), "utf-8")

    def make(spool: Path) -> SourceImage:
        asked.append(spool)
        raise CloudError("it never came up")

    def take() -> None:
        shelf = SourceShelf(tmp_path / "exports")
        with pytest.raises(CloudError, match="it never came up"):
            shelf.take("private", make, lambda: None, Deadline.after(5))

    take()
    plan = Plan((pair,), ("EX-1",), "2026.11")
    context = RunContext("run-1", tmp_path / "results", tmp_path, plan, reference=("private",))
    session = Session.open(context, load_guideline(), load_checks())
    session.configs |= session.read_configs(["private"], [file])
    assert "it never came up" in session.judge(pair, "EX-1").reason
    assert session.tell_again(pair, 1)
    take()
    assert len(asked) == 2
    session.end_cell()
    session.disconnect()


def test_a_cloud_that_leaves_costs_no_other_cloud_s_entries(tmp_path: Path) -> None:
    """What a worker has open elsewhere stays the worker's: it will close it, and nobody may call it lost."""
    results, scratch = tmp_path / "results", tmp_path / "scratch"
    results.mkdir()
    scratch.mkdir()
    plan = Plan((Pair("a", "b"),), ("EX-1",), "2026.11")
    context = RunContext("run-1", results, scratch, plan, reference=("a", "b"))
    session = Session.open(context, load_guideline(), {})
    session.journal.write("run_started", run="run-1")
    worker = Ledger(Journal(results), "run-1", part="gw0")
    on_a, on_b = (
        worker.planned("a", "image", "interop-run-1-left-behind"),
        worker.planned("b", "image", "interop-run-1-under-way"),
    )
    worker.created(on_a, "1")
    worker.created(on_b, "2")
    process = subprocess.Popen(["true"], text=True)
    session.leave(ReferenceCloud("a", process))
    worker.gone(on_b)
    session.leave(ReferenceCloud("b", process))
    assert session.left_behind == ["image interop-run-1-left-behind was still on a when it stopped"]
    process.wait()
    session.disconnect()
