"""Does the network carry what it says it carries, tried from inside the guest; and is another cloud's forgotten?"""

from __future__ import annotations

from golden_flows.errors import shorten
from golden_flows.model.check import SILENT_GUEST, check, given, verdict
from golden_flows.model.facts import Facts, PortFacts
from golden_flows.model.finding import Finding, NotApplicable, NotObserved, Said
from golden_flows.model.guest import GuestReport, canonical_mac
from golden_flows.model.network_data import bare_ip
from golden_flows.model.network_seen import ANSWERED, SILENT, TOO_LONG, NetworkSeen
from golden_flows.model.nics import NicSeen

ETHERNET_MTU = 1500
"""What a NIC has where nobody tells it otherwise."""
RESOLVES = ("NOERROR", "NXDOMAIN")
"""Answers of a server that resolves; a private address may have no name."""


@check("N1-2", needs=("boot", "network_seen"))
def first_nic_has_its_network_s_mtu(facts: Facts) -> Said:
    """DHCP tells the network's MTU, the NIC has it, a packet of that size passes and a longer one fails at once.

    Without DHCP the telling is N2-7's to judge, and the packets are judged here all the same.
    """
    boot, seen = given(facts.boot), given(facts.network_seen)
    if boot.report is None or not boot.ports:
        return SILENT_GUEST
    port = boot.ports[0]
    if port.mtu is None:
        return NotApplicable(f"{facts.dst.cloud} tells no MTU of {port.network}")
    nic = seen.find(port.mac)
    if nic is None:
        return NotObserved(seen.unseen or f"the guest has no NIC for {port.name} (see N1-4)")
    if port.is_ipv6_alone:
        return _mtu6(port, nic)
    findings = _told_mtu(port, boot.report) if port.dhcp else []
    if port.dhcp and nic.mtu != port.mtu:
        remedy = "let the image's DHCP client ask for option 26 and take it, and the server tell the network's MTU"
        findings.append(Finding(f"MTU of {nic.name}, {port.name}", f"{port.mtu}", f"{nic.mtu}", remedy))
    paths, unseen = _paths(port, seen)
    return verdict(findings + paths, unseen)


@check("N1-6", needs=("boot", "network_seen"))
def offered_name_servers_answer(facts: Facts) -> Said:
    """Every name server that the subnet offers resolves. Which ones the guest uses is the image's affair, and told."""
    boot, seen = given(facts.boot), given(facts.network_seen)
    if not boot.ports:
        return SILENT_GUEST
    port = boot.ports[0]
    if not port.dns:
        return NotApplicable(f"the subnet of {port.name} offers no name server")
    if seen.unseen:
        return NotObserved(seen.unseen)
    findings: list[Finding] = []
    unseen: list[str] = []
    remedy = "see that the server runs and takes questions from this network, or take it off the subnet"
    for address in port.dns:
        asked = next((one for one in seen.resolvers if bare_ip(one.address) == bare_ip(address)), None)
        if asked is None:
            unseen.append(f"name server {address} was not asked")
        elif not any(answer in RESOLVES for answer in asked.answers):
            actual = ", ".join(asked.answers) or asked.error or "no answer"
            findings.append(
                Finding(f"name server {address} of {port.network}", "an answer", shorten(actual, 80), remedy)
            )
    if findings or unseen:
        return verdict(findings, unseen)
    used = {bare_ip(one) for one in seen.nameservers}
    if not used & {bare_ip(one) for one in port.dns}:
        has = shorten(", ".join(seen.nameservers), 120) or "none"
        return NotApplicable(
            f"the image keeps its own name servers ({has}); those offered answer: {', '.join(port.dns)}"
        )
    return ()


