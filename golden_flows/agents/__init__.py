"""Facts out of a guest, one file per agent; ``Profile.agent`` is the file's name."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Protocol, cast

from golden_flows.errors import UsageError
from golden_flows.guests.ssh import GuestShell
from golden_flows.model.facts import GuestFiles
from golden_flows.model.guest import GuestReport


class Agent(Protocol):
    """What every file in this folder offers."""

    CONSOLE_MARKER: str
    """What the agent prints on the console, and what a console must therefore contain."""

    def parse_status(self, document: Mapping[str, object], *, source: str = "ssh") -> GuestReport: ...

    def from_console(self, text: str, run: str | None) -> tuple[GuestReport, ...]: ...

    def read(self, shell: GuestShell) -> GuestReport: ...

    def read_files(self, shell: GuestShell) -> GuestFiles: ...


def load_agent(name: str) -> Agent:
    """The agent of that file name. Raises ``UsageError``."""
    try:
        return cast(Agent, importlib.import_module(f"{__name__}.{name}"))
    except ModuleNotFoundError as error:
        raise UsageError(f"no guest agent {name!r}", "see the file names in golden_flows/agents") from error
