"""Whether what a cloud told a guest of its NICs is what the same cloud's API says: then no control is needed."""

from __future__ import annotations

from collections.abc import Sequence

from golden_flows.model.facts import PortFacts
from golden_flows.model.guest import GuestReport, canonical_mac
from golden_flows.model.network_data import bare_ip, served_addresses, served_defaults, served_macs, served_vlans

WITH_NETWORK_DATA = ("openstack-http", "config-drive")
"""Channels that carry ``network_data.json``."""


def told_otherwise(report: GuestReport, ports: Sequence[PortFacts]) -> str:
    """How ``network_data.json``, as it reached the guest, differs from the API; empty where it does not, or where no
    channel was there that carries it.
    """
    if not any(one.present and one.name in WITH_NETWORK_DATA for one in report.channels):
        return ""
    document = report.network_data
    macs = served_macs(document)
    for port in ports:
        mac = canonical_mac(port.mac)
        if mac not in macs:
            return f"network_data.json tells of no {port.name}"
        addresses = [one.ip for one in served_addresses(document) if one.mac == mac]
        if not port.dhcp and port.fixed_ip and bare_ip(port.fixed_ip) not in addresses:
            return f"network_data.json gives {port.name} {', '.join(addresses) or 'no address'}"
        gateways = {port.gateway_ip, port.gateway6_ip}
        for route in served_defaults(document):
            if route.mac == mac and route.gateway not in gateways:
                return f"network_data.json gives {port.name} a default route by {route.gateway or 'nobody'}"
    orphan = next((one for one in served_vlans(document) if one.parent_mac is None), None)
    return f"network_data.json has VLAN {orphan.number} on a link that is told nowhere" if orphan else ""
