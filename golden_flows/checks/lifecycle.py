"""Is everything gone that this run made?"""

from __future__ import annotations

from golden_flows.errors import shorten
from golden_flows.model.check import check, given, verdict
from golden_flows.model.facts import Facts, LifecycleFacts, PortFacts
from golden_flows.model.finding import Finding, NotObserved, Said


@check("LC-1", needs=("boot", "power", "user_data"))
def a_server_is_the_same_after_a_stop_and_a_start(facts: Facts) -> Said:
    """Ports, MACs and addresses by the API, NICs in the guest, and what the metadata says of it."""
    boot, power = given(facts.boot), given(facts.power)
    first, again = given(facts.user_data).first, given(facts.user_data).after_reboot
    if first is None or again is None or not power.ports:
        return NotObserved("the guest was not seen again after its stop and start (see UD-3)")
    remedy = "a server keeps ports and identity until it is deleted: look for what makes them anew at its start"
    after = {one.port_id: one for one in power.ports}
    rows = []
    for port in boot.ports:
        same, name = after.get(port.port_id), f"port {port.port_id} on {port.network}"
        rows.append((f"MAC of {name}", port.mac, same.mac if same else "no such port"))
        rows.append((f"addresses of {name}", _addresses(port), _addresses(same) if same else "none"))
        if first.link(port.mac) is not None:
            rows.append((f"NIC with {port.mac} in the guest", "there", "there" if again.link(port.mac) else "gone"))
    rows.append(("uuid in the metadata", first.identity.uuid or "none", again.identity.uuid or "none"))
    rows.append(("EC2 instance-id", first.identity.ec2_instance_id or "", again.identity.ec2_instance_id or ""))
    for channel in first.channels:
        then = next((one for one in again.channels if one.name == channel.name and one.present), None)
        for key in STABLE if channel.present else ():
            if then is not None:
                rows.append((f"{key} by {channel.name}", channel.keys.get(key, ""), then.keys.get(key, "")))
    return tuple(
        Finding(what, shorten(before, 80), shorten(now, 80) or "nothing", remedy)
        for what, before, now in rows
        if before and before != now
    )


STABLE = ("hostname", "public_keys")
"""Of what channels say in common; the rest may be changed through the API meanwhile."""


def _addresses(port: PortFacts) -> str:
    return ", ".join(sorted(port.fixed_ips or filter(None, (port.fixed_ip, port.fixed_ip6))))


@check("LC-2", needs=("lifecycle",))
def nothing_is_left_behind(facts: Facts) -> Said:
    """No resource of this run on either cloud, and inventories as before it."""
    seen = given(facts.lifecycle)
    findings = [
        Finding(f"{one.kind} {shorten(one.name, 80)} on {one.cloud}", "deleted", f"still there, id {one.id}", REMEDY)
        for one in seen.leftovers
    ]
    findings += _differences(seen)
    if findings:
        return tuple(findings)
    if seen.made <= 0:
        return NotObserved("the run made nothing, so nothing could be left")
    unseen = [shorten(one, 200) for one in seen.errors]
    unseen += [f"no inventory of {cloud} before and after" for cloud in sorted(_uncounted(facts, seen))]
    return verdict(findings, unseen)


REMEDY = (
    "run `golden-flows clean`; if a deletion that was answered with success did not happen, read nova-compute's log"
)


def _differences(seen: LifecycleFacts) -> list[Finding]:
    """Counts that differ, less what the leftovers explain: one thing left behind is one finding."""
    findings: list[Finding] = []
    for cloud in sorted(set(seen.before) & set(seen.after)):
        before, after = seen.before[cloud], seen.after[cloud]
        for kind in sorted(set(before) | set(after)):
            explained = sum(1 for one in seen.leftovers if (one.cloud, one.kind) == (cloud, kind))
            if after.get(kind, 0) - explained != before.get(kind, 0):
                expected, actual = f"{before.get(kind, 0)}, as before", f"{after.get(kind, 0)}"
                remedy = "find out who else uses the project; then look for what the run made without its tag"
                findings.append(Finding(f"number of {kind} on {cloud}", expected, actual, remedy))
    return findings


def _uncounted(facts: Facts, seen: LifecycleFacts) -> set[str]:
    return {facts.pair.src, facts.pair.dst} - (set(seen.before) & set(seen.after))
