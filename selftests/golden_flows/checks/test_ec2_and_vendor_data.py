from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from golden_flows.model.facts import Facts
from golden_flows.model.finding import NotApplicable, NotObserved
from golden_flows.model.guest import Channel, GuestReport
from selftests.golden_flows.checks.facts_builder import (
    KEYS,
    boot,
    failing,
    healthy_facts,
    report,
    said,
    user_data,
    with_dst,
    with_ec2,
    with_report,
    with_vendor_parts,
)


def ec2_alone() -> Facts:
    """A cloud that tells its guests by the EC2 tree only, with a key."""
    facts = with_ec2(healthy_facts())
    told = _report(facts)
    ec2 = replace(told.channels[2], used=True)
    channels = (*(Channel(name=one.name, present=False, reason="404") for one in told.channels[:2]), ec2)
    told = replace(told, channels=channels, network_data={}, identity=replace(told.identity, uuid=None))
    dst = replace(facts.dst, channels=("ec2-http",), auth=("key",), vendor_data_targets=())
    return replace(facts, dst=dst, boot=replace(boot(), report=told))


def _report(facts: Facts) -> GuestReport:
    if facts.boot is None or facts.boot.report is None:
        raise ValueError("a cell with a report was expected")
    return facts.boot.report


def with_told(facts: Facts, report: GuestReport) -> Facts:
    return replace(facts, boot=replace(boot(), report=report))


@pytest.mark.parametrize("check_id", ["MD-3", "N2-1", "MD-13", "MD-15", "MD-9"])
def test_what_ec2_cannot_tell_is_proved_not_applicable(check_id: str) -> None:
    facts = ec2_alone()
    if check_id == "MD-9":
        facts = with_told(facts, replace(_report(facts), config_drive=None))
    found = said(check_id, facts)
    assert isinstance(found, NotApplicable)
    assert "ec2-http" in found.proof


def test_a_cloud_that_claims_more_than_ec2_is_not_excused() -> None:
    facts = ec2_alone()
    claiming = replace(facts, dst=replace(facts.dst, channels=("ec2-http", "openstack-http")))
    assert isinstance(said("MD-3", claiming), NotObserved)


def test_the_ec2_tree_with_id_and_key_passes() -> None:
    assert said("MD-11", ec2_alone()) == ()


@pytest.mark.parametrize("instance_id", ["6f1d2c3b-0000-4000-8000-00000000abcd", "i-", "i-XYZ", "ami-00000001"])
def test_an_instance_id_of_another_form_is_a_finding(instance_id: str) -> None:
    facts = with_ec2(healthy_facts())
    told = _report(facts)
    spoiled = with_told(facts, replace(told, identity=replace(told.identity, ec2_instance_id=instance_id)))
    assert failing(spoiled) == {"MD-11"}


@pytest.mark.parametrize("listing", [None, "", "anne", "0/"])
def test_a_key_that_is_not_listed_is_a_finding(listing: str | None) -> None:
    facts = ec2_alone()
    told = _report(facts)
    found = said("MD-11", with_told(facts, replace(told, listing={**told.listing, KEYS[0]: listing})))
    assert isinstance(found, tuple)
    assert found


def test_a_key_that_was_not_asked_for_earns_no_pass() -> None:
    facts = ec2_alone()
    told = _report(facts)
    asked = tuple(one for one in told.requests if one.path not in KEYS)
    assert isinstance(said("MD-11", with_told(facts, replace(told, requests=asked))), NotObserved)


def test_an_instance_id_that_was_not_told_earns_no_pass() -> None:
    facts = ec2_alone()
    told = _report(facts)
    silent = with_told(facts, replace(told, identity=replace(told.identity, ec2_instance_id=None)))
    assert isinstance(said("MD-11", silent), NotObserved)


def test_an_instance_is_the_same_by_its_ec2_id_after_a_reboot() -> None:
    facts = ec2_alone()
    first = _report(facts)
    again = replace(first, boot_id="boot-2", user_data=replace(first.user_data, ran_this_boot=False))
    same = replace(facts, user_data=replace(user_data(), first=first, after_reboot=again))
    assert said("UD-3", same) == ()
    other = replace(again, identity=replace(again.identity, ec2_instance_id="i-0001000a"))
    assert said("UD-3", replace(same, user_data=replace(user_data(), first=first, after_reboot=other))) != ()


@pytest.mark.parametrize(
    "parts", [{"static": 1, "inventory": 3}, {"static": 0, "inventory": 0}, {"inventory": 0}, {"inventory": 1, "x": 0}]
)
def test_a_dead_service_with_an_empty_part_is_fine(parts: Mapping[str, int | None]) -> None:
    assert said("MD-13", with_vendor_parts(parts)) == ()


@pytest.mark.parametrize("parts", [None, {"static": 1}, {"static": 1, "inventory": None}])
def test_a_service_that_takes_more_along_than_its_part_is_a_finding(parts: Mapping[str, int | None] | None) -> None:
    assert failing(with_vendor_parts(parts)) == {"MD-13"}


def test_no_dynamic_vendor_data_no_judgement() -> None:
    facts = replace(with_vendor_parts({"static": 2}), dst=with_dst(vendor_data_targets=()).dst)
    assert isinstance(said("MD-13", facts), NotApplicable)


def test_a_claimed_service_with_no_channel_to_see_it_by_earns_no_pass() -> None:
    silent = tuple(replace(one, present=False) for one in report().channels)
    assert isinstance(said("MD-13", with_report(channels=silent)), NotObserved)
