"""The reference guest agent's reports, schema 1. Everything in them is hostile until parsed here."""

from __future__ import annotations

from collections.abc import Mapping

from golden_flows.guests.ssh import GuestShell
from golden_flows.model.facts import GuestFiles
from golden_flows.model.guest import GuestReport

CONSOLE_MARKER = "@ICT1"
STATUS_PATH = "/run/guest-agent/status.json"


def parse_status(document: Mapping[str, object], *, source: str = "ssh") -> GuestReport:
    """A report from its JSON document. Raises ``GuestError`` naming the key that is wrong."""
    raise NotImplementedError


def from_console(text: str, run: str | None) -> tuple[GuestReport, ...]:
    """Every whole report on a console, newest last; of run ``run`` only, where one is given."""
    raise NotImplementedError


def read(shell: GuestShell) -> GuestReport:
    """The report as it lies in the guest."""
    raise NotImplementedError


def read_files(shell: GuestShell) -> GuestFiles:
    raise NotImplementedError
