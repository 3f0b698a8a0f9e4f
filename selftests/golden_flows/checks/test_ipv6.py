"""N1-8 and MD-8, and what the checks of the second NIC say of IPv6, on facts of a dual-stack cell."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from golden_flows.guideline import load_checks
from golden_flows.model.facts import BootFacts, Facts
from golden_flows.model.finding import Finding, NotApplicable, NotObserved
from golden_flows.model.guest import Route
from golden_flows.model.ipv6 import Address6, Ipv6Facts, MetadataAnswer, Nic6, Subnet6, same_address
from selftests.golden_flows.checks.facts_builder import (
    MAC1,
    MAC2,
    SERVER,
    boot,
    failing,
    healthy_facts,
    network_data,
    port,
    power,
    report,
    said,
)

OWN, FURTHER = "fd00:60::f816:3eff:fe00:1", "fd00:61::10"
SLAAC = Subnet6(cidr="fd00:60::/64", gateway_ip="fd00:60::1", dhcp=True, address_mode="slaac", ra_mode="slaac")
STATELESS = replace(SLAAC, address_mode="dhcpv6-stateless", ra_mode="dhcpv6-stateless")
STATEFUL = Subnet6(cidr="fd00:61::/64", dhcp=True, address_mode="dhcpv6-stateful", ra_mode="dhcpv6-stateful")
FIRST = Nic6(
    name="eth0",
    mac=MAC1,
    accept_ra=1,
    addresses=(Address6(ip=OWN, prefixlen=64, permanent=False),),
    heard=True,
    managed=False,
    other=False,
)
SECOND = replace(
    FIRST,
    name="eth1",
    mac=MAC2,
    addresses=(Address6(ip=FURTHER, prefixlen=128, permanent=False),),
    managed=True,
    other=True,
)
ANSWER = MetadataAnswer(interface="eth0", status=200, uuid=SERVER.upper())
ROUTER = Route(family=6, destination="default", gateway="fe80::fe:aff:fe3c:0", interface="eth0")


def told(first: str = "ipv6_slaac", second: str = "ipv6_dhcpv6-stateful") -> dict[str, object]:
    document: dict[str, Any] = network_data()
    common = {"netmask": "ffff:ffff:ffff:ffff::", "routes": []}
    more = [
        {**common, "id": "network2", "link": "tap1", "network_id": "n-1", "type": first, "ip_address": OWN},
        {**common, "id": "network3", "link": "tap2", "network_id": "n-2", "type": second, "ip_address": FURTHER},
    ]
    return {**document, "networks": [*document["networks"], *more]}


def dual_boot() -> BootFacts:
    ports = (
        replace(port(0), fixed_ip6=OWN, gateway6_ip="fd00:60::1", subnet6=SLAAC),
        replace(port(1), fixed_ip6=FURTHER, subnet6=STATEFUL),
    )
    links = (
        replace(report().links[0], addresses=(*report().links[0].addresses, f"{OWN}/64")),
        replace(report().links[1], addresses=(*report().links[1].addresses, f"{FURTHER}/128")),
    )
    told_report = replace(report(), network_data=told(), links=links, routes=(*report().routes, ROUTER))
    return replace(boot(), ports=ports, report=told_report)


def dual_facts() -> Facts:
    seen = Ipv6Facts(nics=(FIRST, SECOND), metadata=(ANSWER, replace(ANSWER, interface="eth1", status=None)))
    again = replace(power(), ports=dual_boot().ports)
    return replace(healthy_facts(), boot=dual_boot(), ipv6=seen, power=again)


def with_nic6(**changes: Any) -> Facts:
    """The first NIC is seen otherwise."""
    facts = dual_facts()
    return replace(facts, ipv6=Ipv6Facts(nics=(replace(FIRST, **changes), SECOND), metadata=(ANSWER,)))


def with_second6(**changes: Any) -> Facts:
    return replace(dual_facts(), ipv6=Ipv6Facts(nics=(FIRST, replace(SECOND, **changes)), metadata=(ANSWER,)))


def with_metadata6(**changes: Any) -> Facts:
    answers = (replace(ANSWER, **changes),)
    return replace(dual_facts(), ipv6=Ipv6Facts(nics=(FIRST, SECOND), metadata=answers))


def with_dual_report(**changes: Any) -> Facts:
    booted = dual_boot()
    assert booted.report is not None
    return replace(dual_facts(), boot=replace(booted, report=replace(booted.report, **changes)))


def with_subnet(subnet: Subnet6, kind: str, **nic: Any) -> Facts:
    """The first network has another mode, and the metadata says so."""
    facts = with_nic6(**nic)
    first, second = dual_boot().ports
    told_report = replace(dual_boot().report or report(), network_data=told(kind))
    booted = replace(dual_boot(), ports=(replace(first, subnet6=subnet), second), report=told_report)
    return replace(facts, boot=booted)


def alone() -> Facts:
    """The same cell, whose primary network has no IPv4."""
    first, second = dual_boot().ports
    bare = replace(first, fixed_ip=OWN, cidr="fd00:60::/64", gateway_ip="fd00:60::1", dns=())
    routes = (ROUTER,)
    return replace(
        dual_facts(),
        boot=replace(
            dual_boot(), ports=(bare, second), report=replace(dual_boot().report or report(), leases=(), routes=routes)
        ),
    )


@pytest.mark.parametrize("check_id", sorted(load_checks()))
def test_a_healthy_dual_stack_cell_passes_or_is_proved_not_applicable(check_id: str) -> None:
    found = said(check_id, dual_facts())
    assert found == () or isinstance(found, NotApplicable)


@pytest.mark.parametrize("check_id", ["N1-1", "N1-4", "N1-8", "MD-8", "N2-1", "N2-2", "N2-4"])
def test_a_cell_without_ipv4_passes_or_is_proved_not_applicable(check_id: str) -> None:
    found = said(check_id, alone())
    assert isinstance(found, NotApplicable) if check_id == "N1-1" else found == ()


@pytest.mark.parametrize("check_id", ["N1-8", "MD-8"])
def test_a_cloud_without_ipv6_proves_it_by_its_ports(check_id: str) -> None:
    found = said(check_id, healthy_facts())
    assert isinstance(found, NotApplicable)
    assert "192.168.100.20" in found.proof


@pytest.mark.parametrize("check_id", ["N1-8", "MD-8"])
def test_what_could_not_be_looked_at_is_not_observed(check_id: str) -> None:
    for seen in (Ipv6Facts(error="python3: not found"), Ipv6Facts()):
        assert isinstance(said(check_id, replace(dual_facts(), ipv6=seen)), NotObserved)
    assert isinstance(said(check_id, replace(dual_facts(), boot=replace(dual_boot(), report=None))), NotObserved)
    assert isinstance(said(check_id, replace(dual_facts(), boot=replace(dual_boot(), ports=()))), NotObserved)


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param(with_nic6(addresses=()), id="no address"),
        pytest.param(with_nic6(addresses=(Address6(ip=OWN, prefixlen=64, permanent=True),)), id="set by hand"),
        pytest.param(with_nic6(managed=True), id="the router says DHCPv6"),
        pytest.param(with_nic6(other=True), id="the router says more by DHCPv6"),
        pytest.param(with_nic6(forwarding=True), id="a guest that forwards and hears no router"),
        pytest.param(with_second6(managed=False), id="the second router says SLAAC"),
        pytest.param(
            with_second6(addresses=(*SECOND.addresses, Address6(ip="fd00:61::9", prefixlen=64, permanent=False))),
            id="an address more than the port has",
        ),
        pytest.param(with_dual_report(network_data=told(first="ipv6_dhcpv6-stateful")), id="metadata says DHCPv6"),
        pytest.param(with_dual_report(network_data=network_data()), id="metadata tells of no IPv6"),
        pytest.param(with_subnet(STATELESS, "ipv6_dhcpv6-stateless"), id="stateless, and the router names no DHCPv6"),
    ],
)
def test_another_mode_than_the_subnet_s_is_a_finding(facts: Facts) -> None:
    assert failing(facts) == {"N1-8"}


def test_a_missing_address_is_told_with_what_the_nic_has_and_hears() -> None:
    found = said("N1-8", with_nic6(addresses=(), accept_ra=0, heard=False))
    assert isinstance(found, tuple)
    assert (found[0].expected, found[0].actual) == (f"{OWN} by slaac", "eth0 has no address (accept_ra 0)")


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param(with_subnet(STATELESS, "ipv6_dhcpv6-stateless", other=True), id="stateless"),
        pytest.param(
            with_subnet(replace(SLAAC, ra_mode=None), "ipv6_slaac", managed=True), id="somebody else's router"
        ),
        pytest.param(
            with_subnet(
                replace(SLAAC, address_mode=None, ra_mode=None, dhcp=False),
                "ipv6",
                addresses=(Address6(ip=OWN, prefixlen=64, permanent=True),),
                heard=False,
            ),
            id="static",
        ),
        pytest.param(with_nic6(heard=None, managed=None, other=None), id="a kernel that does not tell of flags"),
        pytest.param(with_nic6(accept_ra=0), id="user space that hears the router"),
        pytest.param(with_dual_report(network_data={}), id="metadata that tells of no NIC at all is N2-1's"),
    ],
)
def test_every_mode_that_matches_passes(facts: Facts) -> None:
    assert said("N1-8", facts) == ()


def test_metadata_of_somebody_else_over_ipv6_is_a_finding() -> None:
    assert failing(with_metadata6(uuid="6f1d2c3b-0000-4000-8000-00000000ffff")) == {"MD-8"}
    assert failing(with_metadata6(status=404)) == {"MD-8"}


def test_declared_absent_is_not_applicable_unless_it_answers() -> None:
    absent = with_metadata6(status=None, error="timed out")
    found = said("MD-8", replace(absent, dst=replace(absent.dst, metadata_ipv6=False)))
    assert isinstance(found, NotApplicable)
    assert "timed out" in found.proof
    there = dual_facts()
    found = said("MD-8", replace(there, dst=replace(there.dst, metadata_ipv6=False)))
    assert isinstance(found, tuple)
    assert isinstance(found[0], Finding)


def test_a_cloud_without_metadata_over_http_has_none_over_ipv6() -> None:
    facts = with_metadata6(status=None)
    assert isinstance(said("MD-8", replace(facts, dst=replace(facts.dst, channels=("config-drive",)))), NotApplicable)


def test_a_further_nic_without_its_ipv6_address_is_n2_1_s() -> None:
    first, second = (dual_boot().report or report()).links
    bare = replace(second, addresses=("192.168.200.20/24",))
    facts = with_dual_report(links=(first, bare))
    assert failing(replace(facts, ipv6=with_second6(addresses=()).ipv6)) == {"N2-1"}


@pytest.mark.parametrize(
    ("routes", "defect"),
    [
        ((), True),
        ((ROUTER, replace(ROUTER, gateway="fe80::2")), False),
        ((ROUTER, replace(ROUTER, interface="eth1")), True),
    ],
    ids=["no way out", "two routers of one link", "a second NIC's router"],
)
def test_ipv6_default_routes_are_the_primary_s(routes: tuple[Route, ...], defect: bool) -> None:
    facts = with_dual_report(routes=(*report().routes, *routes))
    assert failing(facts) == ({"N2-2"} if defect else set())


def test_the_mtu_of_a_nic_with_dhcpv6_is_the_router_s_to_tell() -> None:
    document: dict[str, Any] = told()
    links = [{**link, "mtu": None} for link in document["links"]]
    assert isinstance(said("N2-7", with_dual_report(network_data={**document, "links": links})), NotApplicable)


def test_addresses_are_compared_by_value() -> None:
    assert same_address("fd00:0:0:0::1", "FD00::1")
    assert not same_address("fd00::1", None)
    assert not same_address("fd00::1", "nonsense")
