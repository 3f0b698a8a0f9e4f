from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden_flows.model.facts import Facts
from golden_flows.model.finding import NotApplicable, NotObserved
from golden_flows.model.guest import Link, Route
from golden_flows.model.network_data import served_addresses, served_defaults
from selftests.golden_flows.checks.facts_builder import (
    MAC1,
    MAC2,
    boot,
    failing,
    network_data,
    port,
    report,
    said,
    with_boot,
    with_links,
    with_report,
)

SECOND_DEFAULT = Route(family=4, destination="default", gateway="192.168.200.1", interface="eth1")


def _guest(links: tuple[Link, ...], served: dict[str, object]) -> Facts:
    return with_boot(report=replace(report(), links=links, network_data=served))


def without_second_address(served: dict[str, object]) -> Facts:
    first, second = report().links
    return _guest((first, replace(second, addresses=())), served)


def exchanged() -> Facts:
    first, second = report().links
    both = replace(first, addresses=("192.168.100.20/24", "192.168.200.20/24"))
    return _guest((both, replace(second, addresses=())), network_data(mac=MAC1))


def test_empty_network_data_is_the_address_check_s_finding_alone() -> None:
    facts = without_second_address({})
    assert failing(facts) == {"N2-1"}
    assert isinstance(said("N2-4", facts), NotObserved)


def test_exchanged_macs_fail_both_place_and_address() -> None:
    assert failing(exchanged()) == {"N2-1", "N2-4"}


def test_exchanged_macs_that_a_careful_agent_refused_are_still_seen_in_the_metadata() -> None:
    first, second = report().links
    assert "N2-4" in failing(_guest((first, replace(second, addresses=())), network_data(mac=MAC1)))


def test_a_nic_that_nobody_told_the_guest_of_is_the_metadata_s_fault_and_not_the_driver_s() -> None:
    facts = with_report(network_data={}, links=report().links[:1])
    assert failing(facts) == {"N2-1"}
    assert isinstance(said("PV-1", facts), NotObserved)


def test_order_of_nics_does_not_matter() -> None:
    first, second = report().links
    assert failing(with_links(replace(second, name="eth0"), replace(first, name="eth1"))) == {"N2-2"}
    routes = tuple(replace(one, interface={"eth0": "eth1", "eth1": "eth0"}[one.interface]) for one in report().routes)
    links = (replace(second, name="eth0"), replace(first, name="eth1"))
    assert failing(with_report(links=links, routes=routes)) == set()


def test_a_nic_without_driver_is_left_to_the_driver_check() -> None:
    facts = with_links(report().links[0])
    assert failing(facts) == {"PV-1"}
    assert isinstance(said("N2-1", facts), NotObserved)
    assert isinstance(said("N2-4", facts), NotObserved)


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param(with_report(routes=(*report().routes, SECOND_DEFAULT)), id="in the guest"),
        pytest.param(with_report(routes=(SECOND_DEFAULT,)), id="instead of the first"),
        pytest.param(with_report(routes=report().routes[1:]), id="none at all"),
        pytest.param(
            with_report(routes=(*report().routes, replace(SECOND_DEFAULT, family=6))), id="IPv6 by the second NIC"
        ),
        pytest.param(
            with_report(
                network_data=network_data(
                    routes=({"network": "0.0.0.0", "netmask": "0.0.0.0", "gateway": "192.168.200.1"},)
                )
            ),
            id="in the metadata only",
        ),
    ],
)
def test_a_default_route_elsewhere_is_a_finding(facts: Facts) -> None:
    assert failing(facts) == {"N2-2"}


def test_other_routes_of_the_second_network_are_welcome() -> None:
    route = {"network": "10.1.0.0", "netmask": "255.255.0.0", "gateway": "192.168.200.1"}
    assert said("N2-2", with_report(network_data=network_data(routes=(route,)))) == ()


def test_a_wrong_gateway_on_the_right_nic_is_the_dhcp_check_s() -> None:
    wrong = replace(report().routes[0], gateway="192.168.100.254")
    assert said("N2-2", with_report(routes=(wrong, *report().routes[1:]))) == ()


def test_an_isolated_primary_network_needs_no_default_route() -> None:
    isolated = with_boot(
        ports=(replace(port(0), gateway_ip=None), port(1)), report=replace(report(), routes=report().routes[1:])
    )
    assert said("N2-2", isolated) == ()


@pytest.mark.parametrize("check_id", ["N2-1", "N2-2", "N2-4"])
def test_a_server_with_one_nic_is_not_judged(check_id: str) -> None:
    found = said(check_id, with_boot(ports=boot().ports[:1]))
    assert isinstance(found, NotApplicable)
    assert "flat" in found.proof


def test_a_port_without_address_earns_no_pass() -> None:
    facts = with_boot(ports=(port(0), replace(port(1), fixed_ip=None)))
    assert isinstance(said("N2-1", facts), NotObserved)
    assert isinstance(said("N2-4", facts), NotObserved)


def test_served_addresses_are_found_by_mac() -> None:
    assert [(one.mac, one.ip) for one in served_addresses(network_data())] == [(MAC2, "192.168.200.20")]


WORDS = st.text("abc:.01/", max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=10,
)
ENTRIES = st.lists(
    st.dictionaries(
        st.sampled_from(["id", "link", "ethernet_mac_address", "ip_address", "routes", "network", "netmask"]), JSON
    ),
    max_size=3,
)


@given(st.dictionaries(st.sampled_from(["links", "networks", "services"]), JSON | ENTRIES))
def test_any_network_data_is_read_without_an_error(document: dict[str, object]) -> None:
    served_addresses(document)
    served_defaults(document)
