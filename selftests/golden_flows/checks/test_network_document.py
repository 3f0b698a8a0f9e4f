from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden_flows.model.finding import NotObserved
from golden_flows.model.network_schema import defects, opinion
from selftests.golden_flows.checks.facts_builder import failing, network_data, said, with_report

LINK = {"id": "tap1", "type": "bridge", "ethernet_mac_address": "fa:16:3e:00:00:01", "mtu": None, "vif_id": "v"}
NETWORK = {"id": "network0", "link": "tap1", "network_id": "n", "type": "ipv4_dhcp"}
ROUTE = {"network": "0.0.0.0", "netmask": "0.0.0.0", "gateway": "10.0.0.1"}
STATIC = {**NETWORK, "type": "ipv4", "ip_address": "10.0.0.5", "netmask": "255.255.255.0", "routes": [ROUTE]}
STATIC6 = {**NETWORK, "type": "ipv6", "ip_address": "fd00::5", "netmask": "ffff:ffff:ffff:ffff::", "routes": []}
BOND = {**LINK, "id": "bond0", "type": "bond", "bond_mode": "802.3ad", "bond_links": ["tap1"]}
VLAN = {"id": "v1", "type": "vlan", "vlan_mac_address": "FA-16-3E-00-00-02", "vlan_id": 7, "vlan_link": "tap1"}


def document(links: object = (LINK,), networks: object = (NETWORK,), services: object = ()) -> dict[str, object]:
    parts = {"links": links, "networks": networks, "services": services}
    return {key: list(one) if isinstance(one, tuple) else one for key, one in parts.items()}


@pytest.mark.parametrize(
    "served",
    [
        document(),
        document(networks=(STATIC, STATIC6)),
        document(links=(LINK, BOND, VLAN)),
        document(services=({"type": "dns", "address": "10.0.0.1"}, {"type": "dns", "address": "fd00::1"})),
        document(links=({**LINK, "mtu": 1450},)),
    ],
)
def test_what_the_schema_allows_passes_in_both_readings(served: dict[str, object]) -> None:
    assert defects(served, strict=True) == ()
    assert defects(served, strict=False) == ()
    assert said("MD-15", with_report(network_data=served)) == ()


@pytest.mark.parametrize(
    "served",
    [
        {},
        document(networks=({**NETWORK, "type": "ipv6_dhcpv6-stateful"},)),
        document(networks=({**NETWORK, "type": "ipv6_dhcpv6-stateless"},)),
        document(networks=({**STATIC6, "netmask": "64"},)),
        document(networks=({**STATIC, "ip_address": "10.0.0.5/24"},)),
    ],
)
def test_what_nova_writes_beyond_its_schema_passes_and_is_told_as_evidence(served: dict[str, object]) -> None:
    assert defects(served, strict=True) != ()
    assert defects(served, strict=False) == ()
    assert "nova's schema: " in opinion(served)
    assert "documented superset: valid" in opinion(served)


@pytest.mark.parametrize(
    "served",
    [
        document(links=({**LINK, "type": "cascading"},)),
        document(links=({**LINK, "ethernet_mac_address": "fa:16:3e"},)),
        document(links=({**LINK, "mtu": "1500"},)),
        document(links=({**LINK, "mtu": 0},)),
        document(links=({"id": "tap1", "type": "bridge"},)),
        document(links=(LINK, {**BOND, "bond_mode": "7"})),
        document(links=(LINK, {**VLAN, "vlan_id": "7"})),
        document(links={"tap1": LINK}),
        document(links=(LINK, "tap2")),
        document(networks=({**NETWORK, "type": "ipv4_magic"},)),
        document(networks=({**NETWORK, "link": "tap9"},)),
        document(networks=({key: NETWORK[key] for key in ("id", "link", "type")},)),
        document(networks=({**STATIC, "ip_address": "fd00::5"},)),
        document(networks=({**STATIC, "netmask": "255.0.255.0"},)),
        document(networks=({**STATIC, "routes": [{**ROUTE, "gateway": None}]},)),
        document(services=({"type": "ntp", "address": "10.0.0.1"},)),
        {"links": [LINK], "networks": [NETWORK]},
    ],
)
def test_a_form_that_nobody_documents_is_a_finding(served: dict[str, object]) -> None:
    assert defects(served, strict=False) != ()
    assert "MD-15" in failing(with_report(network_data=served))


def test_a_guest_without_any_channel_earns_no_pass() -> None:
    assert isinstance(said("MD-15", with_report(channels=(), network_data={})), NotObserved)


_anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["links", "networks", "services", "x"]), _anything))
def test_whatever_a_guest_was_served_is_read(served: dict[str, object]) -> None:
    assert opinion(served)


def test_the_healthy_cell_s_document_is_as_the_schema_has_it() -> None:
    assert defects(network_data(), strict=True) == ()
