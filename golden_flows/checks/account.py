"""Is it the right guest that lets us in, and does its account hold the keys and the password that it should?"""

from __future__ import annotations

from golden_flows.errors import shorten
from golden_flows.model.account import CAN_ENCRYPT, PasswordPost, PostedPassword, PostProbe
from golden_flows.model.check import SILENT_GUEST, check, given, unseen_inside, verdict
from golden_flows.model.facts import AuthFacts, Facts
from golden_flows.model.finding import Finding, NotApplicable, NotObserved, Said

INJECTION = "injection"
POST = "POST /openstack/latest/password"
REMEDY_POST = (
    "ask nova-api-metadata directly: it keeps the first password until the owner clears it, 1020 bytes at most"
)


@check("AU-3", needs=("source_boot", "boot", "auth"))
def host_key_is_the_guest_s_own(facts: Facts) -> Said:
    """The host key that SSH shows is the one the guest's report names, and was not the instance's at home.

    Who has the image has its host keys: clones that share them can be impersonated by one another.
    """
    auth, report, home = given(facts.auth), given(facts.boot).report, given(facts.source_boot).report
    if report is None:
        return SILENT_GUEST
    seen = sorted({one.host_key_fingerprint for one in auth.attempts if one.host_key_fingerprint})
    if not seen:
        return NotObserved("no SSH server showed a host key")
    named = set(report.host_key_fingerprints)
    old = set(home.host_key_fingerprints) if home is not None else set()
    unseen = [
        f"{where} names no host key"
        for where, keys in (("the guest's report", named), ("the one of home", old))
        if not keys
    ]
    findings: list[Finding] = []
    for key in seen:
        if named and key not in named:
            remedy = "find out who answers at that address; then why the guest changed its key after it had reported"
            findings.append(Finding("host key shown by SSH", f"{_listed(named)}, as the guest reports", key, remedy))
        if key in old:
            remedy = "let guests make host keys of their own: no ssh_deletekeys: false, no keys baked into images"
            findings.append(Finding("host key shown by SSH", "one made on this cloud", f"{key}, of home", remedy))
    return verdict(findings, unseen)


@check("AU-6", needs=("boot", "auth", "account"))
def posted_password_reaches_its_owner(facts: Facts) -> Said:
    """What the guest posted comes out of the API, opens with the private key, and logs in.

    It is posted once: a second is refused with 409, one of more than 1020 bytes with 400; once the owner has cleared
    it, the guest may post again.
    """
    report, auth, posted = given(facts.boot).report, given(facts.auth), given(facts.account).posted
    if (proof := _not_asked(facts, auth)) is not None:
        return proof
    if report is None:
        return SILENT_GUEST
    if posted is None:
        return NotObserved("nobody asked the API for the posted password")
    if posted.key_type != CAN_ENCRYPT:
        return NotApplicable(f"a key of type {posted.key_type} encrypts nothing (see AU-7)")
    told = report.password_post
    if told is None:
        return _agent_without_it(facts)
    subject = "os-server-password"
    if told.verdict != "posted":
        return (Finding(f"{POST} by the guest", "200", _told(told), REMEDY_POST),)
    if posted.api_status != 200:
        remedy = "let owners read it: os_compute_api:os-server-password in nova's policy"
        return (Finding(subject, "HTTP 200", f"HTTP {posted.api_status}", remedy),)
    if not posted.text_bytes:
        expected = f"what the guest posted ({_told(told)})"
        return (Finding(subject, expected, "nothing", "look for system_metadata that is not saved, or another cell"),)
    if posted.unreadable:
        actual = f"{posted.text_bytes} characters; {shorten(posted.unreadable, 160)}"
        return (Finding(subject, "base64 of RSA PKCS #1 v1.5, for the key of the launch", actual, REMEDY_POST),)
    findings, unseen = _logs_in(auth)
    more, missing = _rules(posted)
    return verdict(findings + more, unseen + missing)


def _logs_in(auth: AuthFacts) -> tuple[list[Finding], list[str]]:
    tries = [one for one in auth.attempts if one.method == "posted-password"]
    if not tries or tries[-1].accepted is None:
        return [], ["login by posted-password was not tried to an end"]
    if tries[-1].accepted:
        return [], []
    remedy = "another password was posted than was set: did a second one take its place? Does sshd take passwords?"
    return [Finding(f"SSH login by posted-password as {tries[-1].user}", "accepted", "refused", remedy)], []


def _rules(posted: PostedPassword) -> tuple[list[Finding], list[str]]:
    """What was tried from inside the guest."""
    cleared = posted.cleared_status is not None and posted.cleared_status < 300
    wanted: tuple[tuple[str, PostProbe | None, int], ...] = (
        ("of a second password", posted.second, 409),
        ("of 1021 bytes", posted.oversized, 400),
        ("after the owner had cleared it", posted.again, 200),
    )
    findings: list[Finding] = []
    unseen: list[str] = []
    for what, probe, status in wanted:
        if probe is None or probe.status is None or (probe.kept is None and probe.status == status):
            late = "" if cleared or status == 409 else f" (clearing the first: HTTP {posted.cleared_status})"
            unseen.append(f"{POST} {what} was not tried to an end{late} {shorten(posted.trouble, 160)}".rstrip())
        elif probe.status != status:
            findings.append(Finding(f"{POST} {what}", str(status), str(probe.status), REMEDY_POST))
        elif not probe.kept:
            actual = f"HTTP {status}, and then another text in os-server-password"
            findings.append(Finding(f"{POST} {what}", f"{status}, and no change but what it says", actual, REMEDY_POST))
    return findings, unseen


