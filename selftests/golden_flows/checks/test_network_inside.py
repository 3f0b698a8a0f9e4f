from __future__ import annotations

from dataclasses import replace

import pytest

from golden_flows.flows.network_inside import question, traces
from golden_flows.model.facts import Facts
from golden_flows.model.finding import NotApplicable, NotObserved
from golden_flows.model.network_seen import NetworkSeen, Ping, Resolver, Trace
from golden_flows.model.nics import NicSeen
from selftests.golden_flows.checks.facts_builder import (
    IP_HOME,
    MAC1,
    MAC_HOME,
    boot,
    failing,
    healthy_facts,
    network_seen,
    port,
    report,
    said,
    source_boot,
    with_boot,
    with_lease,
    with_network_seen,
)

RESOLVER = "192.168.100.1"


def pings(small: str, full: str, over: str) -> tuple[Ping, ...]:
    rows = zip((84, 1500, 1501), (small, full, over), strict=True)
    return tuple(Ping(size_bytes=size, outcome=outcome) for size, outcome in rows)


def of_mtu(network: int, nic: int, told: int | None) -> Facts:
    ports = (replace(port(0), mtu=network), port(1))
    lease = replace(report().leases[0], mtu=told)
    seen = replace(
        network_seen(),
        nics=(NicSeen(name="eth0", mac=MAC1, mtu=nic),),
        pings=tuple(Ping(size_bytes=size, outcome="answered") for size in (84, network)),
    )
    return replace(with_boot(report=replace(report(), leases=(lease,)), ports=ports), network_seen=seen)


@pytest.mark.parametrize(
    ("network", "nic", "told"), [(1500, 1500, 1500), (1500, 1500, None), (1400, 1400, 1400), (9000, 9000, 9000)]
)
def test_the_network_s_mtu_passes(network: int, nic: int, told: int | None) -> None:
    assert said("N1-2", of_mtu(network, nic, told)) == ()


@pytest.mark.parametrize(
    ("network", "nic", "told", "findings"),
    [(1500, 9000, 9000, 2), (1400, 1500, None, 2), (1400, 1400, None, 1), (1400, 1500, 1400, 1)],
    ids=["too large", "not told", "known otherwise", "told and not taken"],
)
def test_another_mtu_told_or_had_is_a_finding(network: int, nic: int, told: int | None, findings: int) -> None:
    found = said("N1-2", of_mtu(network, nic, told))
    assert isinstance(found, tuple)
    assert len(found) == findings


@pytest.mark.parametrize(
    ("full", "over"),
    [("silent", "too-long"), ("too-long", "too-long"), ("answered", "silent")],
    ids=["black hole", "NIC narrower than the network", "lost without a word"],
)
def test_a_packet_that_does_not_fare_as_its_size_says_is_a_finding(full: str, over: str) -> None:
    assert failing(with_network_seen(pings=pings("answered", full, over))) == {"N1-2"}


def test_a_gateway_that_answers_no_ping_at_all_says_nothing_of_size() -> None:
    assert said("N1-2", with_network_seen(pings=pings("silent", "silent", "too-long"))) == ()
    unable = pings("error: Operation not permitted", "silent", "silent")
    assert isinstance(said("N1-2", with_network_seen(pings=unable)), NotObserved)


def test_a_longer_path_than_the_network_tells_is_no_finding() -> None:
    assert said("N1-2", with_network_seen(pings=pings("answered", "answered", "answered"))) == ()


@pytest.mark.parametrize(("mtu6", "passes"), [(1500, True), (1400, False)])
def test_ipv6_alone_is_judged_by_what_its_router_tells(mtu6: int, passes: bool) -> None:
    alone = replace(port(0), fixed_ip="fd00::5", fixed_ip6="fd00::5", dhcp=True)
    nic = NicSeen(name="eth0", mac=MAC1, mtu=1500, mtu6=mtu6)
    facts = replace(with_boot(ports=(alone,)), network_seen=NetworkSeen(nics=(nic,)))
    assert (said("N1-2", facts) == ()) is passes


@pytest.mark.parametrize("answers", [("NOERROR",), ("NXDOMAIN",), ("REFUSED", "NXDOMAIN")], ids=str)
def test_a_name_server_that_resolves_passes(answers: tuple[str, ...]) -> None:
    assert said("N1-6", with_network_seen(resolvers=(Resolver(address=RESOLVER, answers=answers),))) == ()


