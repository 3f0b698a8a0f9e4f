"""What workers on other machines are told, and how what they write down comes home."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import execnet
import pytest

from golden_flows import suite
from golden_flows.errors import CloudError, RecordError, UsageError
from golden_flows.journal import Journal
from golden_flows.ledger import Ledger, read_ledger
from golden_flows.lending import Lender
from golden_flows.model.cloud import Pair
from golden_flows.model.plan import Plan
from golden_flows.model.stage import Stage
from golden_flows.session import RunContext, Session
from golden_flows.workspace import Workspace
from interop_tests.far_workers import FarWorker, far_hosts, gateways, joined, receive, told_to
from interop_tests.run import WORKER_KEY, InteropRun

PAIR = Pair("a", "b")


def config(*tx: str, dist: str = "load") -> pytest.Config:
    return cast(pytest.Config, SimpleNamespace(option=SimpleNamespace(tx=list(tx), dist=dist)))


def test_workers_are_counted_by_the_machine_they_are_asked_for_on() -> None:
    asked = config("2*ssh=one//python=/opt/p", "ssh=one//python=/opt/q", "ssh=two", "3*popen", "popen//python=python3")
    assert far_hosts(asked) == {"one": 3, "two": 1}
    assert far_hosts(config("2*popen", dist="no")) == {}
    assert sum(times for times, _ in gateways(asked)) == 8, "each takes memory"


def test_what_opens_the_lending_desk_of_this_machine_goes_to_no_other(tmp_path: Path) -> None:
    plan = Plan((PAIR,), ("EX-1",), "2026.11")
    context = RunContext("run-1", tmp_path, tmp_path, plan, lending_ticket="secret")
    run = SimpleNamespace(_run=SimpleNamespace(context=context, told={}), _hosts={"one": 1})
    run._config = SimpleNamespace(getoption=lambda name: False)
    tickets = []
    for spec in ("popen", "ssh=one"):
        node = SimpleNamespace(gateway=SimpleNamespace(spec=execnet.XSpec(spec)), workerinput={})
        InteropRun.pytest_configure_node(cast(InteropRun, run), node)
        tickets.append(RunContext.loads(node.workerinput[WORKER_KEY]).lending_ticket)
    assert tickets == ["secret", ""]


def test_gateways_without_distribution_are_refused() -> None:
    """pytest-xdist would say nothing and run it all here."""
    with pytest.raises(UsageError, match="--tx without -d"):
        far_hosts(config("ssh=one", dist="no"))


def test_an_option_and_its_folder_become_one_word(tmp_path: Path) -> None:
    folder = str(tmp_path)
    assert joined(["--results", folder, "--src", "a", folder, f"--x={folder}", folder]) == (
        f"--results={folder}",
        "--src",
        "a",
        folder,
        f"--x={folder}",
        folder,
    )


@pytest.fixture
def far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FarWorker:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    workspace = Workspace.create(tmp_path / "far", "run-gw0")
    beginning = Journal(workspace.results)
    beginning.write("run_started", run="run")
    beginning.close()
    lender = SimpleNamespace(close=lambda: None)
    return FarWorker(a_session(workspace.results), workspace, cast(Lender, lender), beginning.path.stat().st_size)


def a_session(folder: Path) -> Session:
    journal = Journal(folder)
    session = SimpleNamespace(journal=journal, end_cell=lambda: journal.write("note", text="cell over"))
    session.left_behind, session.disconnect = [], journal.close
    return cast(Session, session)


def test_everything_comes_home_once_in_order_and_with_its_evidence(far: FarWorker, tmp_path: Path) -> None:
    home = a_session(tmp_path / "home")
    told: list[dict[str, object]] = []
    home.journal.subscribe(told.append)
    far.session.journal.write("note", text="one\nline")
    kept = far.session.journal.evidence(PAIR, Stage.BOOT, "console", b"\x00words", source="far")
    receive(home, far.parcel())
    far.session.journal.write("note", text="two")
    receive(home, far.close())
    receive(home, None)
    home.disconnect()
    events = [json.loads(line) for line in (tmp_path / "home" / "journal.jsonl").read_text("utf-8").splitlines()]
    assert [one.get("text") or one.get("name") for one in events] == ["one\nline", "console", "two", "cell over"]
    assert events == told
    assert (tmp_path / "home" / "evidence" / kept.sha256).read_bytes() == b"\x00words"
    assert not far.workspace.results.exists()
    assert not far.workspace.scratch.exists()


def test_what_was_still_on_a_cloud_that_stopped_is_told_at_home(far: FarWorker, tmp_path: Path) -> None:
    far.session.left_behind.append("image one was still on a when it stopped")
    home = a_session(tmp_path / "home")
    receive(home, far.close())
    home.disconnect()
    assert home.left_behind == ["image one was still on a when it stopped"]


def test_what_could_not_be_deleted_stays_in_the_ledger_here_and_at_home(far: FarWorker, tmp_path: Path) -> None:
    Ledger(far.session.journal, "run").planned("b", "server", "interop-run-anne")
    home = a_session(tmp_path / "home")
    home.journal.write("run_started", run="run")
    receive(home, far.close())
    home.disconnect()
    for journal in (home.journal.path, far.session.journal.path):
        assert [one.name for one in read_ledger(journal)[1]] == ["interop-run-anne"]
    assert far.workspace.scratch.exists(), "`golden-flows clean` finds the run by it"


def test_a_worker_that_cannot_stop_its_clouds_keeps_its_ledger(far: FarWorker) -> None:
    def close() -> None:
        raise CloudError("cloud a does not stop")

    far.lender = cast(Lender, SimpleNamespace(close=close))
    with pytest.raises(CloudError):
        far.close()
    assert far.session.journal.path.is_file()
    assert far.workspace.scratch.exists()


def test_a_line_that_is_still_being_written_waits_for_the_next_parcel(far: FarWorker) -> None:
    far.session.journal.write("note", text="whole")
    with far.session.journal.path.open("ab") as torn:
        torn.write(b'{"event": "no')
    assert [json.loads(line)["text"] for line in far.parcel()["lines"]] == ["whole"]
    with far.session.journal.path.open("ab") as torn:
        torn.write(b'te", "text": "later"}\n')
    assert [json.loads(line)["text"] for line in far.parcel()["lines"]] == ["later"]
    far.close()


def test_evidence_that_was_damaged_on_the_way_is_no_evidence(tmp_path: Path) -> None:
    home = a_session(tmp_path)
    try:
        with pytest.raises(RecordError, match="did not arrive as it was sent"):
            receive(home, {"lines": [], "evidence": {"0" * 64: b"other"}})
        assert list((tmp_path / "evidence").iterdir()) == []
    finally:
        home.disconnect()


def test_another_suite_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that calls itself the same, and was changed since."""
    node = SimpleNamespace(gateway=SimpleNamespace(spec=execnet.XSpec("ssh=there")))
    told = told_to(node, {"there": 1}, {}, install=False)
    monkeypatch.setattr(suite, "sources_sha256", lambda: "ab" * 32)
    with pytest.raises(UsageError, match=rf"has golden-flows .* abababababab…, the run is of {suite.version()}, sou"):
        FarWorker.begin(cast(RunContext, None), "gw0", told)
