"""Reference clouds that stay up between runs: ``golden-flows clouds up|down``.

Their entries are gathered in one clouds.yaml (0600) that the user points ``OS_CLIENT_CONFIG_FILE`` at.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import platformdirs
import psutil
import yaml

from golden_flows.errors import CloudError, UsageError
from golden_flows.reference_clouds import program, start_error

STOP_TIMEOUT_S = 20.0


def root() -> Path:
    """Folder of standing clouds, under the user's state folder."""
    return platformdirs.user_state_path("golden-flows") / "clouds"


def clouds_yaml() -> Path:
    return root() / "clouds.yaml"


@dataclass(frozen=True)
class Standing:
    """A reference cloud that is up."""

    name: str
    pid: int
    api_url: str
    evidence: str


def standing() -> tuple[Standing, ...]:
    """The clouds that are up; what a killed cloud left is ignored."""
    found = []
    for record in sorted(root().glob("*/standing.json")):
        document = json.loads(record.read_text("utf-8"))
        if _process(document["pid"], document["started_s"]):
            found.append(Standing(record.parent.name, document["pid"], document["api_url"], document["evidence"]))
    return tuple(found)


def up(name: str, faults: Sequence[str], variants: Sequence[str], say: Callable[[str], None]) -> Standing:
    """Start a cloud that outlives this command. Raises ``UsageError`` when it is up already."""
    if any(one.name == name for one in standing()):
        raise UsageError(f"reference cloud {name!r} is up already", f"`golden-flows clouds down {name}` first")
    folder = root() / name
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    arguments = ["up", name, "--state-dir", str(folder / "state")]
    for fault in faults:
        arguments += ["--fault", fault]
    for variant in variants:
        arguments += ["--variant", variant]
    log = folder / "log.txt"
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            program(*arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
            start_new_session=True,
        )
    say(f"starting {name} (log: {log})")
    line = process.stdout.readline() if process.stdout else ""
    if not line:
        raise start_error(name, process.wait(), log.read_text("utf-8", "replace").splitlines()[-40:])
    ready = json.loads(line)
    record = {
        "pid": process.pid,
        "started_s": psutil.Process(process.pid).create_time(),
        "api_url": ready["api_url"],
        "evidence": ready["evidence"],
        "clouds_yaml": ready["clouds_yaml"],
    }
    (folder / "standing.json").write_text(json.dumps(record), "utf-8")
    _gather()
    return Standing(name, process.pid, ready["api_url"], ready["evidence"])


def down(name: str) -> None:
    """Stop a standing cloud and forget its state. Raises ``UsageError`` when there is none of that name."""
    folder = root() / name
    record = folder / "standing.json"
    if not record.is_file():
        names = ", ".join(one.name for one in standing()) or "none"
        raise UsageError(f"no reference cloud {name!r} is up", f"up now: {names}")
    document = json.loads(record.read_text("utf-8"))
    process = _process(document["pid"], document["started_s"])
    if process:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_TIMEOUT_S)
        except psutil.TimeoutExpired as error:
            raise CloudError(
                f"reference cloud {name!r} (pid {process.pid}) did not stop within {STOP_TIMEOUT_S:.0f} s",
                f"kill -KILL {process.pid}; its guests end with it",
            ) from error
    shutil.rmtree(folder)
    _gather()


def _process(pid: int, started_s: float) -> psutil.Process | None:
    try:
        process = psutil.Process(pid)
        return process if abs(process.create_time() - started_s) < 1.0 else None
    except psutil.Error:
        return None


def _gather() -> None:
    """One clouds.yaml of all standing clouds, replaced atomically."""
    entries: dict[str, object] = {}
    for one in standing():
        record = json.loads((root() / one.name / "standing.json").read_text("utf-8"))
        document = yaml.safe_load(Path(record["clouds_yaml"]).read_text("utf-8"))
        entries.update(document["clouds"])
    partial = clouds_yaml().with_suffix(".partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as output:
        yaml.safe_dump({"clouds": entries}, output)
    partial.replace(clouds_yaml())
