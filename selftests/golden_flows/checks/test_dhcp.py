from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from golden_flows.model.facts import Facts
from golden_flows.model.finding import NotApplicable, NotObserved
from golden_flows.model.guest import GuestReport, Route
from golden_flows.model.network_seen import Renewal
from selftests.golden_flows.checks.facts_builder import (
    failing,
    healthy_facts,
    port,
    report,
    said,
    with_boot,
    with_dst,
    with_lease,
    with_network_seen,
)

ROUTE = ("10.9.0.0/16", "192.168.100.254")
DEFAULT = ("0.0.0.0/0", "192.168.100.1")
METADATA = ("169.254.169.254/32", "192.168.100.2")


def told(*classless: tuple[str, str], has: tuple[tuple[str, str | None], ...] = (), **lease: Any) -> GuestReport:
    """A lease with these classless routes, and a guest with these routes besides its own."""
    routes = [Route(family=4, destination=to, gateway=gateway, interface="eth0") for to, gateway in has]
    one = replace(report().leases[0], classless_routes=classless, **lease)
    return replace(report(), leases=(one,), routes=(*report().routes, *routes))


def with_told(*classless: tuple[str, str], has: tuple[tuple[str, str | None], ...] = ()) -> Facts:
    ports = (replace(port(0), host_routes=(ROUTE,)), port(1))
    return with_boot(report=told(*classless, has=has), ports=ports)


def test_a_host_route_that_is_told_and_followed_passes() -> None:
    assert said("N1-3", with_told(ROUTE, DEFAULT, has=(ROUTE,))) == ()


def test_a_host_route_that_option_121_lacks_is_a_finding_whatever_the_guest_has() -> None:
    found = said("N1-3", with_told(DEFAULT, has=(ROUTE,)))
    assert isinstance(found, tuple)
    assert found[0].expected == "10.9.0.0/16 via 192.168.100.254"


def test_a_client_that_follows_option_3_instead_is_the_image_s_affair() -> None:
    """Both are told, and its default route is that of option 3."""
    report_ = told(("0.0.0.0/0", "192.168.100.254"), METADATA, has=(METADATA,))
    found = said("N1-3", with_boot(report=report_))
    assert isinstance(found, NotApplicable)
    assert "192.168.100.254" in found.proof


def test_a_told_route_that_the_guest_lacks_is_the_image_s_affair() -> None:
    assert isinstance(said("N1-3", with_told(ROUTE, DEFAULT)), NotApplicable)


def test_without_any_classless_route_there_is_nothing_to_judge() -> None:
    assert isinstance(said("N1-3", healthy_facts()), NotApplicable)


def test_without_a_lease_of_the_first_nic_classless_routes_are_not_seen() -> None:
    assert isinstance(said("N1-3", with_boot(report=replace(report(), leases=()))), NotObserved)


@pytest.mark.parametrize(
    ("renewal", "actual"),
    [
        (Renewal(), "no answer"),
        (Renewal(answer="nak", ip="0.0.0.0"), "NAK of 0.0.0.0"),
        (Renewal(answer="ack", ip="192.168.100.21"), "ACK of 192.168.100.21"),
    ],
    ids=["silence", "NAK", "another address"],
)
def test_a_renewal_that_does_not_keep_the_address_is_a_finding(renewal: Renewal, actual: str) -> None:
    facts = with_network_seen(renewal=renewal)
    assert failing(facts) == {"N1-7"}
    found = said("N1-7", facts)
    assert isinstance(found, tuple)
    assert found[0].actual == actual


@pytest.mark.parametrize("renewal", [None, Renewal(error="Operation not permitted")], ids=["not asked", "not sent"])
def test_a_renewal_that_could_not_be_asked_for_earns_no_pass(renewal: Renewal | None) -> None:
    assert isinstance(said("N1-7", with_network_seen(renewal=renewal)), NotObserved)


def test_without_dhcp_no_lease_is_renewed() -> None:
    assert isinstance(said("N1-7", with_boot(ports=(replace(port(0), dhcp=False), port(1)))), NotApplicable)


@pytest.mark.parametrize(
    "lease", [{"ntp": ()}, {"ntp": ("192.0.2.1",)}, {"search": ()}, {"search": ("anne.example", "x.example")}], ids=str
)
def test_options_that_differ_from_what_is_claimed_are_a_finding(lease: dict[str, Any]) -> None:
    assert failing(with_lease(**lease)) == {"N1-9"}


def test_what_a_client_never_asked_for_is_judged_by_what_our_probe_was_told() -> None:
    facts = with_lease(ntp=(), search=())
    seen = facts.network_seen
    assert seen is not None
    told = Renewal(answer="ack", ip="192.168.100.20", ntp=facts.dst.ntp_servers, search=facts.dst.search_domains)
    assert said("N1-9", replace(facts, network_seen=replace(seen, renewal=told))) == ()
    lost = replace(told, search=())
    assert failing(replace(facts, network_seen=replace(seen, renewal=lost))) == {"N1-9"}


def test_a_domain_may_end_in_its_dot() -> None:
    assert said("N1-9", with_lease(search=("anne.example.",))) == ()


def test_options_that_nobody_claims_are_not_judged() -> None:
    assert isinstance(said("N1-9", with_dst(ntp_servers=(), search_domains=())), NotApplicable)
    assert said("N1-9", with_dst(search_domains=())) == ()
