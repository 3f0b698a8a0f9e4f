"""``os-interface`` as Nova answers it: what is attached and detached, what is refused, and what a guest is told."""

from __future__ import annotations

from typing import Any

import pytest

from selftests.refclouds.api.test_compute import Wait, act, boot, networks, rest


def interfaces(cloud: Any, server_id: str, body: Any = None, version: str = "2.1") -> Any:
    path = f"/compute/v2.1/servers/{server_id}/os-interface"
    headers = {"OpenStack-API-Version": f"compute {version}"}
    if body is None:
        return cloud.call("GET", path, headers=headers)
    return cloud.call("POST", path, json={"interfaceAttachment": body}, headers=headers)


def detach(cloud: Any, server_id: str, port_id: str) -> Any:
    return cloud.call("DELETE", f"/compute/v2.1/servers/{server_id}/os-interface/{port_id}")


def make_port(cloud: Any, network: str, **more: Any) -> dict[str, Any]:
    network_id = networks(cloud, network)[0]["uuid"]
    made = cloud.call("POST", "/network/v2.0/ports", json={"port": {"network_id": network_id, **more}})
    assert made.status_code == 201, made.text
    port: dict[str, Any] = made.json()["port"]
    return port


def show_port(cloud: Any, port_id: str) -> Any:
    return cloud.call("GET", f"/network/v2.0/ports/{port_id}")


def told_macs(cloud: Any, server_id: str) -> list[str]:
    return [str(link["ethernet_mac_address"]) for link in cloud.metadata.told[server_id].links]


def listed(cloud: Any, server_id: str) -> list[str]:
    return [one["port_id"] for one in interfaces(cloud, server_id).json()["interfaceAttachments"]]


def test_a_given_port_is_plugged_in_and_told_of_and_keeps_its_address_when_it_is_detached(
    public: Any, wait: Wait
) -> None:
    server = boot(public, wait, networks=networks(public, "flat"))
    port = make_port(public, "multi")
    answer = interfaces(public, server["id"], {"port_id": port["id"]})
    assert answer.status_code == 200
    shown = answer.json()["interfaceAttachment"]
    assert (shown["port_id"], shown["mac_addr"], shown["port_state"]) == (port["id"], port["mac_address"], "ACTIVE")
    assert shown["fixed_ips"] == port["fixed_ips"]
    assert public.hypervisor.log[-1] == f"attach {port['mac_address']}"
    assert port["id"] in public.fabric.plugged
    assert told_macs(public, server["id"])[1:] == [port["mac_address"]]
    assert detach(public, server["id"], port["id"]).status_code == 202
    wait("the port to be off", lambda: port["id"] not in listed(public, server["id"]))
    wait("the port to be nobody's", lambda: show_port(public, port["id"]).json()["port"]["device_id"] == "")
    after = show_port(public, port["id"]).json()["port"]
    assert after["fixed_ips"] == port["fixed_ips"]
    assert port["id"] not in public.fabric.plugged
    wait("the metadata to forget it", lambda: len(told_macs(public, server["id"])) == 1)


def test_a_port_that_nova_makes_goes_when_it_is_detached(public: Any, wait: Wait) -> None:
    server = boot(public, wait, networks=networks(public, "flat"))
    wish = {"net_id": networks(public, "multi")[0]["uuid"], "fixed_ips": [{"ip_address": "192.168.200.77"}]}
    shown = interfaces(public, server["id"], wish).json()["interfaceAttachment"]
    assert shown["fixed_ips"][0]["ip_address"] == "192.168.200.77"
    assert detach(public, server["id"], shown["port_id"]).status_code == 202
    wait("the port to be gone", lambda: show_port(public, shown["port_id"]).status_code == 404)


def test_the_only_network_need_not_be_named(private: Any, wait: Wait) -> None:
    server = boot(private, wait)
    assert interfaces(private, server["id"], {}).status_code == 200
    assert len(listed(private, server["id"])) == 2


def test_a_tag_is_shown_from_2_70_and_taken_from_2_49(private: Any, wait: Wait) -> None:
    server = boot(private, wait)
    assert "tag" not in interfaces(private, server["id"]).json()["interfaceAttachments"][0]
    assert interfaces(private, server["id"], version="2.70").json()["interfaceAttachments"][0]["tag"] is None
    assert interfaces(private, server["id"], {"tag": "a"}).status_code == 400
    assert interfaces(private, server["id"], {"tag": "a"}, "2.49").status_code == 200


NONE = "00000000-0000-0000-0000-000000000000"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"port_id": NONE}, 404),
        ({"net_id": NONE}, 404),
        ({"port_id": NONE, "net_id": NONE}, 400),
        ({"fixed_ips": [{"ip_address": "10.10.0.77"}]}, 400),
        ({"net_id": NONE, "fixed_ips": []}, 400),
        ({"color": "red"}, 400),
    ],
)
def test_refusals_have_novas_codes(private: Any, wait: Wait, body: dict[str, Any], status: int) -> None:
    assert interfaces(private, boot(private, wait)["id"], body).status_code == status


