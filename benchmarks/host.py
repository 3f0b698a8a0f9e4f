"""The machine a figure was measured on, and how busy it was."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import subprocess
from pathlib import Path


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
