"""Does the workload come home again: whole, with what it gained abroad, and as a machine of its own?"""

from __future__ import annotations

from golden_flows.errors import shorten
from golden_flows.model.check import check, given, unseen_inside, verdict
from golden_flows.model.facts import Facts
from golden_flows.model.finding import Finding, NotApplicable, NotObserved, Said, WithShim
from golden_flows.model.guest import MACHINE_IDS
from golden_flows.model.return_trip import Machine, ReturnTripFacts


@check("RT-1", needs=("return_trip",))
def workload_comes_home_and_runs(facts: Facts) -> Said:
    """The destination's export is whole, the source takes it in and boots it, and Anne's app has its new nonce."""
    seen, home, away = given(facts.return_trip), facts.src.cloud, facts.dst.cloud
    if seen.no_snapshot:
        return _none_made(facts, seen)
    if seen.damage:
        remedy = "see EX-1 to EX-3 in the cell of the opposite direction: they say what is wrong with its exports"
        return (Finding(f"export of Anne's instance from {away}", "a whole RAW disk", seen.damage, remedy),)
    if seen.image_status is None and seen.image_message:
        remedy = "see the refusal: policy, quota, or what the image is said to be"
        return (Finding(f"image brought back to {home}", "taken in", shorten(seen.image_message, 200), remedy),)
    if seen.image_status is None:
        return NotObserved(f"the instance was not brought back: {_why(seen)}")
    if seen.image_status != "active":
        actual = f"{seen.image_status}: {shorten(seen.image_message, 200) or 'no reason given'}"
        return (Finding(f"image brought back to {home}", "active", actual, "see the import task on the source cloud"),)
    back = seen.back
    if back is None:
        return NotObserved(f"the instance at home again was not followed to its end: {_why(seen)}")
    if back.report is None:
        fault = f" ({shorten(back.fault, 160)})" if back.fault else ""
        actual = f"{shorten(back.status, 40)}, and no report{fault}"
        return (Finding(f"Anne's instance on {home} again", "ACTIVE, and its agent reports", actual),)
    if back.nonce_found != back.nonce_expected:
        remedy = "look at the console for what user data said, and whether the app's port is open"
        actual = "no answer" if back.nonce_found is None else repr(shorten(back.nonce_found, 60))
        return (Finding(f"Anne's app on {home} again", "the nonce of this launch", actual, remedy),)
    return WithShim(seen.shim, f"{away} exports no RAW; the shim made it") if seen.shim else ()


@check("RT-2", needs=("return_trip",))
def data_of_home_and_of_abroad_is_there(facts: Facts) -> Said:
    """What was written at home, and what was written abroad, is on the disk; its file systems kept their uuids."""
    seen = given(facts.return_trip)
    if isinstance(looked := _machines(facts, seen), (NotApplicable, NotObserved)):
        return looked
    home, abroad, machine = looked
    findings: list[Finding] = []
    remedy = "snapshot the running disk, with what the guest has written; see EX-1 to EX-3 and CV-2 of both directions"
    for path, expected in {
        **home.payloads,
        **{p: d for p, d in abroad.payloads.items() if p not in home.payloads},
    }.items():
        found = machine.payloads.get(path, "")
        if found != expected:
            actual = f"sha256 {found}" if found else "no such file"
            findings.append(Finding(f"{path} at home again", f"sha256 {expected}", actual, remedy))
    remedy = "nothing on the way may write into an image: look for a tool that gives file systems new uuids"
    for one in home.file_systems:
        for where, other in ((facts.dst.cloud, abroad), (f"{facts.src.cloud} again", machine)):
            if one not in other.file_systems:
                actual = ", ".join(other.file_systems) or "none"
                findings.append(Finding(f"file systems on {where}", one, shorten(actual, 160), remedy))
    return verdict(findings, [] if home.file_systems else ["the guest at home told of no file system"])


@check("RT-3", needs=("boot", "return_trip"))
def home_takes_it_for_a_new_machine(facts: Facts) -> Said:
    """Host key and machine-id are new, its own user data ran once, and the key of the instance abroad is locked out."""
    seen = given(facts.return_trip)
    if isinstance(looked := _machines(facts, seen), (NotApplicable, NotObserved)):
        return looked
    home, abroad, machine = looked
    remedy = "serve a uuid of its own to every server, and let agents make these anew for a new instance"
    findings: list[Finding] = []
    unseen: list[str] = []
    cannot, kept = given(facts.boot).agent_cannot.get(MACHINE_IDS, ""), False
    for before, where in ((home, "at home before"), (abroad, "abroad")):
        for what, old, new in (
            ("SSH host key", before.identity.host_key, machine.identity.host_key),
            ("machine-id", before.identity.machine_id, machine.identity.machine_id),
        ):
            if old and not new:
                unseen.append(f"the {what} at home again could not be read")
            elif old and old == new and what == "machine-id" and cannot:
                kept = True
            elif old and old == new:
                findings.append(Finding(f"{what} at home again", f"another than {where}", shorten(old, 60), remedy))
    if facts.src.carries_user_data and seen.run_count not in (None, 1):
        subject = "user data of the launch at home again"
        findings.append(Finding(subject, "run once", f"run {seen.run_count} times", remedy))
    if seen.abroad_key_accepted:
        remedy = "let agents take back the keys that an earlier instance was told of"
        findings.append(Finding("the key of the instance abroad", "refused at home", "accepted", remedy))
    if seen.abroad_key_accepted is None and "key" in facts.dst.auth:
        unseen.append("whether the key of the instance abroad logs in at home could not be found out")
    if kept and not findings and not unseen:
        return NotApplicable(f"it has another SSH host key, and the machine-id that it had: {cannot}")
    return verdict(findings, unseen)


def _machines(facts: Facts, seen: ReturnTripFacts) -> tuple[Machine, Machine, Machine] | NotApplicable | NotObserved:
    """At home, abroad, and at home again."""
    if seen.no_snapshot:
        return _none_made(facts, seen)
    if seen.home is not None and seen.abroad is not None and seen.machine is not None:
        return seen.home, seen.abroad, seen.machine
    if not facts.src.auth:
        return NotApplicable(f"servers on {facts.src.cloud} are launched with no way in: nobody was to look inside")
    if seen.abroad is None and not seen.error:
        return unseen_inside(facts, "what is on the disk abroad")
    return NotObserved(f"the machine could not be looked at everywhere: {_why(seen)}")


def _none_made(facts: Facts, seen: ReturnTripFacts) -> NotApplicable:
    return NotApplicable(f"{facts.dst.cloud} makes no snapshot to bring back: {shorten(seen.no_snapshot, 200)}")


def _why(seen: ReturnTripFacts) -> str:
    return shorten(seen.error, 300) or "the instance did not come that far (see RT-1)"
