from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from golden_flows.model.facts import Facts
from golden_flows.model.finding import NotApplicable, NotObserved
from golden_flows.model.guest import AgentPhase
from golden_flows.model.platform_seen import PlatformSeen
from selftests.golden_flows.checks.facts_builder import (
    SIZE_BYTES,
    failing,
    healthy_facts,
    platform,
    said,
    with_import,
    with_platform,
    with_report,
)

FROM_INSIDE = ("BT-6", "BT-7", "BT-9", "BT-10", "PV-6", "PV-7")


def with_root(**changes: Any) -> Facts:
    return with_platform(root=replace(platform().root, **changes))


@pytest.mark.parametrize("check_id", FROM_INSIDE)
def test_a_guest_that_shows_nothing_earns_no_pass(check_id: str) -> None:
    asked = {"hw_firmware_type": "bios", "hw_qemu_guest_agent": "yes"}
    facts = replace(healthy_facts(), platform=PlatformSeen(image=asked, error="no python3"))
    found = said(check_id, facts)
    assert isinstance(found, NotObserved)
    assert "no python3" in found.reason


@pytest.mark.parametrize(("asked", "has_efi"), [("uefi", False), ("bios", True)])
def test_another_firmware_than_asked_is_a_finding(asked: str, has_efi: bool) -> None:
    assert failing(with_platform(image={"hw_firmware_type": asked}, has_efi=has_efi)) == {"BT-6"}
    assert said("BT-6", with_platform(image={"hw_firmware_type": asked}, has_efi=not has_efi)) == ()


def test_an_image_without_a_wish_for_firmware_is_not_judged() -> None:
    assert isinstance(said("BT-6", with_platform(image={})), NotApplicable)


def test_a_disk_that_was_not_grown_is_a_finding_where_something_should_have_grown_it() -> None:
    assert failing(with_root(disk_bytes=SIZE_BYTES + (1 << 30))) == {"BT-7"}
    nothing = said("BT-7", with_root(disk_bytes=SIZE_BYTES + (1 << 30), grower=""))
    assert isinstance(nothing, NotApplicable)
    assert "1024 MiB" in nothing.proof
    assert said("BT-7", with_root(disk_bytes=SIZE_BYTES + (1 << 20))) == ()
    assert isinstance(said("BT-7", with_root(grower="")), NotApplicable)


@pytest.mark.parametrize("offset_s", [7200.0, -7200.0, 6.2])
def test_a_clock_that_is_wrong_is_a_finding(offset_s: float) -> None:
    assert failing(with_platform(clock_offset_s=offset_s)) == {"BT-9"}


def test_a_clock_is_given_the_benefit_of_a_slow_answer() -> None:
    assert said("BT-9", with_platform(clock_offset_s=6.2, clock_uncertainty_s=3.0)) == ()
    assert isinstance(said("BT-9", with_platform(clock_offset_s=None)), NotObserved)


@pytest.mark.parametrize(
    "changes",
    [
        {"crng_ready_s": 95.0},
        {"crng_ready_s": None},
        {"crng_blocks": ("[   3.1] random: sshd: uninitialized urandom read (32 bytes read)",)},
    ],
    ids=str,
)
def test_waiting_for_random_bytes_is_a_finding(changes: dict[str, object]) -> None:
    assert failing(with_platform(**changes)) == {"BT-10"}


def test_a_log_that_lost_its_beginning_says_nothing() -> None:
    assert isinstance(said("BT-10", with_platform(crng_ready_s=None, kernel_log_is_whole=False)), NotObserved)


def test_a_phase_that_waited_for_metadata_is_a_finding() -> None:
    slow = AgentPhase(name="detect", verdict="failed", reason="no metadata", began_s=4.0, ended_s=124.0)
    assert failing(with_report(phases=(slow,))) == {"BT-11"}
    other = AgentPhase(name="userdata", verdict="ok", began_s=4.0, ended_s=124.0)
    assert said("BT-11", with_report(phases=(other,))) == ()
    assert isinstance(said("BT-11", with_report(phases=())), NotApplicable)


def test_the_guest_agent_s_port_is_judged_where_the_image_wants_it() -> None:
    assert failing(with_platform(ports=("com.redhat.spice.0",))) == {"PV-6"}
    unasked = said("PV-6", with_platform(image={}, ports=()))
    assert isinstance(unasked, NotApplicable)
    facts = with_platform(ports=())
    assert isinstance(said("PV-6", replace(facts, dst=replace(facts.dst, hypervisor="xen"))), NotApplicable)


def test_queues_are_judged_where_the_image_asks_and_there_are_processors() -> None:
    image = {"hw_vif_multiqueue_enabled": "true"}
    assert failing(with_platform(image=image, cpus=4)) == {"PV-7"}
    assert said("PV-7", with_platform(image=image, cpus=4, queues={"eth0": 4})) == ()
    assert isinstance(said("PV-7", with_platform(image=image, cpus=1)), NotApplicable)


def test_an_import_of_hours_is_a_finding() -> None:
    assert failing(with_import(seconds=4000.0)) == {"CV-9"}
    assert isinstance(said("CV-9", with_import(final_status="queued")), NotObserved)
