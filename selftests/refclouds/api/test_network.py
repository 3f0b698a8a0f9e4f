"""Neutron as it answers, and what of it reaches the fabric."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from refclouds.node import IngressRule

Wait = Callable[[str, Callable[[], Any]], Any]


def network(cloud: Any, name: str) -> str:
    found = cloud.call("GET", f"/network/v2.0/networks?name={name}").json()["networks"]
    network_id: str = found[0]["id"]
    return network_id


def make_port(cloud: Any, **more: Any) -> Any:
    return cloud.call(
        "POST",
        "/network/v2.0/ports",
        json={"port": {"network_id": network(cloud, cloud.cloud.profile.networks[0].name), **more}},
    )


def make_rule(cloud: Any, group: str, **more: Any) -> Any:
    rule = {"security_group_id": group, "direction": "ingress", "protocol": "tcp", **more}
    return cloud.call("POST", "/network/v2.0/security-group-rules", json={"security_group_rule": rule})


def make_group(cloud: Any) -> str:
    answer = cloud.call("POST", "/network/v2.0/security-groups", json={"security_group": {"name": "web"}})
    group: str = answer.json()["security_group"]["id"]
    return group


def boot_on(cloud: Any, wait: Wait, port: str) -> None:
    image = cloud.call("GET", "/image/v2/images").json()["images"][0]["id"]
    server = {"name": "web", "imageRef": image, "flavorRef": "1", "networks": [{"port": port}]}
    assert cloud.call("POST", "/compute/v2.1/servers", json={"server": server}).status_code == 202
    wait("the port to be plugged", lambda: port in cloud.fabric.plugged)


def test_the_profile_becomes_networks_of_the_fabric(private: Any) -> None:
    seen = {(item.name, item.cidr, item.gateway, item.dhcp, item.external) for item in private.fabric.networks}
    assert seen == {
        ("private", "10.10.0.0/24", "10.10.0.1", True, False),
        ("public", "172.24.4.0/24", "172.24.4.1", False, True),
    }


def test_provider_attributes_are_for_administrators(private: Any) -> None:
    plain = private.call("GET", "/network/v2.0/networks").json()["networks"][0]
    full = private.call("GET", "/network/v2.0/networks", user="admin").json()["networks"][0]
    assert ("provider:network_type" in plain, "provider:network_type" in full) == (False, True)


def test_addresses_are_given_once_and_macs_have_neutrons_prefix(private: Any) -> None:
    ports = [make_port(private).json()["port"] for _ in range(3)]
    assert [port["fixed_ips"][0]["ip_address"] for port in ports] == ["10.10.0.10", "10.10.0.11", "10.10.0.12"]
    assert {port["mac_address"][:8] for port in ports} == {"fa:16:3e"}
    taken = make_port(private, fixed_ips=[{"ip_address": "10.10.0.10"}])
    assert (taken.status_code, taken.json()["NeutronError"]["type"]) == (409, "IpAddressAlreadyAllocated")
    assert make_port(private, fixed_ips=[{"ip_address": "10.99.0.1"}]).status_code == 400


def test_ports_are_found_by_mac_and_by_address(private: Any) -> None:
    port, _ = make_port(private).json()["port"], make_port(private)
    by_mac = private.call("GET", f"/network/v2.0/ports?mac_address={port['mac_address']}").json()["ports"]
    by_ip = private.call("GET", "/network/v2.0/ports?fixed_ips=ip_address%3D10.10.0.10").json()["ports"]
    assert [item["id"] for item in by_mac + by_ip] == [port["id"]] * 2


def test_a_network_in_use_is_409_to_an_administrator(private: Any) -> None:
    make_port(private)
    path = f"/network/v2.0/networks/{network(private, 'private')}"
    answer = private.call("DELETE", path, user="admin")
    assert (answer.status_code, answer.json()["NeutronError"]["type"]) == (409, "NetworkInUse")
    assert private.call("DELETE", path).status_code == 403


def test_a_duplicate_rule_is_409(private: Any) -> None:
    group = make_group(private)
    assert make_rule(private, group, port_range_min=80, port_range_max=80).status_code == 201
    again = make_rule(private, group, port_range_min=80, port_range_max=80)
    assert (again.status_code, again.json()["NeutronError"]["type"]) == (409, "SecurityGroupRuleExists")


def test_a_rule_reaches_a_plugged_port_at_once_and_leaves_it_at_once(private: Any, wait: Wait) -> None:
    group = make_group(private)
    port = make_port(private, security_groups=[group]).json()["port"]["id"]
    boot_on(private, wait, port)
    assert private.fabric.plugged[port][1].ingress == ()
    rule = make_rule(private, group, port_range_min=8080, port_range_max=8080).json()["security_group_rule"]["id"]
    assert private.fabric.plugged[port][1].ingress == (IngressRule("tcp", 8080, 8080, None),)
    assert private.call("DELETE", f"/network/v2.0/security-group-rules/{rule}").status_code == 204
    assert private.fabric.plugged[port][1].ingress == ()


def test_the_default_group_lets_its_own_members_in(private: Any, wait: Wait) -> None:
    port = make_port(private).json()["port"]["id"]
    boot_on(private, wait, port)
    make_port(private)
    remotes = [rule.remote_cidr for rule in private.fabric.plugged[port][1].ingress]
    assert remotes == ["10.10.0.10/32", "10.10.0.11/32"]


def test_sg_open_lets_everything_in_and_keeps_spoofing_out(start_cloud: Any, wait: Wait) -> None:
    cloud = start_cloud(faults=["sg_open"])
    port = make_port(cloud).json()["port"]["id"]
    boot_on(cloud, wait, port)
    rules = cloud.fabric.plugged[port][1]
    assert (rules.ingress, rules.port_security) == ((IngressRule(),), True)


def test_a_floating_address_leads_to_a_port_and_is_let_go(private: Any) -> None:
    port = make_port(private).json()["port"]["id"]
    wish = {"floatingip": {"floating_network_id": network(private, "public"), "port_id": port}}
    made = private.call("POST", "/network/v2.0/floatingips", json=wish).json()["floatingip"]
    assert private.fabric.floating == {made["floating_ip_address"]: "10.10.0.10"}
    path = f"/network/v2.0/floatingips/{made['id']}"
    freed = private.call("PUT", path, json={"floatingip": {"port_id": None}}).json()["floatingip"]
    assert (freed["status"], freed["port_id"], private.fabric.floating) == ("DOWN", None, {})
    assert private.call("DELETE", path).status_code == 204


def test_a_port_without_a_path_outside_gets_no_floating_address(private: Any) -> None:
    # On the external network itself nothing leads from outside to inside.
    external = network(private, "public")
    body = {"port": {"network_id": external}}
    port = private.call("POST", "/network/v2.0/ports", json=body, user="admin").json()["port"]["id"]
    wish = {"floatingip": {"floating_network_id": external, "port_id": port}}
    answer = private.call("POST", "/network/v2.0/floatingips", json=wish, user="admin")
    assert (answer.status_code, answer.json()["NeutronError"]["type"]) == (404, "ExternalGatewayForFloatingIPNotFound")


def test_a_port_given_to_a_server_stays_when_the_server_goes(private: Any, wait: Wait) -> None:
    port = make_port(private).json()["port"]["id"]
    boot_on(private, wait, port)
    server = private.call("GET", "/compute/v2.1/servers").json()["servers"][0]["id"]
    private.call("DELETE", f"/compute/v2.1/servers/{server}")
    wait("404", lambda: private.call("GET", f"/compute/v2.1/servers/{server}").status_code == 404)
    left = private.call("GET", f"/network/v2.0/ports/{port}").json()["port"]
    assert (left["device_id"], left["status"]) == ("", "DOWN")


def test_two_floating_addresses_asked_for_at_once_are_two(private: Any) -> None:
    private.fabric.slow_s = 0.3  # as long as two requests overlap
    external = network(private, "public")
    ports = [make_port(private).json()["port"]["id"] for _ in range(2)]
    wishes = [{"floatingip": {"floating_network_id": external, "port_id": port}} for port in ports]
    with ThreadPoolExecutor() as pool:
        made = list(pool.map(lambda wish: private.call("POST", "/network/v2.0/floatingips", json=wish).json(), wishes))
    assert len({one["floatingip"]["floating_ip_address"] for one in made}) == 2
    assert len(private.fabric.floating) == 2
