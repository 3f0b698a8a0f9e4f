from __future__ import annotations

from dataclasses import replace

import pytest

from golden_flows.model.facts import Facts, PowerFacts
from golden_flows.model.finding import NotApplicable, NotObserved
from golden_flows.model.guest import Service
from selftests.golden_flows.checks.facts_builder import (
    failing,
    healthy_facts,
    kernel_log,
    said,
    user_data,
    with_application,
    with_power,
    with_report,
)


def with_log(*lines: str) -> Facts:
    return with_application(kernel_log=replace(kernel_log(), lines=(*kernel_log().lines, *lines)))


@pytest.mark.parametrize(
    "line",
    [
        "[    1.9] EXT4-fs (xvda1): recovery complete",
        "[    1.8] EXT4-fs (vda1): INFO: recovery required on readonly filesystem",
        "[    2.0] XFS (sda1): Starting recovery (logdev: internal)",
        "[    2.0] FAT-fs (sdb): Volume was not properly unmounted. Some data may be corrupt. Please run fsck.",
        "[    2.0] BTRFS info (device sda1): start tree-log replay",
    ],
)
def test_a_file_system_that_had_to_be_repaired_is_a_finding(line: str) -> None:
    facts = with_log(line)
    assert failing(facts) == {"PV-5"}
    found = said("PV-5", facts)
    assert isinstance(found, tuple)
    assert "to repair" in found[0].actual


def test_a_shutdown_that_takes_as_long_as_nova_waits_is_a_finding() -> None:
    assert failing(with_power(seconds_to_shutoff=61.0)) == {"PV-5"}


def test_a_server_that_never_stops_is_a_finding() -> None:
    facts = with_power(seconds_to_shutoff=None, last_status="ACTIVE", waited_s=120.0)
    assert failing(facts) == {"PV-5"}
    found = said("PV-5", facts)
    assert isinstance(found, tuple)
    assert found[0].actual == "ACTIVE after 120 s"


def test_a_cloud_that_lets_no_tenant_stop_servers_is_not_judged_for_it() -> None:
    facts = replace(healthy_facts(), power=PowerFacts(refused="os-stop: HTTP 403 Policy doesn't allow it"))
    found = said("PV-5", facts)
    assert isinstance(found, NotApplicable)
    assert "403" in found.proof


def test_what_was_not_seen_of_the_next_boot_earns_no_pass() -> None:
    silent = replace(healthy_facts(), user_data=replace(user_data(), after_reboot=None))
    assert isinstance(said("PV-5", silent), NotObserved)
    assert isinstance(said("PV-5", with_application(kernel_log=None)), NotObserved)
    of_home = replace(kernel_log(), boot_id="boot-1")
    assert isinstance(said("PV-5", with_application(kernel_log=of_home)), NotObserved)
    mute = replace(kernel_log(), lines=("[ 1.0] jbd2 starts",))
    assert isinstance(said("PV-5", with_application(kernel_log=mute)), NotObserved)


@pytest.mark.parametrize(
    "service",
    [Service(name="xe-daemon", state="failed"), Service(name="vmtoolsd", state="running", restarts=40)],
    ids=["failed", "in a loop"],
)
def test_a_service_of_another_platform_that_fails_is_a_finding(service: Service) -> None:
    facts = with_report(services=(Service(name="fine", state="stopped"), service))
    assert failing(facts) == {"PV-3"}
    found = said("PV-3", facts)
    assert isinstance(found, tuple)
    assert [one.subject for one in found] == [f"service {service.name}"]


def test_services_at_rest_pass() -> None:
    stopped = Service(name="guest-tools", state="stopped", restarts=1)
    assert said("PV-3", with_report(services=(stopped,))) == ()


def test_a_guest_that_does_not_tell_of_services_earns_no_pass() -> None:
    assert isinstance(said("PV-3", with_report(services=None)), NotObserved)
