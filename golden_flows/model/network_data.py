"""What ``network_data.json`` says of addresses and default routes, by MAC.

The document comes through a guest and is untrusted: whatever is not as Nova writes it is passed over in silence,
because judging its form is the business of other checks.
Source: nova doc/api_schemas/network_data.json; ``reference/guest-and-formats.md`` 1.3.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_interface

from golden_flows.model.guest import canonical_mac

_ANYWHERE = {("0.0.0.0", "0.0.0.0"): 4, ("::", "::"): 6, ("0.0.0.0", "0"): 4, ("::", "0"): 6}  # noqa: S104  # routes
_ENTRIES_MAX = 256


@dataclass(frozen=True)
class ServedAddress:
    """A static address that the metadata gives to a MAC."""

    mac: str
    ip: str


@dataclass(frozen=True)
class ServedDefault:
    """A default route that the metadata gives to a MAC."""

    mac: str
    family: int
    gateway: str


def bare_ip(text: str) -> str | None:
    """The address of ``10.0.0.5/24`` or ``10.0.0.5`` in canonical spelling; None when it is no address."""
    try:
        return str(ip_interface(text.strip()).ip)
    except ValueError:
        return None


def served_macs(document: Mapping[str, object]) -> frozenset[str]:
    """MACs of all links served, VLANs included: the NICs that a guest can know of."""
    return frozenset(map(_mac_of, _objects(document, "links")))


@dataclass(frozen=True)
class ServedVlan:
    """A VLAN and the link that it is said to be on."""

    mac: str
    number: int | None
    """None where it is no number."""
    link: str
    """Id of that link."""
    parent_mac: str | None
    """Of that link; None where no link has the id."""


def served_vlans(document: Mapping[str, object]) -> tuple[ServedVlan, ...]:
    """Links of type ``vlan``, in the order served."""
    links = _objects(document, "links")
    macs = {_text(link, "id"): _mac_of(link) for link in links}
    found = []
    for link in links:
        if link.get("type") == "vlan":
            number, parent = link.get("vlan_id"), _text(link, "vlan_link")
            number = number if isinstance(number, int) else None
            found.append(ServedVlan(_mac_of(link), number, parent, macs.get(parent)))
    return tuple(found)


def served_mtus(document: Mapping[str, object]) -> dict[str, int | None]:
    """``mtu`` of each link, by port id where the link names it (``vif_id``), else by MAC; None for null."""
    found = {_text(link, "vif_id") or _mac_of(link): link.get("mtu") for link in _objects(document, "links")}
    return {key: mtu if isinstance(mtu, int) else None for key, mtu in found.items()}


def served_addresses(document: Mapping[str, object]) -> tuple[ServedAddress, ...]:
    """Static addresses in the order served."""
    found = ((mac, bare_ip(_text(network, "ip_address"))) for mac, network in _networks(document))
    return tuple(ServedAddress(mac, ip) for mac, ip in found if ip)


def served_types(document: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    """(MAC, type) of each network in the order served: ``ipv4_dhcp``, ``ipv6_slaac``."""
    return tuple((mac, _text(network, "type")) for mac, network in _networks(document))


def served_defaults(document: Mapping[str, object]) -> tuple[ServedDefault, ...]:
    """Default routes in the order served."""
    return tuple(
        ServedDefault(mac, family, _text(route, "gateway"))
        for mac, network in _networks(document)
        for route in _objects(network, "routes")
        if (family := _family_of_default(route))
    )


def _family_of_default(route: Mapping[str, object]) -> int | None:
    network, _, length = _text(route, "network").partition("/")
    return _ANYWHERE.get((network, _text(route, "netmask") or length))


def _networks(document: Mapping[str, object]) -> Iterator[tuple[str, Mapping[str, object]]]:
    macs = {_text(link, "id"): _mac_of(link) for link in _objects(document, "links")}
    for network in _objects(document, "networks"):
        if mac := macs.get(_text(network, "link")):
            yield mac, network


def _mac_of(link: Mapping[str, object]) -> str:
    """A VLAN has its MAC under another name."""
    return canonical_mac(_text(link, "ethernet_mac_address") or _text(link, "vlan_mac_address"))


def _objects(document: Mapping[str, object], key: str) -> list[Mapping[str, object]]:
    entries = document.get(key)
    return [one for one in entries[:_ENTRIES_MAX] if isinstance(one, dict)] if isinstance(entries, list) else []


def _text(document: Mapping[str, object], key: str) -> str:
    value = document.get(key)
    return value if isinstance(value, str) else ""
