"""Can the owner log in, and nobody else?"""

from __future__ import annotations

import re

from golden_flows.errors import shorten
from golden_flows.model.check import check, given, verdict
from golden_flows.model.facts import AuthFacts, BootFacts, Facts, LoginAttempt, PasswordChange, latest_report
from golden_flows.model.finding import Finding, NotApplicable, NotObserved, Said
from golden_flows.model.guest import SETTING_PASSWORDS
from golden_flows.model.xen import CHANNEL

UNSUPPORTED = re.compile(
    r"not (?:supported|implemented|enabled)|unsupported|no agent|cannot set|unable to set", re.IGNORECASE
)
"""Nova's reasons of drivers and guests that have no way to do it (InstanceAgentNotEnabled, NotImplementedError, …)."""

REFUSALS = (400, 409, 501)
"""What Nova answers for them; 403 is a policy that lets no tenant ask at all."""

HOME_PASSWORD = "home-password"  # noqa: S105  # how a login was tried, not with what
REMEDY_KEYS = "remove leftover authorized_keys from the image, and keys that the cloud adds on its own"


@check("AU-1", needs=("auth",))
def launched_key_logs_in(facts: Facts) -> Said:
    """The key pair named at launch opens the default user's account."""
    remedy = "check that the key pair reaches public_keys in the metadata, and the agent writes it for the default user"
    return _asked_way_works(given(facts.auth), "key", remedy)


@check("AU-2", needs=("boot", "auth"))
def nobody_else_logs_in(facts: Facts) -> Said:
    """A key nobody launched with is refused; so is a password where none was asked, and a wrong one where one was.

    A password that was good at home travels inside the disk: it must not open the account abroad.

    We hold no private half of a key that the cloud adds on its own, so those are known by what the guest was told.
    """
    auth, report = given(facts.auth), given(facts.boot).report
    asked_password = "password" in auth.asked
    intruders = [["other-key"], ["wrong-password"] if asked_password else ["password", "wrong-password"]]
    if any(one.method == HOME_PASSWORD for one in auth.attempts):
        intruders.append([HOME_PASSWORD])
    findings: list[Finding] = []
    unseen: list[str] = []
    for methods in intruders:
        tries = [one for one in auth.attempts if one.method in methods]
        known = [one for one in tries if one.accepted is not None]
        if not known:
            unseen.append(f"login by {methods[0]} was not tried to an end{_why(tries)}")
        findings += [_intruder(one, asked_password) for one in known if one.accepted]
    told = report.authorized_key_fingerprints if report is not None else None
    foreign = sorted(set(told or ()) - set(auth.launched_key_fingerprints))
    findings += [
        Finding("keys that the metadata lets in", "those launched with", shorten(one, 80), REMEDY_KEYS)
        for one in foreign
    ]
    return verdict(findings, unseen)


@check("AU-5", needs=("boot", "auth"))
def asked_password_logs_in(facts: Facts) -> Said:
    """The password that create answered with (adminPass) opens the account."""
    remedy = (
        "set inject_password, or force_config_drive where the agent reads admin_pass from it; let sshd take passwords"
    )
    if "password" in given(facts.auth).asked and (proof := given(facts.boot).agent_cannot.get(SETTING_PASSWORDS)):
        return NotApplicable(proof)
    return _asked_way_works(given(facts.auth), "password", remedy)


