"""Can the owner log in, and nobody else?"""

from __future__ import annotations

from golden_flows.errors import shorten
from golden_flows.model.check import check, given, verdict
from golden_flows.model.facts import AuthFacts, Facts, LoginAttempt
from golden_flows.model.finding import Finding, NotApplicable, NotObserved, Said

REMEDY_KEYS = "remove leftover authorized_keys from the image, and keys that the cloud adds on its own"


@check("AU-1", needs=("auth",))
def launched_key_logs_in(facts: Facts) -> Said:
    """The key pair named at launch opens the default user's account."""
    remedy = "check that the key pair reaches public_keys in the metadata, and the agent writes it for the default user"
    return _asked_way_works(given(facts.auth), "key", remedy)


@check("AU-2", needs=("boot", "auth"))
def nobody_else_logs_in(facts: Facts) -> Said:
    """A key nobody launched with is refused; so is a password where none was asked, and a wrong one where one was.

    We hold no private half of a key that the cloud adds on its own, so those are known by what the guest was told.
    """
    auth, report = given(facts.auth), given(facts.boot).report
    asked_password = "password" in auth.asked
    intruders = [["other-key"], ["wrong-password"] if asked_password else ["password", "wrong-password"]]
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


@check("AU-5", needs=("auth",))
def asked_password_logs_in(facts: Facts) -> Said:
    """The password that create answered with (adminPass) opens the account."""
    remedy = (
        "set inject_password, or force_config_drive where the agent reads admin_pass from it; let sshd take passwords"
    )
    return _asked_way_works(given(facts.auth), "password", remedy)


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
    if attempt.method != "other-key":
        remedy = "sshd takes any password: check its PAM" if asked_password else "remove the image's password"
    return Finding(f"SSH login by {attempt.method} as {attempt.user}", "refused", "accepted", remedy)


def _why(attempts: list[LoginAttempt]) -> str:
    errors = [one.error for one in attempts if one.error]
    return f" ({shorten(errors[-1], 160)})" if errors else ""
