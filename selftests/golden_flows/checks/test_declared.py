from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from golden_flows.model.discovery import Discovery, NetworkFound, SubnetFound
from golden_flows.model.facts import Facts
from golden_flows.model.finding import Finding, NotObserved
from selftests.golden_flows.checks.facts_builder import discovered, failing, healthy_facts, said

HTTP = {"channels": ("openstack-http",)}
STATIC = replace(
    discovered().dst.discovery,
    networks=(NetworkFound(name="flat", id="id-of-flat", subnets=(SubnetFound(cidr="10.0.0.0/24", dhcp=False),)),),
)


def of_dst(*, profile: dict[str, Any] | None = None, **seen: Any) -> Facts:
    facts, found = healthy_facts(), discovered()
    return replace(
        facts, dst=replace(facts.dst, **(profile or {})), discovered=replace(found, dst=replace(found.dst, **seen))
    )


def finding(facts: Facts) -> Finding:
    found = said("DC-1", facts)
    assert isinstance(found, tuple)
    (one,) = found
    return one


def test_a_console_that_is_declared_and_refused_is_a_finding_and_so_is_the_other_way_round() -> None:
    assert finding(of_dst(console_status=403)).actual == "HTTP 403"
    closed = {"console": False}
    assert said("DC-1", of_dst(profile=closed, console_status=403)) == ()
    assert finding(of_dst(profile=closed)).expected == "console: false, as declared"


def test_a_console_that_answers_nonsense_is_neither_there_nor_closed() -> None:
    for status in (409, 500, 503):
        assert isinstance(said("DC-1", of_dst(console_status=status)), NotObserved)


def test_a_config_drive_that_nobody_declares_is_a_finding() -> None:
    assert "force_config_drive" in finding(of_dst(profile={"channels": ("openstack-http",)})).actual
    assert finding(of_dst(config_drive=False)).actual == "the API shows none"


def test_an_import_method_that_is_promised_and_closed_is_a_finding() -> None:
    promised = {"import_methods": ("glance-direct", "web-download")}
    one = finding(of_dst(profile=promised))
    assert (one.expected, one.actual) == ("web-download, as declared", "glance-direct")


def test_a_format_that_glance_does_not_take_cannot_be_what_images_become() -> None:
    formats = replace(discovered().dst.discovery, disk_formats=("raw", "qcow2"))
    assert finding(of_dst(discovery=formats)).expected == "vhd, as declared"
    assert said("DC-1", of_dst(discovery=replace(formats, disk_formats=("raw", "vpc")))) == ()


def test_metadata_over_http_alone_needs_a_network_that_gives_addresses() -> None:
    assert finding(of_dst(profile=HTTP, discovery=STATIC, config_drive=False)).actual == "flat (10.0.0.0/24 no DHCP)"
    assert said("DC-1", of_dst(discovery=STATIC)) == (), "the config drive tells it"


def test_a_network_is_found_by_its_id_and_without_one_declared_our_server_s_counts() -> None:
    by_id = HTTP | {"networks": ("id-of-flat",)}
    assert finding(of_dst(profile=by_id, discovery=STATIC, config_drive=False)).subject == "network flat on public"
    undeclared = HTTP | {"networks": ()}
    one = finding(of_dst(profile=undeclared, discovery=STATIC, config_drive=False, network="flat"))
    assert one.subject == "network flat on public"
    assert said("DC-1", of_dst(profile=undeclared, config_drive=False, network="flat")) == (), "it has DHCP"


@pytest.mark.parametrize(
    ("profile", "unread", "told"),
    [
        (
            {"import_methods": ("glance-direct",)},
            {"import_methods": None},
            "import methods could not be read: HTTP 500",
        ),
        ({}, {"disk_formats": None}, "disk formats could not be read: HTTP 500"),
        (HTTP, {"networks": None}, "networks could not be read: HTTP 500"),
        (HTTP, {"networks": (NetworkFound(name="flat"),)}, "its subnets, which this tenant may not read"),
        (HTTP, {"networks": ()}, "its subnets, which this tenant may not read"),
    ],
)
def test_what_a_claim_rests_on_and_nobody_could_read_is_not_passed(
    profile: dict[str, Any], unread: dict[str, Any], told: str
) -> None:
    known = discovered().dst.discovery
    blind = replace(known, **unread, unread=dict.fromkeys(unread, "HTTP 500"))
    unseen = said("DC-1", of_dst(profile=profile, discovery=blind, config_drive=not profile.get("channels")))
    assert isinstance(unseen, NotObserved)
    assert told in unseen.reason


def test_what_nobody_claims_need_not_be_read() -> None:
    """Image format, import methods and a network without DHCP: none of them is anybody's promise here."""
    nothing = {"image_format": None}
    assert said("DC-1", of_dst(profile=nothing, discovery=Discovery())) == ()


def test_what_no_server_showed_is_not_passed() -> None:
    unseen = said("DC-1", of_dst(console_status=None, config_drive=None))
    assert isinstance(unseen, NotObserved)
    assert failing(of_dst(console_status=403, config_drive=None)) == {"DC-1"}
