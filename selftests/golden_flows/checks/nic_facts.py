"""A NIC that came and went, and a look at all NICs meanwhile, as small values that tests bend one at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from golden_flows.model.facts import Facts, PortFacts
from golden_flows.model.guest import Route
from golden_flows.model.nics import HotplugFacts, NicSeen, NicsInside, ReplyPath, RouteSeen
from selftests.golden_flows.checks import facts_builder

MAC3 = "fa:16:3e:00:00:03"
TOLD_LINK = {"id": "tap3", "type": "bridge", "mtu": 1500, "ethernet_mac_address": MAC3}


def later_port() -> PortFacts:
    return replace(
        facts_builder.port(1),
        port_id="port-2",
        mac=MAC3,
        fixed_ip="192.168.200.30",
        fixed_ips=("192.168.200.30", "192.168.200.31"),
        server_id=facts_builder.SERVER,
    )


def inside() -> NicsInside:
    nics = (
        NicSeen(name="eth0", mac=facts_builder.MAC1, mtu=1500, addresses=("192.168.100.20/24",)),
        NicSeen(name="eth1", mac=facts_builder.MAC2, mtu=1500, addresses=("192.168.200.20/24",)),
        NicSeen(name="eth2", mac=MAC3, mtu=1500, addresses=("192.168.200.30/24",)),
    )
    served = facts_builder.network_data()
    links = served["links"]
    return NicsInside(
        nics=nics,
        routes=(RouteSeen("default", "192.168.100.1", "eth0"), RouteSeen("192.168.200.0/24", None, "eth1")),
        paths=(
            ReplyPath(source="192.168.100.20", peer="192.168.100.1", interface="eth0", answered=True),
            ReplyPath(source="192.168.200.20", peer="192.168.200.1", interface="eth1"),
            ReplyPath(source="192.168.200.30", peer="192.168.200.1", interface="eth2"),
        ),
        network_data={**served, "links": [*(links if isinstance(links, list) else []), TOLD_LINK]},
    )


def hotplug() -> HotplugFacts:
    return HotplugFacts(
        network="multi",
        port=later_port(),
        seconds_to_nic=0.4,
        seconds_to_address=1.9,
        waited_s=60.0,
        inside=inside(),
        seconds_to_gone=0.8,
        network_data_after=facts_builder.network_data(),
        port_after=replace(later_port(), server_id=None),
    )


def with_hotplug(**changes: Any) -> Facts:
    return replace(facts_builder.healthy_facts(), hotplug=replace(hotplug(), **changes))


def with_inside(**changes: Any) -> Facts:
    return with_hotplug(inside=replace(inside(), **changes))


def without_policy_route() -> Facts:
    """The last NIC is on the network of the one before, which has the route."""
    first, second, third = inside().paths
    return with_inside(paths=(first, second, replace(third, interface="eth1")))


def with_static_mtu(served: int | None, actual: int, *, network: int = 9000) -> Facts:
    """The second NIC's network has this MTU, its link another in the metadata, perhaps, and the NIC itself."""
    document = facts_builder.network_data()
    links = document["links"]
    told = [{**one, "mtu": served} for one in (links if isinstance(links, list) else [])]
    report = facts_builder.report()
    first, second = (replace(one, mtu=mtu) for one, mtu in zip(report.links, (1500, actual), strict=True))
    report = replace(report, links=(first, second), network_data={**document, "links": told})
    ports = (facts_builder.port(0), replace(facts_builder.port(1), mtu=network))
    return facts_builder.with_boot(report=report, ports=ports)


def with_host_route_by_dhcp(*, told: tuple[tuple[str, str], ...]) -> Facts:
    """The first network's subnet has a host route, and its DHCP server tells these."""
    report = facts_builder.report()
    report = replace(report, leases=(replace(report.leases[0], classless_routes=told),))
    ports = (replace(facts_builder.port(0), host_routes=(("10.9.0.0/16", "192.168.100.254"),)), facts_builder.port(1))
    return facts_builder.with_boot(report=report, ports=ports)


def with_vlan(*, link: str = "tap1", number: int = 42, **nic: Any) -> Facts:
    """The second network comes by VLAN 42 of the first NIC, told so, and made so."""
    document = facts_builder.network_data()
    links = document["links"]
    first, second = links if isinstance(links, list) else ({}, {})
    second = {key: value for key, value in second.items() if key != "ethernet_mac_address"}
    mac = facts_builder.MAC2
    told = {**second, "type": "vlan", "vlan_id": 42, "vlan_link": link, "vlan_mac_address": mac}
    facts = facts_builder.with_report(network_data={**document, "links": [first, told]})
    seen = facts_builder.network_seen()
    made = replace(seen.nics[1], **{"name": "eth0.42", "is_vlan": True, "vlan": number, "below": "eth0", **nic})
    return replace(facts, network_seen=replace(seen, nics=(seen.nics[0], made)))


def with_host_route(*, told: bool) -> Facts:
    """The second network's subnet has a host route."""
    route = Route(family=4, destination="10.9.0.0/16", gateway="192.168.200.1", interface="eth1")
    report = facts_builder.report()
    report = replace(report, routes=(*report.routes, route) if told else report.routes)
    ports = (facts_builder.port(0), replace(facts_builder.port(1), host_routes=(("10.9.0.0/16", "192.168.200.1"),)))
    return facts_builder.with_boot(report=report, ports=ports)
