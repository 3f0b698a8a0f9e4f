from __future__ import annotations

from dataclasses import replace

import pytest

from golden_flows.model.finding import NotApplicable, NotObserved
from golden_flows.model.guest import Channel
from golden_flows.model.nova_metadata import OPENSTACK_VERSIONS
from selftests.golden_flows.checks.facts_builder import (
    DIGEST,
    failing,
    healthy_facts,
    report,
    said,
    with_answer,
    with_dst,
    with_ec2,
    with_identity,
    with_report,
)

FILE = "/openstack/latest/"


@pytest.mark.parametrize(
    "body",
    [
        "<html><body>It works!</body></html>",
        "",
        "latest",
        "\n".join(OPENSTACK_VERSIONS),
        "\n".join((*reversed(OPENSTACK_VERSIONS), "latest")),
        "\n".join(("latest", *OPENSTACK_VERSIONS)),
    ],
)
def test_a_listing_that_is_not_nova_s_is_a_finding(body: str) -> None:
    assert failing(with_report(listing={"/": None, "/openstack": body})) == {"MD-1"}


def test_versions_of_later_releases_are_welcome() -> None:
    body = "\n".join((*OPENSTACK_VERSIONS, "2020-10-14", "2025-04-04", "latest"))
    assert said("MD-1", with_report(listing={"/openstack": body})) == ()


def test_the_ec2_listing_counts_where_ec2_is_claimed() -> None:
    ec2 = with_ec2(healthy_facts())
    assert failing(ec2) == set()
    html = with_report(listing={**report().listing, "/": "<html>"})
    assert said("MD-1", html) == ()
    assert isinstance(said("MD-1", replace(html, dst=ec2.dst)), tuple)
    assert said("MD-1", replace(html, dst=ec2.dst)) != ()


def test_a_listing_that_answers_404_is_a_finding() -> None:
    missing = replace(report().requests[0], path="/openstack", status=404)
    facts = with_report(listing={}, requests=(*report().requests, missing))
    assert failing(facts) == {"MD-1"}


def test_no_listing_no_pass() -> None:
    assert isinstance(said("MD-1", with_report(listing={})), NotObserved)


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        ("no-such-file", {"status": 200}),
        ("no-such-file", {"status": 500}),
        ("meta_data.json", {"status": 404}),
        ("meta_data.json", {"json_ok": False}),
        ("meta_data.json", {"content_type": "text/html"}),
        ("meta_data.json", {"content_type": None}),
        ("meta_data.json", {"status": None, "error": "timed out"}),
        ("network_data.json", {"json_ok": False}),
        ("user_data", {"status": 500}),
        ("vendor_data2.json", {"status": 502}),
    ],
)
def test_an_answer_that_is_not_nova_s_is_a_finding(path: str, changes: dict[str, object]) -> None:
    assert failing(with_answer(FILE + path, **changes)) == {"MD-2"}


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        ("user_data", {"status": 404}),
        ("vendor_data.json", {"status": 404, "json_ok": None, "content_type": "text/html"}),
        ("network_data.json", {"content_type": "text/plain"}),
        ("network_data.json", {"content_type": "application/json"}),
        ("meta_data.json", {"content_type": "application/json; charset=UTF-8"}),
    ],
)
def test_what_nova_itself_varies_is_accepted(path: str, changes: dict[str, object]) -> None:
    assert said("MD-2", with_answer(FILE + path, **changes)) == ()


def test_a_path_that_was_not_asked_for_earns_no_pass() -> None:
    asked = tuple(one for one in report().requests if not one.path.endswith("no-such-file"))
    assert isinstance(said("MD-2", with_report(requests=asked)), NotObserved)
    assert isinstance(said("MD-2", with_answer(FILE + "meta_data.json", json_ok=None)), NotObserved)


def test_a_dead_service_is_one_finding() -> None:
    dead = tuple(replace(one, status=None, json_ok=None, error="timed out") for one in report().requests)
    facts = with_report(requests=dead, listing={})
    assert failing(facts) == {"MD-2"}
    found = said("MD-2", facts)
    assert isinstance(found, tuple)
    assert len(found) == 1


@pytest.mark.parametrize("check_id", ["MD-1", "MD-2"])
def test_a_cloud_of_config_drives_is_not_judged_for_http(check_id: str) -> None:
    drive_only = with_report(channels=report().channels[:1], requests=(), listing={})
    found = said(check_id, replace(drive_only, dst=replace(drive_only.dst, channels=("config-drive",))))
    assert isinstance(found, NotApplicable)
    assert "config-drive" in found.proof


def test_an_ec2_path_that_fails_is_a_finding_where_ec2_is_served() -> None:
    facts = with_ec2(healthy_facts())
    assert facts.boot is not None
    assert facts.boot.report is not None
    told = facts.boot.report
    broken = tuple(replace(one, status=500) if one.path == "/latest/meta-data/" else one for one in told.requests)
    assert failing(replace(facts, boot=replace(facts.boot, report=replace(told, requests=broken)))) == {"MD-2"}


def test_another_server_s_metadata_is_a_finding() -> None:
    assert failing(with_identity(uuid="6f1d2c3b-0000-4000-8000-00000000ffff")) == {"MD-3"}


def test_no_uuid_no_pass() -> None:
    assert isinstance(said("MD-3", with_identity(uuid=None)), NotObserved)


def test_uuid_case_is_no_difference() -> None:
    assert said("MD-3", with_identity(uuid=str(report().identity.uuid).upper())) == ()


def test_channels_that_differ_are_named_by_key() -> None:
    drive, http, ec2 = report().channels
    stale = replace(drive, keys={**drive.keys, "hostname": "0" * 64})
    facts = with_report(channels=(stale, http, ec2))
    assert failing(facts) == {"MD-10"}
    found = said("MD-10", facts)
    assert isinstance(found, tuple)
    assert len(found) == 1
    assert "hostname" in found[0].subject


def test_keys_of_one_channel_only_are_not_compared() -> None:
    drive, http, ec2 = report().channels
    assert said("MD-10", with_report(channels=(replace(drive, keys={**drive.keys, "files": "x"}), http, ec2))) == ()


def test_a_claimed_channel_that_is_absent_is_a_finding() -> None:
    drive, http, ec2 = report().channels
    assert failing(with_report(channels=(replace(drive, present=False), http, ec2))) == {"MD-10"}


def test_one_channel_cannot_disagree() -> None:
    facts = with_dst(channels=("openstack-http",))
    told = with_report(channels=(Channel(name="openstack-http", present=True, keys={"hostname": DIGEST}),))
    found = said("MD-10", replace(told, dst=facts.dst))
    assert isinstance(found, NotApplicable)
    assert "openstack-http" in found.proof


def test_channels_without_a_common_value_earn_no_pass() -> None:
    drive, http, ec2 = report().channels
    assert isinstance(said("MD-10", with_report(channels=(replace(drive, keys={}), http, ec2))), NotObserved)
