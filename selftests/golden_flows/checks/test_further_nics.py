from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from golden_flows.model.facts import Facts
from golden_flows.model.finding import NotApplicable, NotObserved
from selftests.golden_flows.checks.facts_builder import (
    boot,
    failing,
    healthy_facts,
    network_data,
    port,
    report,
    said,
    with_boot,
    with_links,
    with_report,
)
from selftests.golden_flows.checks.nic_facts import (
    MAC3,
    inside,
    later_port,
    with_host_route,
    with_hotplug,
    with_inside,
    with_static_mtu,
    with_vlan,
    without_policy_route,
)


def test_answers_by_the_own_nic_pass_and_by_another_are_a_finding() -> None:
    assert said("N2-3", healthy_facts()) == ()
    found = str(said("N2-3", without_policy_route()))
    assert "eth2" in found
    assert MAC3 in found


def test_a_neighbour_that_is_there_and_does_not_answer_is_a_finding() -> None:
    first, *rest = inside().paths
    assert failing(with_inside(paths=(replace(first, answered=False), *rest))) == {"N2-3"}


def test_a_kernel_that_does_not_say_earns_no_pass() -> None:
    *rest, last = inside().paths
    assert isinstance(said("N2-3", with_inside(paths=(*rest, replace(last, interface=None)))), NotObserved)


def test_one_nic_and_no_other_is_not_judged() -> None:
    alone = replace(with_hotplug(refused="HTTP 501"), boot=with_boot(ports=boot().ports[:1]).boot)
    found = said("N2-3", alone)
    assert isinstance(found, NotApplicable)
    assert "HTTP 501" in found.proof


def test_nics_without_addresses_are_left_to_the_checks_of_addresses() -> None:
    assert isinstance(said("N2-3", with_inside(paths=inside().paths[:1])), NotApplicable)


@pytest.mark.parametrize("mtu", [1400, 1500, 9000])
def test_the_network_s_mtu_told_and_set_passes(mtu: int) -> None:
    assert said("N2-7", with_static_mtu(mtu, mtu, network=mtu)) == ()


@pytest.mark.parametrize(
    ("served", "actual"),
    [
        pytest.param(None, 1500, id="untold"),
        pytest.param(None, 9000, id="untold and guessed"),
        pytest.param(1500, 1500, id="told wrongly"),
        pytest.param(9000, 1500, id="told and not set"),
    ],
)
def test_another_mtu_is_a_finding(served: int | None, actual: int) -> None:
    assert failing(with_static_mtu(served, actual)) == {"N2-7"}


def test_an_mtu_that_only_another_channel_tells_is_judged_by_the_nic() -> None:
    bare = {**network_data(), "links": []}
    first, second = report().links
    facts = with_boot(report=replace(report(), links=(first, replace(second, mtu=1400)), network_data=bare))
    assert "N2-7" in failing(facts)


def test_where_dhcp_tells_the_mtu_another_check_looks() -> None:
    assert isinstance(said("N2-7", with_boot(ports=(port(0),))), NotApplicable)


def test_an_unreported_mtu_earns_no_pass() -> None:
    first, second = report().links
    assert isinstance(said("N2-7", with_links(first, replace(second, mtu=None))), NotObserved)


def test_a_second_address_that_nothing_conveys_is_no_defect() -> None:
    assert said("N2-8", healthy_facts()) == ()


def test_an_address_that_is_conveyed_and_not_there_is_a_finding() -> None:
    served = network_data()
    links = [{"id": "tap3", "ethernet_mac_address": MAC3}]
    networks = [{"link": "tap3", "type": "ipv4", "ip_address": "192.168.200.31", "netmask": "255.255.255.0"}]
    told = {**served, "links": links, "networks": networks}
    assert failing(with_inside(network_data=told)) == {"N2-8"}


