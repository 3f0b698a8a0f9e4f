"""Results on disk: one file for each day, with every run of a benchmark of that day."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cattrs

from benchmarks.taking import Repetition, quiet_cpus

RESULTS = Path(__file__).parent / "results"
SCHEMA = 1


@dataclass
class Run:
    """One benchmark, measured once with all its repetitions."""

    benchmark: str
    began_at: str
    """UTC, ISO 8601; a date alone where no more is known."""
    command: str
    host: dict[str, str]
    repeat: int
    small: bool
    """Sizes that only show that it works: not for the page."""
    repetitions: list[Repetition]
    measured: dict[str, Any]

    @property
    def busy(self) -> str:
        """Why the machine was not quiet, or why that is not known; empty when it was."""
        seen = [one.others_cpus for one in self.repetitions if one.others_cpus is not None]
        if len(seen) < len(self.repetitions) or not seen:
            return f"how busy others kept the machine was not recorded; {self.load}"
        if max(seen) > quiet_cpus(int(self.host["cores"])):
            cores = self.host["cores"]
            return f"the machine was busy: others used up to {max(seen):.2f} of {cores} processors; {self.load}"
        return ""

    @property
    def load(self) -> str:
        loads = [one.load for one in self.repetitions]
        return f"load {min(loads):.1f} to {max(loads):.1f}" if loads else "load unknown"


def add(folder: Path, run: Run) -> Path:
    """Write a run down beside the others of its day."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{run.began_at[:10]}.json"
    runs = read_file(path) if path.is_file() else []
    path.write_text(as_text([*runs, run]), "utf-8")
    return path


def as_text(runs: Iterable[Run]) -> str:
    return json.dumps({"schema": SCHEMA, "runs": [asdict(one) for one in runs]}, indent=1, ensure_ascii=False) + "\n"


def read_file(path: Path) -> list[Run]:
    return cattrs.structure(json.loads(path.read_text("utf-8"))["runs"], list[Run])


def newest(folder: Path) -> dict[str, Run]:
    """The last run of each benchmark that is worth showing, by its name."""
    runs = [run for path in sorted(folder.glob("*.json")) for run in read_file(path) if not run.small]
    return {run.benchmark: run for run in sorted(runs, key=lambda one: one.began_at)}
