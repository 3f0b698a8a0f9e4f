"""Programs that fail while an image is built: one message that names the thing."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from golden_images import programs
from golden_images.errors import ImageBuildError
from golden_images.programs import run

APT = "echo 'uri of all that is well'; echo 'E: Unable to locate package xen-utils-4.17' >&2; exit 100"


def test_a_package_that_the_archive_lacks_is_named_without_those_that_it_has() -> None:
    with pytest.raises(ImageBuildError) as caught:
        run(["sh", "-c", APT])
    assert caught.value.what == "sh ended with 100: E: Unable to locate package xen-utils-4.17"


def test_a_program_that_complains_on_its_output_is_quoted() -> None:
    with pytest.raises(ImageBuildError, match=r"^sh ended with 1: what is wrong"):
        run(["sh", "-c", "echo what is wrong; exit 1"])


@pytest.mark.parametrize("to", [">&1", ">&2"])
def test_a_full_disk_is_told_as_one(to: str) -> None:
    with pytest.raises(ImageBuildError, match="no space left while building"):
        run(["sh", "-c", f"echo 'x: No space left on device' {to}; echo noise >&2; exit 1"])


def test_who_listens_hears_each_line_of_a_long_build_and_gets_the_output_as_ever() -> None:
    heard: list[str] = []
    done = run(["sh", "-c", "echo 'I: one' >&2; echo out; echo 'I: two' >&2"], hear=heard.append)
    assert (heard, done.stdout) == (["I: one", "I: two"], b"out\n")
    with pytest.raises(ImageBuildError, match="what is wrong"):
        run(["sh", "-c", "echo what is wrong >&2; exit 1"], hear=heard.append)
    with pytest.raises(ImageBuildError, match="not installed"):
        run(["no-such-program"], hear=heard.append)


def interrupted(script: str) -> None:
    """Run it until it says its first line, and no further."""

    def stop(line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(["sh", "-c", script], hear=stop)


def test_a_build_that_is_interrupted_takes_its_work_away(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    interrupted(f"trap 'rmdir {tree}; exit 1' TERM; mkdir {tree}; echo made >&2; sleep 60 & wait")
    assert not tree.exists()


BUILDER = "import sys; from golden_images.programs import run; run(['sh', '-c', sys.argv[1]], hear=print)"


def test_a_build_whose_launcher_is_killed_takes_its_work_away(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    script = f"trap 'rmdir {tree}; kill $!; exit 1' TERM; mkdir {tree}; sleep 60 & echo made >&2; wait"
    launcher = subprocess.Popen([sys.executable, "-uc", BUILDER, script], stdout=subprocess.PIPE, text=True)
    assert launcher.stdout is not None
    assert launcher.stdout.readline() == "made\n"
    launcher.kill()
    launcher.communicate()
    until_s = time.monotonic() + 10
    while tree.exists() and time.monotonic() < until_s:
        time.sleep(0.05)
    assert not tree.exists()


def test_a_build_that_does_not_end_when_asked_is_made_to_with_all_that_it_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(programs, "CLEAR_UP_S", 0.2)
    pid = tmp_path / "pid"
    began_s = time.monotonic()
    interrupted(f"trap '' TERM; sleep 60 & echo $! > {pid}; echo made >&2; wait; wait")
    assert time.monotonic() - began_s < 10
    status = Path("/proc", pid.read_text().strip(), "stat")

    def is_over() -> bool:
        return not status.exists() or status.read_text().split(")")[1].split()[0] == "Z"

    until_s = time.monotonic() + 10  # a process that was killed still needs a moment of a busy machine to end
    while not is_over() and time.monotonic() < until_s:
        time.sleep(0.05)
    assert is_over()
