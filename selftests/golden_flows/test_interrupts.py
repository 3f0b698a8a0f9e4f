"""Signals that ask for the end: they interrupt, except where what happens must happen."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

from golden_flows.interrupts import ENDING_SIGNALS, uninterrupted


def test_in_a_step_that_must_happen_a_signal_is_only_told() -> None:
    told: list[str] = []
    before = signal.getsignal(signal.SIGTERM)
    with uninterrupted(lambda: told.append("again")):
        for number in ENDING_SIGNALS:
            signal.raise_signal(number)
    assert told == ["again"] * 3
    assert signal.getsignal(signal.SIGTERM) is before


def test_outside_the_main_thread_it_changes_nothing() -> None:
    before = signal.getsignal(signal.SIGINT)
    seen: list[object] = []

    def work() -> None:
        with uninterrupted():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]


def after(name: str, *, ignored: str = "") -> str:
    """What a run prints that gets the signal, started with another ignored."""
    before = f"signal.signal(signal.{ignored}, signal.SIG_IGN)\n" if ignored else ""
    code = (
        f"import signal\n{before}from golden_flows.interrupts import end_on_signals\nend_on_signals()\n"
        f"try:\n signal.raise_signal(signal.{name})\nexcept KeyboardInterrupt:\n print('interrupted')"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stdout


@pytest.mark.usefixtures("heeded_signals")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_sigterm_and_hangup_end_a_run_like_ctrl_c(name: str) -> None:
    assert after(name) == "interrupted\n"


def test_what_nohup_ignores_stays_ignored() -> None:
    assert after("SIGHUP", ignored="SIGHUP") == ""
    assert after("SIGTERM", ignored="SIGHUP") == "interrupted\n"
