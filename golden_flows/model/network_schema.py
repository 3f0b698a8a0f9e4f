"""The form of ``network_data.json``: nova's own schema, and what is documented or written by nova beyond it.

Nova does not keep to its schema: it writes DHCPv6 types that the schema does not list, and ``{}`` for an instance
without NICs. So two readings: strict, as the schema has it, and wide, which a guest agent must live with. The document
comes through a guest and is untrusted.
Source: nova doc/api_schemas/network_data.json, nova/virt/netutils.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_address, ip_interface, ip_network

from golden_flows.model.untrusted import told, whole_number

PHYSICAL_TYPES = ("bridge", "dvs", "hw_veb", "hyperv", "ovs", "phy", "tap", "vhostuser", "vif")
BOND_MODES = (*("802.3ad", "balance-rr", "active-backup", "balance-xor", "broadcast", "balance-tlb", "balance-alb"),)
STRICT_TYPES = ("ipv4", "ipv4_dhcp", "ipv6", "ipv6_dhcp", "ipv6_slaac")
WIDE_TYPES = (*STRICT_TYPES, "ipv6_dhcpv6-stateful", "ipv6_dhcpv6-stateless")
LISTS = ("links", "networks", "services")
_MAC = re.compile(r"([0-9a-f]{2}[:-]){5}[0-9a-f]{2}", re.IGNORECASE)
_MTU_MAX = 65535
_ENTRIES_MAX = 256


def defects(document: Mapping[str, object], *, strict: bool) -> tuple[str, ...]:
    """What is wrong with a document, in words that name the place; nothing where it is as it should be."""
    return tuple(_defects(document, strict))


def opinion(document: Mapping[str, object]) -> str:
    """Both readings as lines for a person."""
    lines = []
    for name, strict in (("nova's schema", True), ("documented superset", False)):
        found = defects(document, strict=strict)
        lines += [f"{name}: {'valid' if not found else f'{len(found)} defect(s)'}", *(f"  {one}" for one in found)]
    return "\n".join(lines)


def _defects(document: Mapping[str, object], strict: bool) -> Iterator[str]:
    if not document and not strict:
        return  # an instance without NICs
    for key in LISTS:
        if not isinstance(document.get(key), list):
            yield f"{key}: {'not there' if key not in document else 'no list'}"
    links = list(_objects(document, "links"))
    for where, link in links:
        yield from (f"{where}: {one}" for one in _link(link))
    ids = {link["id"] for _, link in links if isinstance(link.get("id"), str)}
    for where, network in _objects(document, "networks"):
        yield from (f"{where}: {one}" for one in _network(network, strict))
        if not strict and isinstance(network.get("link"), str) and network["link"] not in ids:
            yield f"{where}: link {_told(network['link'])} is none of the links"
    for where, service in _objects(document, "services"):
        yield from (f"{where}: {one}" for one in _service(service))
    for key in LISTS:
        entries = document.get(key)
        if isinstance(entries, list):
            yield from (
                f"{key}[{at}]: no object" for at, one in enumerate(entries[:_ENTRIES_MAX]) if not isinstance(one, dict)
            )


def _objects(document: Mapping[str, object], key: str) -> Iterator[tuple[str, Mapping[str, object]]]:
    entries = document.get(key)
    for at, one in enumerate(entries[:_ENTRIES_MAX] if isinstance(entries, list) else ()):
        if isinstance(one, dict):
            yield f"{key}[{at}]", one


def _texts(entry: Mapping[str, object], *keys: str) -> Iterator[str]:
    """Which of the keys have no text."""
    for key in keys:
        if not isinstance(entry.get(key), str):
            yield f"{key} {'is no text' if key in entry else 'is not there'}"


def _link(link: Mapping[str, object]) -> Iterator[str]:
    kind = link.get("type")
    mac_key = "vlan_mac_address" if kind == "vlan" else "ethernet_mac_address"
    yield from _texts(link, "id", "type", mac_key)
    if isinstance(link.get(mac_key), str) and not _MAC.fullmatch(str(link[mac_key])):
        yield f"{mac_key} {_told(link[mac_key])} is no MAC"
    mtu = link.get("mtu")
    if mtu is not None and (not isinstance(mtu, int) or isinstance(mtu, bool) or not 1 <= mtu <= _MTU_MAX):
        yield f"mtu {_told(mtu)} is no number from 1 to {_MTU_MAX}, and not null"
    if kind == "bond":
        if link.get("bond_mode") not in BOND_MODES:
            yield f"bond_mode {_told(link.get('bond_mode'))} is not known"
        if not isinstance(link.get("bond_links"), list):
            yield "bond_links is no list"
    elif kind == "vlan":
        yield from _texts(link, "vlan_link")
        if not isinstance(link.get("vlan_id"), int):
            yield f"vlan_id {_told(link.get('vlan_id'))} is no number"
    elif isinstance(kind, str) and kind not in PHYSICAL_TYPES:
        yield f"type {_told(kind)} is not documented"


def _network(network: Mapping[str, object], strict: bool) -> Iterator[str]:
    yield from _texts(network, "id", "link", "network_id", "type")
    kind = network.get("type")
    if isinstance(kind, str) and kind not in (STRICT_TYPES if strict else WIDE_TYPES):
        yield f"type {_told(kind)} is not documented"
        return
    family = 6 if str(kind).startswith("ipv6") else 4
    if "ip_address" in network and not _is_address(network["ip_address"], family, has_length=family == 6 or not strict):
        yield f"ip_address {_told(network['ip_address'])} is no IPv{family} address"
    if "netmask" in network and not _is_netmask(network["netmask"], family, strict):
        yield f"netmask {_told(network['netmask'])} is no IPv{family} netmask"
    if "routes" in network and not isinstance(network["routes"], list):
        yield "routes is no list"
    for where, route in _objects(network, "routes"):
        yield from (f"{where}: {one}" for one in _route(route, family, strict))
    for where, service in _objects(network, "services"):
        yield from (f"{where}: {one}" for one in _service(service))


def _route(route: Mapping[str, object], family: int, strict: bool) -> Iterator[str]:
    for key in ("network", "gateway"):
        if not _is_address(route.get(key), family, has_length=False):
            yield f"{key} {_told(route.get(key))} is no IPv{family} address"
    if not _is_netmask(route.get("netmask"), family, strict):
        yield f"netmask {_told(route.get('netmask'))} is no IPv{family} netmask"


def _service(service: Mapping[str, object]) -> Iterator[str]:
    if service.get("type") != "dns":
        yield f"type {_told(service.get('type'))} is not documented"
    if not any(_is_address(service.get("address"), family, has_length=False) for family in (4, 6)):
        yield f"address {_told(service.get('address'))} is no address"


def _is_address(value: object, family: int, *, has_length: bool) -> bool:
    if not isinstance(value, str):
        return False
    try:
        return (ip_interface(value) if has_length else ip_address(value)).version == family
    except ValueError:
        return False


def _is_netmask(value: object, family: int, strict: bool) -> bool:
    """Dotted, or IPv6's ``ffff:…::``; in the wide reading a prefix length, too."""
    text = str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    if text.isdecimal():
        length = whole_number(text)
        return not strict and length is not None and length <= (32 if family == 4 else 128)
    if family == 6:
        try:
            bits = int(ip_address(text)) if ":" in text else -1
        except ValueError:
            return False
        inverse = bits ^ ((1 << 128) - 1)
        return bits >= 0 and not inverse & (inverse + 1)
    try:
        return ip_network(f"0.0.0.0/{text}").version == family and text.count(".") == 3
    except ValueError:
        return False


def _told(value: object) -> str:
    return told(value, 60)
