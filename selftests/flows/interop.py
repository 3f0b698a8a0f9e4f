"""Runs the suite between reference clouds as a user would, and reads what it wrote."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class InteropResult:
    """What one run ended with, by its own results.json."""

    exit_code: int
    folder: Path
    output: str
    document: dict[str, Any]

    def by_outcome(self, outcome: str) -> set[str]:
        return {check["id"] for check in self.checks() if check["outcome"] == outcome}

    def checks(self) -> list[dict[str, Any]]:
        (cell,) = self.document["cells"]
        return [check for point in cell["points"] for stage in point["stages"] for check in stage["checks"]]

    def whose(self) -> dict[str, tuple[str | None, tuple[str, ...]]]:
        """Who each trouble was laid to (None: undecided) and whom it may be, by checks that failed, else by stage."""
        (cell,) = self.document["cells"]
        return {
            " ".join(one["checks"]) or one["stage"]: (one["party"], tuple(one["suspects"]))
            for one in cell["attributions"]
        }

    def evidence(self, name: str) -> str:
        """The text of a piece of evidence. Raises ``StopIteration`` for a name that is not there."""
        lines = (self.folder / "journal.jsonl").read_text("utf-8").splitlines()
        event = next(one for one in map(json.loads, lines) if one["event"] == "evidence" and one["name"] == name)
        return (self.folder / "evidence" / str(event["sha256"])).read_text("utf-8")

    def explain(self) -> str:
        """Everything that is not a pass, for assertion messages."""
        lines = [self.output[-3000:]]
        lines += [
            f"{c['id']} {c['outcome']} {c['reason']} {c['findings']}" for c in self.checks() if c["outcome"] != "pass"
        ]
        return "\n".join(lines)


def golden_image_as_qcow2(name: str, target: Path) -> Path:
    """A golden image, built or from the cache, as somebody keeps it: compressed qcow2."""
    argv = [sys.executable, "-m", "golden_images", "build", name, "--json"]
    told = json.loads(subprocess.run(argv, stdout=subprocess.PIPE, check=True, timeout=600).stdout)
    subprocess.run(["qemu-img", "convert", "-c", "-f", "raw", "-O", "qcow2", told["image"], str(target)], check=True)
    return target


def run_interop(
    src: str,
    dst: str,
    results: Path,
    faults: Sequence[str] = (),
    *,
    image: str | None = None,
    options: Sequence[str] = (),
    controls: bool = False,
    limit_s: float = 600,
    env: Mapping[str, str] | None = None,
) -> InteropResult:
    """One whole run; the output is kept for the assertion message. ``env``: all of its environment.

    ``controls``: whether controls tell whose it is when a stage failed, which takes a few boots more.
    """
    argv = [sys.executable, "-m", "pytest", "--pyargs", "interop_tests.test_golden_flow", "-p", "no:cacheprovider"]
    argv += ["--src", src, "--dst", dst, "--results", str(results), *options]
    argv += [] if controls else ["--no-controls"]
    for fault in faults:
        argv += ["--fault", fault]
    if image is not None:
        argv += ["--image", image]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=limit_s, check=False, env=env)
    output = done.stdout + done.stderr
    written = results / "latest" / "results.json"
    if not written.is_file():
        raise RuntimeError(f"no results (exit code {done.returncode}):\n{output[-4000:]}")
    return InteropResult(done.returncode, written.parent.resolve(), output, json.loads(written.read_text("utf-8")))
