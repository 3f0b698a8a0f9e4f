"""What a further NIC is besides its address: the way its answers leave, its MTU, routes, more addresses."""

from __future__ import annotations

from collections.abc import Mapping

from golden_flows.errors import shorten
from golden_flows.model.check import SILENT_GUEST, check, given, unseen_inside, verdict
from golden_flows.model.facts import BootFacts, Facts, PortFacts
from golden_flows.model.finding import Finding, NotApplicable, NotObserved, Said
from golden_flows.model.guest import canonical_mac
from golden_flows.model.network_data import bare_ip, served_addresses, served_mtus, served_vlans


@check("N2-3", needs=("boot", "auth", "hotplug"))
def answers_leave_by_the_nic_that_was_asked(facts: Facts) -> Said:
    """A packet from a NIC's address leaves by that NIC, and a neighbour that is there answers it.

    Otherwise it leaves with a foreign address, and the next anti-spoofing filter drops it.
    """
    boot, plug = given(facts.boot), given(facts.hotplug)
    if plug.error:
        return unseen_inside(facts, f"the guest's routing could not be asked: {shorten(plug.error, 200)}")
    ports = [*boot.ports, *([plug.port] if plug.port is not None and not plug.refused else [])]
    if len(ports) < 2:
        return NotApplicable(f"the server has {len(ports)} port(s), and no other can be attached: {plug.refused}")
    findings: list[Finding] = []
    unseen: list[str] = []
    asked = 0
    for port in ports:
        nic = plug.inside.find(port.mac)
        path = next((one for one in plug.inside.paths if one.source == port.fixed_ip), None)
        if nic is None or path is None:
            continue  # it has no address to answer from: N1-1, N2-1 and N2-5 say so
        asked += port is not ports[0]
        subject = f"answers from {path.source} to {path.peer}"
        remedy = "give each NIC a routing table and a rule for its address (ip rule), in the image's network agent"
        if path.interface is None:
            unseen.append(f"the guest's kernel does not say how it answers {path.peer} from {path.source}")
        elif path.interface != nic.name:
            findings.append(Finding(subject, f"by {nic.name}, the NIC of {port.name}", path.interface, remedy))
        elif path.answered is False:
            remedy = "look for a filter between the port and its network, and for rp_filter in the guest"
            findings.append(Finding(subject, "an answer to a ping", "none", remedy))
    if not asked and not findings:
        return NotApplicable("no further NIC has an address that could be asked (see N2-1, N2-5)")
    return verdict(findings, unseen)


@check("N2-7", needs=("boot",))
def static_nics_have_their_network_s_mtu(facts: Facts) -> Said:
    """Where no DHCP tells it, ``mtu`` of the link in network_data is the network's, and so is the NIC's."""
    boot = given(facts.boot)
    if boot.report is None:
        return SILENT_GUEST
    static = [port for port in boot.ports if port.mtu is not None and not _has_dhcp(port)]
    if not static:
        return NotApplicable(f"no static NIC: ports on {_networks(boot)}")
    if not boot.report.links:
        return NotObserved("the guest reported no NICs at all")
    served = served_mtus(boot.report.network_data)
    findings: list[Finding] = []
    unseen: list[str] = []
    for port in static:
        link = boot.report.link(port.mac)
        key = port.port_id if port.port_id in served else canonical_mac(port.mac)
        remedy = (
            "without DHCP, only 'mtu' of the link in network_data.json tells a guest: nova leaves it null with DHCP"
        )
        if key in served and served[key] != port.mtu:
            actual = "null" if served[key] is None else str(served[key])
            findings.append(Finding(f"mtu of {port.name} in network_data.json", str(port.mtu), actual, remedy))
        if link is None:
            unseen.append(f"the guest has no NIC for {port.name} (see N2-1, PV-1)")
        elif link.mtu is None:
            unseen.append(f"the guest did not report the MTU of {link.name}")
        elif link.mtu != port.mtu:
            findings.append(Finding(f"MTU of {link.name}, {port.name}", str(port.mtu), str(link.mtu), remedy))
    return verdict(findings, unseen)