@check("AU-7", needs=("boot", "auth", "account"))
def key_that_cannot_encrypt_is_told(facts: Facts) -> Said:
    """ed25519 and ECDSA only sign: a guest that is to post a password then says so, and posts nothing."""
    report, auth, posted = given(facts.boot).report, given(facts.auth), given(facts.account).posted
    if (proof := _not_asked(facts, auth)) is not None:
        return proof
    if posted is None:
        return NotObserved("nobody asked the API for the posted password")
    if posted.key_type == CAN_ENCRYPT:
        return NotApplicable(f"the server was launched with a key of type {CAN_ENCRYPT}, which can encrypt (see AU-6)")
    if report is None:
        return SILENT_GUEST
    if report.password_post is None:
        return _agent_without_it(facts)
    remedy = "make the guest's agent refuse in so many words; launch with an RSA key where a password is to be posted"
    findings: list[Finding] = []
    if report.password_post.verdict != "unsupported-key":
        subject = f"the guest's word on a password for {posted.key_type}"
        findings.append(Finding(subject, "unsupported-key", _told(report.password_post), remedy))
    if posted.text_bytes:
        findings.append(Finding("os-server-password", "nothing", f"{posted.text_bytes} characters", remedy))
    return tuple(findings)


@check("AU-10", needs=("boot", "auth", "account"))
def keys_of_the_image_s_owner_stay(facts: Facts) -> Said:
    """A key that the image's owner wrote into the account is there still, and none that nobody can account for."""
    auth, account, report = given(facts.auth), given(facts.account), given(facts.boot).report
    there, owner = account.authorized_keys, account.owner_fingerprint
    if not facts.src.auth:
        return NotApplicable(f"{facts.src.cloud} has no way in either: nobody could put a key into the image")
    if facts.src.user != facts.dst.user:
        return NotApplicable(f"another account: {facts.src.user} at home, {facts.dst.user} here")
    if facts.dst.channels == (INJECTION,):
        return NotApplicable(
            f"{facts.dst.cloud} writes keys into the disk itself: only what it wrote last is let in there"
        )
    if there is None:
        return unseen_inside(facts, "authorized_keys could not be read in the guest")
    if owner is None:
        return NotObserved("no key of an owner could be put into the account at home")
    findings: list[Finding] = []
    if owner not in there.fingerprints:
        remedy = "append the launched key to authorized_keys; replace the file only where the owner asks for it"
        subject = f"key of the image's owner in authorized_keys of {there.user}"
        findings.append(Finding(subject, owner, f"{len(there.lines)} key(s) without it", remedy))
    told = (report.authorized_key_fingerprints if report is not None else None) or ()
    home = account.home_keys.fingerprints if account.home_keys is not None else ()
    known = {owner, *auth.launched_key_fingerprints, *told, *home}
    remedy = "find out what writes it: neither the metadata nor the image has that key"
    findings += [
        Finding(f"authorized_keys of {there.user}", "the launched key, and those of the image", one, remedy)
        for one in dict.fromkeys(there.fingerprints)
        if one not in known
    ]
    return tuple(findings)


@check("AU-11", needs=("auth", "account"))
def every_key_is_one_line(facts: Facts) -> Said:
    """However a key is written (CR LF, no end of line, a file whose last line has none), it becomes one valid line."""
    auth, there = given(facts.auth), given(facts.account).authorized_keys
    if "key" not in auth.asked:
        return NotApplicable(f"the server was launched with {_asked(auth)}, without a key")
    if there is None:
        return NotObserved("authorized_keys could not be read in the guest")
    remedy = "end each key with one newline wherever keys are joined, and strip the carriage return of its line"
    subject = f"authorized_keys of {there.user}"
    findings = [
        Finding(f"{subject}, line {one.number}", "one valid key", one.defect, remedy)
        for one in there.lines
        if one.defect
    ]
    for key in auth.launched_key_fingerprints:
        if (count := there.fingerprints.count(key)) > 1:
            findings.append(Finding(f"launched key in {subject}", "once", f"{count} times", remedy))
    if there.lines and not there.ends_in_newline:
        findings.append(Finding(f"end of {subject}", "a newline", "none, so the next key is glued to it", remedy))
    return tuple(findings)


def _not_asked(facts: Facts, auth: AuthFacts) -> NotApplicable | None:
    if "password-post" in auth.asked:
        return None
    return NotApplicable(f"the server was launched with {_asked(auth)}: its guest was not to make a password")


def _agent_without_it(facts: Facts) -> NotApplicable | NotObserved:
    if facts.dst.agent != "reference":
        return NotApplicable(f"this image's agent ({facts.dst.agent}) posts no passwords")
    return NotObserved("the guest's report says nothing of a password to post: is its agent an older one?")


def _told(post: PasswordPost) -> str:
    return shorten(f"{post.verdict} {post.reason}".strip(), 160)


def _asked(auth: AuthFacts) -> str:
    return ", ".join(auth.asked) or "no way in"


def _listed(keys: set[str]) -> str:
    return " or ".join(sorted(keys))
