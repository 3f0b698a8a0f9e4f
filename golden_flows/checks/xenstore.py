"""Xen's own channel between host and guest: do both ends understand one another?

Whether there is such a channel at all, the guest's own report says; a guest that says nothing proves nothing.
Sources: the xenapi driver of Nova with its guest agents; xe-guest-utilities.
"""

from __future__ import annotations

from ipaddress import ip_interface

from golden_flows.errors import shorten
from golden_flows.model.check import SILENT_GUEST, check, given, verdict
from golden_flows.model.facts import Facts, PortFacts, latest_report
from golden_flows.model.finding import Finding, NotApplicable, NotObserved, Said
from golden_flows.model.guest import GuestReport, canonical_mac
from golden_flows.model.network_data import bare_ip
from golden_flows.model.xen import CHANNEL, CONNECTED, Xenstore, XenstoreNic

PVADDONS = ("Installed", "MajorVersion", "MinorVersion", "MicroVersion", "BuildVersion")
"""What a host reads to know that its tools run in a guest. Source: xe-guest-utilities."""
DONE = "0"
SOME_GATEWAY = "a gateway"
REMEDY_TOOLS = "install the host's guest tools, or an agent that publishes attr/PVAddons; look at why the tools ended"


def xenstore_of(report: GuestReport) -> Xenstore | NotApplicable | NotObserved:
    """The guest's view of the channel, or why there is none to judge."""
    seen = report.hypervisor
    if seen is None:
        return NotObserved("the guest did not say which hypervisor it sees")
    if not seen.is_xen:
        return NotApplicable(f"the guest sees no Xen: {seen}")
    return report.xenstore or NotObserved("the guest runs on Xen and could not open xenstore")


@check("N2-11", needs=("boot", "auth"))
def reset_network_does_what_it_answers(facts: Facts) -> Said:
    """The host takes returncode 500 for success, so the guest's own answer and its NICs decide."""
    report = latest_report(given(facts.boot), given(facts.auth))
    if report is None:
        return SILENT_GUEST
    store = xenstore_of(report)
    if not isinstance(store, Xenstore):
        return store
    command = store.last("resetnetwork")
    if command is None:
        if CHANNEL in facts.dst.channels or store.networking:
            return NotObserved("the host wrote no resetnetwork to this guest, or its agent kept no record of it")
        return NotApplicable(
            f"{facts.dst.cloud} claims no xenstore channel: the guest found neither a network configuration in it"
            f" nor a resetnetwork among {len(store.commands)} command(s)"
        )
    remedy = "read the agent's message; the host must write vm-data/networking as JSON, one key for each MAC"
    findings: list[Finding] = []
    if command.returncode != DONE:
        actual = f"returncode {shorten(command.returncode, 20) or 'none'}: {shorten(command.message, 160)}"
        findings.append(Finding("resetnetwork through xenstore", f"returncode {DONE}", actual, remedy))
    unseen = [] if store.networking else ["the guest read no vm-data/networking, so there is nothing to compare with"]
    for nic in store.networking:
        link = report.link(nic.mac)
        if link is None:
            unseen.append(f"the guest has no NIC {nic.mac} (see PV-1)")
            continue
        has = set(map(bare_ip, link.addresses))
        findings += [
            Finding(f"NIC {nic.mac} after resetnetwork", f"{one}, as in xenstore", ", ".join(link.addresses), remedy)
            for one in nic.ips
            if bare_ip(one) not in has
        ]
    return verdict(findings, unseen)


@check("N2-12", needs=("boot", "auth"))
def ipv6_gateway_of_xenstore_becomes_a_route(facts: Facts) -> Said:
    """Nova writes ``gateway_v6`` and the Unix agent reads ``gateway6``: under either name the guest must have a way."""
    boot = given(facts.boot)
    report = latest_report(boot, given(facts.auth))
    if report is None:
        return SILENT_GUEST
    store = xenstore_of(report)
    if not isinstance(store, Xenstore):
        return store
    ports = {canonical_mac(one.mac): one for one in boot.ports}
    told = [one for one in store.networking if one.ip6s]
    forgotten = [one for one in store.networking if not one.ip6s and _ip6_of(ports.get(one.mac))]
    if not told and not forgotten:
        addresses = ", ".join(one.fixed_ip or "none" for one in boot.ports)
        return NotApplicable(f"no NIC has an IPv6 address, neither in xenstore nor in the API ({addresses})")
    remedy = "write all of the port's addresses into vm-data/networking"
    findings = [
        Finding(f"xenstore, NIC {one.mac}", f"{_ip6_of(ports.get(one.mac))}", "no IPv6 address", remedy)
        for one in forgotten
    ]
    primary = canonical_mac(boot.ports[0].mac) if boot.ports else None
    for nic in told:
        port = ports.get(nic.mac)
        if port is not None and port.fixed_ip6:
            findings += _gateway_defects(nic, port.gateway6_ip, report)
        elif nic.gateway6 or nic.mac == primary:
            # Nobody but xenstore tells of these addresses; then the NIC that has the way out must be told of one.
            findings += _gateway_defects(nic, nic.gateway6 or SOME_GATEWAY, report)
    return tuple(findings)


