from __future__ import annotations

from dataclasses import replace

import pytest

from golden_flows.model.config_drive import TREE
from golden_flows.model.finding import NotApplicable, NotObserved
from selftests.golden_flows.checks.facts_builder import (
    config_drive,
    failing,
    healthy_facts,
    report,
    said,
    with_config_drive,
    with_dst,
    with_report,
)


@pytest.mark.parametrize(
    "changes",
    [
        {"label": "CONFIG-2"},
        {"label": ""},
        {"filesystem": "ext4"},
        {"extensions": ("joliet",)},
        {"extensions": ("rock-ridge",)},
        {"names": TREE[:2]},
        {"error": "/dev/sr0 (iso9660) cannot be mounted"},
    ],
)
def test_a_drive_that_some_agent_does_not_find_is_a_finding(changes: dict[str, object]) -> None:
    assert failing(with_config_drive(**changes)) == {"MD-9"}


def test_vfat_needs_no_extensions() -> None:
    assert said("MD-9", with_config_drive(filesystem="vfat", extensions=(), device="/dev/vdb")) == ()


def test_names_that_were_not_told_earn_no_pass() -> None:
    assert isinstance(said("MD-9", with_config_drive(names=())), NotObserved)


def test_a_drive_that_was_asked_for_and_is_not_there_is_a_finding() -> None:
    drive, *others = report().channels
    gone = replace(drive, present=False, reason="no block device is labelled config-2")
    assert "MD-9" in failing(with_report(config_drive=None, channels=(gone, *others)))


def test_a_drive_that_was_read_and_not_described_earns_no_pass() -> None:
    assert isinstance(said("MD-9", with_report(config_drive=None)), NotObserved)
    assert isinstance(said("AU-8", with_report(config_drive=None)), NotObserved)


def test_no_drive_is_asked_of_a_cloud_without_them() -> None:
    drive, *others = report().channels
    told = with_report(config_drive=None, channels=(replace(drive, present=False), *others))
    facts = replace(told, dst=with_dst(channels=("openstack-http",)).dst)
    for check_id in ("MD-9", "AU-8"):
        found = said(check_id, facts)
        assert isinstance(found, NotApplicable)
        assert "openstack-http" in found.proof


def test_a_drive_that_nobody_claimed_is_judged_all_the_same() -> None:
    facts = with_config_drive(label="other")
    assert said("MD-9", replace(facts, dst=with_dst(channels=("openstack-http",)).dst)) != ()


@pytest.mark.parametrize(
    "changes",
    [{"mode": "0664"}, {"mode": "0604"}, {"kept": {"/etc/shadow": "0644"}}, {"kept": {"/var/lib/agent/pw": "0660"}}],
)
def test_a_password_that_others_may_read_is_a_finding(changes: dict[str, object]) -> None:
    assert failing(with_config_drive(**changes)) == {"AU-8"}


@pytest.mark.parametrize("changes", [{"mode": "0660"}, {"kept": {"/etc/shadow": "0640"}}, {"kept": {}}])
def test_root_and_its_groups_may_read_it(changes: dict[str, object]) -> None:
    assert said("AU-8", with_config_drive(**changes)) == ()


@pytest.mark.parametrize("changes", [{"mode": None}, {"kept": {"/etc/shadow": None}}, {"admin_pass": None}])
def test_permissions_that_were_not_told_earn_no_pass(changes: dict[str, object]) -> None:
    assert isinstance(said("AU-8", with_config_drive(**changes)), NotObserved)


def test_no_password_on_the_drive_exposes_none() -> None:
    assert isinstance(said("AU-8", with_config_drive(admin_pass=False)), NotApplicable)


def test_a_password_that_nobody_asked_for_is_an_exposure() -> None:
    facts = replace(healthy_facts(), dst=with_dst(auth=("key",)).dst)
    found = said("AU-8", facts)
    assert isinstance(found, tuple)
    assert [one.subject for one in found] == [f"admin_pass on {config_drive().device}"]
