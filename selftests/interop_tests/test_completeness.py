"""No way of cutting a run short ends in 0: a run that would have been certified, cut in every way that we know.

The list with its numbers is in docs/proof.md.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from golden_flows.model.outcome import ExitCode
from golden_flows.suite import sources_sha256
from reports.read import read_run
from selftests.refclouds.api.conftest import Running, golden, serve

__all__ = ["golden"]

PROGRAM = (sys.executable, "-c", "from interop_tests.cli import main; main()")
ITEM = "::test_golden_flow[mine-mine-N2-1]"
"""As pytest calls it where the suite is run from a folder that it is not in."""


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory, golden: Path) -> Iterator[Running]:
    running = serve("private", (), tmp_path_factory.mktemp("state"), golden)
    yield running
    running.stop()


@dataclass(frozen=True)
class Suite:
    """``golden-flows`` of somebody whose only cloud is called ``mine``."""

    folder: Path
    entry: dict[str, object]

    def start(
        self, *arguments: str, command: str = "run", plugins: Sequence[str] = ("everything_passes",), **told: str
    ) -> subprocess.Popen[str]:
        (self.folder / "clouds.yaml").write_text(yaml.safe_dump({"clouds": {"mine": self.entry}}), "utf-8")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
        environment |= {"XDG_CACHE_HOME": str(self.folder / "cache"), "XDG_CONFIG_HOME": str(self.folder / "config")}
        environment |= {f"SELFTEST_{name.upper()}": value for name, value in told.items()}
        environment["PYTHONPATH"] = os.pathsep.join(sys.path)
        run = ["--src", "mine", "--dst", "mine", "-p", "no:cacheprovider"] if command == "run" else []
        run += [word for one in plugins if command == "run" for word in ("-p", f"selftests.interop_tests.{one}")]
        return subprocess.Popen(
            [*PROGRAM, command, *run, *arguments],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def ends(self, *arguments: str, **options: object) -> int:
        process = self.start(*arguments, **options)  # type: ignore[arg-type]  # handed on
        told, _ = process.communicate(timeout=120)
        print(told)
        return process.returncode

    @property
    def results(self) -> Path:
        return self.folder / "interop-results"

    def exit_code_of_report(self) -> int | None:
        """What the run's own document says; None when there is none."""
        file = self.results / "latest" / "results.json"
        return int(json.loads(file.read_text("utf-8"))["exit_code"]) if file.is_file() else None


@pytest.fixture
def suite(cloud: Running, tmp_path: Path) -> Suite:
    interop = {"image": "golden-pocket", "networks": ["private"], "floating_network": "public"}
    return Suite(tmp_path, {**cloud.auth("anne"), "region_name": "RegionOne", "interop": interop})


@pytest.fixture(scope="module")
def certified(cloud: Running, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of which nothing was cut off."""
    interop = {"image": "golden-pocket", "networks": ["private"], "floating_network": "public"}
    entry: dict[str, object] = {**cloud.auth("anne"), "region_name": "RegionOne", "interop": interop}
    whole = Suite(tmp_path_factory.mktemp("whole"), entry)
    assert whole.ends() == 0
    assert whole.exit_code_of_report() == 0
    return (whole.results / "latest").resolve()


CUT = {
    "-k": ["-k", "EX-1"],
    "--deselect": ["--deselect", ITEM],
    "-m": ["-m", "no_such_mark"],
    "--collect-only": ["--collect-only"],
    "skipped plugin": ["-p", "no:golden_flows"],
}


@pytest.mark.parametrize("arguments", CUT.values(), ids=CUT)
def test_a_plan_of_which_not_all_is_executed_is_never_0(arguments: list[str], suite: Suite) -> None:
    assert suite.ends(*arguments) in (2, 3)
    assert suite.exit_code_of_report() in (None, 3)


@pytest.mark.parametrize("arguments", [["-x"], ["--maxfail=1", "-n1"]], ids=" ".join)
def test_a_run_that_stops_at_its_first_failure_is_a_nonconformance(arguments: list[str], suite: Suite) -> None:
    assert suite.ends(*arguments, at="IM-2", what="fail") == 1
    assert suite.exit_code_of_report() == 1


@pytest.mark.parametrize("how", ["xfail", "outcome"])
def test_a_failure_that_a_plugin_turns_into_a_skip_stays_a_failure(how: str, suite: Suite) -> None:
    plugins = ("everything_passes", "turned_to_skips")
    assert suite.ends(at="IM-2", what="fail", how=how, plugins=plugins) == 1
    assert suite.exit_code_of_report() == 1


@pytest.mark.parametrize("how", ["skip", "empty"])
def test_checks_that_a_plugin_leaves_out_are_missed(how: str, suite: Suite) -> None:
    assert suite.ends(how=how, plugins=("everything_passes", "turned_to_skips")) == 3
    assert suite.exit_code_of_report() == 3


def test_a_worker_that_crashes_leaves_an_incomplete_run(suite: Suite) -> None:
    assert suite.ends("-n1", "--max-worker-restart=2", at="IM-2", what="die") == 3
    assert suite.exit_code_of_report() == 3


SSH = """#!/bin/sh
# Another machine that is this one. The last word is what to run there.
for word in "$@"; do :; done
exec sh -c "$word"
"""


@pytest.mark.parametrize("what", ["", "stay"], ids=["ends well", "cannot"])
@pytest.mark.parametrize("far", [False, True], ids=["here", "on another machine"])
def test_a_worker_that_cannot_clean_up_leaves_an_incomplete_run(
    far: bool, what: str, suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pytest-xdist takes it for one that has finished, whatever it raises then."""
    ssh = suite.folder / "bin" / "ssh"
    ssh.parent.mkdir()
    ssh.write_text(SSH, "utf-8")
    ssh.chmod(0o700)
    monkeypatch.setenv("PATH", f"{ssh.parent}:{os.environ['PATH']}")
    workers = ["-d", f"--tx=ssh=far//chdir={suite.folder}//python={sys.executable}"] if far else ["-n1"]
    assert suite.ends(*workers, what=what) == (3 if what else 0)
    assert suite.exit_code_of_report() == (3 if what else 0)


def test_a_mistake_of_ours_in_the_end_accuses_no_cloud(suite: Suite) -> None:
    assert suite.ends(what="trip") == 3


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -9), (signal.SIGTERM, 3)], ids=["SIGKILL", "SIGTERM"])
def test_a_run_that_is_ended_by_a_signal_is_incomplete(number: signal.Signals, code: int, suite: Suite) -> None:
    process = suite.start(at="IM-2", what="sleep")
    end = time.monotonic() + 60
    while not any("asleep" in one.read_text("utf-8") for one in suite.results.glob("*/journal.jsonl")):
        assert time.monotonic() < end
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(number)
    told, _ = process.communicate(timeout=60)
    assert process.returncode == code, told
    (journal,) = suite.results.glob("2*/journal.jsonl")
    assert suite.ends(str(journal.parent), command="report") == 3