@check("N2-8", needs=("auth", "hotplug"))
def first_of_several_addresses_works(facts: Facts) -> Said:
    """A port with several fixed addresses: the first is on the NIC, and so is every other that a channel conveys."""
    plug = given(facts.hotplug)
    if plug.error:
        return unseen_inside(facts, f"a port with several addresses could not be watched: {shorten(plug.error, 200)}")
    if plug.refused or plug.port is None:
        return NotApplicable(f"no port was attached: {shorten(plug.refused or 'the API shows none', 200)}")
    fixed = [ip for one in plug.port.fixed_ips if (ip := bare_ip(one)) is not None and "." in ip]
    if len(fixed) < 2:
        return NotApplicable(f"the port has one IPv4 address: {shorten(plug.conveyance_refused, 200)}")
    nic = plug.inside.find(plug.port.mac)
    if nic is None or plug.seconds_to_address is None:
        return NotApplicable("the NIC never had an address (see N2-5)")
    has = {bare_ip(one) for one in nic.addresses}
    told = {one.ip for one in served_addresses(plug.inside.network_data or {}) if one.mac == canonical_mac(nic.mac)}
    missing = [ip for ip in fixed if ip not in has and (ip == fixed[0] or ip in told)]
    remedy = "configure every address that the metadata conveys; let clients use the first where it conveys but one"
    actual = ", ".join(nic.addresses) or "none"
    return tuple(Finding(f"address {ip} of {plug.port.name}", f"on {nic.name}", actual, remedy) for ip in missing)


@check("N2-9", needs=("boot", "network_seen"))
def vlans_are_made_on_their_nics(facts: Facts) -> Said:
    """A port that the metadata tells as a VLAN is one in the guest: of that number, on the NIC of the link named.

    A link that nothing describes is the cloud's defect. A guest that makes no VLAN of a good description has an agent
    that makes none.
    """
    boot, seen = given(facts.boot), given(facts.network_seen)
    if boot.report is None:
        return SILENT_GUEST
    ports = {canonical_mac(port.mac): port for port in boot.ports}
    vlans = [one for one in served_vlans(boot.report.network_data) if one.mac in ports]
    if not vlans:
        return NotApplicable(f"the metadata tells of no VLAN for a port of the server: {_networks(boot)}")
    findings: list[Finding] = []
    unmade: list[str] = []
    for one in vlans:
        subject = f"VLAN {one.number} of {ports[one.mac].name}"
        if one.parent_mac is None or one.number is None:
            remedy = "name in vlan_link the id of a link of the same network_data.json, and in vlan_id a number"
            findings.append(Finding(subject, "on a link that is told", f"on {shorten(one.link, 60)!r}", remedy))
            continue
        nic, parent = seen.find(one.mac, is_vlan=True) or seen.find(one.mac), seen.find(one.parent_mac)
        if nic is not None and nic.is_vlan and nic.vlan is None:
            return NotObserved(f"{subject}: {nic.name} is a VLAN, and the guest tells nobody of which number")
        if nic is None or not nic.is_vlan:
            unmade.append(f"{subject}: {'no such interface' if nic is None else f'{nic.name} is none'}")
        elif (nic.vlan, nic.below) != (one.number, parent.name if parent else None):
            remedy = "look for an agent or a host that numbers VLANs or NICs by their order"
            expected = f"{one.number} on {parent.name if parent else one.parent_mac}"
            findings.append(Finding(subject, expected, f"{nic.vlan} on {nic.below}, {nic.name}", remedy))
    if findings:
        return tuple(findings)
    if seen.unseen:
        return NotObserved(seen.unseen)
    return NotApplicable(f"the image's agent makes no VLANs: {'; '.join(unmade)}") if unmade else ()


@check("N2-10", needs=("boot",))
def host_routes_of_the_subnets_are_there(facts: Facts) -> Said:
    """Every host route of a port's subnet is a route of the guest, by that port's NIC."""
    boot = given(facts.boot)
    if boot.report is None:
        return SILENT_GUEST
    wanted = [(port, *route) for port in boot.ports for route in port.host_routes]
    if not wanted:
        return NotApplicable(f"no subnet of the server's ports has host routes: {_networks(boot)}")
    if not boot.report.routes:
        return NotObserved("the guest reported no routes at all")
    findings: list[Finding] = []
    unseen: list[str] = []
    for port, destination, gateway in wanted:
        link = boot.report.link(port.mac)
        if link is None:
            unseen.append(f"the guest has no NIC for {port.name} (see N2-1, PV-1)")
            continue
        ways = [one for one in boot.report.routes if one.destination == destination]
        if not any(one.interface == link.name and one.gateway == gateway for one in ways):
            remedy = "put the subnet's host_routes into network_data.json (static) and into DHCP option 121"
            actual = ", ".join(f"{one.gateway or 'on link'} by {one.interface}" for one in ways[:4]) or "no such route"
            expected = f"{gateway} by {link.name}"
            findings.append(Finding(f"route to {destination} of {port.name}", expected, actual, remedy))
    return verdict(findings, unseen)


def _has_dhcp(port: PortFacts) -> bool:
    """By either family: nova then leaves the MTU out, which DHCP or the IPv6 router tells."""
    return port.dhcp or (port.subnet6 is not None and port.subnet6.dhcp)


def _networks(boot: BootFacts) -> str:
    kinds: Mapping[bool, str] = {True: "DHCP", False: "static"}
    return ", ".join(f"{port.network} ({kinds[port.dhcp]})" for port in boot.ports) or "none"
