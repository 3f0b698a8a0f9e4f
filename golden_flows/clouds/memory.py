"""This process's resident memory, from Linux's /proc; None where the system does not tell.

Source: proc(5), ``/proc/pid/clear_refs`` (5 resets the peak) and ``VmHWM``/``VmRSS`` of ``/proc/pid/status``.
"""

from __future__ import annotations

from pathlib import Path

_PROC = Path("/proc/self")


def reset_peak() -> int | None:
    """Forget the peak so far; returns the resident size now."""
    try:
        (_PROC / "clear_refs").write_text("5")
    except OSError:
        return None
    return _read("VmRSS:")


def peak_bytes() -> int | None:
    """The largest resident size since ``reset_peak``."""
    return _read("VmHWM:")


def _read(key: str) -> int | None:
    try:
        lines = (_PROC / "status").read_text().splitlines()
    except OSError:
        return None
    found = next((line.split() for line in lines if line.startswith(key)), None)
    return int(found[1]) * 1024 if found else None  # the file counts in kB
