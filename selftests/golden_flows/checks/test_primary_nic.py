from __future__ import annotations

from dataclasses import replace

import pytest

from golden_flows.model.finding import NotObserved
from golden_flows.model.guest import Link
from selftests.golden_flows.checks.facts_builder import (
    MAC1,
    MAC2,
    MAC_HOME,
    failing,
    port,
    report,
    said,
    with_boot,
    with_files,
    with_lease,
    with_links,
    with_report,
)


@pytest.mark.parametrize(
    "changes",
    [
        {"routers": ("192.168.100.254",)},
        {"routers": ()},
        {"routers": ("192.168.100.1", "192.168.100.254")},
        {"ip": "192.168.100.21"},
        {"prefixlen": 16},
        {"dns": ("8.8.8.8",)},
        {"classless_routes": (("169.254.169.254/32", "192.168.100.2"),)},
        {"classless_routes": (("0.0.0.0/0", "192.168.100.254"),)},
    ],
    ids=str,
)
def test_a_lease_that_differs_from_the_api_is_one_finding(changes: dict[str, object]) -> None:
    facts = with_lease(**changes)
    assert failing(facts) == {"N1-1"}
    found = said("N1-1", facts)
    assert isinstance(found, tuple)
    assert len(found) == 1


def test_option_121_replaces_option_3() -> None:
    routes = (("169.254.169.254/32", "192.168.100.2"), ("0.0.0.0/0", "192.168.100.1"))
    assert said("N1-1", with_lease(routers=(), classless_routes=routes)) == ()
    assert said("N1-1", with_lease(routers=("192.168.100.254",), classless_routes=routes)) == ()


def test_further_dns_servers_are_no_finding() -> None:
    assert said("N1-1", with_lease(dns=("192.168.100.1", "192.168.100.2"))) == ()
    quiet = replace(port(0), dns=())
    assert said("N1-1", with_boot(ports=(quiet, port(1)))) == ()


def test_mac_spelling_does_not_matter() -> None:
    assert said("N1-1", with_lease(mac=MAC1.upper().replace(":", "-"))) == ()


def test_no_lease_and_no_address_is_a_finding() -> None:
    bare = Link(name="eth0", mac=MAC1, driver="e1000")
    found = said("N1-1", with_boot(report=replace(report(), leases=(), links=(bare, report().links[1]))))
    assert isinstance(found, tuple)
    assert found[0].actual == "no lease"


def test_an_address_without_a_kept_lease_earns_no_pass() -> None:
    assert isinstance(said("N1-1", with_report(leases=())), NotObserved)


def test_a_subnet_without_dhcp_is_judged_by_what_the_guest_has() -> None:
    """However it was told: a lease of another is not asked for."""
    static = replace(port(0), dhcp=False)
    assert said("N1-1", with_boot(ports=(static, port(1)), report=replace(report(), leases=()))) == ()


@pytest.mark.parametrize(
    ("changes", "subject"),
    [
        ({"fixed_ip": "192.168.100.21"}, "address"),
        ({"cidr": "192.168.0.0/16"}, "address"),
        ({"gateway_ip": "192.168.100.254"}, "gateway"),
    ],
    ids=["address", "prefix", "gateway"],
)
def test_without_dhcp_what_the_guest_has_is_held_against_the_api(changes: dict[str, str], subject: str) -> None:
    static = replace(port(0), dhcp=False, **changes)  # type: ignore[arg-type]  # texts, all of them
    found = said("N1-1", with_boot(ports=(static, port(1))))
    assert isinstance(found, tuple)
    (one,) = found
    assert one.subject.startswith(subject)


def test_without_dhcp_and_without_the_nic_nothing_is_seen() -> None:
    static = replace(port(0), dhcp=False, mac=MAC_HOME)
    assert isinstance(said("N1-1", with_boot(ports=(static, port(1)))), NotObserved)


def test_a_port_without_a_fixed_address_earns_no_pass() -> None:
    unknown = replace(port(0), fixed_ip=None)
    assert isinstance(said("N1-1", with_boot(ports=(unknown, port(1)))), NotObserved)


def test_a_nic_with_another_mac_is_a_finding() -> None:
    first, second = report().links
    assert "N1-4" in failing(with_links(replace(first, mac=MAC_HOME), second))


def test_the_address_on_another_nic_is_a_finding() -> None:
    first, second = report().links
    swapped = with_links(replace(first, addresses=()), replace(second, addresses=("192.168.100.20/24",)))
    assert "N1-4" in failing(swapped)


def test_a_stale_udev_rule_is_a_finding() -> None:
    rule = f'SUBSYSTEM=="net", ATTR{{address}}=="{MAC_HOME}", NAME="eth0"\n'
    assert failing(with_files(udev_net_rules=rule)) == {"N1-4"}
    assert failing(with_files(udev_net_rules=f"# was {MAC_HOME}\n{rule.replace(MAC_HOME, MAC2)}")) == set()


def test_unread_files_earn_no_pass() -> None:
    assert isinstance(said("N1-4", with_files(cmdline=None)), NotObserved)


def test_no_address_on_any_nic_is_left_to_the_dhcp_check() -> None:
    first, second = report().links
    assert isinstance(said("N1-4", with_links(replace(first, addresses=()), second)), NotObserved)


@pytest.mark.parametrize("address", ["not an address", "999.1.1.1/24", "", "192.168.100.20/99"])
def test_nonsense_from_the_guest_is_no_address(address: str) -> None:
    first, second = report().links
    assert isinstance(said("N1-4", with_links(replace(first, addresses=(address,)), second)), NotObserved)
