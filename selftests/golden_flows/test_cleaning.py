"""`golden-flows clean`: what it takes for dead, what it leaves alone, and which cloud it goes to."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from golden_flows import workspace
from golden_flows.cleaning import clean
from golden_flows.clouds.config import load_again
from golden_flows.errors import UsageError
from golden_flows.journal import Journal, is_held
from golden_flows.ledger import Ledger, read_ledger


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(clouds_file(tmp_path / "now.yaml", "other", 1)))
    return tmp_path / "cache"


def clouds_file(path: Path, name: str, port: int) -> Path:
    auth = {"auth_url": f"http://127.0.0.1:{port}/v3", "username": "u", "password": "not-a-secret", "project_name": "p"}
    auth |= {"user_domain_name": "Default", "project_domain_name": "Default"}
    path.write_text(json.dumps({"clouds": {name: {"auth": auth}}}), "utf-8")
    return path


def dead_pid() -> int:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


def killed_run(results: Path, run: str, *, reference: bool) -> Path:
    """Folders and journal of a run that was killed with one server open on cloud ``c``."""
    folder = results / run
    journal = Journal(folder)
    journal.write("run_started", run=run)
    journal.write("cloud", cloud="c", profile={}, clouds_yaml="/nowhere/clouds.yaml", auth_url="http://127.0.0.1:9/v3")
    if reference:
        journal.write("reference_cloud", cloud="c", pid=1, evidence="")
    ledger = Ledger(journal, run)
    ledger.created(ledger.planned("c", "server", f"interop-{run}-anne"), "id-1")
    journal.close()
    scratch = workspace.scratch_root() / run
    scratch.mkdir(parents=True)
    owner = {"pid": dead_pid(), "started_s": 1.0, "results": str(folder)}
    (scratch / workspace.OWNER_FILE).write_text(json.dumps(owner), "utf-8")
    return folder


def test_what_was_on_the_runs_own_clouds_is_ticked_off_and_the_second_time_there_is_nothing(tmp_path: Path) -> None:
    folder = killed_run(tmp_path / "results", "r1", reference=True)
    said: list[str] = []
    report = clean(tmp_path / "results", None, said.append)
    assert (report.scratch_removed, report.failures) == (1, [])
    assert any("1 resources ended with reference cloud 'c'" in line for line in said)
    assert read_ledger(folder / "journal.jsonl")[1] == ()
    assert list(workspace.scratch_root().iterdir()) == []
    said.clear()
    assert clean(tmp_path / "results", None, said.append).scratch_removed == 0
    assert said == []


def test_a_cloud_that_is_found_nowhere_keeps_its_entry_open(tmp_path: Path) -> None:
    folder = killed_run(tmp_path / "results", "r1", reference=False)
    report = clean(tmp_path / "results", "r1", lambda line: None)
    assert any("'c'" in line for line in report.failures)
    assert len(read_ledger(folder / "journal.jsonl")[1]) == 1


def test_a_live_run_is_left_alone_wherever_its_scratch_is(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "results" / "r1")
    journal.write("run_started", run="r1")
    ledger = Ledger(journal, "r1")
    ledger.planned("c", "server", "interop-r1-anne")
    assert is_held(journal.path)
    assert clean(tmp_path / "results", None, lambda line: None).failures == []
    with pytest.raises(UsageError, match="still at work"):
        clean(tmp_path / "results", "r1", lambda line: None)
    journal.close()
    assert not is_held(journal.path)
    assert clean(tmp_path / "results", "r1", lambda line: None).failures != []


def test_a_run_that_begins_this_moment_is_not_taken_for_dead(tmp_path: Path) -> None:
    (workspace.scratch_root() / "r2").mkdir(parents=True)
    assert list(workspace.abandoned_runs()) == []
    os.utime(workspace.scratch_root() / "r2", (1, 1))
    assert [one.run_id for one in workspace.abandoned_runs()] == ["r2"]


def test_only_reference_clouds_are_ended_not_whoever_looks_at_the_scratch(tmp_path: Path) -> None:
    killed_run(tmp_path / "results", "r1", reference=True)
    scratch = workspace.scratch_root() / "r1"
    argv = [sys.executable, "-c", "print(flush=True); import time; time.sleep(60)"]
    bystander = subprocess.Popen([*argv, str(scratch / "private" / "cloud.log")], stdout=subprocess.PIPE)
    cloud = subprocess.Popen([*argv, "refclouds", str(scratch / "private")], stdout=subprocess.PIPE)
    try:
        for process in (bystander, cloud):
            assert process.stdout is not None
            process.stdout.readline()  # it has its command line now, not pytest's
        clean(tmp_path / "results", "r1", lambda line: None)
        cloud.wait(10)
        assert bystander.poll() is None
    finally:
        for process in (bystander, cloud):
            process.kill()
            process.communicate()


def test_clean_finds_the_clouds_yaml_that_the_run_used(tmp_path: Path) -> None:
    then = clouds_file(tmp_path / "then.yaml", "c", 5000)
    assert load_again("c", str(then), "http://127.0.0.1:5000/v3").source_file == str(then)


def test_a_cloud_of_the_same_name_elsewhere_is_not_taken_for_it(tmp_path: Path) -> None:
    then = clouds_file(tmp_path / "then.yaml", "other", 5000)
    assert load_again("other", str(then), "http://127.0.0.1:5000/v3").source_file == str(then)
    then.unlink()
    with pytest.raises(UsageError, match=re.escape("and was http://127.0.0.1:5000/v3 then")):
        load_again("other", str(then), "http://127.0.0.1:5000/v3")
