"""Injected files, the limit of user data, and clouds that carry no user data at all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from golden_flows.model.facts import Facts
from golden_flows.model.files import Answer
from golden_flows.model.finding import NotApplicable, NotObserved
from golden_flows.model.guest import Channel, GuestIdentity, UserDataRun
from selftests.golden_flows.checks.facts_builder import (
    DIGEST,
    boot,
    failing,
    files,
    healthy_facts,
    limits,
    report,
    said,
    user_data,
    with_file,
    with_limits,
)


def injected(**changes: Any) -> Facts:
    """A cell whose destination only writes into disks."""
    facts = healthy_facts()
    channel = Channel(name="injection", present=True, used=True, keys={"public_keys": DIGEST})
    told = replace(report(), channels=(channel,), identity=GuestIdentity(smbios_product="OpenStack Nova"), listing={})
    told = replace(told, requests=(), user_data=UserDataRun(), leases=())
    refused = Answer(asked="a path with ..", status=202, server_status="ERROR", message="no normal path")
    return replace(
        facts,
        dst=replace(facts.dst, channels=("injection",)),
        boot=replace(boot(), report=told, ports=tuple(replace(one, dhcp=False) for one in boot().ports)),
        files=replace(files(), carriers=("injection",)),
        user_data=replace(user_data(), first=told, after_reboot=replace(told, boot_id="boot-2")),
        limits=replace(limits(), hostile_files=(refused,), **changes),
    )


@pytest.mark.parametrize("check_id", ["UD-1", "UD-2", "UD-3", "MD-1", "MD-2", "MD-3", "MD-10"])
def test_what_a_cloud_of_injection_alone_cannot_carry_is_proved_not_applicable(check_id: str) -> None:
    found = said(check_id, injected())
    assert isinstance(found, NotApplicable)
    assert "injection" in found.proof


def test_what_it_can_is_judged() -> None:
    assert said("UD-8", injected()) == ()
    assert said("N1-1", injected()) == ()
    assert not failing(injected()) & {"UD-6", "UD-8", "N1-1", "N2-1", "MD-3"}


def test_user_data_that_a_guest_got_all_the_same_is_judged() -> None:
    facts = injected()
    first = replace(report(), user_data=replace(report().user_data, sha256="0" * 64))
    facts = replace(facts, user_data=replace(user_data(), first=first))
    assert isinstance(said("UD-1", facts), tuple)


@pytest.mark.parametrize(
    "changes",
    [
        {"found_sha256": "0" * 64},
        {"found_sha256": None},
        {"owner": 1000},
        {"group": 4},
        {"mode": 0o666},
        {"mode": 0o4600},
    ],
    ids=str,
)
def test_a_file_that_is_not_as_sent_or_not_root_s_is_a_finding(changes: dict[str, object]) -> None:
    assert failing(with_file(**changes)) == {"UD-8"}


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o660, 0o400], ids=oct)
def test_modes_that_agents_really_give_are_fine(mode: int) -> None:
    assert said("UD-8", with_file(mode=mode)) == ()


def test_owner_and_mode_that_could_not_be_read_earn_no_pass() -> None:
    assert isinstance(said("UD-8", with_file(owner=None, group=None, mode=None)), NotObserved)


@pytest.mark.parametrize("status", ["ACTIVE", "BUILD", "DELETED"])
def test_a_hostile_path_that_a_host_takes_is_a_finding(status: str) -> None:
    taken = Answer(asked="a path with ..", status=202, server_status=status)
    assert failing(with_limits(hostile_files=(taken,))) == {"UD-8"}


def test_a_hostile_path_that_the_api_refuses_is_fine() -> None:
    assert said("UD-8", with_limits(hostile_files=(Answer(asked="a path with ..", status=400),))) == ()


def test_hostile_paths_that_were_not_tried_earn_no_pass() -> None:
    facts = injected()
    assert isinstance(said("UD-8", replace(facts, limits=limits())), NotObserved)


@pytest.mark.parametrize(("carriers", "allowed", "proof"), [((), 5, "travel by"), (("config-drive",), 0, "is 0")])
def test_clouds_without_a_way_for_files_prove_it(carriers: tuple[str, ...], allowed: int, proof: str) -> None:
    facts = replace(healthy_facts(), files=replace(files(), carriers=carriers, allowed=allowed, files=()))
    found = said("UD-8", facts)
    assert isinstance(found, NotApplicable)
    assert proof in found.proof


@pytest.mark.parametrize(
    "changes",
    [
        {"longest": Answer(asked="65535", status=413, message="too large")},
        {"too_long": Answer(asked="65536", status=202)},
        {"too_long": Answer(asked="65536", status=500)},
    ],
    ids=["refused", "taken", "an error"],
)
def test_another_limit_of_user_data_is_a_finding(changes: dict[str, Answer]) -> None:
    assert failing(with_limits(**changes)) == {"UD-6"}
