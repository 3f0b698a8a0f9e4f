"""One run of the suite under pytest: preparation, the plan as test items, the end, the exit code."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

import pytest
from _pytest.runner import runtestprotocol

from golden_flows import own_image
from golden_flows.burst_room import read_count
from golden_flows.errors import InteropError, MissingProgram, RecordError, UsageError
from golden_flows.guideline import load_checks, load_guideline
from golden_flows.interrupts import end_on_signals, uninterrupted
from golden_flows.lending_desk import RemoteLender
from golden_flows.model.cloud import Pair
from golden_flows.model.matrix import Run
from golden_flows.model.outcome import ExitCode
from golden_flows.own_image import read_properties
from golden_flows.preparation import Asked, PreparedRun, prepare, split_names
from golden_flows.printable import printable
from golden_flows.progress import Progress, plain_console
from golden_flows.session import RunContext, Session
from golden_flows.sharding import Shard
from interop_tests.far_workers import SHIPPED, FarWorker, Parcel, far_hosts, gateways, joined, receive, told_to
from reports.formats import terminal
from reports.read import read_run
from reports.write import write_all

WORKER_KEY = "golden_flows"
"""Where the run's context travels to pytest-xdist workers."""
FAR_KEY = "golden_flows_far"
"""Where those on other machines find what else they must know."""


