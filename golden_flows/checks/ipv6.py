"""IPv6 on a server's NICs: does every party, router, DHCPv6 and metadata, say what the subnet says?

A cloud without IPv6 has nothing to judge here, and its ports prove it.
"""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network

from golden_flows.errors import shorten
from golden_flows.model.check import SILENT_GUEST, check, given, verdict
from golden_flows.model.facts import BootFacts, Facts, PortFacts
from golden_flows.model.finding import Finding, NotApplicable, NotObserved, Said
from golden_flows.model.guest import GuestReport, canonical_mac
from golden_flows.model.ipv6 import (
    METADATA_ADDRESS,
    SLAAC,
    STATEFUL,
    STATELESS,
    STATIC,
    Nic6,
    Subnet6,
    same_address,
)
from golden_flows.model.network_data import served_types

HTTP_CHANNELS = ("openstack-http", "ec2-http")
FLAGS = {SLAAC: (False, False), STATELESS: (False, True), STATEFUL: (True, None)}
"""(M, O) that a router announces by mode; None: either. Source: RFC 4861, 4.2; Neutron's radvd."""
REMEDY_MODES = "set ipv6_ra_mode and ipv6_address_mode of the subnet alike, and look at what radvd or dnsmasq announces"
REMEDY_ANNOUNCE = "check that the router announces the subnet, and that the guest takes advertisements (accept_ra)"


@check("N1-8", needs=("boot", "ipv6"))
def ipv6_addresses_come_as_the_subnet_says(facts: Facts) -> Said:
    """The primary NIC's address by the subnet's mode; on every NIC, the same mode from router and metadata.

    A further NIC without its address is N2-1's.
    """
    boot = given(facts.boot)
    if boot.report is None:
        return SILENT_GUEST
    ports = [port for port in boot.ports if port.fixed_ip6]
    if not ports:
        return _no_ipv6(boot)
    seen = given(facts.ipv6)
    if seen.error:
        return NotObserved(f"the guest's IPv6 could not be looked at: {seen.error}")
    findings: list[Finding] = []
    unseen: list[str] = []
    for port in ports:
        nic = seen.nic(canonical_mac(port.mac))
        if port.subnet6 is None:
            unseen.append(f"the API shows no subnet of {port.fixed_ip6}")
        elif nic is None:
            unseen.append(f"the guest has no NIC for {port.name} (see PV-1)")
        else:
            if port is boot.ports[0]:
                findings += _address_defects(port, port.subnet6, nic)
            findings += _origin_defects(port, port.subnet6, nic)
            findings += _announced_defects(port, port.subnet6, nic)
            findings += _told_defects(port, port.subnet6, boot.report)
    return verdict(findings, unseen)


@check("MD-8", needs=("boot", "ipv6"))
def metadata_answers_over_ipv6(facts: Facts) -> Said:
    """At ``fe80::a9fe:a9fe`` on the primary link, with this server's own data; or the cloud says that it does not."""
    boot = given(facts.boot)
    if boot.report is None:
        return SILENT_GUEST
    if not boot.ports or boot.ports[0].fixed_ip6 is None:
        return _no_ipv6(boot)
    if not set(HTTP_CHANNELS) & set(facts.dst.channels):
        return NotApplicable(f"{facts.dst.cloud} claims no metadata over HTTP: {', '.join(facts.dst.channels)}")
    seen = given(facts.ipv6)
    if seen.error:
        return NotObserved(f"the guest's IPv6 could not be looked at: {seen.error}")
    nic = seen.nic(canonical_mac(boot.ports[0].mac))
    answers = [one for one in seen.metadata if nic is not None and one.interface == nic.name]
    if not answers:
        return NotObserved(f"the guest has no NIC for {boot.ports[0].name} (see PV-1)")
    answer = answers[-1]
    subject = f"metadata at [{METADATA_ADDRESS}%{shorten(answer.interface, 20)}]"
    actual = str(answer.status) if answer.status is not None else f"no answer ({shorten(answer.error, 80)})"
    if not facts.dst.metadata_ipv6:
        if answer.status is None:
            return NotApplicable(f"{facts.dst.cloud} declares metadata_ipv6: false, and {subject} gives {actual}")
        remedy = "take metadata_ipv6: false out of the profile"
        return (Finding(subject, "no answer, as declared (metadata_ipv6: false)", actual, remedy),)
    if answer.status != 200:
        remedy = "let the metadata proxy listen there too (Neutron since Victoria), or declare metadata_ipv6: false"
        return (Finding(subject, "200", actual, remedy),)
    if (answer.uuid or "").lower() != boot.server_id.lower():
        remedy = "the proxy must find the port by the link-local address made of its MAC, and by its fixed addresses"
        return (Finding(f"uuid from {subject}", boot.server_id, shorten(answer.uuid or "none", 60), remedy),)
    return ()


