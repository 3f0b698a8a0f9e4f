"""``golden-flows clean``: removes what a killed run left, on clouds and on this machine, and only that.

Three kinds of things can be left: processes of the run's own reference clouds (which end with the run; looked for all
the same), its scratch folder, and resources on clouds that were not the run's own. The latter are known from the
ledger in the run's journal.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from golden_flows import workspace
from golden_flows.clouds.cloud import connect
from golden_flows.clouds.config import load_again
from golden_flows.errors import InteropError, UsageError
from golden_flows.journal import Journal, is_held, read_events
from golden_flows.ledger import CleanupReport, Ledger, Sweeper, clean_run, read_ledger
from golden_flows.waiting import Deadline

CLEAN_TIMEOUT_S = 300.0
KILL_TIMEOUT_S = 10.0

Say = Callable[[str], None]


@dataclass
class CleanReport:
    removed: int = 0
    scratch_removed: int = 0
    failures: list[str] = field(default_factory=list)


def clean(results_root: Path, run_id: str | None, say: Say) -> CleanReport:
    """Clean one run, or every run that was killed. Raises ``UsageError`` for a run that is unknown or still alive."""
    report = CleanReport()
    abandoned = {one.run_id: one for one in workspace.abandoned_runs()}
    journals = {one.run_id: one.results / "journal.jsonl" for one in abandoned.values() if one.results}
    journals |= {
        path.parent.name: path for path in results_root.glob("*/journal.jsonl") if not path.parent.is_symlink()
    }
    # A run with another cache folder has its scratch elsewhere; its journal tells.
    alive = _alive_runs(set(abandoned)) | {name for name, path in journals.items() if is_held(path)}
    if run_id in alive:
        raise UsageError(f"run {run_id} is still at work", "end it first (Ctrl-C cleans up by itself)")
    if run_id is not None and run_id not in journals and run_id not in abandoned:
        raise UsageError(f"no run {run_id!r} here", f"runs with a journal: {', '.join(sorted(journals)) or 'none'}")
    for one in [run_id] if run_id else sorted(set(journals) | set(abandoned)):
        if one in alive:
            continue
        scratch = abandoned[one].scratch if one in abandoned else None
        failed = len(report.failures)
        if scratch:
            _end_processes(scratch, say)
        journal = journals.get(one)
        if journal and journal.is_file():
            _clean_ledger(journal, report, say)
        if scratch and len(report.failures) > failed:
            say(f"{one}: keeping {scratch / workspace.OWNER_FILE}, so that a later clean finds the rest")
            _empty(scratch)
        elif scratch:
            say(f"{one}: removing scratch {scratch}")
            shutil.rmtree(scratch, ignore_errors=True)
            report.scratch_removed += 1
    return report


def _empty(scratch: Path) -> None:
    """Everything but the owner's file, which says where the journal is."""
    for path in scratch.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != workspace.OWNER_FILE:
            path.unlink(missing_ok=True)


def _alive_runs(abandoned: set[str]) -> set[str]:
    root = workspace.scratch_root()
    return {path.name for path in root.iterdir() if path.name not in abandoned} if root.is_dir() else set()


def _end_processes(scratch: Path, say: Say) -> None:
    """End reference clouds that outlived their run: their command line names this run's scratch folder."""
    left = list(_processes_of(scratch))
    for process in left:
        say(f"ending {process.pid}, a reference cloud of the killed run")
        process.kill()
    psutil.wait_procs(left, timeout=KILL_TIMEOUT_S)


def _processes_of(scratch: Path) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        try:
            arguments = process.cmdline()
            # Not whoever has a file of it open in an editor.
            if "refclouds" in arguments and any(argument.startswith(str(scratch)) for argument in arguments):
                yield process
        except psutil.Error:
            continue


def _clean_ledger(journal: Path, report: CleanReport, say: Say) -> None:
    try:
        run, entries = read_ledger(journal)
        if not entries:
            return
        events = list(read_events(journal))
        own = {str(event["cloud"]) for event in events if event["event"] == "reference_cloud"}
        used = {str(event["cloud"]): event for event in events if event["event"] == "cloud"}

        def connect_again(name: str, ledger: Ledger, record: Journal) -> Sweeper:
            then = used.get(name, {})
            config = load_again(name, str(then.get("clouds_yaml", "")), str(then.get("auth_url", "")))
            return connect(config, ledger, record)

        _tick_off(journal, run, own, say)
        for cloud, cleaned in clean_run(journal, connect_again, Deadline.after(CLEAN_TIMEOUT_S)).items():
            _count(cloud, cleaned, report, say)
    except InteropError as error:
        report.failures.append(f"{journal.parent.name}: {error}")


def _tick_off(journal: Path, run: str, own: set[str], say: Say) -> None:
    """What was on the run's own reference clouds went with them."""
    writer = Journal(journal.parent)
    try:
        ledger = Ledger(writer, run, read_ledger(journal)[1])
        for cloud in sorted(own):
            entries = ledger.open_entries(cloud)
            if entries:
                say(f"{run}: {len(entries)} resources ended with reference cloud {cloud!r}")
            for entry in entries:
                ledger.gone(entry.key)
    finally:
        writer.close()


def _count(cloud: str, cleaned: CleanupReport, report: CleanReport, say: Say) -> None:
    report.removed += len(cleaned.removed)
    for one in cleaned.removed:
        say(f"{cloud}: removed {one.kind} {one.name}")
    told = "\n".join(cleaned.failures)
    report.failures += cleaned.failures if cloud in told else [f"{cloud}: {line}" for line in cleaned.failures]
    report.failures += [f"{cloud}: {one.kind} {one.name}" for one in cleaned.leftovers if one.name not in told]
