"""Stop and start through the API, and what the kernel said of it."""

from __future__ import annotations

from typing import cast

import pytest

from golden_flows.clouds.cloud import Cloud
from golden_flows.clouds.records import ServerState
from golden_flows.errors import GuestError, Unsupported
from golden_flows.flows.power import read_kernel_log, stop_and_start
from golden_flows.guests.ssh import CommandResult, GuestShell
from golden_flows.waiting import Deadline


class Stoppable:
    """Writes down what it was asked for."""

    def __init__(self, state: ServerState | None) -> None:
        self.state, self.asked = state, list[str]()

    def stop(self, server_id: str, deadline: Deadline) -> ServerState:
        self.asked.append("stop")
        if self.state is None:
            raise Unsupported("os-stop: HTTP 403 Policy")
        return self.state

    def start(self, server_id: str) -> None:
        self.asked.append("start")

    def reboot(self, server_id: str, soft: bool = True) -> None:
        self.asked.append("reboot")


class Shell:
    """Answers one command."""

    def __init__(self, answer: CommandResult | None) -> None:
        self._answer = answer

    def run(self, command: str, *, timeout_s: float = 30.0) -> CommandResult:
        if self._answer is None:
            raise GuestError("gone")
        return self._answer


def test_a_server_that_stops_is_started_again() -> None:
    cloud = Stoppable(ServerState("SHUTOFF", ("ACTIVE", "SHUTOFF"), "", 2.5))
    facts = stop_and_start(cast(Cloud, cloud), "s-1")
    assert (facts.seconds_to_shutoff, facts.last_status, facts.refused) == (2.5, "SHUTOFF", "")
    assert cloud.asked == ["stop", "start"]


def test_a_server_that_does_not_stop_is_left_alone() -> None:
    cloud = Stoppable(ServerState("ACTIVE", ("ACTIVE",), "", None))
    facts = stop_and_start(cast(Cloud, cloud), "s-1")
    assert (facts.seconds_to_shutoff, facts.last_status) == (None, "ACTIVE")
    assert cloud.asked == ["stop"]


def test_where_tenants_may_not_stop_servers_they_reboot_them() -> None:
    cloud = Stoppable(None)
    assert stop_and_start(cast(Cloud, cloud), "s-1").refused == "os-stop: HTTP 403 Policy"
    assert cloud.asked == ["stop", "reboot"]


def test_the_kernel_s_log_is_told_with_its_boot() -> None:
    answer = CommandResult(0, b"b-2\n[ 2.1] EXT4-fs (xvda1): mounted filesystem\n\xff\n", b"")
    log = read_kernel_log(cast(GuestShell, Shell(answer)))
    assert log is not None
    assert log.boot_id == "b-2"
    assert len(log.lines) == 2


@pytest.mark.parametrize(
    "answer",
    [
        None,
        CommandResult(1, b"", b"Operation not permitted"),
        CommandResult(0, b"b-2\n", b""),
        CommandResult(0, b"", b""),
    ],
)
def test_a_log_that_cannot_be_read_is_none(answer: CommandResult | None) -> None:
    assert read_kernel_log(cast(GuestShell, Shell(answer))) is None