@check("N2-13", needs=("source_boot", "boot", "network_seen"))
def nothing_of_the_nics_at_home_stays(facts: Facts) -> Said:
    """No MAC and no address of a NIC at home is on a NIC or in a route abroad.

    Where only a file of the guest still names one, and nothing comes of it, that is the image's affair, and told.
    """
    at_home, seen = given(facts.source_boot), given(facts.network_seen)
    if seen.unseen or (seen.home and seen.left_unseen):
        return NotObserved(seen.unseen or seen.left_unseen)
    if not seen.home:
        nics = ", ".join(port.name for port in at_home.ports) or "none"
        return NotApplicable(f"the NICs at home had nothing that those abroad have not: {nics}")
    owners = {word: port for port in at_home.ports for word in (canonical_mac(port.mac), port.fixed_ip, port.fixed_ip6)}
    remedy = "remove it before the export; an agent must find its NICs by what it is told at each start"
    findings: list[Finding] = []
    asleep: list[str] = []
    for one in seen.left:
        if one.where.startswith("/"):
            asleep.append(f"{shorten(one.where, 120)} names {shorten(one.what, 60)}")
            continue
        owner = owners.get(one.what)
        whose = f", of {owner.name}" if owner else ""
        subject = f"{shorten(one.what, 60)} of {facts.src.cloud}{whose}"
        findings.append(Finding(subject, "nowhere in the guest", f"in {shorten(one.where, 120)}", remedy))
    if asleep and not findings:
        return NotApplicable(f"the image keeps what nothing in it heeds here: {'; '.join(asleep[:8])}")
    return tuple(findings)


def _told_mtu(port: PortFacts, report: GuestReport) -> list[Finding]:
    """Option 26 of the lease; who tells nothing tells Ethernet's."""
    lease = report.lease(port.mac)
    if lease is None or (lease.mtu or ETHERNET_MTU) == port.mtu:
        return []
    actual = "no option" if lease.mtu is None else f"{lease.mtu}"
    remedy = (
        "have the DHCP server tell the network's MTU (neutron: advertise_mtu is the rule; nova-network: network_mtu)"
    )
    return [Finding(f"DHCP MTU (option 26) of {port.name}", f"{port.mtu}", actual, remedy)]


def _paths(port: PortFacts, seen: NetworkSeen) -> tuple[list[Finding], list[str]]:
    """What became of packets that nobody may fragment."""
    outcomes = {one.size_bytes: one.outcome for one in seen.pings}
    # Without a gateway that answers pings nothing is learnt of sizes; with DHCP, option and NIC have been judged.
    nothing = [] if port.dhcp else [f"nobody answers pings on {port.network}: no packet of its MTU was seen to pass"]
    if not outcomes:
        return [], nothing
    small = outcomes[min(outcomes)]
    if small == SILENT:
        return [], nothing
    if small != ANSWERED:
        return [], [f"no ping could be sent: {shorten(small, 120)}"]
    full, over = outcomes.get(port.mtu or 0), outcomes.get((port.mtu or 0) + 1)
    findings = []
    remedy = (
        "give the whole path the network's MTU, tunnels and their underlay too; or set the network's to what passes"
    )
    subject = f"packet to {port.gateway_ip} that must not be fragmented"
    if full != ANSWERED:
        findings.append(Finding(f"{subject}, {port.mtu} bytes", "an answer", f"{full}", remedy))
    if over == SILENT:
        findings.append(Finding(f"{subject}, {(port.mtu or 0) + 1} bytes", f"{TOO_LONG}, at once", "silence", remedy))
    return findings, []


def _mtu6(port: PortFacts, nic: NicSeen) -> Said:
    if nic.mtu6 is None:
        return NotObserved(f"the guest does not say what MTU IPv6 has on {nic.name}")
    if nic.mtu6 == port.mtu:
        return ()
    remedy = "have the router advertise the network's MTU (RFC 4861, 4.6.4)"
    return (Finding(f"IPv6 MTU of {nic.name}, {port.name}", f"{port.mtu}", f"{nic.mtu6}", remedy),)
