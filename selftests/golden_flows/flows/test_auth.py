"""What ends the story at its logins: a host that is not the guest, or no way in of those that were asked for."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest

from golden_flows.flows.auth import why_stopped
from golden_flows.flows.instance import Instance
from golden_flows.model.facts import AuthFacts, LoginAttempt
from selftests.golden_flows.checks.facts_builder import report, with_boot

REFUSED = LoginAttempt(method="key", user="root", accepted=False, error="Authentication failed.")
FOREIGN = LoginAttempt(method="other-key", user="root", accepted=False)


@pytest.mark.parametrize(
    ("asked", "attempts", "told"),
    [
        (("key",), (replace(REFUSED, accepted=True), FOREIGN), ""),
        (("key",), (REFUSED, FOREIGN), "no way to log in (key: Authentication failed.)"),
        ((), (FOREIGN,), ""),
        (
            ("key",),
            (replace(REFUSED, accepted=True, host_key_fingerprint="SHA256:other"),),
            "SSH shows host key SHA256:other, which the guest's report does not name",
        ),
    ],
    ids=["a way in", "none of those asked for", "none was asked for", "another host"],
)
def test_the_story_ends_where_nobody_gets_in_or_somebody_else_answers(
    asked: tuple[str, ...], attempts: tuple[LoginAttempt, ...], told: str
) -> None:
    guest = cast(Instance, SimpleNamespace(login=SimpleNamespace(asked=asked)))
    facts = with_boot(report=replace(report(), host_key_fingerprints=("SHA256:own",)))
    assert why_stopped(guest, replace(facts, auth=AuthFacts(asked=asked, attempts=attempts))) == told
