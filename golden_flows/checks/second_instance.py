"""Is a copy of an instance an instance of its own, and does a rebuilt one get what it was rebuilt with?"""

from __future__ import annotations

from golden_flows.errors import shorten
from golden_flows.model.check import check, given, unseen_inside, verdict
from golden_flows.model.facts import Facts
from golden_flows.model.finding import Finding, NotApplicable, NotObserved, Said
from golden_flows.model.guest import MACHINE_IDS
from golden_flows.model.network_data import bare_ip
from golden_flows.model.second_instance import LaterBoot, SecondInstanceFacts


@check("AU-4", needs=("boot", "second_instance"))
def a_copy_has_an_identity_of_its_own(facts: Facts) -> Said:
    """SSH host key and machine-id of an instance booted from a snapshot differ from those of its origin.

    An agent that makes no machine-ids leaves a copy with that of its origin: no cloud can help it.
    """
    seen = given(facts.second_instance)
    if proof := _no_twin(facts, seen):
        return proof
    if unseen := _unseen(seen, seen.twin, "the twin"):
        return unseen
    remedy = "agents make these anew for a new instance: serve a new uuid, and keep none of them in the image"
    findings: list[Finding] = []
    missing: list[str] = []
    cannot, kept = given(facts.boot).agent_cannot.get(MACHINE_IDS, ""), False
    for what, first, twin in (
        ("SSH host key", seen.first.host_key, seen.twin_identity.host_key),
        ("machine-id", seen.first.machine_id, seen.twin_identity.machine_id),
    ):
        if (first is None or twin is None) and what == "machine-id" and not facts.dst.auth:
            continue  # launched with no way in: nobody was to look inside
        if first is None or twin is None:
            missing.append(f"the {what} of the first instance or of its twin could not be read")
        elif first and first == twin and what == "machine-id" and cannot:
            kept = True
        elif first and first == twin:
            findings.append(Finding(f"{what} of the twin", "another than its origin's", shorten(first, 60), remedy))
    if kept and not findings and not missing:
        return NotApplicable(f"the twin has another SSH host key, and its origin's machine-id: {cannot}")
    return verdict(findings, missing)


@check("N1-5", needs=("boot", "second_instance"))
def a_neighbour_sees_the_fixed_address(facts: Facts) -> Said:
    """What the server sends to another on its network comes from the fixed address of its port.

    A stale address is dropped by the next anti-spoofing filter, so that nothing answers.
    """
    seen = given(facts.second_instance)
    if proof := _no_twin(facts, seen):
        return proof
    if unseen := _unseen(seen, seen.twin, "the twin"):
        return unseen
    one = seen.neighbour
    if one is None or one.error:
        return unseen_inside(facts, one.error if one else "the first instance could not ask its twin")
    if one.stranger:
        return NotApplicable(f"it is not Anne's app that answers at {one.peer} (see AP-1): {one.stranger}")
    if _address(one.seen_as) == _address(one.own):
        return ()
    if one.seen_as is None and (seen.twin is None or seen.twin.nonce_found is None):
        return NotObserved(f"the twin's app answers nobody at {one.peer}, from outside neither (see AP-1)")
    remedy = "look for a static address of another cloud in the guest (ip addr, ip route), and for NAT on the network"
    actual = "no answer" if one.seen_as is None else shorten(one.seen_as, 60)
    return (Finding(f"address by which {one.peer} knows this server", one.own, actual, remedy),)


def _address(text: str | None) -> str | None:
    """In canonical spelling; a server that listens on both families knows IPv4 as ``::ffff:10.0.0.5``."""
    return bare_ip(text.lower().removeprefix("::ffff:")) if text else None


@check("UD-4", needs=("second_instance",))
def a_copy_runs_its_own_user_data(facts: Facts) -> Said:
    """What ran in the origin is remembered on the disk; the user data of a new instance runs all the same."""
    seen = given(facts.second_instance)
    if proof := _no_twin(facts, seen):
        return proof
    if not facts.dst.carries_user_data:
        return _carries_none(facts)
    twin = seen.twin
    if unseen := _unseen(seen, twin, "the twin"):
        return unseen
    if twin is None or twin.report is None:
        return NotObserved("the twin never reported")
    run = twin.report.user_data
    if run.ran_this_boot or twin.nonce_found == twin.nonce_expected:  # nobody but this script knows the nonce
        return ()
    remedy = "serve a uuid of its own to every server: agents remember by it what has run"
    uuid = shorten(twin.report.identity.uuid or "none", 60)
    actual = f"not run; the twin {twin.server_id} is told uuid {uuid}, its origin was {shorten(seen.first_uuid, 60)}"
    return (Finding("user data of the twin", "run once", actual, remedy),)


