"""Signals that ask a run to end, and the moments when they must wait.

Ctrl-C, SIGTERM and SIGHUP all raise ``KeyboardInterrupt`` in the main thread, so that one way of ending (delete, stop
clouds, report, exit 3) serves for all of them.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def end_on_signals() -> None:
    """From now on SIGTERM and SIGHUP interrupt like Ctrl-C. What the caller's parent ignores (nohup) stays ignored."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def uninterrupted(told: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Signals that ask for the end do nothing in here but call ``told``: for steps that are short and must happen.

    Only the main thread gets signals; in any other this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # A function and not SIG_IGN, which programs started in here would inherit.
    before = {number: signal.signal(number, lambda *_: told()) for number in ENDING_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
