"""The machine a figure was measured on, and how busy it was."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

QUIET_LOAD = 0.4
"""One-minute load per core below which figures are not disturbed much by others."""
POLL_S = 5.0


def describe() -> dict[str, str]:
    """Versions and sizes; nothing that names the machine."""
    return {
        "system": f"{_os_name()}, kernel {platform.release().partition('-')[0]}",
        "processor": _first_match(Path("/proc/cpuinfo"), r"model name\s*: (.*)"),
        "cores": str(os.cpu_count()),
        "memory": _first_match(Path("/proc/meminfo"), r"MemTotal:\s*(.*)"),
        "python": platform.python_version(),
        "qemu": _version(["qemu-system-x86_64", "--version"]),
        "golden-flows": importlib.metadata.version("golden-flows"),
        "commit": _version(["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]),
    }


def load() -> float:
    """Load average of the last minute."""
    return round(os.getloadavg()[0], 2)


def wait_until_quiet(limit_s: float, say: Callable[[str], None]) -> float:
    """Wait at most ``limit_s`` for others to be done; the load then."""
    until_s = time.monotonic() + limit_s
    quiet = QUIET_LOAD * (os.cpu_count() or 1)
    while load() > quiet and time.monotonic() < until_s:
        say(f"load {load():.2f}: waiting for {quiet:.1f}, {until_s - time.monotonic():.0f} s more at most")
        time.sleep(POLL_S)
    return load()


def _os_name() -> str:
    return _first_match(Path("/etc/os-release"), r'PRETTY_NAME="?([^"\n]*)')


def _first_match(path: Path, pattern: str) -> str:
    try:
        found = re.search(pattern, path.read_text())
    except OSError:
        found = None
    return found.group(1).strip() if found else "unknown"


def _version(argv: list[str]) -> str:
    try:
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()[0].strip()
    except (OSError, subprocess.CalledProcessError, IndexError):
        return "unknown"
