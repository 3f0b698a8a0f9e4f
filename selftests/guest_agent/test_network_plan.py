"""network_data.json to what each NIC is to have; leases and routes as the guest prints them."""

from __future__ import annotations

from typing import Any

import pytest
from guest_agent import dhcp, network, sysfs

LINK = {"id": "tap0", "type": "bridge", "ethernet_mac_address": "FA-16-3E-00-00-01", "mtu": None}
STATIC = {
    "id": "network0",
    "link": "tap0",
    "type": "ipv4",
    "ip_address": "10.20.0.7",
    "netmask": "255.255.255.0",
    "routes": [
        {"network": "0.0.0.0", "netmask": "0.0.0.0", "gateway": "10.20.0.1"},
        {"network": "10.99.0.0", "netmask": "255.255.0.0", "gateway": "10.20.0.2"},
    ],
    "services": [{"type": "dns", "address": "10.20.0.3"}],
}


def plan_one(link: dict[str, Any], *networks: dict[str, Any]) -> network.Nic:
    (nic,) = network.plan({"links": [link], "networks": list(networks), "services": []})
    return nic


def test_a_mac_is_matched_in_lower_case_with_colons() -> None:
    assert plan_one(LINK).mac == "fa:16:3e:00:00:01"


def test_a_static_network_gives_address_routes_and_dns() -> None:
    nic = plan_one(LINK, STATIC)
    assert (nic.wanted, nic.addresses, nic.dns) == ("static", ["10.20.0.7/24"], ["10.20.0.3"])
    assert nic.routes == [("default", "10.20.0.1"), ("10.99.0.0/16", "10.20.0.2")]


def test_a_dhcp_network_gives_dhcp() -> None:
    assert plan_one(LINK, {"link": "tap0", "type": "ipv4_dhcp"}).wanted == "dhcp"


def test_a_link_without_networks_wants_nothing() -> None:
    assert plan_one(LINK).wanted is None


def test_an_unknown_link_type_is_physical() -> None:
    assert plan_one({**LINK, "type": "cascading"}, STATIC).problems == []


def test_a_bond_is_reported_not_built() -> None:
    assert "bond" in plan_one({**LINK, "type": "bond"}).problems[0]


def vlan(**changes: object) -> network.Nic:
    """The NIC of a VLAN on ``LINK``."""
    told = {"id": "tap1", "type": "vlan", "vlan_id": 42, "vlan_link": "tap0", "vlan_mac_address": "FA-16-3E-00-00-42"}
    return network.plan({"links": [{**told, **changes}, LINK], "networks": []})[0]


def test_a_vlan_knows_its_number_and_the_mac_of_its_link_whichever_is_told_first() -> None:
    nic = vlan()
    assert (nic.mac, nic.vlan, nic.problems) == ("fa:16:3e:00:00:42", (42, plan_one(LINK).mac), [])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"vlan_link": "gone"}, "gone is told of nowhere"),
        ({"vlan_link": "tap1"}, "tap1 is told of nowhere"),
        ({"vlan_link": None}, "None is told of nowhere"),
        ({"vlan_id": "42"}, "no such number"),
        ({"vlan_id": 4095}, "no such number"),
    ],
)
def test_a_vlan_that_cannot_be_is_a_problem_and_made_on_nothing(changes: dict[str, object], told: str) -> None:
    nic = vlan(**changes)
    assert nic.vlan is None
    assert told in nic.problems[0]


def test_a_bad_netmask_is_a_problem_of_its_nic_only() -> None:
    data = {
        "links": [LINK, {**LINK, "id": "tap1", "ethernet_mac_address": "fa:16:3e:00:00:02"}],
        "networks": [{**STATIC, "netmask": "255.0.255.0"}, {**STATIC, "link": "tap1"}],
    }
    first, second = network.plan(data)
    assert "netmask" in first.problems[0]
    assert (second.problems, second.wanted) == ([], "static")


@pytest.mark.parametrize("document", [None, {}, [], {"links": None, "networks": [7]}, {"links": [{"id": 1}]}])
def test_a_document_without_links_plans_nothing(document: object) -> None:
    assert network.plan(document) == []


@pytest.mark.parametrize(
    ("netmask", "length"), [("255.255.255.0", 24), ("0.0.0.0", 0), ("24", 24), ("ffff:ffff:ffff:ffff::", 64), ("::", 0)]
)
def test_netmasks_in_all_spellings(netmask: str, length: int) -> None:
    assert network.prefix_length(netmask) == length


def test_a_lease_is_read_with_classless_routes_and_mtu() -> None:
    text = (
        "interface=eth0\nip=10.10.0.5\nmask=24\nrouter=10.10.0.254\ndns=1.1.1.1 2.2.2.2\ndomain=\nmtu=1450\n"
        "lease=3600\nserverid=10.10.0.1\nntpsrv=\nstaticroutes=169.254.169.254/32 10.10.0.1 0.0.0.0/0 10.10.0.1\n"
    )
    lease = dhcp.parse_lease(text, "fa:16:3e:00:00:01")
    assert (lease["ip"], lease["prefixlen"], lease["mtu"], lease["lease_s"]) == ("10.10.0.5", 24, 1450, 3600)
    assert lease["dns"] == ["1.1.1.1", "2.2.2.2"]
    assert lease["domain"] is None
    assert lease["classless_routes"][0] == {"destination": "169.254.169.254/32", "gateway": "10.10.0.1"}


def test_the_kernels_route_table_is_read() -> None:
    table = (
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
        "eth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "eth0\t0000000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
    )
    assert sysfs.parse_routes4(table) == [
        {"family": 4, "destination": "default", "gateway": "10.0.0.1", "interface": "eth0"},
        {"family": 4, "destination": "10.0.0.0/24", "gateway": None, "interface": "eth0"},
    ]


@pytest.mark.parametrize(
    ("network_data", "wanted"),
    [
        (None, True),
        ({}, True),
        ({"links": [LINK], "networks": [STATIC]}, False),
        ({"links": [LINK], "networks": [{**STATIC, "type": "ipv4_dhcp"}]}, True),
    ],
    ids=["no document", "an empty one, as a drive has that tells of no NIC", "static alone", "DHCP"],
)
def test_a_lease_is_waited_for_unless_every_nic_is_told_its_address(network_data: object, wanted: bool) -> None:
    assert network.wants_dhcp(network.plan(network_data)) is wanted


def test_no_nic_can_have_a_lease() -> None:
    assert not dhcp.wait_for_lease([], 30.0)
