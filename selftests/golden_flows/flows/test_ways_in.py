"""A password set anew, on clouds and guests that take it, refuse it, or only say that they took it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from golden_flows.flows.instance import Instance, Login
from golden_flows.flows.ways_in import change_password, is_in
from golden_flows.journal import Journal
from golden_flows.model.facts import LoginAttempt, PasswordChange
from golden_flows.waiting import Clock


@dataclass
class Guest:
    """Cloud and guest in one: ``answer`` is the API's, the guest takes a password after so many tries, or never."""

    answer: tuple[int, str]
    takes_after: int | None
    valid: str = "of the launch"
    asked: str = ""
    server_id: str = "s-1"
    login: Login = field(default_factory=lambda: Login("root", None, "of the launch"))
    tries: list[str] = field(default_factory=list)

    @property
    def cloud(self) -> Guest:
        return self

    def change_password(self, server_id: str, password: str) -> tuple[int, str]:
        self.asked = password
        return self.answer

    def log_in(self, guest: Instance, method: str, *, password: str | None = None) -> LoginAttempt:
        self.tries.append(method)
        if self.takes_after is not None and self.tries.count("new-password") > self.takes_after:
            self.valid = self.asked
        return LoginAttempt(method=method, user="root", accepted=password == self.valid)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path)


def change(guest: Guest, journal: Journal) -> PasswordChange:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    clock = Clock(lambda: now[0], sleep)
    return change_password(cast(Instance, guest), journal, lambda text: None, attempt=guest.log_in, clock=clock)


@pytest.mark.parametrize("late", [0, 3])
def test_a_password_that_is_taken_becomes_the_login(late: int, journal: Journal) -> None:
    guest = Guest((202, ""), takes_after=late)
    seen = change(guest, journal)
    assert [(one.method, one.accepted) for one in seen.attempts] == [("new-password", True), ("old-password", False)]
    assert guest.login.password == guest.asked != "of the launch"
    journal.write("note", text=f"it is {guest.asked}")
    assert guest.asked not in journal.path.read_text("utf-8")


def test_a_password_that_only_the_cloud_took_leaves_the_login(journal: Journal) -> None:
    guest = Guest((202, ""), takes_after=None)
    seen = change(guest, journal)
    assert [(one.method, one.accepted) for one in seen.attempts] == [("new-password", False), ("old-password", True)]
    assert guest.login.password == "of the launch"
    assert guest.tries.count("new-password") > 5


def test_after_a_refusal_only_the_old_password_is_tried(journal: Journal) -> None:
    guest = Guest((409, "Failed to set admin password"), takes_after=None)
    seen = change(guest, journal)
    assert (seen.status, seen.message, guest.tries) == (409, "Failed to set admin password", ["old-password"])


@pytest.mark.parametrize("status", [403, 404, 501])
def test_a_cloud_without_this_costs_no_login(status: int, journal: Journal) -> None:
    guest = Guest((status, "no"), takes_after=None)
    assert change(guest, journal).attempts == ()
    assert guest.tries == []


def test_only_ways_that_were_asked_for_count_as_in() -> None:
    def tried(method: str, accepted: bool | None) -> LoginAttempt:
        return LoginAttempt(method=method, user="root", accepted=accepted)

    assert is_in((tried("key", False), tried("password", True)))
    assert not is_in((tried("other-key", True), tried("password", None)))
    assert is_in((tried("password", True),), "password")
    assert not is_in((tried("key", True),), "password")
