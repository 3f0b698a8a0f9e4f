"""Facts out of a guest, one file per agent; ``Profile.agent`` is the file's name."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Protocol, cast

from golden_flows.errors import UsageError
from golden_flows.guests.ssh import GuestShell
from golden_flows.model.facts import GuestFiles
from golden_flows.model.guest import GuestReport, Link


class Agent(Protocol):
    """What every file in this folder offers."""

    CANNOT: Mapping[str, str]
    """What the agent has no way to do, by ``golden_flows.model.guest`` word, with the proof."""
    KEEPS_RECORD: bool
    """Whether it tells how often user data ran, with what exit code."""
    CONSOLE_MARKER: str
    """What the agent prints on the console, and what a console must therefore contain."""

    def parse_status(self, document: Mapping[str, object], *, source: str = "ssh") -> GuestReport: ...

    def from_console(self, text: str, run: str | None) -> tuple[GuestReport, ...]: ...

    def read(self, shell: GuestShell, console: Callable[[], str]) -> GuestReport:
        """Its report as it lies in the guest; ``console`` for what an agent tells there only, read when the report is.

        Raises ``GuestError``.
        """
        ...

    def says_done(self, console: str) -> bool:
        """Whether the console shows that a boot's work is done, so that the report can be asked for over SSH."""
        ...

    def progress(self, console: str) -> str:
        """What a boot is at, for who waits for it; nothing where the console does not tell."""
        ...

    def links_on(self, console: str) -> tuple[Link, ...]:
        """The NICs that it has printed there; none where it prints none."""
        ...

    def is_last(self, report: GuestReport) -> bool:
        """Whether no further report of this boot will come."""
        ...

    def read_files(self, shell: GuestShell) -> GuestFiles: ...


NAMES = ("reference", "cloud_init")


def whose_console(console: str) -> tuple[str | None, bool]:
    """The one agent that shows on it, and whether its work is done; None where there is no one or more than one."""
    seen = [name for name in NAMES if load_agent(name).CONSOLE_MARKER in console]
    if len(seen) != 1:
        return None, False
    agent = load_agent(seen[0])
    return seen[0], agent.says_done(console) or bool(agent.from_console(console, None))


def load_agent(name: str) -> Agent:
    """The agent of that file name. Raises ``UsageError``."""
    try:
        if not name.isidentifier():
            raise ModuleNotFoundError(name)
        return cast(Agent, importlib.import_module(f"{__name__}.{name}"))
    except ModuleNotFoundError as error:
        raise UsageError(f"no guest agent {name!r}", "see the file names in golden_flows/agents") from error
