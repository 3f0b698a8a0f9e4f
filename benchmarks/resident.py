"""Peak resident memory of processes, from Linux's /proc.

Source: proc(5), ``VmHWM`` of ``/proc/pid/status``: the kernel keeps the peak, so looking now and then is enough.
"""

from __future__ import annotations

import threading
from pathlib import Path

import psutil

EVERY_S = 0.3


class Watch:
    """Looks at a process and its descendants until it is left; ``peaks_mib`` by what each process is."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self.peaks_mib: dict[str, float] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *ignored: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(EVERY_S):
            try:
                processes = [self._root, *self._root.children(recursive=True)]
            except psutil.Error:
                continue
            for process in processes:
                self._look(process)

    def _look(self, process: psutil.Process) -> None:
        try:
            name = what_it_is(process.cmdline(), is_root=process == self._root)
        except psutil.Error:
            return
        peak = peak_mib(process.pid)
        if name and peak is not None:
            self.peaks_mib[name] = max(peak, self.peaks_mib.get(name, 0.0))


def what_it_is(argv: list[str], *, is_root: bool) -> str:
    """Our word for a process; empty for one that is not looked at."""
    if is_root:
        return "suite"
    if argv and Path(argv[0]).name.startswith("qemu-system"):
        return "QEMU, each"
    for verb, word in (("serve", "cloud {}"), ("up", "launcher of cloud {}")):
        if argv[1:4] == ["-m", "refclouds", verb] and len(argv) > 4:
            return word.format(argv[4])
    return ""


def peak_mib(pid: int) -> float | None:
    """``VmHWM``; None when the process is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    found = next((line.split()[1] for line in lines if line.startswith("VmHWM:")), None)
    return round(int(found) / 1024, 1) if found else None  # the file counts in KiB