def test_a_port_in_use_is_409_and_several_networks_need_a_name(public: Any, wait: Wait) -> None:
    server = boot(public, wait, networks=networks(public, "flat"))
    assert interfaces(public, server["id"], {"port_id": listed(public, server["id"])[0]}).status_code == 409
    assert interfaces(public, server["id"], {}).status_code == 400
    assert detach(public, server["id"], NONE).status_code == 404


def test_a_server_with_a_task_is_409(private: Any, wait: Wait) -> None:
    server = boot(private, wait)
    private.hypervisor.gate.clear()
    act(private, server["id"], {"createImage": {"name": "s"}})
    assert interfaces(private, server["id"], {}).status_code == 409
    private.hypervisor.gate.set()
    rest(private, wait, server["id"])


def test_a_stopped_server_takes_the_port_and_starts_with_it(public: Any, wait: Wait) -> None:
    server = boot(public, wait, networks=networks(public, "flat"))
    act(public, server["id"], {"os-stop": None})
    rest(public, wait, server["id"])
    port = make_port(public, "multi")
    assert interfaces(public, server["id"], {"port_id": port["id"]}).status_code == 200
    assert not [line for line in public.hypervisor.log if line.startswith("attach")]
    act(public, server["id"], {"os-start": None})
    rest(public, wait, server["id"])
    assert [nic.mac for nic in public.hypervisor.started[-1].nics][1:] == [port["mac_address"]]


def test_a_guest_that_takes_no_nic_is_500_and_the_port_is_free_again(private: Any, wait: Wait) -> None:
    server = boot(private, wait)
    port = make_port(private, "private")
    private.hypervisor.refuse_start = True
    assert interfaces(private, server["id"], {"port_id": port["id"]}).status_code == 500
    assert show_port(private, port["id"]).json()["port"]["device_id"] == ""
    assert len(listed(private, server["id"])) == 1
    assert len(told_macs(private, server["id"])) == 1


def test_hotplug_silent_says_yes_and_tells_nobody(start_cloud: Any, wait: Wait) -> None:
    cloud = start_cloud("private", faults=["hotplug_silent"])
    server = boot(cloud, wait)
    assert interfaces(cloud, server["id"], {}).status_code == 200
    assert len(listed(cloud, server["id"])) == 2
    assert not [line for line in cloud.hypervisor.log if line.startswith("attach")]
    assert len(told_macs(cloud, server["id"])) == 1


def test_stale_link_goes_on_naming_a_nic_that_is_gone(start_cloud: Any, wait: Wait) -> None:
    cloud = start_cloud("private", faults=["stale_link"])
    server = boot(cloud, wait)
    port = make_port(cloud, "private")
    interfaces(cloud, server["id"], {"port_id": port["id"]})
    detach(cloud, server["id"], port["id"])
    wait("the port to be off", lambda: port["id"] not in listed(cloud, server["id"]))
    assert told_macs(cloud, server["id"])[1:] == [port["mac_address"]]


def told(cloud: Any, wait: Wait) -> Any:
    server = boot(cloud, wait, networks=networks(cloud, "overlay", "storage"))
    return cloud.metadata.told[server["id"]]


def test_mtu_and_host_routes_are_told_where_no_dhcp_does(start_cloud: Any, wait: Wait) -> None:
    cloud = start_cloud("multinic-jumbo")
    instance = told(cloud, wait)
    assert [link["mtu"] for link in instance.links] == [None, 9000]
    assert instance.networks[1]["routes"] == [
        {"network": "10.28.0.0", "netmask": "255.255.0.0", "gateway": "10.26.1.1"},
    ]
    assert [spec.host_routes for spec in cloud.fabric.networks[:2]] == [
        (("10.27.0.0/16", "10.26.0.254"),),
        (("10.28.0.0/16", "10.26.1.1"),),
    ]


def test_nd_mtu_and_drop_routes(start_cloud: Any, wait: Wait) -> None:
    instance = told(start_cloud("multinic-jumbo", faults=["nd_mtu", "drop_routes"]), wait)
    assert [link["mtu"] for link in instance.links] == [None, None]
    assert instance.networks[1]["routes"] == []
    assert [vif.routes for vif in instance.vifs] == [(), ()]