class InteropRun:
    """One run, as seen by one pytest process (controller or xdist worker)."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._began_s = time.monotonic()
        self._run: PreparedRun | None = None
        self._session: Session | None = None
        self._progress: Progress | None = None
        self._console = plain_console(sys.stdout)
        self._lost_record: RecordError | None = None
        self._lost_workers: list[str] = []
        self._remote: RemoteLender | None = None
        self._far: FarWorker | None = None
        self._hosts: dict[str, int] = {}
        """Other machines that workers are asked for on, and how many on each."""
        self._worker_input: dict[str, Any] | None = getattr(config, "workerinput", None)
        if self._worker_input is None:
            _quieten(config)
        end_on_signals()
        # Whatever way pytest ends, this comes: a run that pytest never got to finish is ended then.
        config.add_cleanup(self._end_if_begun)

    # -- beginning

    def begin(self) -> int | None:
        """None when the run has begun; else the exit code, after the message has been printed."""
        if self._worker_input is not None:
            context = RunContext.loads(self._worker_input[WORKER_KEY])
            part = str(self._worker_input["workerid"])
            if told := self._worker_input.get(FAR_KEY):
                self._far = FarWorker.begin(context, part, told)
                self._session = self._far.session
                return None
            self._remote = RemoteLender(context.lending_ticket) if context.lending_ticket else None
            guideline = load_guideline(context.plan.guideline)
            self._session = Session.open(context, guideline, load_checks(), part, self._remote)
            return None
        self._console = plain_console(_own_stdout())
        self._progress = Progress(self._console, self._began_s)
        try:
            self._hosts = far_hosts(self._config)
            asked = self._asked()
            if self._hosts and asked.image and not own_image.is_glance_name(asked.image):
                raise UsageError(
                    f"--image {own_image.shown(asked.image)} is on this machine, workers are on others (--tx)",
                    "import it into the sources and name it: --image glance:NAME",
                )
            self._run = prepare(asked, self._progress.say, _workers(self._config))
        except UsageError as error:
            print(one_message(error), file=sys.stderr)
            return ExitCode.USAGE.value
        except InteropError as error:
            print(one_message(error), file=sys.stderr)
            return ExitCode.INCOMPLETE.value
        except KeyboardInterrupt:
            print("interrupted before the run began: nothing was made, nothing is left", file=sys.stderr)
            return ExitCode.INCOMPLETE.value
        except Exception:  # a mistake of ours is not a finding about a cloud, which Python's own exit code 1 would say
            traceback.print_exc()
            return ExitCode.INCOMPLETE.value
        self._session = self._run.session
        return None

    def pytest_sessionstart(self) -> None:
        if self._session and self._progress:
            self._progress.follow(self._session.journal.path)

    def _asked(self) -> Asked:
        option = self._config.getoption
        src, dst = split_names(option("--src")), split_names(option("--dst"))
        if not src or not dst:
            raise UsageError("both --src and --dst are needed", "for example: --src private --dst public")
        return Asked(
            src,
            dst,
            image=option("--image"),
            image_format=option("--image-format"),
            image_properties=read_properties(tuple(option("--image-property"))),
            shims=not option("--no-shims"),
            return_trip=option("--return-trip"),
            burst=read_count(option("--burst")),
            keep_export=option("--keep-export"),
            controls=not option("--no-controls"),
            faults=tuple(option("--fault")),
            variants=tuple(option("--variant")),
            results_root=Path(option("--results")),
            guideline=option("--guideline"),
            install=option("--install"),
            owned=tuple(dict.fromkeys(option("--i-own-this-cloud"))),
            waivers=Path(option("--waivers")) if option("--waivers") else None,
            shard=Shard.parse(option("--shard")) if option("--shard") else None,
        )

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_setupnodes(self, config: pytest.Config) -> None:
        if self._hosts:
            given = config.invocation_params
            config.invocation_params = replace(given, args=joined([str(one) for one in given.args]))

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        if self._run:
            far = told_to(node, self._hosts, self._run.told, install=self._config.getoption("--install"))
            context = replace(self._run.context, lending_ticket="") if far else self._run.context  # of use only here
            node.workerinput |= {WORKER_KEY: context.dumps(), FAR_KEY: far}

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        if self._run is None:
            return None
        from interop_tests.scheduling import PairScheduling  # only here: pytest-xdist may be switched off

        return PairScheduling(config, log, self._run.context.plan)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object | None) -> None:
        if self._run is None:
            return
        told = getattr(node, "workeroutput", {})
        if not error and SHIPPED not in told:  # pytest-xdist lets a worker go that fails in its own end
            error = "it could not clean up"
        if error:
            self._lost_workers.append(f"worker {node.gateway.id} was lost ({error})")
        self._receive(told.pop(SHIPPED, None))  # an interrupted one is told of twice

    # -- the plan as test items

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if not {"pair", "check_id"} <= set(metafunc.fixturenames) or self._session is None:
            return
        plan = self._session.context.plan
        metafunc.parametrize(
            ("pair", "check_id"),
            [pytest.param(cell, check, id=f"{cell.id}-{check}") for cell in plan.cells for check in plan.checks],
        )

    @property
    def session(self) -> Session:
        """This process's share of the run. Raises ``UsageError`` before it has begun."""
        if self._session is None:
            raise UsageError("no run has begun", "name a pair: --src A --dst B")
        return self._session

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
        """After the last item of a cell, its clouds are given back."""
        result = yield
        if self._session is not None and _pair_of(item) != _pair_of(nextitem):
            self._tell_again(item, nextitem)
            self._session.end_cell()
        return result

    def _tell_again(self, last: pytest.Item, nextitem: pytest.Item | None) -> None:
        """The whole cell anew, as often as ``--retell`` allows, where something of it could not be found out."""
        pair = _pair_of(last)
        items = [one for one in last.session.items if _pair_of(one) == pair]
        for attempt in range(1, int(self._config.getoption("--retell")) + 1):
            if pair is None or last.session.shouldstop or last.session.shouldfail:
                return
            if not self.session.tell_again(pair, attempt):
                return
            for one, following in zip(items, (*items[1:], nextitem), strict=True):
                with _reporting(one):
                    runtestprotocol(one, log=True, nextitem=following)

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """No dots: the stages tell the story, the matrix the outcome."""
        if self._worker_input is None and self._config.get_verbosity() < 0 and report.when == "call":
            return report.outcome, "", ""
        return None

    # -- what workers on other machines write down

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """What cannot be written down is not tried: the run stops, and cleans up."""
        if call.excinfo and isinstance(call.excinfo.value, RecordError):
            self._lost_record = call.excinfo.value
            item.session.shouldstop = call.excinfo.value.what
        report = yield
        if self._far is not None:
            setattr(report, SHIPPED, self._far.parcel())
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if self._run:
            self._receive(report.__dict__.pop(SHIPPED, None))

    def _receive(self, parcel: Parcel | None) -> None:
        try:
            receive(self.session, parcel)
        except RecordError as error:
            self._lost_record = error
            if distribution := self._config.pluginmanager.getplugin("dsession"):
                distribution.shouldstop = error.what  # what cannot be written down is not tried

    # -- end

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if self._run is None:
            self._end_of_worker()
            return
        interrupted = "interrupted" if exitstatus == pytest.ExitCode.INTERRUPTED else ""
        internal = "pytest failed inside" if exitstatus == pytest.ExitCode.INTERNAL_ERROR else ""
        if self._lost_record:
            self._say("deleting what was made, stopping clouds")
        elif interrupted:
            self._say(
                "interrupted: deleting what was made, stopping clouds (once more to leave it to `golden-flows clean`)"
            )
        session.exitstatus = ExitCode.INCOMPLETE.value
        reasons = [interrupted or internal, *self._lost_workers]
        if self._lost_record:
            reasons = [self._lost_record.what]
        session.exitstatus = self._ended("; ".join(filter(None, reasons)))

    def _ended(self, reason: str) -> int:
        """End the run; its exit code, after the message where it cannot be ended."""
        try:
            return self._end(reason).exit_code.value
        except InteropError as error:
            print(one_message(self._lost_record or error), file=sys.stderr)
        except Exception:  # as in the beginning: Python's own exit code 1 would say that a cloud is wrong
            traceback.print_exc()
        return ExitCode.INCOMPLETE.value

    def _end(self, reason: str) -> Run:
        """End the run and write its reports. Raises ``InteropError`` when either cannot be written."""
        prepared, self._run, self._session = self._run, None, None
        if prepared is None:
            raise InteropError("no run has begun")
        folder = prepared.context.results
        try:
            prepared.end(reason, lambda: self._say("still stopping clouds, please wait"))
        finally:
            if self._progress:
                self._progress.stop()
        with uninterrupted():
            files = write_all(folder)
            run = read_run(folder)
            terminal.render(run, self._console)
            names = ", ".join(sorted(path.name for path in files.values()))
            self._console.print(f"\nReports: {_shown(folder)}  ({names})")
            return run

    def _end_if_begun(self) -> None:
        """For a pytest that ended without a session's end: before one began, or by a plugin."""
        if self._run:
            self._ended("pytest ended without executing the plan")
        self._end_of_worker()

    def _end_of_worker(self) -> None:
        """A worker deletes what it made; what it cannot, the controller tries again."""
        session, self._session = self._session, None
        if self._far is not None:
            far, self._far = self._far, None
            self._config.workeroutput[SHIPPED] = far.close()  # type: ignore[attr-defined]  # pytest-xdist's
        elif session:
            try:
                session.end_cell()
            finally:
                session.disconnect()
                if self._remote:
                    self._remote.close()
            self._config.workeroutput[SHIPPED] = None  # type: ignore[attr-defined]  # pytest-xdist's

    def _say(self, text: str) -> None:
        if self._progress:
            self._progress.say(text)


