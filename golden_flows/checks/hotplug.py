"""Does a running guest get a further NIC when the cloud says so, and lose it again without a trace?"""

from __future__ import annotations

from golden_flows.errors import shorten
from golden_flows.model.check import check, given, unseen_inside, verdict
from golden_flows.model.facts import Facts, PortFacts
from golden_flows.model.finding import Finding, NotApplicable, NotObserved, Said
from golden_flows.model.guest import GuestReport, canonical_mac
from golden_flows.model.network_data import bare_ip, served_macs
from golden_flows.model.nics import HotplugFacts

STALL_S = 20.0
"""How much longer than in the first boot the guest's network may take after the NIC is gone."""

LIVE_CHANNELS = ("openstack-http", "xenstore")
"""Which tell a running guest of a NIC that came after it was made; a config drive is as old as the server."""


@check("N2-5", needs=("auth", "hotplug"))
def attached_nic_comes_and_is_configured(facts: Facts) -> Said:
    """A port attached to the running server becomes a NIC with its fixed address, by MAC, within a minute."""
    plug = given(facts.hotplug)
    if (unseen := _nothing_to_judge(facts, plug)) is not None:
        return unseen
    port = plug.port
    if port is None or port.fixed_ip is None:
        return NotObserved("the API gives the attached port no fixed address")
    subject = f"attached {port.name}"
    if plug.seconds_to_nic is None:
        remedy = "look into the compute service's log for the attachment, and whether the image handles PCI hot-plug"
        actual = f"no such NIC {plug.waited_s:.0f} s after the API had said yes"
        return (Finding(subject, "a NIC with its MAC in the guest", actual, remedy),)
    if plug.seconds_to_address is not None:
        return ()
    document = plug.inside.network_data
    told = document is not None and canonical_mac(port.mac) in served_macs(document)
    if not told and not port.dhcp and not set(LIVE_CHANNELS) & set(facts.dst.channels):
        claimed = ", ".join(facts.dst.channels)
        return NotApplicable(f"nothing tells a running guest of a new NIC there: no DHCP, channels {claimed}")
    if told and not plug.agent_follows:
        came = f"the NIC came after {plug.seconds_to_nic:.1f} s and the metadata names it"
        return NotApplicable(f"{came}; this image's agent ({facts.dst.agent}) leaves NICs that come later alone")
    nic = plug.inside.find(port.mac)
    has = ", ".join(nic.addresses) if nic and nic.addresses else "no address"
    served = "names it" if told else "does not name it" if document is not None else "does not answer"
    remedy = "renew the metadata at once when a port is attached; without DHCP nothing else tells the guest"
    actual = f"{has} after {plug.waited_s:.0f} s; network_data.json {served}"
    return (Finding(subject, f"{port.fixed_ip} on its NIC", actual, remedy),)


@check("N2-6", needs=("boot", "auth", "hotplug", "user_data"))
def detached_nic_leaves_nothing_behind(facts: Facts) -> Said:
    """The guest loses the NIC, the port keeps its address, the metadata forgets it, and the next boot does not wait."""
    plug, first, after = given(facts.hotplug), given(facts.boot).report, given(facts.user_data).after_reboot
    if (unseen := _nothing_to_judge(facts, plug)) is not None:
        return unseen
    if plug.port is None:
        return NotObserved("the API gives no account of the attached port")
    subject = f"detached {plug.port.name}"
    findings = _loose_ends(plug, plug.port, subject)
    served = served_macs(plug.network_data_after or {}) | served_macs(after.network_data if after else {})
    if canonical_mac(plug.port.mac) in served:
        remedy = "renew the metadata when a port is detached; agents wait at every boot for a NIC that is named"
        findings.append(Finding("network_data.json after the detach", "no word of it", plug.port.mac, remedy))
    missing: list[str] = []
    if after is None or first is None:
        missing.append("the guest did not report after it was started again (see UD-3)")
    else:
        took_s, took_first_s = _network_time(after), _network_time(first)
        if took_s > took_first_s + STALL_S:
            remedy = "take the NIC out of the metadata, and let the image's agent not wait for NICs that are gone"
            expected = f"no longer than in the first boot ({took_first_s:.0f} s)"
            findings.append(Finding("network of the next boot", expected, f"{took_s:.0f} s", remedy))
    return verdict(findings, missing)


def _nothing_to_judge(facts: Facts, plug: HotplugFacts) -> NotApplicable | NotObserved | None:
    if plug.error:
        return unseen_inside(facts, f"attaching and detaching could not be watched: {shorten(plug.error, 200)}")
    if plug.refused:
        return NotApplicable(f"{facts.dst.cloud} attaches no port to a running server: {shorten(plug.refused, 200)}")
    return None


def _loose_ends(plug: HotplugFacts, port: PortFacts, subject: str) -> list[Finding]:
    findings: list[Finding] = []
    if plug.detach_refused:
        remedy = "a port that was attached must come off again: DELETE os-interface"
        return [Finding(subject, "HTTP 202", shorten(plug.detach_refused, 200), remedy)]
    if plug.seconds_to_nic is not None and plug.seconds_to_gone is None:
        remedy = "take the device out of the guest, not only out of the database"
        findings.append(Finding(subject, "no such NIC in the guest", "still there", remedy))
    if plug.still_attached:
        remedy = "the detachment hangs: look into the compute service's log"
        findings.append(Finding(subject, "not among the server's interfaces", "still listed", remedy))
    remedy = "a port that was made beforehand is the owner's: unbind it, and leave it its address"
    after = plug.port_after
    if after is None:
        findings.append(Finding(subject, f"the port, with {port.fixed_ip}", "no such port any more", remedy))
    elif set(map(bare_ip, after.fixed_ips)) != set(map(bare_ip, port.fixed_ips)):
        now = ", ".join(after.fixed_ips) or "none"
        findings.append(Finding(subject, f"addresses {', '.join(port.fixed_ips)}", now, remedy))
    elif after.server_id and not plug.still_attached:
        findings.append(Finding(subject, "bound to nothing", f"bound to {shorten(after.server_id, 60)}", remedy))
    return findings


def _network_time(report: GuestReport) -> float:
    """Seconds that the agent spent on the network and on drivers."""
    return sum(
        one.ended_s - one.began_s
        for one in report.phases
        if one.name in ("network", "drivers") and one.began_s is not None and one.ended_s is not None
    )