@check("UD-5", needs=("second_instance",))
def a_rebuilt_server_gets_its_new_user_data(facts: Facts) -> Said:
    """User data given to a rebuild (microversion 2.57) replaces that of the launch, in every channel the guest used."""
    seen = given(facts.second_instance)
    if proof := _no_rebuild(facts, seen):
        return proof
    if unseen := _unseen(seen, seen.rebuilt, "the rebuilt server"):
        return unseen
    if seen.rebuilt is None or seen.rebuilt.report is None:
        return NotObserved("the rebuilt server never reported")
    got = seen.rebuilt.report.user_data
    if got.present and got.sha256 is None:
        return NotObserved("the guest reported no hash of its user data")
    if got.sha256 == seen.rebuilt.sent_sha256:
        return ()
    remedy = "store the user data of a rebuild, and write the config drive anew"
    actual = f"sha256 {got.sha256}" if got.present else "none"
    return (Finding("user data after a rebuild", f"sha256 {seen.rebuilt.sent_sha256}", actual, remedy),)


@check("UD-7", needs=("second_instance",))
def user_data_runs_in_every_form(facts: Facts) -> Said:
    """Gzip and multipart run; a script whose first line ends in CR LF cannot, and the guest says so or mends it."""
    seen = given(facts.second_instance)
    if not facts.dst.carries_user_data:
        return _carries_none(facts)
    if seen.no_snapshot and (proof := _no_rebuild(facts, seen)):
        return proof
    findings: list[Finding] = []
    unseen: list[str] = []
    for form, boot in (("gzip", seen.twin), ("multipart", seen.rebuilt)):
        if boot is None or boot.report is None:
            refused = seen.no_snapshot if form == "gzip" else seen.no_rebuild
            if not refused:
                unseen.append(f"user data as {form} was not seen to an end")
            continue
        run, remedy = boot.report.user_data, "read the agent's log on the console: it must understand this form"
        # An agent may tell little of what it runs; nobody but the script knows the nonce.
        answers = boot.nonce_found == boot.nonce_expected
        if not answers and (run.sha256 != boot.sent_sha256 or not run.ran_this_boot):
            actual = "not run" if run.sha256 == boot.sent_sha256 else "never arrived as it was sent"
            findings.append(Finding(f"user data as {form}", "run", f"{actual} (see UD-1, UD-4, UD-5)", remedy))
            continue
        if run.exit_code != 0 and not (run.exit_code is None and answers):
            code = "no exit code" if run.exit_code is None else f"exit code {run.exit_code}"
            findings.append(Finding(f"user data as {form}", "run, with exit code 0", code, remedy))
        if form == "multipart" and not (run.failed_parts or run.mended_parts) and boot.report.verdict == "ok":
            remedy = "an agent must say that it could not run a script"
            findings.append(Finding("a part with CR LF in its #! line", "reported", "nothing is said of it", remedy))
    return verdict(findings, unseen)


def _no_twin(facts: Facts, seen: SecondInstanceFacts) -> NotApplicable | None:
    if seen.no_snapshot:
        return NotApplicable(
            f"{facts.dst.cloud} makes no snapshot to boot a twin from: {shorten(seen.no_snapshot, 200)}"
        )
    return None


def _no_rebuild(facts: Facts, seen: SecondInstanceFacts) -> NotApplicable | None:
    if not facts.dst.carries_user_data:
        return _carries_none(facts)
    if seen.no_rebuild:
        return NotApplicable(f"{facts.dst.cloud} does not rebuild with user data: {shorten(seen.no_rebuild, 200)}")
    return None


def _carries_none(facts: Facts) -> NotApplicable:
    return NotApplicable(f"no channel that carries user data: {facts.dst.cloud} claims {', '.join(facts.dst.channels)}")


def _unseen(seen: SecondInstanceFacts, boot: LaterBoot | None, who: str) -> NotObserved | None:
    if boot is None:
        return NotObserved(f"{who} was not followed to its end: {shorten(seen.error, 200) or 'no reason given'}")
    if boot.report is None:
        fault = f" ({shorten(boot.fault, 160)})" if boot.fault else ""
        return NotObserved(f"{who} never reported; it is {shorten(boot.status, 40)}{fault}")
    return None
