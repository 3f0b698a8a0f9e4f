"""Repetitions, and how busy the machine was with other things while each ran."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks import host

QUIET_SHARE = 0.1
"""Of all processors: when others use more, figures are disturbed."""
SAMPLE_S = 2.0


class TooBusy(RuntimeError):
    """Others work on this machine, and figures of a quiet one were asked for."""


@dataclass
class Repetition:
    """``load`` is the one-minute average before it, which holds what this benchmark did just before."""

    load: float
    seconds: float = 0.0
    others_cpus: float | None = None
    """Processors that everything but this benchmark used meanwhile; None: it was not looked at."""


@dataclass
class Taking:
    """One benchmark under way."""

    repeat: int
    scratch: Path
    say: Callable[[str], None]
    small: bool = False
    """Sizes that only show that it works."""
    quiet_wait_s: float = 0.0
    require_quiet: bool = False
    repetitions: list[Repetition] = field(default_factory=list)
    total: int = 0
    """How many repetitions there will be; 0: ``repeat``."""

    @contextlib.contextmanager
    def repetition(self, what: str) -> Iterator[None]:
        """Wait for others to be done, then see how busy they are. Raises ``TooBusy``."""
        self._await_quiet()
        found = Repetition(host.load())
        began_s, others = time.monotonic(), Others()
        yield
        found.seconds, found.others_cpus = round(time.monotonic() - began_s, 2), others.cpus()
        self.repetitions.append(found)
        done, total = len(self.repetitions), self.total or self.repeat
        left_s = sum(one.seconds for one in self.repetitions) / done * (total - done)
        self.say(f"{done}/{total} {what}: {found.seconds:.1f} s; about {max(left_s, 0) / 60:.0f} min left")

    def _await_quiet(self) -> None:
        until_s = time.monotonic() + self.quiet_wait_s
        while (cpus := _sampled()) > quiet_cpus():
            if time.monotonic() > until_s:
                if self.require_quiet:
                    raise TooBusy(f"others use {cpus:.2f} processors; quiet is {quiet_cpus():.2f} (--quiet-wait)")
                return
            self.say(f"others use {cpus:.2f} processors: waiting {until_s - time.monotonic():.0f} s more at most")


class Others:
    """What everything but this process and its descendants uses of the processors, from now on."""

    def __init__(self) -> None:
        self._began_s, self._before_s = time.monotonic(), _others_s()

    def cpus(self) -> float:
        """On average since the beginning. Never negative: clocks of processes tick more coarsely than those of all."""
        return round(max(0.0, (_others_s() - self._before_s) / (time.monotonic() - self._began_s)), 2)


def quiet_cpus(cores: int | None = None) -> float:
    """That others may use of as many; None: of those here."""
    return QUIET_SHARE * (cores or os.cpu_count() or 1)


def _sampled() -> float:
    others = Others()
    time.sleep(SAMPLE_S)
    return others.cpus()


def _others_s() -> float:
    """Also what the host of this machine takes away (steal)."""
    now = psutil.cpu_times()
    all_s = now.user + now.nice + now.system + now.irq + now.softirq + now.steal  # time of guests is in ``user``
    me = psutil.Process()
    return float(all_s - sum(_used_s(one) for one in (me, *me.children(recursive=True))))


def _used_s(process: psutil.Process) -> float:
    """With what descendants used that are gone and were waited for."""
    with contextlib.suppress(psutil.Error):
        used = process.cpu_times()
        return float(used.user + used.system + used.children_user + used.children_system)
    return 0.0
