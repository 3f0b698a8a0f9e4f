"""IPv6 of a reference cloud without a namespace: profile, packet filter, dnsmasq's arguments, releases, addresses."""

from __future__ import annotations

import socket
from dataclasses import replace
from ipaddress import IPv6Network
from pathlib import Path
from typing import Any

import pytest
from refclouds import assembly, eui64, profile, serve
from refclouds.errors import UsageError
from refclouds.fabric import dhcp, dhcp6, links, rules
from refclouds.fabric.namespace import mode6_announced
from refclouds.faults import NO_FAULTS, Faults
from refclouds.node import OPEN_RULES, IngressRule, NetworkSpec, PortRules, Subnet6

SLAAC = Subnet6("fd00:60::/64", "fd00:60::1", "slaac")
STATEFUL = Subnet6("fd00:61::/64", None, dhcp6.STATEFUL, ("fd00:61::53",))
DUAL = NetworkSpec(
    "0123456789abcdef", "dual", "10.60.0.0/24", "10.60.0.1", True, ("10.60.0.1",), 1450, metadata=True, ipv6=SLAAC
)
MAC = "fa:16:3e:00:00:0a"
OWN, LOCAL = "fd00:60::f816:3eff:fe00:a", "fe80::f816:3eff:fe00:a"
PORT = rules.FilteredPort("tap1", MAC, "10.60.0.10", PortRules(), True, (LOCAL, OWN), "02:fe:0a:3c:00:00")


def lines(*ports: rules.FilteredPort, **more: Any) -> list[str]:
    return [line.strip() for port in ports for line in rules.port_ruleset(port, **more).splitlines()]


def test_addresses_made_of_a_mac() -> None:
    assert eui64.address(IPv6Network("fd00:60::/64"), MAC) == OWN
    assert eui64.link_local(MAC) == LOCAL


# packet filter


def test_a_network_without_ipv6_has_no_rule_for_it() -> None:
    assert not any("ip6" in line or "icmpv6" in line for line in lines(replace(PORT, ip6s=())))


def test_only_the_router_announces_itself_and_only_own_addresses_leave() -> None:
    text = lines(PORT)
    assert "icmpv6 type { nd-router-advert, nd-redirect } drop" in text
    assert "icmpv6 type nd-router-advert ether saddr != 02:fe:0a:3c:00:00 drop" in text
    assert f"ip6 saddr {{ {LOCAL}, {OWN} }} accept" in text


def test_without_metadata_its_address_is_closed() -> None:
    closed = "ip6 daddr fe80::a9fe:a9fe drop"
    assert (closed in lines(PORT), closed in lines(replace(PORT, metadata=False))) == (False, True)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (IngressRule("tcp", 22, 25, "fd00::/16", 6), "ip6 saddr fd00::/16 tcp dport 22-25 accept"),
        (IngressRule("tcp", 22, 22, "::/0", 6), "tcp dport 22-22 accept"),
        (IngressRule("udp", version=6), "meta l4proto udp accept"),
        (IngressRule("icmp", version=6), "icmpv6 type echo-request accept"),
        (IngressRule(version=6), "accept"),
    ],
)
def test_an_allowance_is_one_line_of_its_family(rule: IngressRule, expected: str) -> None:
    text = lines(replace(PORT, rules=PortRules((rule,))))
    start, end = text.index("chain to6_tap1 {"), text.index("chain from_tap1 {")
    assert expected in text[start:end]
    assert expected not in text[text.index("chain to_tap1 {") :]


def test_port_security_off_and_open_groups() -> None:
    assert lines(replace(PORT, rules=OPEN_RULES)) == lines()
    assert not any("to6_tap1" in line for line in lines(PORT, enforce_groups=False))


def test_a_diversion_is_one_of_its_family() -> None:
    text = rules.floating_ruleset({}, {"10.60.0.0/24": 18080, "fd00:60::/64": 18080})
    assert "ip daddr 10.60.0.0/24 tcp dport 8080 redirect" in text
    assert "ip6 daddr fd00:60::/64 tcp dport 8080 redirect" in text
    assert "table ip6" not in rules.floating_ruleset({}, {"10.60.0.0/24": 18080})


# networks


def test_a_bridge_has_the_router_s_and_the_metadata_s_address() -> None:
    assert links.bridge_commands6(DUAL, metadata=True) == [
        "address add fe80::a9fe:a9fe/128 dev brq0123456789a nodad",
        "address add fd00:60::1/64 dev brq0123456789a nodad",
    ]
    assert links.bridge_commands6(replace(DUAL, ipv6=None), metadata=True) == []
    assert len(links.bridge_commands6(DUAL, metadata=False)) == 1


def test_a_router_that_leads_nowhere_has_the_last_host_but_one() -> None:
    assert links.service_address6(replace(DUAL, ipv6=STATEFUL)) == "fd00:61::ffff:ffff:ffff:fffe"
    assert links.service_address6(replace(DUAL, ipv6=replace(STATEFUL, mode="static"))) is None


