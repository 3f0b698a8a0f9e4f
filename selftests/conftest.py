"""For all selftests: none fails for being slow, which tells of the machine and nothing of the code."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("fuzz", settings.get_profile("unhurried"), max_examples=20_000)
settings.load_profile("unhurried")  # --hypothesis-profile=fuzz goes over it: hours instead of seconds


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Who takes longest begins first: two workers are done together then, and not one minutes after the other."""
    items.sort(key=lambda item: item.get_closest_marker("first") is None)


@pytest.fixture
def heeded_signals() -> Iterator[None]:
    """Programs that a test starts heed each signal, be these tests run under nohup or as a script's background job.

    Both leave signals ignored (SIGHUP; SIGINT), children inherit that, and our programs respect it.
    """
    ignored = [one for one in (signal.SIGINT, signal.SIGHUP) if signal.getsignal(one) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, signal.default_int_handler)  # a handler is not inherited; SIG_DFL is the child's then
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)