@check("AU-9", needs=("boot", "auth"))
def changed_password_logs_in(facts: Facts) -> Said:
    """The password set through the API opens the account, and the one before it does so no longer.

    Over xenstore it travels under a key that both ends derive with MD5. A host whose OpenSSL derives with SHA-256 is
    refused by the guest, and Nova says 202 all the same; then at least the password before must still be the guest's.
    """
    boot, auth = given(facts.boot), given(facts.auth)
    if "password" not in auth.asked:
        return NotApplicable(
            f"the server was launched with {', '.join(auth.asked) or 'no way in'}: no password to change"
        )
    if proof := boot.agent_cannot.get(SETTING_PASSWORDS):
        return NotApplicable(proof)
    change = auth.password_change
    if change is None:
        return NotObserved("nobody could log in with the password of the launch, so none was set anew (see AU-5)")
    if not change.taken and (proof := _offers_none(facts, change, boot, auth)):
        return NotApplicable(proof)
    remedy = "read the cloud's reason; over xenstore both ends must derive the key with MD5 (openssl enc -md md5)"
    findings: list[Finding] = []
    unseen: list[str] = []
    if not change.taken:
        told = f"HTTP {change.status} {shorten(change.message, 160)}".rstrip()
        findings.append(Finding("changePassword", "HTTP 202", f"{told}{_answers(boot, auth)}", remedy))
    new = change.attempt("new-password")
    old_is_dead = change.taken and (new is None or new.accepted is not False)
    expected = [("new-password", True)] if change.taken else []
    for method, accepted in (*expected, ("old-password", not old_is_dead)):
        tried = change.attempt(method)
        if tried is None or tried.accepted is None:
            unseen.append(f"login by {method} was not tried to an end{_why([tried] if tried else [])}")
        elif tried.accepted is not accepted:
            words = ("refused", "accepted")
            subject = f"SSH login by {method} as {tried.user} after HTTP {change.status}"
            findings.append(Finding(subject, words[accepted], f"{words[tried.accepted]}{_answers(boot, auth)}", remedy))
    return verdict(findings, unseen)


def _offers_none(facts: Facts, change: PasswordChange, boot: BootFacts, auth: AuthFacts) -> str:
    """The proof that this cloud has no way to set a password, or nothing: it has one, and failed."""
    told = f"changePassword: HTTP {change.status} {shorten(change.message, 200)}".rstrip()
    if CHANNEL in facts.dst.channels or _answers(boot, auth):
        return ""
    if change.status in (403, 404, 405):
        return f"{told}: {facts.dst.cloud} does not offer it to tenants"
    is_unsupported = change.status == 501 or (change.status in REFUSALS and UNSUPPORTED.search(change.message))
    return f"{told}: {facts.dst.cloud} has no way to set a password in a guest" if is_unsupported else ""


def _answers(boot: BootFacts, auth: AuthFacts) -> str:
    """What the guest answered to the host's commands; empty when it got none."""
    report = latest_report(boot, auth)
    store = report.xenstore if report is not None else None
    asked = [one for name in ("keyinit", "password") if store is not None and (one := store.last(name)) is not None]
    told = ", ".join(f"{one.name} {shorten(one.returncode, 20)} {shorten(one.message, 80)}".rstrip() for one in asked)
    return f"; the guest answered {told}" if told else ""


def _asked_way_works(auth: AuthFacts, method: str, remedy: str) -> Said:
    if method not in auth.asked:
        return NotApplicable(f"the server was launched with {', '.join(auth.asked) or 'no way in'}, without a {method}")
    tries = [one for one in auth.attempts if one.method == method]
    known = [one for one in tries if one.accepted is not None]
    if not known:
        return NotObserved(f"login by {method} was not tried to an end{_why(tries)}")
    if known[-1].accepted:
        return ()
    actual = f"refused{_why(known[-1:])}"
    return (Finding(f"SSH login by {method} as {known[-1].user}", "accepted", actual, remedy),)


def _intruder(attempt: LoginAttempt, asked_password: bool) -> Finding:
    remedy = REMEDY_KEYS
    if attempt.method == HOME_PASSWORD:
        remedy = "lock the accounts of an image at the first boot of a new instance"
    elif attempt.method != "other-key":
        remedy = "sshd takes any password: check its PAM" if asked_password else "remove the image's password"
    return Finding(f"SSH login by {attempt.method} as {attempt.user}", "refused", "accepted", remedy)


def _why(attempts: list[LoginAttempt]) -> str:
    errors = [one.error for one in attempts if one.error]
    return f" ({shorten(errors[-1], 160)})" if errors else ""
