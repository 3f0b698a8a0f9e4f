"""Words on a console that somebody should know of, whatever the checks say. They are told, and judge nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass

PATTERNS = (
    ("kernel panic", r"Kernel panic - not syncing"),
    (
        "kernel oops",
        r"\bOops: |\bBUG: |general protection fault|Unable to handle kernel|\bsoft lockup\b"
        r"|blocked for more than \d+ seconds|rcu\w{0,16}: .{0,200}detected stall|Call Trace:",
    ),
    ("out of memory", r"Out of memory: Kill|invoked oom-killer|oom-kill:"),
    (
        "file system error",
        r"EXT4-fs error|mounting fs with errors|BTRFS (?:error|critical)"
        r"|XFS \(\S{1,64}\): .{0,200}(?:[Cc]orruption|metadata I/O error)"
        r"|Buffer I/O error|I/O error, dev |[Rr]emounting filesystem read-only|blk_update_request: I/O error",
    ),
    (
        "initramfs shell",
        r"^dracut:/#|^\(initramfs\)|(?:in|entering) emergency mode|dracut-initqueue.{0,200}timeout"
        r"|ALERT!.{0,200}does not exist|initramfs: no file system with UUID",
    ),
    ("ordering cycle", r"Found ordering cycle|deleted to break ordering cycle"),
)
"""(what it is, how kernels, initramfs and systemd say it). No repetition is without a bound: a guest may print
"XFS (a): " a hundred thousand times, and each would be followed to the end of its line."""

SIGNS_MAX = 12
_ANY = re.compile("|".join(f"(?P<g{at}>{pattern})" for at, (_, pattern) in enumerate(PATTERNS)), re.IGNORECASE)
_TIME = re.compile(r"\[\s*\d+\.\d+\]\s*")
LINE_CHARS_MAX = 4096


@dataclass(frozen=True)
class Sign:
    """One line that says so; the first of its kind and wording."""

    kind: str
    line: str
    """Without the kernel's time, so that a boot that says it again is no other sign."""


def read(console: str) -> tuple[Sign, ...]:
    """In the order of the console, each wording once, ``SIGNS_MAX`` of them at most."""
    found: dict[Sign, None] = {}
    for line in console.splitlines():
        match = _ANY.search(line[:LINE_CHARS_MAX])
        if match is None or match.lastgroup is None:
            continue
        found[Sign(PATTERNS[int(match.lastgroup[1:])][0], _TIME.sub("", line[:LINE_CHARS_MAX]).strip())] = None
        if len(found) == SIGNS_MAX:
            break
    return tuple(found)
