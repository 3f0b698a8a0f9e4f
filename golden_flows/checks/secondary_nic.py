"""Did the second NIC get what the API gave it, although nothing but metadata could tell the guest?"""

from __future__ import annotations

from golden_flows.errors import shorten
from golden_flows.model.check import SILENT_GUEST, check, given, verdict
from golden_flows.model.ec2 import only_ec2
from golden_flows.model.facts import BootFacts, Facts, PortFacts
from golden_flows.model.finding import Finding, NotApplicable, NotObserved, Said
from golden_flows.model.guest import GuestReport, Link, canonical_mac
from golden_flows.model.network_data import bare_ip, served_addresses, served_defaults, served_macs

UNTOLD = "no such NIC in the guest, and network_data.json does not name its MAC"
REMEDY_UNTOLD = "put the network into network_data.json by MAC; without DHCP nothing else tells the guest"


@check("N2-1", needs=("boot",))
def further_nics_have_their_addresses(facts: Facts) -> Said:
    """Each NIC after the first carries its own fixed address, found by MAC.

    A NIC that the metadata names and the guest does not have lacks its driver: that is PV-1's to say. One that the
    metadata does not name could not be known to the guest, driver or not.
    """
    boot = given(facts.boot)
    if boot.report is None:
        return SILENT_GUEST
    if len(boot.ports) < 2:
        return _one_port(boot)
    if proof := only_ec2(boot.report, facts.dst.channels):
        return NotApplicable(f"{proof}, which tells of no NIC: by design nothing names a second one's address")
    if not boot.report.links:
        return NotObserved("the guest reported no NICs at all")
    findings: list[Finding] = []
    unseen: list[str] = []
    for port in boot.ports[1:]:
        link = boot.report.link(port.mac)
        if port.fixed_ip is None:
            unseen.append(f"the API gives {port.name} no fixed address")
        elif link is None and canonical_mac(port.mac) not in served_macs(boot.report.network_data):
            findings.append(Finding(port.name, f"{port.fixed_ip} on its NIC", UNTOLD, REMEDY_UNTOLD))
        elif link is None:
            unseen.append(f"the guest has no NIC for {port.name} (see PV-1)")
        else:
            has = f"{link.name} has {', '.join(link.addresses) or 'no address'}"
            lacking = [one for one in _fixed(port) if one not in _addresses(link)]
            findings += [Finding(port.name, f"{one} on its NIC", has, REMEDY_UNTOLD) for one in lacking]
    return verdict(findings, unseen)


@check("N2-2", needs=("boot",))
def default_route_is_on_the_primary_nic(facts: Facts) -> Said:
    """One default route per family, by the primary NIC, in the guest and in what the metadata serves.

    The metadata is judged too: a careful agent drops a second gateway that a plain one would have used.
    """
    boot = given(facts.boot)
    if boot.report is None:
        return SILENT_GUEST
    if len(boot.ports) < 2:
        return _one_port(boot)
    if not boot.report.routes:
        return NotObserved("the guest reported no routes at all")
    findings = [found for family in (4, 6) if (found := _route_defect(boot, boot.report, family)) is not None]
    primary = canonical_mac(boot.ports[0].mac)
    remedy = "take the gateway off the further subnets (openstack subnet set --gateway none)"
    findings += [
        Finding("network_data.json", "default routes on the primary NIC only", f"{one.gateway} on {one.mac}", remedy)
        for one in served_defaults(boot.report.network_data)
        if one.mac != primary and one.mac in {canonical_mac(port.mac) for port in boot.ports}
    ]
    return tuple(findings)


@check("N2-4", needs=("boot",))
def no_address_is_on_another_nic(facts: Facts) -> Said:
    """An address of one port is on no other port's MAC, whatever the order of NICs in API, metadata and PCI.

    Only exchanged places are judged; an address that is nowhere belongs to N1-1 or N2-1, and is not observed here.
    """
    boot = given(facts.boot)
    if boot.report is None:
        return SILENT_GUEST
    if len(boot.ports) < 2:
        return _one_port(boot)
    findings: list[Finding] = []
    unseen: list[str] = []
    served = served_addresses(boot.report.network_data)
    for port in boot.ports:
        own = canonical_mac(port.mac)
        remedy = "the metadata names another MAC than Neutron does: look for NICs matched by order instead of port id"
        for ip in _fixed(port):
            carriers = [one for one in boot.report.links if ip in _addresses(one)]
            told = [one.mac for one in served if one.ip == ip]
            wrong = [f"{canonical_mac(one.mac)} ({one.name})" for one in carriers if canonical_mac(one.mac) != own]
            wrong += [f"{mac} in network_data.json" for mac in told if mac != own]
            findings += [Finding(f"address {ip}", f"on {port.mac}", shorten(one, 80), remedy) for one in wrong]
        if not any(port.fixed_ip in _addresses(one) for one in boot.report.links):
            unseen.append(f"no NIC carries {port.fixed_ip}, the address of {port.name}")
    return verdict(findings, unseen)


def _route_defect(boot: BootFacts, report: GuestReport, family: int) -> Finding | None:
    primary_port = boot.ports[0]
    link = report.link(primary_port.mac)
    primary = link.name if link is not None else primary_port.mac
    ways = [
        one for one in report.routes if one.family == family and one.destination in ("default", "0.0.0.0/0", "::/0")
    ]
    ways_of = [one.interface for one in ways]
    if family == 6:
        # a gateway that no router announces is told by metadata or xenstore, and not by every one (N2-12)
        needed = primary_port.subnet6 is not None and bool(primary_port.subnet6.ra_mode and primary_port.gateway6_ip)
        ways_of = sorted(set(ways_of))  # several routers of one link may announce themselves
    else:
        needed = primary_port.gateway_ip is not None and not primary_port.is_ipv6_alone
    if ways_of == [primary] or not (ways or needed):
        return None
    actual = ", ".join(f"{one.gateway or 'on link'} by {one.interface}" for one in ways[:8]) or "none"
    remedy = "one gateway only: the primary subnet's; give other subnets host routes instead"
    return Finding(f"IPv{family} default routes", f"one, by {primary}", actual, remedy)


def _one_port(boot: BootFacts) -> NotApplicable:
    networks = ", ".join(port.network for port in boot.ports) or "none"
    return NotApplicable(f"the server has {len(boot.ports)} port(s), on: {networks}")


def _fixed(port: PortFacts) -> list[str]:
    """The port's address of each family, in canonical spelling."""
    return list(dict.fromkeys(ip for one in (port.fixed_ip, port.fixed_ip6) if one and (ip := bare_ip(one))))


def _addresses(link: Link) -> set[str | None]:
    return {bare_ip(one) for one in link.addresses} - {None}
