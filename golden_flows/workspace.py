"""Where a run keeps its things: results that stay, scratch that goes, and who owns them."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import platformdirs
import psutil

from golden_flows.errors import InteropError

OWNER_FILE = "owner.json"
UNSIGNED_GRACE_S = 30.0


def new_run_id() -> str:
    """``20261122-194501-3f9a``: sorts by time, differs between two runs started in one second."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def scratch_root() -> Path:
    """Folder of every run's scratch (spools, state of reference clouds), under the user's cache folder."""
    return platformdirs.user_cache_path("golden-flows") / "runs"


@dataclass(frozen=True)
class Workspace:
    """Folders of one run."""

    run_id: str
    results: Path
    """``interop-results/<run>``: journal, evidence, reports. Stays."""
    scratch: Path
    """Removed when the run ends, or by ``golden-flows clean``."""
    made_root: bool = False
    """Whether the folder above ``results`` is this run's making, too."""

    @classmethod
    def create(cls, results_root: Path, run_id: str | None = None) -> Workspace:
        """Make both folders, writable by this user only, and sign them with this process.

        Raises ``InteropError`` when a folder cannot be made.
        """
        run_id = run_id or new_run_id()
        made_root = not results_root.exists()
        workspace = cls(run_id, results_root.absolute() / run_id, scratch_root() / run_id, made_root)
        try:
            workspace.results.mkdir(parents=True)
            workspace.scratch.mkdir(parents=True, mode=0o700)
            owner = {
                "pid": os.getpid(),
                "started_s": psutil.Process().create_time(),
                "results": str(workspace.results),
            }
            (workspace.scratch / OWNER_FILE).write_text(json.dumps(owner), "utf-8")
        except OSError as error:
            workspace.remove()
            raise InteropError(
                f"cannot make a folder for the run: {error.filename or workspace.scratch}: {error.strerror}",
                "free some space, or choose another place: --results FOLDER (and XDG_CACHE_HOME for scratch)",
            ) from error
        return workspace

    def remove(self) -> None:
        """Both folders: of a run that never began."""
        shutil.rmtree(self.results, ignore_errors=True)
        if self.made_root:
            with contextlib.suppress(OSError):  # another run may have moved in
                self.results.parent.rmdir()
        self.remove_scratch()

    def remove_scratch(self) -> None:
        shutil.rmtree(self.scratch, ignore_errors=True)


@dataclass(frozen=True)
class Abandoned:
    """Scratch of a run whose process is gone."""

    run_id: str
    scratch: Path
    results: Path | None


def abandoned_runs() -> Iterator[Abandoned]:
    """Runs that were killed before they could remove their scratch; runs still alive are left out."""
    root = scratch_root()
    for scratch in sorted(root.iterdir()) if root.is_dir() else ():
        try:
            owner = json.loads((scratch / OWNER_FILE).read_text("utf-8"))
            pid, started_s, results = int(owner["pid"]), float(owner["started_s"]), Path(owner["results"])
        except (OSError, ValueError, KeyError, TypeError):
            if _is_being_made(scratch):
                continue
            yield Abandoned(scratch.name, scratch, None)
            continue
        if not _is_alive(pid, started_s):
            yield Abandoned(scratch.name, scratch, results)


def _is_being_made(scratch: Path) -> bool:
    """A folder without an owner may be of a run that begins this moment."""
    try:
        return time.time() - scratch.stat().st_mtime < UNSIGNED_GRACE_S
    except OSError:
        return True  # gone meanwhile


def _is_alive(pid: int, started_s: float) -> bool:
    """Whether that very process still runs; a recycled pid has another start time."""
    try:
        return abs(psutil.Process(pid).create_time() - started_s) < 1.0
    except psutil.Error:
        return False
