"""``python -m benchmarks``: what it offers, what it writes down, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from benchmarks import __main__ as command
from benchmarks import record, taking
from benchmarks.taking import Taking
from benchmarks.told import Chart, Figure, Table


def test_help_names_every_benchmark() -> None:
    told = CliRunner().invoke(command.main, ["--help"])
    assert told.exit_code == 0
    for name in (*command.MODULES, "all", "page"):
        assert f"\n  {name} " in told.output
        assert "..." not in next(line for line in told.output.splitlines() if line.startswith(f"  {name} "))


@pytest.mark.parametrize("name", command.MODULES)
def test_every_benchmark_has_a_command_and_what_the_page_needs(name: str) -> None:
    told = CliRunner().invoke(command.main, [name, "--help"])
    assert told.exit_code == 0
    assert "--repeat" in told.output
    module = command.benchmarks()[name]
    assert module.TITLE
    assert module.ABOUT.endswith(".")


class Quick:
    """A benchmark that takes no time, of a flow that is too slow."""

    TITLE, ABOUT = "Quick", "it."

    def measure(self, take: Taking, **options: Any) -> dict[str, Any]:
        for _ in range(take.repeat):
            with take.repetition("nothing"):
                pass
        return {"asked": sorted(options)}

    def figures(self, measured: Mapping[str, Any]) -> Iterable[Figure]:
        return [Figure("flow", 1.5, "slow", 5)]

    def charts(self, measured: Mapping[str, Any]) -> Iterable[Chart]:
        return []

    def tables(self, measured: Mapping[str, Any]) -> Iterable[Table]:
        return []


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "benchmarks", lambda: {"flow": Quick()})


@pytest.mark.usefixtures("_quick")
@pytest.mark.parametrize("others", [0.0, 1.5])
def test_what_was_measured_is_written_down_and_a_missed_aim_told(
    others: float, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(taking, "_sampled", lambda: others)
    told = CliRunner().invoke(command.main, ["flow", "--repeat", "2", "--quiet-wait", "0", "--output", str(tmp_path)])
    assert told.exit_code == 0, told.output
    assert "missed  the golden flow" in told.output
    (file,) = tmp_path.iterdir()
    (run,) = json.loads(file.read_text("utf-8"))["runs"]
    assert (run["benchmark"], run["repeat"], len(run["repetitions"])) == ("flow", 2, 2)
    assert all(one["others_cpus"] is not None for one in run["repetitions"])


def test_no_folder_of_this_machine_is_written_down() -> None:
    given = ["flow", "--scratch", "/here", "--repeat", "2", "--output=/there"]
    assert command._command(given) == "python -m benchmarks flow --repeat 2"


@pytest.mark.parametrize("file", sorted(record.RESULTS.glob("*.json")), ids=lambda file: file.name)
def test_no_result_names_a_folder_of_a_machine(file: Path) -> None:
    assert not [run.command for run in record.read_file(file) if "/" in run.command]


def test_one_that_fails_does_not_keep_the_others_from_being_measured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(take: Taking, **options: Any) -> dict[str, Any]:
        raise RuntimeError("it tripped")

    broken = Quick()
    monkeypatch.setattr(broken, "measure", fail)
    monkeypatch.setattr(command, "MODULES", {"burst": "burst", "flow": "golden_flow"})
    monkeypatch.setattr(command, "benchmarks", lambda: {"burst": broken, "flow": Quick()})
    monkeypatch.setattr(taking, "_sampled", lambda: 0.0)
    told = CliRunner().invoke(command.main, ["all", "--small", "--output", str(tmp_path)])
    assert told.exit_code == 3
    assert "it tripped" in told.stderr
    assert "not measured: burst" in told.stderr
    assert [run.benchmark for file in tmp_path.iterdir() for run in record.read_file(file)] == ["flow"]


@pytest.mark.usefixtures("_quick")
def test_a_busy_machine_is_refused_with_its_own_exit_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(taking, "_sampled", lambda: 1.5)
    argv = ["flow", "--require-quiet", "--quiet-wait", "0", "--output", str(tmp_path)]
    told = CliRunner().invoke(command.main, argv)
    assert told.exit_code == 3
    assert "refused: others use 1.50 processors" in told.stderr
    assert not list(tmp_path.iterdir())
