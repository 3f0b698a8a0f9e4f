from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import pytest
from refclouds import busyness, host, proc
from refclouds.errors import UsageError

INF = float("inf")


def test_a_process_that_works_is_busy_and_one_that_waits_is_calm() -> None:
    programs = {"busy": "while True: pass", "waiting": "input()"}
    processes = {
        name: subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) for name, code in programs.items()
    }
    try:
        time.sleep(1)  # until both have started
        waited_s = {name: asyncio.run(_until_calm(process.pid, 1.0)) for name, process in processes.items()}
    finally:
        for process in processes.values():
            process.kill()
            process.communicate()
    assert waited_s["busy"] >= 1.0
    assert waited_s["waiting"] < 0.9


async def _until_calm(pid: int, limit_s: float) -> float:
    async def read_s() -> float | None:
        return busyness.used_s(proc.folder(pid))

    began = time.monotonic()
    await busyness.calm(read_s, limit_s=limit_s, every_s=0.3)
    return time.monotonic() - began


def _task(folder: Path, number: str, schedstat: str, state: str) -> None:
    task = folder / "task" / number
    task.mkdir(parents=True, exist_ok=True)
    (task / "schedstat").write_text(schedstat)
    (task / "stat").write_text(f"{number} (CPU 0/TCG) (x)) {state} 1 2 3")


def test_waiting_for_the_processor_is_being_busy(tmp_path: Path) -> None:
    _task(tmp_path, "7", "1500000000 2500000000 9", "S")
    _task(tmp_path, "8", "1000000000 0 3", "S")
    assert busyness.used_s(tmp_path) == pytest.approx(5.0)
    _task(tmp_path, "8", "1000000000 0 3", "R")
    assert busyness.used_s(tmp_path) == float("inf")


@pytest.mark.parametrize(("seen", "looks"), [([1, INF, 1.1, 1.11], 4), ([1, 2, 3, 3.01], 4), ([1, None], 2)])
def test_who_was_seen_working_or_in_the_queue_is_looked_at_again(seen: list[float | None], looks: int) -> None:
    left = list(seen)

    async def read_s() -> float | None:
        return left.pop(0)

    asyncio.run(busyness.calm(read_s, limit_s=60, every_s=0.1))
    assert len(seen) - len(left) == looks


def test_what_is_gone_is_calm(tmp_path: Path) -> None:
    assert busyness.used_s(tmp_path / "gone") is None

    async def gone() -> None:
        return None

    asyncio.run(busyness.calm(gone, limit_s=60, every_s=60))


def test_a_child_in_a_namespace_of_processes_is_found_in_the_hosts_proc() -> None:
    """As a cloud finds its guests: their numbers there are not those of /proc."""
    try:
        options = host.unshare_options()
    except UsageError as error:
        pytest.skip(str(error))
    code = """
import subprocess, sys
from refclouds import proc
argv = [sys.executable, "-c", "print(flush=True); input()", "the child"]
child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()  # it is the child itself by now
print(child.pid, b"the child" in (proc.folder(child.pid) / "cmdline").read_bytes())
child.kill()
child.wait()
try:
    proc.folder(child.pid)
except ProcessLookupError:
    print("gone")
"""
    command = ["unshare", *options, "--", sys.executable, "-c", code]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.split()
    assert int(said[0]) < 10
    assert said[1:] == ["True", "gone"]