@pytest.mark.parametrize(("fault", "changed"), [("ip_changes", "fixed_ips"), ("mac_changes", "mac_address")])
def test_a_fault_makes_the_first_port_another_between_two_boots(
    start_cloud: Any, wait: Wait, fault: str, changed: str
) -> None:
    cloud = start_cloud(faults=[fault])
    server = boot(cloud, wait)
    (port_id,) = listed(cloud, server["id"])
    before = show_port(cloud, port_id).json()["port"]
    for action in ("os-stop", "os-start"):
        act(cloud, server["id"], {action: None})
        rest(cloud, wait, server["id"])
    after = show_port(cloud, port_id).json()["port"]
    assert {key for key in ("fixed_ips", "mac_address") if before[key] != after[key]} == {changed}
    assert told_macs(cloud, server["id"]) == [after["mac_address"]]
    assert cloud.fabric.reserved[after["mac_address"]].ip == after["fixed_ips"][0]["ip_address"]


def test_a_tagged_network_rides_on_the_first_nic_and_comes_at_the_build_only(start_cloud: Any, wait: Wait) -> None:
    cloud = start_cloud("vlan")
    server = boot(cloud, wait, networks=[*networks(cloud, "trunk"), *networks(cloud, "tagged")])
    first, second = listed(cloud, server["id"])
    assert [nic.port_id for nic in cloud.hypervisor.started[-1].nics] == [first]
    nic, _ = cloud.fabric.plugged[second]
    assert (nic.vlan, nic.parent) == (42, first)
    physical, vlan = cloud.metadata.told[server["id"]].links
    assert (vlan["type"], vlan["vlan_id"], vlan["vlan_link"]) == ("vlan", 42, physical["id"])
    assert vlan["vlan_mac_address"] == show_port(cloud, second).json()["port"]["mac_address"]
    port = make_port(cloud, "tagged")
    assert interfaces(cloud, server["id"], {"port_id": port["id"]}).status_code == 409
    assert listed(cloud, server["id"]) == [first, second]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("tagged",), "cannot be the first"),
        (("tagged", "trunk"), "cannot be the first"),
        (("trunk", "tagged", "tagged"), "the same tag"),
    ],
)
def test_tagged_networks_without_a_nic_of_their_own_are_an_error_with_a_reason(
    start_cloud: Any, wait: Wait, names: tuple[str, ...], told: str
) -> None:
    cloud = start_cloud("vlan")
    server = boot(cloud, wait, networks=[networks(cloud, name)[0] for name in names])
    assert server["status"] == "ERROR"
    assert told in server["fault"]["message"]


def test_the_nic_that_tagged_networks_ride_on_goes_last(start_cloud: Any, wait: Wait) -> None:
    cloud = start_cloud("vlan")
    server = boot(cloud, wait, networks=[*networks(cloud, "trunk"), *networks(cloud, "tagged")])
    first, second = listed(cloud, server["id"])
    assert detach(cloud, server["id"], first).status_code == 409
    assert cloud.call("DELETE", f"/network/v2.0/ports/{first}").status_code == 409
    assert detach(cloud, server["id"], second).status_code == 202
    wait("the tagged port to be off", lambda: listed(cloud, server["id"]) == [first])
    port = make_port(cloud, "tagged")
    assert interfaces(cloud, server["id"], {"port_id": port["id"]}).status_code == 409, "it comes at a build"
    assert listed(cloud, server["id"]) == [first]
    assert detach(cloud, server["id"], first).status_code == 202


def test_a_stopped_server_takes_each_tag_once(start_cloud: Any, wait: Wait) -> None:
    cloud = start_cloud("vlan")
    server = boot(cloud, wait, networks=[*networks(cloud, "trunk"), *networks(cloud, "tagged")])
    act(cloud, server["id"], {"os-stop": None})
    rest(cloud, wait, server["id"])
    port = make_port(cloud, "tagged")
    assert interfaces(cloud, server["id"], {"port_id": port["id"]}).status_code == 409
    assert show_port(cloud, port["id"]).json()["port"]["device_id"] == ""
    assert len(listed(cloud, server["id"])) == 2


def test_ip_changes_leaves_a_port_without_ipv4_alone(start_cloud: Any, wait: Wait) -> None:
    cloud = start_cloud("ipv6-only", faults=["ip_changes"])
    server = boot(cloud, wait, networks=networks(cloud, "six"))
    (port_id,) = listed(cloud, server["id"])
    before, plugged = show_port(cloud, port_id).json()["port"], cloud.fabric.plugged[port_id]
    unplugged: list[str] = []

    async def unplug(port_id: str) -> None:
        unplugged.append(port_id)

    cloud.fabric.unplug = unplug
    for action in ("os-stop", "os-start"):
        act(cloud, server["id"], {action: None})
        rest(cloud, wait, server["id"])
    assert (unplugged, cloud.fabric.plugged[port_id]) == ([], plugged)
    assert show_port(cloud, port_id).json()["port"]["fixed_ips"] == before["fixed_ips"]