def _pair_of(item: pytest.Item | None) -> Pair | None:
    """The cell that an item belongs to."""
    callspec = getattr(item, "callspec", None)  # parametrized items only
    pair = callspec.params.get("pair") if callspec is not None else None
    return pair if isinstance(pair, Pair) else None


@contextmanager
def _reporting(item: pytest.Item) -> Iterator[None]:
    """In a worker of pytest-xdist, which asserts that every report is of the item that it was last sent to run."""
    plugins = item.config.pluginmanager.get_plugins()
    # By its name: the class is not the one that could be imported, as xdist runs its module under another name there.
    worker: Any = next((one for one in plugins if type(one).__name__ == "WorkerInteractor"), None)
    if worker is None:
        yield
        return
    sent, worker.item_index = worker.item_index, item.session.items.index(item)
    try:
        yield
    finally:
        worker.item_index = sent


def _workers(config: pytest.Config) -> int:
    """How many pytest-xdist workers there will be; 0: this process tells the stories itself."""
    asked = getattr(config.option, "numprocesses", None)
    if isinstance(asked, str):  # auto, logical
        return os.cpu_count() or 1
    return asked or sum(times for times, _ in gateways(config))


def _shown(folder: Path) -> str:
    """Relative where that is shorter to read."""
    return str(folder.relative_to(Path.cwd())) if folder.is_relative_to(Path.cwd()) else str(folder)


def _quieten(config: pytest.Config) -> None:
    """The run tells its own story; pytest's comes back with -v or --tb."""
    if config.get_verbosity() <= 0:
        config.option.verbose = -1
        config.option.no_summary = True
        config.option.no_header = True
        config.option.disable_warnings = True  # openstacksdk warns of its own future, which is nobody's concern here
        config.option.reportchars = ""
        if config.option.tbstyle == "auto":
            config.option.tbstyle = "no"


def _own_stdout() -> TextIO:
    """A copy of standard output that pytest's capturing, which swaps the descriptor, does not swallow."""
    return os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding=sys.stdout.encoding, errors="replace", buffering=1)


def one_message(error: InteropError) -> str:
    """What went wrong and what to do, a line each where they are of one line; a cloud may have written either."""
    kind = "missing program" if isinstance(error, MissingProgram) else "error"
    return printable(f"{kind}: {error.what}" + (f"\nremedy: {error.remedy}" if error.remedy else ""))
