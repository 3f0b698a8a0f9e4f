"""A port's addresses of both families, from documents that an API may give."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any, cast

from golden_flows.clouds.networks import list_ports
from golden_flows.clouds.records import NetworkRef
from golden_flows.clouds.session import ApiSession
from golden_flows.model.facts import PortFacts

FOUR = {"subnet_id": "s4", "ip_address": "10.0.0.5"}
SIX = {"subnet_id": "s6", "ip_address": "fd00::5"}


def subnet(cidr: str, gateway: str | None, dhcp: bool) -> SimpleNamespace:
    routes = [{"destination": "10.9.0.0/16", "nexthop": gateway}]
    modes = {"ipv6_address_mode": "slaac", "ipv6_ra_mode": None} if ":" in cidr else {}
    more = {"dns_nameservers": [], "host_routes": routes, **modes}
    return SimpleNamespace(cidr=cidr, gateway_ip=gateway, is_dhcp_enabled=dhcp, **more)


SUBNETS = {"s4": subnet("10.0.0.0/24", "10.0.0.1", True), "s6": subnet("fd00::/64", "fd00::1", False)}


def seen(*fixed_ips: dict[str, str]) -> PortFacts:
    nic = {"id": "p", "network_id": "n", "mac_address": "FA:16:3E:00:00:01", "device_id": "server"}
    port = SimpleNamespace(**nic, fixed_ips=list(fixed_ips))
    network: Any = SimpleNamespace(ports=lambda device_id: [port], get_subnet=SUBNETS.__getitem__)
    api = SimpleNamespace(guard=lambda doing: nullcontext(), sdk=SimpleNamespace(network=network))
    (facts,) = list_ports(cast(ApiSession, api), "server", [NetworkRef("n", "net", 1500, False)])
    return facts


def test_the_first_address_of_each_family_is_told_whatever_their_order() -> None:
    for both in ((FOUR, SIX), (SIX, FOUR)):
        facts = seen(*both)
        assert (facts.fixed_ip, facts.cidr, facts.gateway_ip, facts.dhcp) == (
            "10.0.0.5",
            "10.0.0.0/24",
            "10.0.0.1",
            True,
        )
        assert (facts.fixed_ip6, facts.gateway6_ip) == ("fd00::5", "fd00::1")
        assert facts.subnet6 is not None
        assert (facts.subnet6.mode, facts.subnet6.ra_mode, facts.is_ipv6_alone) == ("slaac", None, False)


def test_a_port_with_one_family_has_no_word_of_the_other() -> None:
    assert (seen(FOUR).fixed_ip6, seen(FOUR).gateway6_ip) == (None, None)
    assert (seen(SIX).fixed_ip, seen(SIX).fixed_ip6, seen(SIX).is_ipv6_alone) == ("fd00::5", "fd00::5", True)


def test_a_port_has_every_address_the_routes_of_its_subnet_and_its_server() -> None:
    facts = seen(FOUR, SIX)
    assert (facts.fixed_ips, facts.server_id) == (("10.0.0.5", "fd00::5"), "server")
    assert facts.host_routes == (("10.9.0.0/16", "10.0.0.1"),)


def test_a_port_without_addresses_is_a_port() -> None:
    assert (seen().fixed_ip, seen().gateway_ip, seen().fixed_ip6) == (None, None, None)