@pytest.mark.parametrize(
    "resolver",
    [
        Resolver(address=RESOLVER, error="no answer"),
        Resolver(address=RESOLVER, answers=("SERVFAIL", "REFUSED")),
    ],
    ids=["silent", "refuses"],
)
def test_a_name_server_that_does_not_resolve_is_a_finding(resolver: Resolver) -> None:
    assert failing(with_network_seen(resolvers=(resolver,))) == {"N1-6"}


def test_an_image_with_name_servers_of_its_own_is_told_so() -> None:
    found = said("N1-6", with_network_seen(nameservers=("9.9.9.9",)))
    assert isinstance(found, NotApplicable)
    assert "9.9.9.9" in found.proof


def test_a_name_server_that_was_not_asked_earns_no_pass() -> None:
    assert isinstance(said("N1-6", with_network_seen(resolvers=())), NotObserved)
    quiet = replace(port(0), dns=())
    assert isinstance(said("N1-6", with_boot(ports=(quiet, port(1)))), NotApplicable)


@pytest.mark.parametrize("check_id", ["N1-2", "N1-6", "N1-7", "N2-13"])
def test_what_kept_us_from_looking_earns_no_pass(check_id: str) -> None:
    facts = replace(healthy_facts(), network_seen=NetworkSeen(unseen="the guest has no python3"))
    found = said(check_id, facts)
    assert isinstance(found, NotObserved)
    assert "python3" in found.reason


@pytest.mark.parametrize("where", ["a NIC", "a route"])
def test_an_address_of_home_in_use_is_a_finding(where: str) -> None:
    assert failing(with_network_seen(left=(Trace(what=IP_HOME, where=where),))) == {"N2-13"}


def test_a_file_that_nothing_heeds_is_told() -> None:
    found = said("N2-13", with_network_seen(left=(Trace(what=MAC_HOME, where="/etc/network/interfaces"),)))
    assert isinstance(found, NotApplicable)
    assert "/etc/network/interfaces" in found.proof


def test_what_both_servers_have_is_no_trace_of_home() -> None:
    """Two clouds may use the same block of addresses, and give the same one."""
    ports = (replace(port(0), fixed_ip=IP_HOME), port(1))
    assert traces(source_boot().ports, ports) == (MAC_HOME,)
    assert isinstance(said("N2-13", with_network_seen(home=())), NotApplicable)


def test_the_probe_is_asked_about_the_first_nic() -> None:
    asked = question(boot(), (MAC_HOME,))
    assert asked["sizes"] == [84, 1500, 1501]
    assert asked["dhcp_server"] == "192.168.100.1"
    assert asked["questions"] == [["20.100.168.192.in-addr.arpa", 12], ["anne", 1]]
    assert asked["home"] == [MAC_HOME]


def test_the_probe_sends_no_packets_of_ipv4_where_there_is_none() -> None:
    alone = replace(port(0), fixed_ip="fd00::5", fixed_ip6="fd00::5", gateway_ip="fd00::1")
    asked = question(with_boot(ports=(alone,)).boot or boot(), ())
    assert (asked["sizes"], asked["gateway"], asked["dhcp_server"]) == ([], "", "")


def test_a_wrong_lease_is_not_asked_of_the_wrong_server() -> None:
    unknown = with_lease(server_id=None).boot or boot()
    assert question(unknown, ())["dhcp_server"] == ""


@pytest.mark.parametrize("answers", [(), pings("silent", "silent", "too-long")], ids=["no gateway", "silent gateway"])
def test_without_dhcp_and_without_an_answer_no_mtu_was_seen(answers: tuple[Ping, ...]) -> None:
    facts = with_network_seen(pings=answers)
    boot = facts.boot
    assert boot is not None
    static = (replace(boot.ports[0], dhcp=False), *boot.ports[1:])
    assert isinstance(said("N1-2", replace(facts, boot=replace(boot, ports=static))), NotObserved)


def test_traces_that_could_not_be_looked_for_are_not_gone() -> None:
    seen = with_network_seen(home=("10.10.0.5",), left_unseen="ip -4 rule show: exit code 1")
    assert isinstance(said("N2-13", seen), NotObserved)
