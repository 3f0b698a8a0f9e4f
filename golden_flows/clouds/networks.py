"""Networks, ports, security groups, floating IPs. Source: Networking API v2.0 reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from golden_flows.clouds.records import NetworkRef
from golden_flows.clouds.session import ApiSession
from golden_flows.errors import UsageError
from golden_flows.model.discovery import NetworkFound, SubnetFound
from golden_flows.model.facts import PortFacts
from golden_flows.model.ipv6 import Subnet6


def list_networks(api: ApiSession) -> tuple[NetworkRef, ...]:
    with api.guard("listing networks"):
        return tuple(
            NetworkRef(str(one.id), str(one.name), one.mtu, bool(one.is_router_external))
            for one in api.sdk.network.networks()
        )


def look_at_networks(api: ApiSession) -> tuple[NetworkFound, ...]:
    """Every network with those of its subnets that this tenant may read."""
    with api.guard("listing subnets"):
        subnets = list(api.sdk.network.subnets())
        return tuple(
            NetworkFound(
                name=str(one.name),
                id=str(one.id),
                external=bool(one.is_router_external),
                mtu=one.mtu,
                subnets=tuple(_subnet_seen(subnet) for subnet in subnets if subnet.network_id == one.id),
            )
            for one in api.sdk.network.networks()
        )


def _subnet_seen(subnet: Any) -> SubnetFound:
    return SubnetFound(
        cidr=str(subnet.cidr),
        dhcp=bool(subnet.is_dhcp_enabled),
        gateway=subnet.gateway_ip or None,
        has_host_routes=bool(subnet.host_routes),
    )


def find_networks(api: ApiSession, names: Sequence[str]) -> tuple[NetworkRef, ...]:
    """In the order asked, by name or id; no names: the only network that is not external."""
    networks = list_networks(api)
    if not names:
        inner = [one for one in networks if not one.external]
        if len(inner) != 1:
            known = ", ".join(one.name for one in inner) or "none"
            raise UsageError(
                f"cloud {api.name!r} has {len(inner)} networks, and the profile names none",
                f"set 'interop: networks:' to some of: {known}",
            )
        return tuple(inner)
    found = []
    for name in names:
        matches = [one for one in networks if name in (one.name, one.id)]
        if len(matches) != 1:
            known = ", ".join(sorted(one.name for one in networks)) or "none"
            count = "no network" if not matches else f"{len(matches)} networks"
            raise UsageError(f"cloud {api.name!r} has {count} named {name!r}", f"networks: {known}")
        found.append(matches[0])
    return tuple(found)


def find_external(api: ApiSession, name: str) -> NetworkRef:
    """The network that floating IPs come from. Raises ``UsageError`` naming those that there are."""
    networks = list_networks(api)
    found = next((one for one in networks if name in (one.name, one.id)), None)
    if found is None or not found.external:
        known = ", ".join(sorted(one.name for one in networks if one.external)) or "none"
        what = "no network" if found is None else "no external network"
        raise UsageError(
            f"cloud {api.name!r} has {what} {name!r} to take floating IPs from", f"external networks: {known}"
        )
    return found


def list_ports(api: ApiSession, server_id: str, networks: Sequence[NetworkRef]) -> tuple[PortFacts, ...]:
    """The server's ports, in the order of ``networks``; a port on any other network comes last."""
    order = {one.id: index for index, one in reversed(list(enumerate(networks)))}
    by_id = {one.id: one for one in networks}
    with api.guard("listing ports"):
        ports = list(api.sdk.network.ports(device_id=server_id))
        ports.sort(key=lambda one: order.get(one.network_id, len(order)))
        return tuple(port_facts(api, one, by_id) for one in ports)


def port_facts(api: ApiSession, port: Any, networks: dict[str, NetworkRef]) -> PortFacts:
    """A port of the SDK's with what its subnets say."""
    network = networks.get(port.network_id)
    every: list[dict[str, Any]] = list(port.fixed_ips or ())
    sixes = [one for one in every if ":" in str(one.get("ip_address"))]
    fours = [one for one in every if one not in sixes]
    fixed: dict[str, Any] = next(iter(fours or sixes), {})
    subnet, subnet6 = _subnet(api, fixed), _subnet(api, sixes[0] if sixes else {})
    return PortFacts(
        port_id=str(port.id),
        network=network.name if network else str(port.network_id),
        mac=str(port.mac_address).lower(),
        fixed_ip=fixed.get("ip_address"),
        cidr=subnet.cidr if subnet else None,
        gateway_ip=(subnet.gateway_ip or None) if subnet else None,
        dns=tuple(subnet.dns_nameservers or ()) if subnet else (),
        dhcp=bool(subnet.is_dhcp_enabled) if subnet else False,
        mtu=network.mtu if network else None,
        fixed_ip6=sixes[0].get("ip_address") if sixes else None,
        gateway6_ip=(subnet6.gateway_ip or None) if subnet6 else None,
        fixed_ips=tuple(str(one.get("ip_address")) for one in every),
        host_routes=_host_routes(subnet),
        server_id=port.device_id or None,
        subnet6=_subnet6(subnet6) if subnet6 else None,
    )


def _subnet6(subnet: Any) -> Subnet6:
    return Subnet6(
        cidr=str(subnet.cidr),
        gateway_ip=subnet.gateway_ip or None,
        dhcp=bool(subnet.is_dhcp_enabled),
        address_mode=subnet.ipv6_address_mode or None,
        ra_mode=subnet.ipv6_ra_mode or None,
    )


def _host_routes(subnet: Any) -> tuple[tuple[str, str], ...]:
    routes = (subnet.host_routes or ()) if subnet else ()
    return tuple((str(one.get("destination")), str(one.get("nexthop"))) for one in routes)


def _subnet(api: ApiSession, fixed: dict[str, Any]) -> Any:
    return api.sdk.network.get_subnet(fixed["subnet_id"]) if fixed.get("subnet_id") else None


def open_ports(api: ApiSession, group_id: str, tcp_ports: Sequence[int]) -> None:
    """Let these TCP ports and ICMP in, from anywhere, over IPv4 and IPv6."""
    tcp = [{"protocol": "tcp", "port_range_min": one, "port_range_max": one} for one in tcp_ports]
    with api.guard("creating security group rules"):
        for ether_type, icmp in (("IPv4", "icmp"), ("IPv6", "ipv6-icmp")):
            rules: list[dict[str, Any]] = [{"protocol": icmp}, *tcp]
            for rule in rules:
                api.sdk.network.create_security_group_rule(
                    security_group_id=group_id, direction="ingress", ether_type=ether_type, **rule
                )
