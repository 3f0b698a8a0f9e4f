"""Whether this machine has room for a run: memory for the guests of its reference clouds, disk for its folders.

Refused before anything starts: in the middle, a full machine looks like a cloud that does not conform.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil

from golden_flows.errors import InteropError

MIB = 1024 * 1024
SUITE_MIB = 200
"""This process, with openstacksdk loaded and its reports to write."""
WORKER_MIB = 150
"""Each further process that tells stories."""
SCRATCH_PER_CLOUD_MIB = 256
"""Images, disks and spool; two clouds together were measured at 270 MiB."""
RESULTS_MIB = 16
CGROUPS = Path("/sys/fs/cgroup")


def budget_mib(workers: int) -> int:
    """What reference clouds may take together: what this machine has available, less what the suite itself needs."""
    return max(0, available_memory_mib() - SUITE_MIB - workers * WORKER_MIB)


def require_disk(folder: Path, needed_mib: int) -> None:
    """Raises ``InteropError`` naming the folder and both figures. ``folder`` exists."""
    free_mib = shutil.disk_usage(folder).free // MIB
    if free_mib < needed_mib:
        raise InteropError(
            f"not enough room in {folder}: {free_mib} MiB are free, a run needs {needed_mib} MiB there",
            "free some space, or choose another place: --results FOLDER for results, XDG_CACHE_HOME for the rest",
        )


def available_memory_mib(own_cgroup: Path = Path("/proc/self/cgroup"), cgroups: Path = CGROUPS) -> int:
    """What the kernel calls available, or less where a control group (a container) allows less."""
    left = [psutil.virtual_memory().available, *_left_in_cgroups(own_cgroup, cgroups)]
    return min(left) // MIB


def _left_in_cgroups(own_cgroup: Path, cgroups: Path) -> Iterator[int]:
    """Bytes left below the limit of this process's control group (version 2) and of each above it."""
    try:
        path = next(line[3:] for line in own_cgroup.read_text().splitlines() if line.startswith("0::"))
    except (OSError, StopIteration):
        return
    group = cgroups / path.lstrip("/")
    for folder in (group, *group.parents):
        if not folder.is_relative_to(cgroups):
            return
        try:
            limit_bytes = int((folder / "memory.max").read_text())
            used_bytes = int((folder / "memory.current").read_text())
            stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        except (OSError, ValueError):  # "max" means no limit
            continue
        # Page cache is given back when memory is needed.
        yield max(0, limit_bytes - used_bytes + int(stat.get("inactive_file", 0)))
