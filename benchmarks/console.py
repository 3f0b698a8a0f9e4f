"""A guest's serial console as it speaks, each marked line with the second it came at."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable

MARKS = {
    "firmware speaks": b"SeaBIOS",
    "boot loader speaks": b"GRUB",
    "agent knows its channel": b"guest-agent: detect ",
    "agent is done": b"guest-agent: ok",
    "SSH server started": b"guest: ssh started",
    "login prompt": b" login: ",
}
LAST_BYTES = 4096


class ConsoleSilent(Exception):
    """The line that was waited for did not come; the text is the end of the console."""


class Console:
    """Reads a pipe without blocking for long."""

    def __init__(self, fd: int, began_s: float) -> None:
        self._fd, self._began_s = fd, began_s
        self._unread = b""
        self.marks: dict[str, float] = {}
        os.set_blocking(fd, False)

    def follow(self, mark: str, timeout_s: float, each_turn: Callable[[], None] | None = None) -> float:
        """Read until the mark was seen; seconds since the start. Raises ``ConsoleSilent``."""
        limit_s = time.monotonic() + timeout_s
        while mark not in self.marks:
            if time.monotonic() > limit_s or not self._read(0.02):
                raise ConsoleSilent(self._unread[-LAST_BYTES:].decode("ascii", "replace"))
            if each_turn:
                each_turn()
        return self.marks[mark]

    def drain(self, timeout_s: float) -> None:
        """Read until the guest closes its end. Raises ``ConsoleSilent`` when it does not."""
        limit_s = time.monotonic() + timeout_s
        while self._read(0.02):
            if time.monotonic() > limit_s:
                raise ConsoleSilent(self._unread[-LAST_BYTES:].decode("ascii", "replace"))

    def _read(self, wait_s: float) -> bool:
        """False at the end of the stream."""
        if not select.select([self._fd], [], [], wait_s)[0]:
            return True
        data = os.read(self._fd, 65536)
        self._unread = (self._unread + data)[-64 * 1024 :]
        for mark, text in MARKS.items():
            if mark not in self.marks and text in self._unread:
                self.marks[mark] = round(time.monotonic() - self._began_s, 3)
        return bool(data)
