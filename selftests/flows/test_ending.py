"""However a run ends, nothing stays behind: signals and kills at real runs, and `golden-flows clean` after them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import yaml

from golden_flows.clouds.cloud import connect
from golden_flows.clouds.config import load_clouds
from golden_flows.journal import Journal
from golden_flows.ledger import Ledger, read_ledger
from golden_flows.workspace import scratch_root

pytestmark = [pytest.mark.qemu, pytest.mark.usefixtures("heeded_signals")]

PROGRAM = (sys.executable, "-c", "from interop_tests.cli import main; main()")
GONE_S = 15.0


class Running:
    """A run of the suite as a shell starts it: leader of a process group of its own."""

    def __init__(self, results: Path, environment: dict[str, str], *options: str) -> None:
        argv = [*PROGRAM, "run", "--src", "private", "--dst", "public-lite", "-p", "no:cacheprovider"]
        self.results, self.told = results, ""
        self.process = subprocess.Popen(
            [*argv, *options, "--results", str(results)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**environment, "COLUMNS": "200"},
            start_new_session=True,
        )

    def until(self, pattern: str) -> None:
        for line in self.process.stdout or ():
            self.told += line
            if re.search(pattern, line):
                return
        pytest.fail(f"the run ended before it said {pattern!r}:\n{self.told}")

    def end(self) -> int:
        rest, _ = self.process.communicate(timeout=90)
        self.told += rest
        return self.process.returncode

    @property
    def id(self) -> str:
        (folder,) = (one for one in self.results.iterdir() if not one.is_symlink())
        return folder.name

    @property
    def journal(self) -> Path:
        return self.results / self.id / "journal.jsonl"


def golden_flows(*arguments: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *arguments], capture_output=True, text=True, timeout=90, env=environment, check=False
    )


def left_of(run: str) -> list[str]:
    """Command lines that name the run's scratch, once they have had a moment to end."""
    until_s = time.monotonic() + GONE_S
    while True:
        lines = [" ".join(one.info["cmdline"] or ()) for one in psutil.process_iter(["cmdline"])]
        left = [line for line in lines if str(scratch_root() / run) in line]
        if not left or time.monotonic() > until_s:
            return left
        time.sleep(0.2)


@pytest.fixture
def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("OS_")}


def test_ctrl_c_twice_leaves_no_process_and_an_honest_ledger(tmp_path: Path, environment: dict[str, str]) -> None:
    run = Running(tmp_path, environment)
    run.until("waiting for the guest agent")
    for _ in range(2):
        os.killpg(run.process.pid, signal.SIGINT)
        time.sleep(0.2)
    assert run.end() == 3, run.told
    assert left_of(run.id) == []
    assert not (scratch_root() / run.id).exists()
    document = json.loads((tmp_path / "latest" / "results.json").read_text("utf-8"))
    assert document["exit_code"] == 3
    cleaned = golden_flows("clean", "--run", run.id, "--results", str(tmp_path), environment=environment)
    assert cleaned.returncode == 0, cleaned.stderr
    assert read_ledger(run.journal)[1] == ()


def test_sigterm_while_clouds_start_leaves_nothing(tmp_path: Path, environment: dict[str, str]) -> None:
    run = Running(tmp_path / "results", environment)
    run.until("(private|public-lite): starting")
    (scratch,) = (one for one in scratch_root().iterdir() if str(run.results) in (one / "owner.json").read_text())
    run.process.send_signal(signal.SIGTERM)
    assert run.end() == 3
    assert "nothing is left" in run.told
    assert left_of(scratch.name) == []
    assert not scratch.exists()
    assert not run.results.exists()


def test_a_killed_run_takes_its_clouds_along_and_clean_does_the_rest_once(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    run = Running(tmp_path, environment)
    run.until("waiting for the guest agent")
    refused = golden_flows("clean", "--run", run.id, "--results", str(tmp_path), environment=environment)
    assert (refused.returncode, "still at work" in refused.stderr) == (2, True)
    run.process.kill()
    run.end()
    assert left_of(run.id) == []
    assert read_ledger(run.journal)[1] != ()
    arguments = ("clean", "--run", run.id, "--results", str(tmp_path))
    first = golden_flows(*arguments, environment=environment)
    assert (first.returncode, "1 scratch folders removed" in first.stdout) == (0, True), first.stdout + first.stderr
    assert not (scratch_root() / run.id).exists()
    assert read_ledger(run.journal)[1] == ()
    second = golden_flows(*arguments, environment=environment)
    assert second.stdout == "0 resources removed, 0 scratch folders removed\n"


@pytest.fixture
def standing(tmp_path: Path, environment: dict[str, str]) -> Iterator[Path]:
    """A clouds.yaml of two clouds that stay up when a run is killed."""
    environment["XDG_STATE_HOME"] = str(tmp_path / "state")
    up = golden_flows("clouds", "up", "private", "public-lite", environment=environment)
    assert up.returncode == 0, up.stderr
    try:
        yield Path(up.stdout.rpartition("OS_CLIENT_CONFIG_FILE=")[2].strip())
    finally:
        golden_flows("clouds", "down", environment=environment)


def test_clean_deletes_from_standing_clouds_what_the_killed_run_made_and_nothing_else(
    tmp_path: Path, environment: dict[str, str], standing: Path
) -> None:
    journal = Journal(tmp_path / "bystander")
    config = load_clouds(["private"], [standing])["private"]
    anne = connect(config, Ledger(journal, "mine"), journal)
    try:
        anne.create_security_group("bystander", [22])
        before = anne.inventory()
        run = Running(tmp_path / "results", {**environment, "OS_CLIENT_CONFIG_FILE": str(standing)})
        run.until("waiting for the guest agent")
        run.process.kill()
        run.end()
        made = {one.kind for one in read_ledger(run.journal)[1]}
        assert made == {"keypair", "security_group", "server", "floating_ip"}
        # Not told where the clouds.yaml is: the journal knows.
        cleaned = golden_flows("clean", "--run", run.id, "--results", str(run.results), environment=environment)
        assert cleaned.returncode == 0, cleaned.stderr
        assert "4 resources removed, 1 scratch folders removed" in cleaned.stdout
        assert read_ledger(run.journal)[1] == ()
        names = yaml.safe_dump(anne.inventory())
        assert run.id not in names
        assert anne.inventory() == before
    finally:
        anne.close()
        journal.close()
