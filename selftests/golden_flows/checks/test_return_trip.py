"""Whether the workload came home, with its data, as a machine of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from golden_flows.flows.return_trip import ABROAD_PATH
from golden_flows.flows.story import PAYLOAD_PATH
from golden_flows.model.facts import Facts
from golden_flows.model.finding import NotApplicable, NotObserved, WithShim
from golden_flows.model.guest import MACHINE_IDS
from golden_flows.model.return_trip import ReturnTripFacts
from golden_flows.model.second_instance import MachineIdentity
from selftests.golden_flows.checks.facts_builder import healthy_facts, said
from selftests.golden_flows.checks.return_facts import ROOT, lost, return_trip, with_machine


def cell(seen: ReturnTripFacts) -> Facts:
    return replace(healthy_facts(), return_trip=seen)


def actual(check_id: str, seen: ReturnTripFacts) -> list[str]:
    found = said(check_id, cell(seen))
    assert isinstance(found, tuple)
    return [one.actual for one in found]


def with_back(**changes: Any) -> ReturnTripFacts:
    trip = return_trip()
    assert trip.back is not None
    return replace(trip, back=replace(trip.back, **changes))


@pytest.mark.parametrize("check_id", ["RT-1", "RT-2", "RT-3"])
def test_a_workload_that_came_home_whole_passes(check_id: str) -> None:
    assert said(check_id, cell(return_trip())) == ()


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (replace(lost(), image_status=None, damage="the export is 5 bytes long"), "the export is 5 bytes long"),
        (lost(), "queued: no reason given"),
        (with_back(report=None, status="ERROR", fault="no host"), "ERROR, and no report (no host)"),
        (with_back(nonce_found=None), "no answer"),
        (with_back(nonce_found="nonce of abroad"), "'nonce of abroad'"),
    ],
)
def test_what_does_not_come_home_and_run_is_found(seen: ReturnTripFacts, told: str) -> None:
    assert actual("RT-1", seen) == [told]


def test_a_refusal_at_home_is_found_with_its_reason() -> None:
    refused = replace(lost(), image_status=None, image_message="HTTP 413: quota")
    assert actual("RT-1", refused) == ["HTTP 413: quota"]
    assert "HTTP 413: quota" in refused.stopped


def test_a_machine_id_that_the_agent_cannot_make_anew_is_not_the_cloud_s() -> None:
    trip = return_trip()
    assert trip.home is not None
    assert trip.machine is not None
    same = replace(trip.machine.identity, machine_id=trip.home.identity.machine_id)
    facts = cell(with_machine(identity=same))
    boot = facts.boot
    assert boot is not None
    assert isinstance(said("RT-3", facts), tuple)
    stock = replace(facts, boot=replace(boot, agent_cannot={MACHINE_IDS: "it keeps a copy's"}))
    assert isinstance(said("RT-3", stock), NotApplicable)


def test_an_identity_that_nobody_could_read_is_not_a_new_one() -> None:
    trip = return_trip()
    assert trip.machine is not None
    unread = with_machine(identity=replace(trip.machine.identity, machine_id=""))
    assert isinstance(said("RT-3", cell(unread)), NotObserved)


def test_an_export_that_a_shim_made_raw_is_named() -> None:
    found = said("RT-1", cell(replace(return_trip(), shim="vhd-to-raw")))
    assert isinstance(found, WithShim)
    assert found.name == "vhd-to-raw"


def test_what_was_written_abroad_and_is_gone_is_found() -> None:
    seen = with_machine(payloads={PAYLOAD_PATH: f"digest of {PAYLOAD_PATH}", ABROAD_PATH: ""})
    assert actual("RT-2", seen) == ["no such file"]


def test_what_was_written_at_home_and_has_changed_is_found() -> None:
    assert actual("RT-2", with_machine(payloads={ABROAD_PATH: f"digest of {ABROAD_PATH}", PAYLOAD_PATH: "0"})) == [
        "sha256 0"
    ]


def test_a_file_system_with_another_uuid_is_found() -> None:
    assert actual("RT-2", with_machine(file_systems=("ext 0",))) == ["ext 0"]
    further = with_machine(file_systems=("ext 0", ROOT))  # a disk that the cloud adds
    assert said("RT-2", cell(further)) == ()


def test_an_identity_of_before_is_found() -> None:
    assert actual("RT-3", with_machine(identity=MachineIdentity(host_key="SHA256:abroad", machine_id="home"))) == [
        "home",
        "SHA256:abroad",
    ]


@pytest.mark.parametrize("times", [0, 2])
def test_user_data_that_did_not_run_once_is_found(times: int) -> None:
    assert actual("RT-3", replace(return_trip(), run_count=times)) == [f"run {times} times"]


def test_an_agent_that_keeps_no_count_is_not_asked_for_it() -> None:
    assert said("RT-3", cell(replace(return_trip(), run_count=None))) == ()


def test_the_key_of_the_instance_abroad_is_locked_out() -> None:
    assert actual("RT-3", replace(return_trip(), abroad_key_accepted=True)) == ["accepted"]


@pytest.mark.parametrize("check_id", ["RT-1", "RT-2", "RT-3"])
def test_a_cloud_that_makes_no_snapshot_sends_nothing_home(check_id: str) -> None:
    seen = ReturnTripFacts(no_snapshot="policy forbids it")
    assert isinstance(said(check_id, cell(seen)), NotApplicable)


@pytest.mark.parametrize("check_id", ["RT-2", "RT-3"])
def test_where_nobody_is_to_look_inside_there_is_nothing_to_compare(check_id: str) -> None:
    facts = cell(replace(return_trip(), abroad=None))
    assert isinstance(said(check_id, replace(facts, dst=replace(facts.dst, auth=()))), NotApplicable)


@pytest.mark.parametrize("check_id", ["RT-1", "RT-2", "RT-3"])
def test_what_broke_on_our_side_is_not_the_cloud_s(check_id: str) -> None:
    found = said(check_id, cell(ReturnTripFacts(error="no SSH session")))
    assert isinstance(found, NotObserved)
    assert "no SSH session" in found.reason