def _address_defects(port: PortFacts, subnet: Subnet6, nic: Nic6) -> list[Finding]:
    if any(same_address(one.ip, port.fixed_ip6) for one in nic.addresses):
        if nic.accept_ra == 1 and nic.forwarding and subnet.mode in (SLAAC, STATELESS):
            remedy = "a guest that forwards needs accept_ra=2, or its address and its way out age away"
            return [Finding(f"accept_ra of {nic.name}", "2, since the guest forwards", "1", remedy)]
        return []
    has = ", ".join(one.ip for one in nic.addresses[:8]) or "no address"
    accept = "has no IPv6" if nic.accept_ra is None else f"accept_ra {nic.accept_ra}"
    expected = f"{port.fixed_ip6} by {subnet.mode}"
    remedy = REMEDY_ANNOUNCE if subnet.mode in (SLAAC, STATELESS) else "check that DHCPv6 or metadata hands it out"
    return [Finding(f"IPv6 address of {port.name}", expected, f"{nic.name} has {has} ({accept})", remedy)]


def _origin_defects(port: PortFacts, subnet: Subnet6, nic: Nic6) -> list[Finding]:
    """An address with another origin than the mode has, and another address than the port's in a mode that has one."""
    findings = []
    for one in nic.addresses:
        if same_address(one.ip, port.fixed_ip6):
            if one.permanent and subnet.mode in (SLAAC, STATELESS):
                remedy = "take the static IPv6 configuration out of the image: it stays when the prefix changes"
                expected = f"made of what the router announces ({subnet.mode})"
                findings.append(Finding(f"{one.ip} on {nic.name}", expected, "set by hand, without an end", remedy))
        elif subnet.mode in (STATEFUL, STATIC) and not one.permanent and _inside(one.ip, subnet.cidr):
            expected = f"{port.fixed_ip6} alone ({subnet.mode})"
            findings.append(Finding(f"IPv6 addresses of {port.name}", expected, f"{one.ip} as well", REMEDY_MODES))
    return findings


def _announced_defects(port: PortFacts, subnet: Subnet6, nic: Nic6) -> list[Finding]:
    """The flags of the router's last advertisement; a router that is not OpenStack's may say what it likes."""
    wanted = FLAGS.get(subnet.ra_mode or "")
    if not nic.heard or wanted is None:
        return []
    flags = (("M", nic.managed, wanted[0]), ("O", nic.other, wanted[1]))
    wrong = [name for name, flag, right in flags if right is not None and flag is not None and flag != right]
    if not wrong:
        return []
    expected = f"{_flags(*wanted)}, as {subnet.ra_mode} has it"
    subject = f"router advertisements to {port.name}"
    return [Finding(subject, expected, _flags(nic.managed, nic.other), REMEDY_MODES)]


def _told_defects(port: PortFacts, subnet: Subnet6, report: GuestReport) -> list[Finding]:
    """The type of the IPv6 network in network_data.json, where that tells of the NIC at all."""
    kinds = [kind for mac, kind in served_types(report.network_data) if mac == canonical_mac(port.mac)]
    if not kinds:
        return []
    expected = f"ipv6_{subnet.address_mode}" if subnet.address_mode else "ipv6_dhcp" if subnet.dhcp else "ipv6"
    told = [kind for kind in kinds if kind.startswith("ipv6")]
    if expected in told:
        return []
    actual = shorten(", ".join(told), 80) or "no IPv6 network"
    remedy = "the metadata must name the subnet's ipv6_address_mode: guests choose by it how to ask"
    return [Finding(f"network_data.json of {port.name}", expected, actual, remedy)]


def _flags(managed: bool | None, other: bool | None) -> str:
    return ", ".join(f"{name}={int(flag)}" for name, flag in (("M", managed), ("O", other)) if flag is not None)


def _inside(ip: str, cidr: str) -> bool:
    try:
        return IPv6Address(ip) in IPv6Network(cidr, strict=False)
    except ValueError:
        return False


def _no_ipv6(boot: BootFacts) -> Said:
    if not boot.ports:
        return NotObserved("the API lists no port of the server")
    return NotApplicable(f"no IPv6 address in the API: {', '.join(f'{p.name} has {p.fixed_ip}' for p in boot.ports)}")
