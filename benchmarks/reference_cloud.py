"""One reference cloud, up for as long as a benchmark needs it. No guest is booted by that."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

STOP_S = 60.0


@dataclass(frozen=True)
class Up:
    """What a running cloud told."""

    clouds_yaml: Path
    launcher_pid: int


@contextlib.contextmanager
def up(name: str, state: Path) -> Iterator[Up]:
    """Start the cloud of this name with its state in a folder of its own. Raises ``RuntimeError``."""
    argv = [sys.executable, "-m", "refclouds", "up", name, "--state-dir", str(state), "--until-eof"]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        line = process.stdout.readline() if process.stdout else b""
        if not line:
            raise RuntimeError(f"reference cloud {name!r} did not start; `python -m refclouds up {name}` says why")
        yield Up(Path(json.loads(line)["clouds_yaml"]), process.pid)
    finally:
        if process.stdin:
            process.stdin.close()  # end of file asks it to stop
        process.wait(STOP_S)
