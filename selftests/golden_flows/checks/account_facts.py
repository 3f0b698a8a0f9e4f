"""A healthy cell on a cloud whose guests post a password, launched with an RSA key."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from golden_flows.model.account import AuthorizedKeys, PasswordPost, PostedPassword, PostProbe
from golden_flows.model.facts import Facts
from selftests.golden_flows.checks.facts_builder import (
    HOST_KEY,
    OWNER,
    account,
    attempt,
    auth,
    boot,
    discovered,
    dst_profile,
    healthy_facts,
    key_line,
    report,
    second_instance,
    source_boot,
)

LAUNCHED = key_line("ssh-rsa", "interop")
POSTED = PostedPassword(
    key_type="ssh-rsa",
    api_status=200,
    text_bytes=512,
    second=PostProbe(status=409, kept=True),
    cleared_status=204,
    oversized=PostProbe(status=400, kept=True),
    again=PostProbe(status=200, kept=True),
)
TOLD = PasswordPost(verdict="posted", status=200)
ATTEMPTS = (
    attempt("key", True),
    attempt("posted-password", True),
    attempt("other-key", False),
    attempt("wrong-password", False),
)


def with_keys(*lines: str, ends_in_newline: bool = True) -> AuthorizedKeys:
    """These lines as a file."""
    return AuthorizedKeys.read("root", "\n".join(lines) + ("\n" if ends_in_newline else ""))


def posted_facts(*, told: PasswordPost | None = TOLD, **changes: Any) -> Facts:
    """``changes`` are to ``POSTED``; ``told`` is the guest's word."""
    fingerprint = LAUNCHED.fingerprint or ""
    seen = replace(
        report(),
        password_post=told,
        authorized_key_fingerprints=(fingerprint,),
        channels=report().channels[1:],
        config_drive=None,
    )
    asked = replace(
        auth(),
        asked=("key", "password-post"),
        attempts=ATTEMPTS,
        launched_key_fingerprints=(fingerprint,),
        password_change=None,
    )
    keys = with_keys(OWNER.text, LAUNCHED.text)
    found = discovered()
    return replace(
        healthy_facts(),
        discovered=replace(found, dst=replace(found.dst, config_drive=False)),
        dst=replace(dst_profile(), auth=("key", "password-post"), key_type="rsa", channels=("openstack-http",)),
        boot=replace(boot(), report=seen),
        auth=asked,
        account=replace(account(), authorized_keys=keys, posted=replace(POSTED, **changes)),
    )


def with_host_keys_of_home() -> Facts:
    """A cell whose guest kept the host keys of the instance that its image was taken from, and whose twin did, too."""
    home = source_boot()
    if home.report is None:
        raise ValueError("the instance at home reports")
    same = replace(home.report, host_key_fingerprints=(HOST_KEY,))
    second = second_instance()
    twin = replace(second.twin_identity, host_key=second.first.host_key)
    return replace(
        healthy_facts(), source_boot=replace(home, report=same), second_instance=replace(second, twin_identity=twin)
    )


def with_authorized(facts: Facts, keys: AuthorizedKeys | None) -> Facts:
    """The same cell with another file."""
    if facts.account is None:
        raise ValueError("a cell with an account was expected")
    return replace(facts, account=replace(facts.account, authorized_keys=keys))


def with_attempt(facts: Facts, method: str, accepted: bool | None) -> Facts:
    """The same cell, where that login went otherwise."""
    if facts.auth is None:
        raise ValueError("a cell with logins was expected")
    tries = tuple(replace(one, accepted=accepted) if one.method == method else one for one in facts.auth.attempts)
    return replace(facts, auth=replace(facts.auth, attempts=tries))
