"""What a person sees while a run works: the journal, followed as it grows.

Following the file (not this process's own events) shows the work of every pytest-xdist worker alike.
"""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from typing import IO, Any

from rich.console import Console
from rich.markup import escape
from rich.status import Status

from golden_flows.model.stage import Stage
from golden_flows.printable import printable

_SYMBOLS = {
    "pass": ("[green]✓[/green]", "ok"),
    "fail": ("[red]✗[/red]", "FAIL"),
    "broken": ("[magenta]![/magenta]", "BROKEN"),
    "blocked": ("[yellow]⊘[/yellow]", "blocked"),
}
POLL_S = 0.2


LOG_COLUMNS = 120
"""Width of what goes into a file or a pipe, where nobody says how wide it is."""


def plain_console(stream: IO[str]) -> Console:
    """A console that is plain when the stream is no terminal, or NO_COLOR is set. Wraps, never cuts."""
    width = None if stream.isatty() or "COLUMNS" in os.environ else LOG_COLUMNS
    return Console(file=stream, highlight=False, emoji=False, width=width)


class Progress:
    """Prints a line per stage with times; on a terminal, a moving line for the step under way."""

    def __init__(self, console: Console, began_s: float | None = None) -> None:
        self._console = console
        self._began_s = time.monotonic() if began_s is None else began_s
        self._status: Status | None = None
        self._done = threading.Event()
        self._thread: threading.Thread | None = None
        self._unicode = (console.encoding or "").lower().replace("-", "") == "utf8"

    def say(self, text: str) -> None:
        """One line with the time since the start."""
        self._console.print(f"[dim]{escape(f'[{self._elapsed_s():6.1f} s]')}[/dim] {_shown(text)}")

    def follow(self, journal: Path) -> None:
        """Start to follow this journal in a thread."""
        self._thread = threading.Thread(target=self._follow, args=(journal,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Show what is left to show, and stop following."""
        self._done.set()
        if self._thread:
            self._thread.join(5)
        if self._status:
            self._status.stop()
            self._status = None

    def _elapsed_s(self) -> float:
        return time.monotonic() - self._began_s

    def _follow(self, journal: Path) -> None:
        rest = b""
        with journal.open("rb") as lines:
            while True:
                last_look = self._done.is_set()
                rest += lines.read()
                *whole, rest = rest.split(b"\n")
                for line in whole:
                    self._show(json.loads(line))
                if last_look:
                    return
                self._done.wait(POLL_S)

    def _show(self, event: dict[str, Any]) -> None:
        kind = event.get("event")
        if kind == "stage_ended":
            self._stage_ended(event)
        elif kind == "step":
            self._step(event)
        elif kind == "attribution":
            self._attribution(event)

    def _stage_ended(self, event: dict[str, Any]) -> None:
        symbol, word = _SYMBOLS.get(event["outcome"], ("?", event["outcome"]))
        sign = symbol if self._unicode else word.ljust(7)
        title = Stage(event["stage"]).title
        seconds = f"{event['seconds']:6.1f} s" if event["outcome"] != "blocked" else " " * 8
        detail = f"  {event['detail'].splitlines()[0]}" if event.get("detail") else ""
        self._line(
            f"{event['src']} → {event['dst']}" if self._unicode else f"{event['src']} -> {event['dst']}",
            f"{sign} {escape(f'{title:<20}')}{seconds}{_shown(detail)}",
        )

    def _step(self, event: dict[str, Any]) -> None:
        text = f"{event['src']} → {event['dst']}: {event['text']} …"
        if self._console.is_terminal:
            if self._status is None:
                self._status = self._console.status("")
                self._status.start()
            self._status.update(_shown(text))
        else:
            self._line(f"{event['src']} -> {event['dst']}", _shown(f"  {event['text']}"))

    def _attribution(self, event: dict[str, Any]) -> None:
        whose = event["party"] or f"undecided: {' or '.join(event['suspects'])}"
        checks = f" ({', '.join(event['checks'])})" if event["checks"] else ""
        pair = f"{event['src']} → {event['dst']}" if self._unicode else f"{event['src']} -> {event['dst']}"
        self._line(pair, _shown(f"  whose {Stage(event['stage']).title}{checks} is: {whose}"))

    def _line(self, pair: str, markup: str) -> None:
        self._console.print(f"[dim]{escape(f'[{self._elapsed_s():6.1f} s]')}[/dim] {escape(pair)}  {markup}")


def _shown(text: str) -> str:
    """Whatever is in it, of clouds and guests too, as text for the console: neither markup nor control characters."""
    return escape(printable(text))