@check("PV-4", needs=("boot", "auth"))
def host_knows_that_its_tools_run(facts: Facts) -> Said:
    """Without ``attr/PVAddons`` a Xen host takes the guest for one without tools, and neither migrates nor stops it."""
    boot = given(facts.boot)
    report = latest_report(boot, given(facts.auth))
    if report is None:
        return SILENT_GUEST
    seen = report.hypervisor
    if seen is not None and not seen.is_xen and facts.dst.hypervisor == "xen":
        remedy = "correct hypervisor in the cloud's profile, or give the guest a kernel that knows Xen"
        return (Finding("hypervisor as the guest sees it", "xen, as the profile says", str(seen), remedy),)
    store = xenstore_of(report)
    if not isinstance(store, Xenstore):
        return store
    findings: list[Finding] = []
    unseen: list[str] = []
    lacking = [name for name in PVADDONS if not store.pvaddons.get(name)]
    if lacking:
        actual = f"{', '.join(lacking)} not there{_tools_words(report)}"
        findings.append(Finding("attr/PVAddons in xenstore", f"{', '.join(PVADDONS)}", actual, REMEDY_TOOLS))
    states = dict(sorted(store.vifs.items())[: len(boot.ports) + 8])
    apart = {number: state for number, state in states.items() if state != CONNECTED}
    for number, state in apart.items():
        remedy = "let the guest drive the NIC by xen-netfront, and read the backend's state on the host"
        subject = f"device/vif/{shorten(number, 20)}/state in xenstore"
        findings.append(Finding(subject, f"{CONNECTED} (connected)", shorten(state, 40), remedy))
    if not boot.ports:
        unseen.append("the API lists no port of the server")
    elif not apart and len(store.vifs) < len(boot.ports):
        actual = f"{len(store.vifs)} of {len(boot.ports)}"
        remedy = "give every port of the server a virtual NIC that the guest can drive"
        findings.append(Finding("virtual NICs in xenstore", "one for each port of the server", actual, remedy))
    return verdict(findings, unseen)


def _ip6_of(port: PortFacts | None) -> str | None:
    return port.fixed_ip6 if port is not None else None


def _gateway_defects(nic: XenstoreNic, gateway: str | None, report: GuestReport) -> list[Finding]:
    """What is wrong with the way out that the NIC should have; a subnet without a gateway needs none."""
    if gateway is None:
        return []
    subject = f"IPv6 gateway of NIC {nic.mac} in xenstore"
    if nic.gateway6 is None:
        remedy = "write it as gateway_v6 or gateway6, and into each of ip6s as gateway: agents differ in what they read"
        return [Finding(subject, f"{gateway}, as gateway_v6 or gateway6", "under no name that agents read", remedy)]
    if not _same(nic.gateway6, gateway):
        remedy = "compare the subnet's gateway_ip with what the host writes"
        return [Finding(subject, gateway, shorten(nic.gateway6, 60), remedy)]
    link = report.link(nic.mac)
    ways = [one for one in report.routes if one.family == 6 and one.destination in ("default", "::/0")]
    if any(_same(one.gateway or "", gateway) and link is not None and one.interface == link.name for one in ways):
        return []
    actual = ", ".join(f"{one.gateway or 'on link'} by {one.interface}" for one in ways[:8]) or "no IPv6 default route"
    remedy = f"the agent must read {nic.gateway6_key or 'the key'} and set the route"
    return [Finding(f"IPv6 default route by NIC {nic.mac}", gateway, actual, remedy)]


def _same(one: str, other: str) -> bool:
    try:
        return ip_interface(one).ip == ip_interface(other).ip
    except ValueError:
        return one == other


def _tools_words(report: GuestReport) -> str:
    tools = report.tools
    if tools is None:
        return "; the guest reports no guest tools"
    state = "running" if tools.running else "not running"
    return f"; guest tools {shorten(tools.verdict, 20)}, {state}: {shorten(tools.reason, 120) or 'no reason given'}"