def test_the_second_address_in_place_of_the_first_is_a_finding() -> None:
    *rest, last = inside().nics
    assert failing(with_inside(nics=(*rest, replace(last, addresses=("192.168.200.31/24",))))) == {"N2-8"}


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param(with_hotplug(refused="HTTP 501"), id="nothing is attached"),
        pytest.param(
            with_hotplug(port=replace(later_port(), fixed_ips=("192.168.200.30",)), conveyance_refused="HTTP 403"),
            id="a port has one address",
        ),
    ],
)
def test_without_several_addresses_there_is_nothing_to_judge(facts: Facts) -> None:
    found = said("N2-8", facts)
    assert isinstance(found, NotApplicable)
    assert "HTTP" in found.proof


def test_a_host_route_that_is_there_passes_and_one_that_is_not_is_a_finding() -> None:
    assert said("N2-10", with_host_route(told=True)) == ()
    assert failing(with_host_route(told=False)) == {"N2-10"}
    assert isinstance(said("N2-10", healthy_facts()), NotApplicable)


def test_a_host_route_by_another_nic_is_a_finding() -> None:
    facts = with_host_route(told=True)
    if facts.boot is None or facts.boot.report is None:
        raise ValueError("a cell with a report was expected")
    routes = tuple(replace(one, interface="eth0") for one in facts.boot.report.routes)
    told = replace(facts, boot=replace(facts.boot, report=replace(facts.boot.report, routes=routes)))
    assert "N2-10" in failing(told)


@pytest.mark.parametrize("check_id", ["N2-3", "N2-8"])
def test_what_could_not_be_watched_earns_no_pass(check_id: str) -> None:
    facts = with_hotplug(error="the connection broke")
    assert isinstance(said(check_id, facts), NotObserved)
    found = said(check_id, replace(facts, dst=replace(facts.dst, auth=())))
    assert isinstance(found, NotApplicable)
    assert "launched with no way in" in found.proof


def test_a_route_list_that_is_empty_earns_no_pass() -> None:
    ports = (port(0), replace(port(1), host_routes=(("10.9.0.0/16", "192.168.200.1"),)))
    assert isinstance(
        said(
            "N2-10",
            replace(with_report(routes=()), boot=with_boot(ports=ports, report=replace(report(), routes=())).boot),
        ),
        NotObserved,
    )


def test_a_vlan_of_its_number_on_its_nic_passes() -> None:
    assert said("N2-9", with_vlan()) == ()


@pytest.mark.parametrize("changes", [{"number": 43}, {"below": "eth1"}, {"link": "tapgone"}], ids=str)
def test_a_vlan_on_the_wrong_link_or_of_another_number_is_a_finding(changes: dict[str, Any]) -> None:
    assert failing(with_vlan(**changes)) == {"N2-9"}


def test_a_vlan_with_its_parent_s_mac_is_told_from_it() -> None:
    facts = with_vlan()
    seen = facts.network_seen
    assert seen is not None
    parent = replace(seen.nics[0], mac=seen.nics[1].mac, name="eth9")
    assert said("N2-9", replace(facts, network_seen=replace(seen, nics=(seen.nics[0], parent, seen.nics[1])))) == ()


def test_a_vlan_whose_number_nobody_tells_is_not_judged() -> None:
    assert isinstance(said("N2-9", with_vlan(vlan=None, below=None)), NotObserved)


@pytest.mark.parametrize(
    "changes",
    [{"is_vlan": False, "vlan": None, "below": None}, {"mac": "fa:16:3e:00:00:77"}],
    ids=["NIC", "none"],
)
def test_an_agent_that_makes_no_vlan_is_the_image_s_affair(changes: dict[str, Any]) -> None:
    assert isinstance(said("N2-9", with_vlan(**changes)), NotApplicable)


def test_without_vlans_in_the_metadata_there_is_nothing_to_make() -> None:
    assert isinstance(said("N2-9", healthy_facts()), NotApplicable)


def test_a_vlan_that_was_not_made_lacks_no_driver() -> None:
    facts = with_vlan(link="tapgone")
    boot = facts.boot
    assert boot is not None
    assert boot.report is not None
    without = replace(boot.report, links=boot.report.links[:1])
    told = said("PV-1", replace(facts, boot=replace(boot, report=without)))
    assert isinstance(told, NotObserved)
    assert "is a VLAN" in told.reason
