"""Starts reference clouds beside a run. They are ordinary clouds to the suite: it meets them only on the wire.

The players live under ``fixtures/`` and share no code with the referee; this module knows nothing of them but the
command line ``python -m refclouds up NAME``, its ready line on stdout and its progress lines on stderr.
"""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from golden_flows.errors import CloudError, UsageError, shorten
from golden_flows.interrupts import uninterrupted

START_TIMEOUT_S = 600.0
"""Generous: the first start downloads Debian packages and builds the golden image."""
STOP_TIMEOUT_S = 15.0


def program(*arguments: str) -> list[str]:
    """The command line of the reference clouds, in this same Python."""
    return [sys.executable, "-m", "refclouds", *arguments]


def known_profiles() -> dict[str, str]:
    """Name and title of every reference cloud that can be started here. Empty when they are not installed."""
    try:
        listing = subprocess.run(program("list", "--json"), capture_output=True, text=True, timeout=60, check=True)
        return {one["name"]: one["title"] for one in json.loads(listing.stdout)}
    except (subprocess.SubprocessError, ValueError, KeyError, TypeError):
        return {}


@dataclass
class ReferenceCloud:
    """A reference cloud that this run started and that ends with it."""

    name: str
    process: subprocess.Popen[str]
    clouds_yaml: Path = Path()
    """Known once it is ready; as is ``evidence``."""
    evidence: str = ""
    tail: list[str] = field(default_factory=list)
    """The last lines of its standard error."""

    def ask_to_stop(self) -> None:
        """End of its input is the polite request; it also comes when this process dies."""
        if self.process.stdin and not self.process.stdin.closed:
            self.process.stdin.close()

    def stop(self) -> None:
        """End it and wait until nothing of it is left."""
        self.ask_to_stop()
        for insist in (self.process.terminate, self.process.kill, None):
            try:
                self.process.wait(STOP_TIMEOUT_S)
                return
            except subprocess.TimeoutExpired:
                if insist:
                    insist()


def stop_all(clouds: Iterable[ReferenceCloud]) -> None:
    """End them side by side. A signal meanwhile changes nothing: it is bounded, and what must happen anyway."""
    with uninterrupted():
        ending = list(clouds)
        for cloud in ending:
            cloud.ask_to_stop()
        for cloud in ending:
            cloud.stop()


def start(
    names: Sequence[str],
    *,
    state_root: Path,
    faults: Mapping[str, Sequence[str]],
    install: bool = False,
    image: str | None = None,
    say: Callable[[str], None],
) -> list[ReferenceCloud]:
    """Start these clouds side by side and wait until all are ready.

    ``faults`` holds fault arguments by cloud name; ``install`` lets them install missing programs by sudo; ``image``
    is what Anne starts from, which some build only when it is asked for; ``say`` gets their progress lines.
    Raises ``UsageError`` (missing program, unknown fault) or ``CloudError`` as soon as one cannot start; then, and
    when the wait is interrupted, none is left running.
    """
    clouds: list[ReferenceCloud] = []
    ended: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()

    def wait_until_ready(cloud: ReferenceCloud) -> None:
        try:
            _wait_until_ready(cloud, say)
        except Exception as error:  # carried to the caller's thread
            ended.put(error)
        else:
            ended.put(None)

    try:
        for name in names:
            clouds.append(_spawn(name, state_root / name, faults.get(name, ()), install, image))
            threading.Thread(target=wait_until_ready, args=(clouds[-1],), daemon=True).start()
        for _ in names:
            error = ended.get()
            if error:
                raise error
    except BaseException:
        stop_all(clouds)
        raise
    return clouds


def _spawn(name: str, state: Path, faults: Sequence[str], install: bool, image: str | None) -> ReferenceCloud:
    arguments = ["up", name, "--state-dir", str(state), "--until-eof", *(["--install"] if install else [])]
    arguments += ["--image", image] if image else []
    for fault in faults:
        arguments += ["--fault", fault]
    process = subprocess.Popen(
        program(*arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,  # Ctrl-C is for the run: it stops its clouds after it has cleaned up on them
    )
    return ReferenceCloud(name, process)


def _wait_until_ready(cloud: ReferenceCloud, say: Callable[[str], None]) -> None:
    process = cloud.process
    watch = threading.Thread(target=_relay, args=(process, cloud.tail, say), daemon=True)
    watch.start()
    timer = threading.Timer(START_TIMEOUT_S, process.kill)
    timer.start()
    try:
        line = process.stdout.readline() if process.stdout else ""
    finally:
        timer.cancel()
    if not line:
        code = process.wait()
        watch.join(5)
        raise start_error(cloud.name, code, cloud.tail)
    ready: dict[str, Any] = json.loads(line)
    cloud.clouds_yaml, cloud.evidence = Path(ready["clouds_yaml"]), str(ready.get("evidence", ""))


def _relay(process: subprocess.Popen[str], tail: list[str], say: Callable[[str], None]) -> None:
    for line in process.stderr or ():
        tail.append(line.rstrip())
        del tail[:-40]
        _, bracket, told = line.partition("] ")  # "[  1.2 s] private: ready"; the run has a clock of its own
        if bracket and line.startswith("["):
            say(told.rstrip())


def start_error(name: str, code: int, tail: Sequence[str]) -> Exception:
    """The error a cloud's start deserves, in its own words."""
    what = next((one.removeprefix("error: ") for one in tail if one.startswith("error: ")), "")
    remedy = next((one.removeprefix("remedy: ") for one in tail if one.startswith("remedy: ")), "")
    what = what or f"it ended with code {code}: {shorten(' / '.join(tail[-6:]))}"
    kind = UsageError if code == 2 else CloudError
    return kind(f"reference cloud {name!r} did not start: {what}", remedy)
