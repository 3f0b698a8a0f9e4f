"""Does DHCP tell the guest what the network needs it to know, and does it go on doing so?"""

from __future__ import annotations

from golden_flows.errors import shorten
from golden_flows.model.check import SILENT_GUEST, check, given, verdict
from golden_flows.model.facts import Facts, PortFacts
from golden_flows.model.finding import Finding, NotApplicable, NotObserved, Said
from golden_flows.model.guest import DhcpLease, GuestReport
from golden_flows.model.network_seen import ACK

DEFAULT = ("default", "0.0.0.0/0")


@check("N1-3", needs=("boot",))
def option_121_is_told_and_followed(facts: Facts) -> Said:
    """Option 121 carries the subnet's host routes, and the guest's routes are what it carries, not option 3's.

    A client that takes option 121 must ignore option 3 (RFC 3442). One that does not is the image's, not the cloud's.
    """
    boot = given(facts.boot)
    if boot.report is None:
        return SILENT_GUEST
    findings: list[Finding] = []
    unseen: list[str] = []
    ignored: list[str] = []
    told = 0
    for port in boot.ports:
        if not port.dhcp or port.is_ipv6_alone:
            continue
        lease = boot.report.lease(port.mac)
        if lease is None:
            if port is boot.ports[0] or port.host_routes:
                unseen.append(f"the guest kept no lease of {port.name} (see N1-1)")
            continue
        told += bool(lease.classless_routes or port.host_routes)
        findings += _untold(port, lease)
        ignored += _ignored(port, lease, boot.report, is_primary=port is boot.ports[0])
    if findings or unseen:
        return verdict(findings, unseen)
    if not told:
        return NotApplicable("no server told option 121, and no subnet with DHCP has host routes")
    return NotApplicable(f"the image's DHCP client does not follow option 121: {'; '.join(ignored)}") if ignored else ()


@check("N1-7", needs=("boot", "network_seen"))
def lease_is_renewed_and_keeps_its_address(facts: Facts) -> Said:
    """A request for the same address, sent from that address to the server alone, is acknowledged.

    Sent by our probe, as a client would at T1: whatever client the image has, it is not disturbed.
    """
    boot, seen = given(facts.boot), given(facts.network_seen)
    if boot.report is None or not boot.ports:
        return SILENT_GUEST
    port = boot.ports[0]
    if not port.dhcp or port.is_ipv6_alone:
        return NotApplicable(f"{port.name} has no DHCP for IPv4")
    if seen.renewal is None or seen.renewal.error:
        return NotObserved(seen.unseen or (seen.renewal.error if seen.renewal else "no DHCP server is known"))
    remedy = (
        "let UDP from the guest's own address to port 67 of its DHCP server through, and keep the port's host entry"
    )
    subject, expected = f"renewal of the lease of {port.name}", f"ACK of {port.fixed_ip}"
    if (seen.renewal.answer, seen.renewal.ip) == (ACK, port.fixed_ip):
        return ()
    answered = f"{seen.renewal.answer.upper()} of {seen.renewal.ip}" if seen.renewal.answer else "no answer"
    return (Finding(subject, expected, shorten(answered, 80), remedy),)


@check("N1-9", needs=("boot",))
def time_servers_and_search_domains_are_told(facts: Facts) -> Said:
    """Options 42 and 119 are what the cloud claims, by the first NIC's lease.

    A client may never have asked for them (systemd-networkd does not for 119, as it comes): then the answer to our own
    probe, which does, is judged.
    """
    boot, seen = given(facts.boot), facts.network_seen
    claims = (
        ("time servers (option 42)", facts.dst.ntp_servers),
        ("search domains (option 119)", facts.dst.search_domains),
    )
    if not any(claimed for _, claimed in claims):
        return NotApplicable(f"{facts.dst.cloud} claims neither ntp_servers nor search_domains")
    if boot.report is None or not boot.ports:
        return SILENT_GUEST
    lease = boot.report.lease(boot.ports[0].mac)
    if lease is None:
        return NotObserved(f"the guest kept no lease of {boot.ports[0].name} (see N1-1)")
    asked = seen.renewal if seen is not None and seen.renewal is not None and seen.renewal.answer == ACK else None
    answers = (lease.ntp, asked.ntp if asked else ()), (lease.search, asked.search if asked else ())
    remedy = "set the option on the DHCP server (neutron: extra_dhcp_opts, dnsmasq_config_file), or do not claim it"
    return tuple(
        Finding(f"DHCP {what} of {boot.ports[0].name}", _listed(claimed), _listed(kept or told), remedy)
        for (what, claimed), (kept, told) in zip(claims, answers, strict=True)
        if claimed and tuple(one.rstrip(".") for one in kept or told) != claimed
    )


def _untold(port: PortFacts, lease: DhcpLease) -> list[Finding]:
    """Host routes that the API knows and option 121 does not; its default route is N1-1's to judge."""
    remedy = "send option 121 with every host route of the subnet, and with its default route beside them"
    return [
        Finding(f"DHCP option 121 of {port.name}", f"{destination} via {gateway}", _routes(lease), remedy)
        for destination, gateway in port.host_routes
        if (destination, gateway) not in lease.classless_routes
    ]


def _ignored(port: PortFacts, lease: DhcpLease, report: GuestReport, *, is_primary: bool) -> list[str]:
    """Routes told that the guest does not have. A further NIC's default route is nobody's wish (see N2-2)."""
    link = report.link(port.mac)
    if link is None:
        return []
    missing = []
    for destination, gateway in lease.classless_routes:
        if destination in DEFAULT and not is_primary:
            continue
        ways = [one for one in report.routes if one.family == 4 and _same(one.destination, destination)]
        if not any(one.gateway == gateway or one.gateway is None or not is_primary for one in ways):
            has = ", ".join(f"via {one.gateway}" for one in ways[:4]) or "no such route"
            missing.append(f"{destination} via {gateway} was told for {link.name}, the guest has {has}")
    return missing


def _same(one: str, other: str) -> bool:
    return one == other or (one in DEFAULT and other in DEFAULT)


def _routes(lease: DhcpLease) -> str:
    return ", ".join(f"{destination} via {gateway}" for destination, gateway in lease.classless_routes[:8]) or "none"


def _listed(words: tuple[str, ...]) -> str:
    return shorten(", ".join(words), 160) or "none"
