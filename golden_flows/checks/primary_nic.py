"""Is the first NIC the one that the API describes, as DHCP told the guest?"""

from __future__ import annotations

import re
from ipaddress import ip_network

from golden_flows.model.check import SILENT_GUEST, check, given, unseen_inside, verdict
from golden_flows.model.facts import BootFacts, Facts, PortFacts
from golden_flows.model.finding import Finding, NotApplicable, NotObserved, Said
from golden_flows.model.guest import DhcpLease, GuestReport, canonical_mac
from golden_flows.model.network_data import bare_ip

DEFAULT_ROUTE = "0.0.0.0/0"
MAC = re.compile(r"\b(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}\b", re.IGNORECASE)


@check("N1-1", needs=("boot",))
def dhcp_says_what_the_api_says(facts: Facts) -> Said:
    """Address, prefix, default gateway and DNS of the lease against port and subnet.

    Where the subnet has no DHCP, what the guest has on its NIC is judged: something else told it.
    """
    boot = given(facts.boot)
    if boot.report is None:
        return SILENT_GUEST
    if not boot.ports:
        return NotObserved("the API lists no port of the server")
    port = boot.ports[0]
    if port.is_ipv6_alone:
        return NotApplicable(f"{port.name} has no IPv4 address, only {port.fixed_ip6} (see N1-8)")
    if port.fixed_ip is None or port.cidr is None:
        return NotObserved(f"the API gives {port.name} no fixed address or no subnet")
    if not port.dhcp:
        return _told_otherwise(port, boot.report)
    lease = boot.report.lease(port.mac)
    return _without_lease(port, boot.report) if lease is None else tuple(_differences(port, lease))


@check("N1-4", needs=("boot", "auth"))
def primary_address_is_on_the_port_s_mac(facts: Facts) -> Said:
    """The NIC with the primary address has the port's MAC, and no rule of udev still names a NIC of another cloud."""
    boot, files = given(facts.boot), given(facts.auth).files
    if boot.report is None:
        return SILENT_GUEST
    if not boot.ports or boot.ports[0].fixed_ip is None:
        return NotObserved("the API lists no port with a fixed address")
    port = boot.ports[0]
    findings: list[Finding] = []
    unseen: list[str] = []
    carriers = [one for one in boot.report.links if port.fixed_ip in map(bare_ip, one.addresses)]
    if boot.report.link(port.mac) is None:
        macs = ", ".join(one.mac for one in boot.report.links if one.mac) or "none"
        remedy = "let the hypervisor give the NIC the MAC of its port"
        findings.append(Finding(f"MAC of {port.name}", f"a NIC with {port.mac}", f"NICs with {macs}", remedy))
    elif not carriers:
        unseen.append(f"no NIC carries {port.fixed_ip} (see N1-1)")
    for link in carriers:
        if canonical_mac(link.mac) != canonical_mac(port.mac):
            remedy = "look for a stale static configuration or udev rule in the image"
            findings.append(Finding(f"NIC with {port.fixed_ip}", port.mac, f"{link.mac} ({link.name})", remedy))
    if files.cmdline is None and not findings and not unseen:
        return unseen_inside(facts, "no file of the guest could be read, so its udev rules are unknown")
    findings += _stale_rules(files.udev_net_rules or "", boot)
    return verdict(findings, unseen)


def _differences(port: PortFacts, lease: DhcpLease) -> list[Finding]:
    routers = {gateway for destination, gateway in lease.classless_routes if destination == DEFAULT_ROUTE}
    option = "option 121, default"
    if not lease.classless_routes:  # RFC 3442: with option 121, option 3 is to be ignored
        routers, option = set(lease.routers), "option 3"
    prefixlen = ip_network(port.cidr or "", strict=False).prefixlen
    expected_routers = port.gateway_ip or "none"
    rows = (
        ("address", port.fixed_ip == lease.ip, port.fixed_ip, lease.ip),
        ("prefix length (option 1)", prefixlen == lease.prefixlen, prefixlen, lease.prefixlen),
        (f"router ({option})", _listed(routers) == expected_routers, expected_routers, _listed(routers)),
        ("DNS (option 6)", set(port.dns) <= set(lease.dns), _listed(port.dns), _listed(lease.dns)),
    )
    remedy = "compare the subnet with the DHCP agent's configuration, and look for a second DHCP server on the network"
    return [
        Finding(f"DHCP {what} of {port.name}", f"{asked}", f"{got}", remedy)
        for what, same, asked, got in rows
        if not same
    ]


def _told_otherwise(port: PortFacts, report: GuestReport) -> Said:
    link = report.link(port.mac)
    if link is None:
        return NotObserved(f"the guest has no NIC for {port.name} (see N1-4)")
    expected = f"{port.fixed_ip}/{ip_network(port.cidr or '', strict=False).prefixlen}"
    gateways = {one.gateway or "" for one in report.routes if one.destination in ("default", DEFAULT_ROUTE)}
    remedy = "there is no DHCP on this subnet: tell the address by metadata, config drive or flat injection"
    findings: list[Finding] = []
    if expected not in link.addresses:
        actual = ", ".join(link.addresses) or "none"
        findings.append(Finding(f"address of {port.name}, without DHCP", expected, actual, remedy))
    if port.gateway_ip is not None and port.gateway_ip not in gateways:
        actual = _listed(gateways - {""})
        findings.append(Finding(f"gateway of {port.name}, without DHCP", port.gateway_ip, actual, remedy))
    return tuple(findings)


def _without_lease(port: PortFacts, report: GuestReport) -> Said:
    link = report.link(port.mac)
    if link is not None and port.fixed_ip in map(bare_ip, link.addresses):
        return NotObserved(f"{link.name} has {port.fixed_ip}, but the guest kept no lease of it")
    remedy = "check that the DHCP agent serves the network and knows the port, and that security rules let DHCP through"
    return (Finding(f"DHCP lease of {port.name}", f"a lease of {port.fixed_ip}", "no lease", remedy),)


def _stale_rules(rules: str, boot: BootFacts) -> list[Finding]:
    own = {canonical_mac(port.mac) for port in boot.ports}
    written = "\n".join(line for line in rules.splitlines() if not line.lstrip().startswith("#"))
    stale = {canonical_mac(mac) for mac in MAC.findall(written)} - own
    remedy = "remove the file before export: it keeps eth0 for a NIC that stayed behind"
    return [Finding("udev network rules", "no MAC but the server's own", mac, remedy) for mac in sorted(stale)]


def _listed(addresses: set[str] | tuple[str, ...]) -> str:
    return ", ".join(sorted(addresses)) or "none"
