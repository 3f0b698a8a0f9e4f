"""Who gets into Anne's instance, and with what: the way she asked for, those she did not, and a password set anew."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from golden_flows.errors import WaitTimeout
from golden_flows.flows.instance import SSH_PORT, Instance
from golden_flows.flows.setting import SHELL_TIMEOUT_S
from golden_flows.guests.ssh import KeyPair, generate_key, try_login
from golden_flows.guests.tcp import probe_port
from golden_flows.journal import Journal
from golden_flows.model.facts import LoginAttempt, PasswordChange
from golden_flows.waiting import SYSTEM_CLOCK, Clock, Deadline, wait_for

CHANGE_TIMEOUT_S = 15.0
"""From the API's answer to a guest that takes the new password: not every driver waits for the guest."""


def try_all_ways(guest: Instance, home_password: str | None = None) -> tuple[LoginAttempt, ...]:
    """Every way that was asked for, then a foreign key, a wrong password, and the password that was good at home."""
    _wait_for_sshd(guest)
    login = guest.login
    attempts = [log_in(guest, "key", key=login.key)] if login.key else []
    if login.password:
        attempts.append(log_in(guest, "password", password=login.password))
    if login.posted:
        attempts.append(log_in(guest, "posted-password", password=login.posted))
    attempts.append(log_in(guest, "other-key", key=generate_key()))
    attempts.append(log_in(guest, "wrong-password", password="not-the-" + generate_key().public_text[-16:]))
    if home_password:
        attempts.append(log_in(guest, "home-password", password=home_password))
    return tuple(attempts)


def is_in(attempts: tuple[LoginAttempt, ...], *methods: str) -> bool:
    """Whether one of the ways that were asked for opened the account."""
    return any(one.accepted and one.method in (methods or ("key", "password", "posted-password")) for one in attempts)


class Try(Protocol):
    """One login to a guest; ``log_in`` in earnest."""

    def __call__(self, guest: Instance, method: str, *, password: str | None = None) -> LoginAttempt: ...


def change_password(
    guest: Instance,
    journal: Journal,
    say: Callable[[str], None],
    *,
    attempt: Try | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> PasswordChange:
    """Ask the API for another password, and try it and the one before. The guest's login follows what it takes."""
    attempt = attempt or log_in
    say("setting another password through the API")
    before, password = guest.login.password, secrets.token_urlsafe(12)
    journal.hide(password)
    status, message = guest.cloud.change_password(guest.server_id, password)
    change = PasswordChange(status=status, message=message)
    if not change.taken and status not in (400, 409, 500):
        return change  # not offered here: the guest never heard of it
    attempts: list[LoginAttempt] = []
    if change.taken:
        attempts.append(_wait_until_taken(guest, password, attempt, Deadline.after(CHANGE_TIMEOUT_S, clock)))
        if attempts[0].accepted:
            guest.login = replace(guest.login, password=password)
    attempts.append(attempt(guest, "old-password", password=before))
    return replace(change, attempts=tuple(attempts))


def _wait_until_taken(guest: Instance, password: str, attempt: Try, deadline: Deadline) -> LoginAttempt:
    last: list[LoginAttempt] = []

    def probe() -> LoginAttempt:
        last[:] = [attempt(guest, "new-password", password=password)]
        return last[0]

    with contextlib.suppress(WaitTimeout):
        wait_for("the new password", probe, deadline=deadline, until=lambda tried: tried.accepted is True, every_s=1.0)
    return last[0]


def _wait_for_sshd(guest: Instance) -> None:
    """The agent reports before sshd starts; a try that comes too early would say nothing of either."""
    with contextlib.suppress(WaitTimeout):
        wait_for(
            "sshd",
            lambda: probe_port(guest.address, SSH_PORT, guest.cloud.profile.access),
            deadline=Deadline.after(SHELL_TIMEOUT_S),
        )


def log_in(guest: Instance, method: str, *, key: KeyPair | None = None, password: str | None = None) -> LoginAttempt:
    """One try over SSH."""
    profile = guest.cloud.profile
    return try_login(
        guest.address, SSH_PORT, guest.login.user, method=method, key=key, password=password, access=profile.access
    )
