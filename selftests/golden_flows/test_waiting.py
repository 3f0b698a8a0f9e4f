from __future__ import annotations

from collections.abc import Iterator

import pytest

from golden_flows.errors import WaitTimeout
from golden_flows.waiting import Clock, Deadline, wait_for


class FakeTime:
    """Seconds that pass only while somebody sleeps, or while a slow probe asks for it."""

    def __init__(self) -> None:
        self.at_s = 1000.0
        self.slept_s: list[float] = []
        self.clock = Clock(now_s=lambda: self.at_s, sleep=self.sleep)

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0, "time does not run backwards"
        self.slept_s.append(seconds)
        self.at_s += seconds


def test_an_answer_that_is_there_takes_no_time() -> None:
    time = FakeTime()
    assert wait_for("x", lambda: "ACTIVE", deadline=Deadline.after(10, time.clock)) == "ACTIVE"
    assert time.slept_s == []


def test_it_asks_until_it_is_content() -> None:
    time = FakeTime()
    answers: Iterator[str] = iter(["BUILD", "BUILD", "ACTIVE", "never asked"])
    seen = wait_for(
        "x",
        lambda: next(answers),
        deadline=Deadline.after(10, time.clock),
        until=lambda one: one == "ACTIVE",
        every_s=2,
    )
    assert seen == "ACTIVE"
    assert time.slept_s == [2, 2]
    assert next(answers) == "never asked"


def test_a_timeout_tells_what_was_last_seen_and_how_long_it_took() -> None:
    time = FakeTime()
    with pytest.raises(WaitTimeout, match="10 s for server ACTIVE; last saw 'BUILD'") as caught:
        wait_for("server ACTIVE", lambda: "BUILD", deadline=Deadline.after(10, time.clock), until=lambda _: False)
    assert caught.value.waited_s == pytest.approx(10)
    assert caught.value.last_seen == "BUILD"


def test_the_last_sleep_ends_at_the_deadline() -> None:
    time = FakeTime()
    with pytest.raises(WaitTimeout):
        wait_for("x", lambda: None, deadline=Deadline.after(1, time.clock), every_s=0.7)
    assert sum(time.slept_s) == pytest.approx(1)


def test_it_asks_at_least_once_after_a_deadline_that_has_passed() -> None:
    time = FakeTime()
    assert wait_for("x", lambda: 1, deadline=Deadline.after(-5, time.clock)) == 1
    with pytest.raises(WaitTimeout):
        wait_for("x", lambda: 0, deadline=Deadline.after(-5, time.clock))


def test_a_slow_probe_is_asked_once_more() -> None:
    time = FakeTime()
    answers = iter([False, True])

    def slow() -> bool:
        time.at_s += 30
        return next(answers)

    assert wait_for("x", slow, deadline=Deadline.after(10, time.clock))


def test_the_probe_s_own_error_ends_the_wait() -> None:
    time = FakeTime()

    def probe() -> bool:
        raise LookupError("the server is gone")

    with pytest.raises(LookupError, match="gone"):
        wait_for("x", probe, deadline=Deadline.after(10, time.clock))
    assert time.slept_s == []


def test_nested_waits_cannot_add_up() -> None:
    time = FakeTime()
    outer = Deadline.after(10, time.clock)
    assert outer.sooner(3).left_s == pytest.approx(3)
    assert outer.sooner(60).left_s == pytest.approx(10)
    time.at_s += 11
    assert outer.left_s == 0
    assert outer.sooner(60).left_s == 0
