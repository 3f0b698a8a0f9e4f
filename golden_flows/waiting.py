"""The one place that sleeps."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from golden_flows.errors import WaitTimeout

T = TypeVar("T")


@dataclass(frozen=True)
class Clock:
    """Monotonic seconds and a way to let them pass; replaced in tests."""

    now_s: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


SYSTEM_CLOCK = Clock()


@dataclass(frozen=True)
class Deadline:
    """A moment on the monotonic clock. Handed down, so that nested waits cannot add up."""

    at_s: float
    clock: Clock = field(default=SYSTEM_CLOCK, repr=False)

    @classmethod
    def after(cls, seconds: float, clock: Clock = SYSTEM_CLOCK) -> Deadline:
        return cls(clock.now_s() + seconds, clock)

    @property
    def left_s(self) -> float:
        """Seconds left; never negative."""
        return max(0.0, self.at_s - self.clock.now_s())

    def sooner(self, seconds: float) -> Deadline:
        """This deadline, or ``seconds`` from now if that is earlier."""
        return Deadline(min(self.at_s, self.clock.now_s() + seconds), self.clock)


def wait_for(
    what: str,
    probe: Callable[[], T],
    *,
    deadline: Deadline,
    until: Callable[[T], bool] = bool,
    every_s: float = 0.3,
) -> T:
    """Ask ``probe`` until ``until`` is content with the answer; return that answer.

    The probe's own exceptions end the wait. The probe is always asked at least once, and once more
    after the deadline has passed, so that a slow probe is not cut short by its own slowness.
    Raises ``WaitTimeout`` with what was last seen.
    """
    clock = deadline.clock
    began_s = clock.now_s()
    while True:
        expired = deadline.left_s <= 0
        seen = probe()
        if until(seen):
            return seen
        if expired:
            raise WaitTimeout(what, clock.now_s() - began_s, seen)
        clock.sleep(min(every_s, deadline.left_s))