@pytest.mark.parametrize(
    ("tellings", "code", "flags", "workers"),
    [
        ("broken pass", 0, ["flaky=1"], []),
        ("broken pass", 0, ["flaky=1"], ["-n1"]),
        ("broken", 3, [], []),
        ("broken fail", 1, [], []),
    ],
    ids=["found out later", "found out later, in a worker", "never found out", "found out to be wrong"],
)
def test_what_could_not_be_found_out_is_told_again_and_says_so(
    tellings: str, code: int, flags: list[str], workers: list[str], suite: Suite
) -> None:
    assert suite.ends("--retell=1", *workers, at="IM-2", what=tellings) == code
    document = json.loads((suite.results / "latest" / "results.json").read_text("utf-8"))
    (cell,) = document["cells"]
    checks = [one for point in cell["points"] for stage in point["stages"] for one in stage["checks"]]
    assert {one["id"]: one["flags"] for one in checks if one["flags"]} == ({"IM-2": flags} if flags else {})


def test_a_journal_cut_off_anywhere_certifies_nothing(certified: Path, tmp_path: Path) -> None:
    lines = (certified / "journal.jsonl").read_bytes().splitlines(keepends=True)
    for kept in range(1, len(lines)):
        for torn in (b"", lines[kept][: len(lines[kept]) // 2]):
            (tmp_path / "journal.jsonl").write_bytes(b"".join(lines[:kept]) + torn)
            assert read_run(tmp_path).exit_code is ExitCode.INCOMPLETE


def test_a_journal_with_a_line_missing_certifies_nothing(certified: Path, tmp_path: Path) -> None:
    lines = (certified / "journal.jsonl").read_bytes().splitlines(keepends=True)
    for gone in range(1, len(lines)):
        (tmp_path / "journal.jsonl").write_bytes(b"".join(lines[:gone] + lines[gone + 1 :]))
        assert read_run(tmp_path).exit_code is ExitCode.INCOMPLETE, lines[gone]


@pytest.mark.parametrize("key", ["plan", "cells", "plan_sha256"])
def test_a_plan_that_was_changed_afterwards_certifies_nothing(key: str, certified: Path, tmp_path: Path) -> None:
    first, *rest = (certified / "journal.jsonl").read_text("utf-8").splitlines(keepends=True)
    changed = json.loads(first)
    changed[key] = {"plan": changed["plan"][:-1], "cells": [*changed["cells"], ["a", "b"]], "plan_sha256": ""}[key]
    (tmp_path / "journal.jsonl").write_text(json.dumps(changed) + "\n" + "".join(rest), "utf-8")
    run = read_run(tmp_path)
    assert run.exit_code is ExitCode.INCOMPLETE
    assert "the plan in the journal is not the one that was hashed when the run began" in run.notes


def test_a_check_of_the_guideline_cannot_be_planned_away(certified: Path, tmp_path: Path) -> None:
    """Not even with a hash that fits: the guideline is not the journal's to shorten."""
    from golden_flows.model.cloud import Pair
    from golden_flows.model.plan import Plan

    first, *rest = (certified / "journal.jsonl").read_text("utf-8").splitlines(keepends=True)
    changed = json.loads(first)
    changed["plan"].remove("IM-2")
    plan = Plan(tuple(Pair(*one) for one in changed["cells"]), tuple(changed["plan"]), changed["guideline"])
    changed["plan_sha256"] = plan.sha256
    kept = [json.loads(one) for one in rest if '"check": "IM-2"' not in one]
    for number, line in enumerate(kept, 2):
        line["n"] = number
    text = "".join(json.dumps(one) + "\n" for one in (changed, *kept))
    (tmp_path / "journal.jsonl").write_text(text, "utf-8")
    assert read_run(tmp_path).exit_code is ExitCode.INCOMPLETE


def test_a_run_says_to_the_byte_which_suite_judges(certified: Path) -> None:
    assert read_run(certified).suite_sha256 == sources_sha256()


def test_the_report_of_a_certified_run_written_again_says_the_same(certified: Path, suite: Suite) -> None:
    shutil.copytree(certified, suite.folder / "copy")
    assert suite.ends(str(suite.folder / "copy"), command="report") == 0