def test_without_ipv4_the_bridge_s_own_address_is_of_the_ipv6_prefix() -> None:
    alone = replace(DUAL, cidr="", gateway=None, dhcp=False, ipv6=replace(SLAAC, cidr="fd00:66::/64"))
    other = replace(alone, ipv6=replace(SLAAC, cidr="fd00:66:0:1::/64"))
    assert links.bridge_mac(alone) != links.bridge_mac(other)
    assert links.bridge_commands(alone)[1:] == ["link set brq0123456789a mtu 1450 up"]


@pytest.mark.parametrize(
    ("network", "mode", "words"),
    [
        (DUAL, "slaac", ("fd00:60::,ra-only,64,86400s", "mtu:1450,60,1800")),
        (DUAL, "dhcpv6-stateless", ("fd00:60::,ra-stateless,64,86400s",)),
        (replace(DUAL, ipv6=STATEFUL), dhcp6.STATEFUL, ("fd00:61::,static,64,86400s", "60,0", "[fd00:61::53]")),
    ],
)
def test_dnsmasq_announces_the_mode(network: NetworkSpec, mode: str, words: tuple[str, ...]) -> None:
    text = " ".join(dhcp6.arguments(network, mode))
    assert "--enable-ra" in text
    assert all(word in text for word in words)


def test_a_static_subnet_is_announced_by_nobody() -> None:
    assert dhcp6.arguments(DUAL, "static") == []


def test_dhcp_for_ipv4_is_left_out_where_there_is_none() -> None:
    argv = dhcp.arguments(replace(DUAL, dhcp=False), Path("/h"), Path("/l"), dhcp.Offer(None, 1500))
    assert not any("classless" in one or "dhcp-range" in one for one in argv)


@pytest.mark.parametrize(
    ("mode", "mixed"),
    [("slaac", dhcp6.STATEFUL), ("dhcpv6-stateless", "slaac"), (dhcp6.STATEFUL, dhcp6.STATEFUL), ("static", "static")],
)
def test_the_fault_v6_mode_mix_announces_another_mode(mode: str, mixed: str) -> None:
    network = replace(DUAL, ipv6=replace(SLAAC, mode=mode))
    assert mode6_announced(network, NO_FAULTS) == mode
    assert mode6_announced(network, Faults.parse(["v6_mode_mix"])) == mixed


LEASES = (
    "1764176400 fa:16:3e:00:00:0a 10.61.0.10 anne 01:fa:16:3e:00:00:0a\n"
    "duid 00:01:00:01:32:99:c9:ac:02:fe:0a:3c:00:00\n"
    "1764176400 1040187402 fd00:61::10 anne 00:03:00:01:fa:16:3e:00:00:0a\n"
)


def test_a_lease_is_given_back_in_its_client_s_name() -> None:
    packet = dhcp6.release_packet(LEASES, "fd00:61::10")
    assert packet is not None
    assert packet[0] == 8
    for part in ("00030001fa163e00000a", "000100013299c9ac02fe0a3c0000", "fd000061" + "00" * 10 + "0010"):
        assert bytes.fromhex(part) in packet
    assert dhcp6.release_packet(LEASES, "fd00:61::11") is None
    assert dhcp6.release_packet("", "fd00:61::10") is None


# profile


def raw(**network: object) -> dict[str, Any]:
    return {"name": "x", "title": "x", "networks": [{"name": "net", **network}]}


@pytest.mark.parametrize(
    ("network", "complaint"),
    [
        ({}, "neither cidr nor cidr6"),
        ({"cidr6": "fd00::/64"}, "one of cidr6 and ipv6_mode"),
        ({"cidr6": "fd00::/64", "ipv6_mode": "slaak"}, "ipv6_mode does not know 'slaak'"),
        ({"cidr6": "fd00::/80", "ipv6_mode": "slaac"}, "no room for a MAC"),
        ({"cidr6": "fd00::/64", "ipv6_mode": "slaac", "gateway6": "fd01::1"}, "outside fd00::/64"),
        ({"cidr6": "10.0.0.0/24", "ipv6_mode": "slaac"}, "cidr6"),
    ],
)
def test_a_profile_that_cannot_be_is_refused(network: dict[str, object], complaint: str) -> None:
    with pytest.raises(UsageError) as caught:
        profile.parse(raw(**network), "x.toml")
    assert complaint in caught.value.what


def test_both_families_of_a_direct_network_are_reachable() -> None:
    assert [str(one) for one in assembly.reachable(profile.find("ipv6"))] == ["10.60.0.0/24", "fd00:60::/64"]
    assert [str(one) for one in assembly.reachable(profile.find("ipv6-only"))] == ["fd00:66::/64"]


@pytest.mark.parametrize(
    ("ipv4", "ipv6", "bound"),
    [
        (True, True, ["169.254.169.254", "fe80::a9fe:a9fe"]),
        (False, True, ["fe80::a9fe:a9fe"]),
        (True, False, ["169.254.169.254"]),
        (False, False, []),
    ],
)
def test_metadata_is_served_at_each_address_by_itself(
    monkeypatch: pytest.MonkeyPatch, ipv4: bool, ipv6: bool, bound: list[str]
) -> None:
    monkeypatch.setattr(serve, "_listening", lambda family, address: address[0])
    monkeypatch.setattr(socket, "if_nametoindex", lambda name: 7)
    opened: list[Any] = serve._metadata_sockets([DUAL], ipv4=ipv4, ipv6=ipv6)
    assert opened == bound
