"""IPv6 subnets as Neutron shows them, ports on them, and what servers are told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from refclouds import eui64
from refclouds.node import IngressRule

Wait = Callable[[str, Callable[[], Any]], Any]


def named(cloud: Any, name: str) -> str:
    found: str = cloud.call("GET", f"/network/v2.0/networks?name={name}").json()["networks"][0]["id"]
    return found


def make_port(cloud: Any, name: str, **more: Any) -> Any:
    wish = {"port": {"network_id": named(cloud, name), **more}}
    return cloud.call("POST", "/network/v2.0/ports", json=wish).json()["port"]


def addresses(port: Any) -> list[str]:
    return [fixed["ip_address"] for fixed in port["fixed_ips"]]


def boot_on(cloud: Any, wait: Wait, *names: str) -> Any:
    image = cloud.call("GET", "/image/v2/images").json()["images"][0]["id"]
    networks = [{"uuid": named(cloud, name)} for name in names]
    server = {"name": "web", "imageRef": image, "flavorRef": "1", "networks": networks}
    made = cloud.call("POST", "/compute/v2.1/servers", json={"server": server}).json()["server"]["id"]
    path = f"/compute/v2.1/servers/{made}"
    wait("ACTIVE", lambda: cloud.call("GET", path).json()["server"]["status"] == "ACTIVE")
    return cloud.call("GET", path).json()["server"]


@pytest.fixture
def dual(start_cloud: Any) -> Any:
    return start_cloud("ipv6")


def test_subnets_say_their_modes(dual: Any) -> None:
    subnets = dual.call("GET", "/network/v2.0/subnets?ip_version=6").json()["subnets"]
    modes = {(one["cidr"], one["ipv6_ra_mode"], one["ipv6_address_mode"], one["enable_dhcp"]) for one in subnets}
    assert modes == {
        ("fd00:60::/64", "slaac", "slaac", True),
        ("fd00:61::/64", "dhcpv6-stateful", "dhcpv6-stateful", True),
    }


def test_a_port_has_an_address_of_each_family(dual: Any) -> None:
    first, second = make_port(dual, "dual"), make_port(dual, "stateful")
    own = eui64.link_local(first["mac_address"]).replace("fe80::", "fd00:60::")
    assert addresses(first) == ["10.60.0.10", own]
    assert addresses(second) == ["10.61.0.10", "fd00:61::10"]
    assert addresses(make_port(dual, "stateful")) == ["10.61.0.11", "fd00:61::11"]


def test_what_guests_make_themselves_is_there_whatever_is_asked(dual: Any) -> None:
    port = make_port(dual, "dual", fixed_ips=[{"ip_address": "10.60.0.77"}])
    assert addresses(port)[0] == "10.60.0.77"
    assert len(port["fixed_ips"]) == 2
    six = make_port(dual, "stateful", fixed_ips=[{"ip_address": "fd00:61::77"}])
    assert addresses(six) == ["fd00:61::77"]


def test_a_server_is_told_both_families_of_each_nic(dual: Any, wait: Wait) -> None:
    server = boot_on(dual, wait, "dual", "stateful")
    told = dual.metadata.told[server["id"]]
    kinds = [(one["link"], one["type"]) for one in told.networks]
    first, second = (link["id"] for link in told.links)
    assert kinds == [
        (first, "ipv4_dhcp"),
        (first, "ipv6_slaac"),
        (second, "ipv4"),
        (second, "ipv6_dhcpv6-stateful"),
    ]
    assert [one["id"] for one in told.networks] == ["network0", "network1", "network2", "network3"]
    assert told.networks[1]["routes"] == [{"network": "::", "netmask": "::", "gateway": "fd00:60::1"}]
    assert told.networks[1]["netmask"] == "ffff:ffff:ffff:ffff::"
    assert (told.vifs[0].cidr6, told.vifs[0].gateway6) == ("fd00:60::/64", "fd00:60::1")
    shown = [(one["version"], one["addr"]) for one in server["addresses"]["stateful"]]
    assert shown == [(4, "10.61.0.10"), (6, "fd00:61::10")]
    entry = dual.fabric.reserved[told.vifs[1].mac]
    assert (entry.ip, entry.ip6) == ("10.61.0.10", "fd00:61::10")


def test_without_ipv4_there_is_none_in_any_channel(start_cloud: Any, wait: Wait) -> None:
    cloud = start_cloud("ipv6-only")
    told = cloud.metadata.told[boot_on(cloud, wait, "six", "told")["id"]]
    assert [one["type"] for one in told.networks] == ["ipv6_dhcpv6-stateless", "ipv6"]
    assert told.links[1]["mtu"] == 1500
    assert all(":" in address for address in told.fixed_ips)
    assert {(one.name, one.cidr, one.dhcp) for one in cloud.fabric.networks} == {
        ("six", "", False),
        ("told", "", False),
    }


def test_a_rule_is_of_one_family(dual: Any, wait: Wait) -> None:
    boot_on(dual, wait, "dual")
    ((nic, before),) = dual.fabric.plugged.values()
    assert {rule.remote_cidr for rule in before.ingress} == {"10.60.0.10/32", f"{nic.ip6s[0]}/128"}
    group = dual.call("GET", "/network/v2.0/security-groups").json()["security_groups"][0]["id"]
    wish = {"security_group_id": group, "direction": "ingress", "protocol": "ipv6-icmp", "ethertype": "IPv6"}
    made = dual.call("POST", "/network/v2.0/security-group-rules", json={"security_group_rule": wish})
    assert made.status_code == 201
    ((_, after),) = dual.fabric.plugged.values()
    assert set(after.ingress) - set(before.ingress) == {IngressRule("icmp", version=6)}
    wish |= {"ethertype": "IPv4", "remote_ip_prefix": "fd00::/16", "protocol": "tcp"}
    mixed = dual.call("POST", "/network/v2.0/security-group-rules", json={"security_group_rule": wish})
    assert (mixed.status_code, mixed.json()["NeutronError"]["type"]) == (400, "SecurityGroupRuleParameterConflict")
