"""Clouds that are really started: how they end, and how a start that cannot be is refused."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import golden_images
import platformdirs
import psutil
import pytest
from refclouds import host, kvm, programs
from refclouds.errors import UsageError

UP = [sys.executable, "-m", "refclouds", "up"]
START_LIMIT_S = 120  # a cold cache builds the golden image first
GONE_LIMIT_S = 15


def _needs() -> None:
    if lacking := programs.missing():
        pytest.skip(f"not installed: {sorted(lacking)}")
    try:
        host.unshare_options()
    except UsageError as error:
        pytest.skip(str(error))


def _processes(state_dir: Path) -> list[psutil.Process]:
    """Every process that has the cloud's state folder in its command line: launcher, unshare, cloud, dnsmasq, QEMU."""
    found = []
    for process in psutil.process_iter(["pid", "cmdline", "status"]):
        line = process.info["cmdline"] or []
        if process.pid != os.getpid() and any(str(state_dir) in part for part in line):
            found.append(process)
    return found


def _wait_gone(state_dir: Path) -> list[str]:
    deadline = time.monotonic() + GONE_LIMIT_S
    while (left := _processes(state_dir)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return [" ".join(process.cmdline()) for process in left]


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    _needs()
    process = subprocess.Popen(
        [*UP, "private", "--state-dir", str(tmp_path / "state"), "--until-eof"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield process
    if process.poll() is None:
        process.kill()
    process.communicate()


def _ready(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate()[1]
    parsed: dict[str, Any] = json.loads(line)
    return parsed


@pytest.mark.qemu
@pytest.mark.parametrize("way", ["eof", "SIGTERM", "SIGINT", "SIGKILL", "cloud-SIGTERM", "cloud-SIGKILL"])
def test_no_way_of_ending_leaves_a_process(launcher: subprocess.Popen[str], tmp_path: Path, way: str) -> None:
    ready = _ready(launcher)
    assert len(_processes(tmp_path / "state")) >= 4  # launcher, unshare, cloud, dnsmasq
    if way == "eof":
        assert launcher.stdin is not None
        launcher.stdin.close()
        launcher.stdin = None  # else communicate() wants to flush it
    elif way.startswith("cloud-"):
        os.kill(ready["pid"], getattr(signal, way.removeprefix("cloud-")))
    else:
        launcher.send_signal(getattr(signal, way))
    code = launcher.wait(GONE_LIMIT_S)
    assert _wait_gone(tmp_path / "state") == []
    assert code == {"SIGKILL": -9, "cloud-SIGKILL": 3}.get(way, 0)


@pytest.mark.qemu
@pytest.mark.parametrize("after_s", [0.05, 0.3, 0.6, 0.9, 1.2])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_start_cut_short_leaves_nothing(
    launcher: subprocess.Popen[str], tmp_path: Path, after_s: float, number: int
) -> None:
    time.sleep(after_s)
    launcher.send_signal(number)
    launcher.wait(GONE_LIMIT_S)
    assert _wait_gone(tmp_path / "state") == []


def _refused(*arguments: str, env: dict[str, str] | None = None) -> tuple[int, list[str]]:
    done = subprocess.run(
        [*UP, *arguments], capture_output=True, text=True, timeout=START_LIMIT_S, check=False, env=env, input=""
    )
    assert done.stdout == ""
    return done.returncode, [line for line in done.stderr.splitlines() if not line.startswith("[")]


def test_an_unknown_cloud_is_told_the_nearest(tmp_path: Path) -> None:
    code, lines = _refused("privat", "--state-dir", str(tmp_path))
    assert (code, len(lines)) == (2, 2)
    assert lines[1].startswith("remedy: ")
    assert "private" in lines[1]


def test_an_unknown_fault_is_told_the_nearest(tmp_path: Path) -> None:
    code, lines = _refused("private", "--state-dir", str(tmp_path), "--fault", "nd_emty")
    assert code == 2
    assert "nd_empty" in lines[1]


def test_missing_programs_are_one_line_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "SEARCH_PATH", str(tmp_path))
    with pytest.raises(UsageError) as caught:
        programs.require_all()
    assert caught.value.remedy.startswith("apt-get install -y --no-install-recommends dnsmasq-base ")


def test_a_state_folder_that_is_a_file(tmp_path: Path) -> None:
    _needs()
    (tmp_path / "file").touch()
    code, lines = _refused("private", "--state-dir", str(tmp_path / "file"))
    assert code == 3
    assert "cannot be used" in lines[0]


def test_a_port_in_use(tmp_path: Path) -> None:
    _needs()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, lines = _refused("private", "--state-dir", str(tmp_path), "--api-port", str(port))
    assert code == 3
    assert f"port {port}" in lines[0]


@pytest.mark.qemu
def test_two_clouds_do_not_share_a_state_folder(launcher: subprocess.Popen[str], tmp_path: Path) -> None:
    _ready(launcher)
    code, lines = _refused("private", "--state-dir", str(tmp_path / "state"))
    assert code == 3
    assert "already" in lines[0]


@pytest.mark.qemu
def test_the_probe_for_kvm_hears_a_kernel_where_one_runs() -> None:
    """Under TCG, with patience: a probe that nothing can pass would look the same as a host without KVM."""
    _needs()
    image = golden_images.ensure("pocket", platformdirs.user_cache_path("golden-flows"), lambda line: None)
    assert kvm.speaks(image, accel="tcg", limit_s=30).usable
