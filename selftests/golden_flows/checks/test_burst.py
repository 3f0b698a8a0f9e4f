"""Many instances at once: what each check says of a burst that came up, in part or not at all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from golden_flows.model.burst import BurstFacts, BurstServer, is_capacity, ramp_of
from golden_flows.model.facts import Facts
from golden_flows.model.finding import NotApplicable, NotObserved
from golden_flows.model.guest import MACHINE_IDS, Link
from selftests.golden_flows.checks.burst_facts import burst, never_made, one, silent, with_told
from selftests.golden_flows.checks.facts_builder import boot, healthy_facts, said

NO_HOST = "No valid host was found. There are not enough hosts available."
QUOTA = "HTTP 403 Quota exceeded for instances: Requested 4, but already used 18 of 20 instances"
EVERY = ("BU-1", "BU-2", "BU-3", "BU-4", "BU-5")


def cell(seen: BurstFacts) -> Facts:
    return replace(healthy_facts(), burst=seen)


def found(check_id: str, seen: BurstFacts) -> list[str]:
    """Subjects of its findings."""
    answer = said(check_id, cell(seen))
    assert isinstance(answer, tuple), answer
    return [one.subject for one in answer]


def unseen(check_id: str, seen: BurstFacts) -> str:
    answer = said(check_id, cell(seen))
    assert isinstance(answer, NotObserved), answer
    return answer.reason


@pytest.mark.parametrize("check_id", EVERY)
def test_a_burst_that_came_up_passes(check_id: str) -> None:
    assert said(check_id, cell(burst())) == ()


# -- BU-1


@pytest.mark.parametrize(
    "message",
    [
        NO_HOST,
        QUOTA,
        "HTTP 413 Over limit",
        "HTTP 403 Quota exceeded for cores, ram",
        "HTTP 400 No more IP addresses available on network 1.",
        "HTTP 403 Maximum number of ports exceeded; quota",
        "Insufficient compute resources: Requested instance NUMA topology cannot fit",
    ],
)
def test_room_is_known_by_its_words(message: str) -> None:
    assert is_capacity(message)


@pytest.mark.parametrize(
    "message",
    [
        "",
        "Exceeded maximum number of retries. Exhausted all hosts available for retrying build failures for instance 1.",
        "Build of instance 1 aborted: Image 2 is unacceptable",
        "HTTP 403 Policy doesn't allow os_compute_api:servers:create to be performed.",
    ],
)
def test_a_failed_build_or_a_policy_is_no_want_of_room(message: str) -> None:
    assert not is_capacity(message)


def test_want_of_room_is_no_defect_and_no_pass_either() -> None:
    some = burst(one(1), one(2), replace(silent(3), status="ERROR", fault=NO_HOST))
    assert "no room, which is no defect of the pair: 2 of 3 instances came up: No valid host" in unseen("BU-1", some)
    none = burst(*(never_made(number, QUOTA) for number in (1, 2, 3)))
    assert "0 of 3 instances came up: HTTP 403 Quota exceeded" in unseen("BU-1", none)
    assert "for want of room" in unseen("BU-3", some)
    for check_id in ("BU-2", "BU-3", "BU-4", "BU-5"):
        unseen(check_id, none)


def test_a_defect_beside_want_of_room_is_a_finding() -> None:
    seen = burst(one(1), silent(2), replace(silent(3), status="ERROR", fault=NO_HOST))
    assert found("BU-1", seen) == ["burst-2"]


def test_those_that_fail_alike_are_told_together() -> None:
    aborted = "Build of instance aborted"
    many = burst(one(1), *(replace(silent(n), status="ERROR", fault=aborted) for n in range(2, 11)), silent(11))
    assert found("BU-1", many) == ["9 instances (burst-2, burst-3, …)", "burst-11"]


def test_fewer_than_were_asked_for_is_a_defect_where_nobody_says_why() -> None:
    assert found("BU-1", burst(one(1), one(2), never_made(3))) == ["burst-3"]


def test_who_came_up_early_must_still_answer_when_all_have() -> None:
    findings = said("BU-1", cell(burst(one(1), replace(one(2), lost="no answer (timed out)"))))
    assert isinstance(findings, tuple)
    assert ["when all had: no answer" in finding.actual for finding in findings] == [True]


def test_what_we_could_not_follow_is_broken() -> None:
    assert "followed" in unseen("BU-1", burst(one(1), silent(2), error="cloud 'x': it did not answer in time"))


def test_no_address_left_for_a_server_is_want_of_room() -> None:
    none_left = "taking a floating IP: HTTP 409 No more IP addresses available on network 1."
    seen = burst(one(1), silent(2, untaken=none_left))
    assert "no room, which is no defect of the pair: 1 of 2 instances came up: taking a" in unseen("BU-1", seen)
    assert seen.failed == ()


def test_a_server_that_nobody_could_ask_is_ours() -> None:
    seen = burst(one(1), silent(2, untaken="listing ports: HTTP 503"))
    assert unseen("BU-1", seen) == "burst-2: ACTIVE, and nobody could ask it: listing ports: HTTP 503"
    assert seen.failed == ()
    assert found("BU-1", burst(one(1), silent(2, untaken="listing ports: HTTP 503"), silent(3))) == ["burst-3"]


@pytest.mark.parametrize("status", ["ERROR", "DELETED", "SHUTOFF"])
def test_who_came_up_must_be_active_still_when_all_have(status: str) -> None:
    seen = burst(one(1), replace(one(2), status=status, fault="boom"))
    assert found("BU-1", seen) == ["burst-2"]
    assert len(ramp_of(seen).up_s) == 1


# -- BU-2


def changed(check_id: str, **changes: Any) -> list[str]:
    """Subjects of findings where the second and third have these in common."""
    return found(check_id, burst(one(1), replace(one(2), **changes), replace(one(3), **changes)))


def test_every_part_of_an_identity_counts() -> None:
    assert changed("BU-2", machine_id="m") == ["machine-id of burst-2, burst-3"]
    assert changed("BU-2", id="id-2") == ["id of burst-2, burst-3"]
    assert changed("BU-2", host_key="SHA256:x") == ["SSH host key of burst-2, burst-3"]
    nics = one(2).nics
    assert changed("BU-2", nics=nics)[:2] == ["address of burst-2, burst-3"] * 2
    assert changed("BU-2", answer="0a1b2c interop-run-1-burst-2 same") == ["random uuid of burst-2, burst-3"]
    twins = [with_told(one(n), boot_id="b", ec2_instance_id="i-1") for n in (2, 3)]
    assert found("BU-2", burst(one(1), *twins)) == [
        "EC2 instance-id of burst-2, burst-3",
        "boot id of burst-2, burst-3",
    ]


def test_an_agent_that_makes_no_machine_ids_is_no_cloud_s_defect() -> None:
    facts = cell(burst(*(replace(one(n), machine_id="image") for n in (1, 2, 3))))
    stock = replace(facts, boot=replace(boot(), agent_cannot={MACHINE_IDS: "cloud-init 22 makes none"}))
    assert isinstance(said("BU-2", facts), tuple)
    assert isinstance(said("BU-2", stock), NotApplicable)


def test_whoever_was_not_looked_at_earns_no_pass() -> None:
    assert "no look at its machine-id" in unseen("BU-2", burst(one(1), replace(one(2), machine_id=None)))
    locked = replace(cell(burst(one(1), replace(one(2), machine_id=None))))
    nobody_asked = replace(locked, dst=replace(locked.dst, auth=()))
    assert said("BU-2", nobody_asked) == ()
    blind = replace(one(2), told=None, host_key=None, error="no SSH session at root@10.0.0.9:22")
    for check_id in ("BU-2", "BU-3", "BU-4"):
        assert "no SSH session" in unseen(check_id, burst(one(1), blind))


def test_without_anything_drawn_at_random_nobody_is_known_to_draw_for_himself() -> None:
    mute = with_told(replace(one(2), answer="0a1b2c"), boot_id="")
    assert "drew at random" in unseen("BU-2", burst(one(1), mute))
    assert said("BU-2", cell(burst(one(1), with_told(replace(one(2), answer="0a1b2c"))))) == ()


def test_a_burst_of_one_shares_nothing() -> None:
    assert isinstance(said("BU-2", cell(burst(one(1)))), NotApplicable)


# -- BU-3


def told_otherwise(**changes: object) -> list[str]:
    return found("BU-3", burst(one(1), with_told(one(2), **changes), one(3)))


def test_each_must_be_told_its_own() -> None:
    assert told_otherwise(uuid="id-3") == ["uuid that burst-2 was told"]
    assert told_otherwise(hostname="interop-run-1-burst-3.novalocal") == ["host name of burst-2"]
    assert told_otherwise(user_data_sha256="0") == ["user data of burst-2"]
    assert told_otherwise(user_data_sha256=None) == ["user data of burst-2"]


def test_who_says_nothing_of_himself_was_not_seen_to_be_told() -> None:
    mute = with_told(replace(one(2), answer="0a1b2c"), uuid=None, hostname=None, user_data_sha256=None)
    assert "said nothing of what it was told" in unseen("BU-3", burst(one(1), mute, sent_sha256=""))


def test_the_app_s_own_word_counts_as_well() -> None:
    wrong: BurstServer = replace(one(2), answer="0a1b2c interop-run-1-burst-1 random-2")
    assert found("BU-3", burst(one(1), wrong)) == ["host name of burst-2"]


def test_what_a_channel_does_not_tell_is_no_defect() -> None:
    assert said("BU-3", cell(burst(*(with_told(one(n), uuid=None, hostname="") for n in (1, 2))))) == ()
    untold = [replace(with_told(one(n), user_data_sha256=None), answer="0a1b2c") for n in (1, 2)]
    assert said("BU-3", cell(burst(*untold, sent_sha256=""))) == ()


# -- BU-4


def test_an_address_must_be_on_its_own_nic() -> None:
    mine, other = one(1).told, one(2)
    assert mine is not None
    assert other.told is not None
    bare = with_told(other, links=(other.told.links[0], Link(name="eth1", mac=other.nics[1].mac)))
    exchanged = with_told(one(3), links=(other.told.links[0], replace(mine.links[1], mac=one(3).nics[1].mac)))
    assert found("BU-4", burst(one(1), bare, exchanged)) == [
        f"port {other.nics[1].mac} of burst-2",
        f"port {one(3).nics[1].mac} of burst-3",
    ]


def test_one_nic_each_is_nothing_to_judge() -> None:
    facts = cell(burst())
    assert isinstance(said("BU-4", replace(facts, boot=replace(boot(), ports=boot().ports[:1]))), NotApplicable)


# -- BU-5


def test_what_is_left_is_a_finding_and_what_could_not_be_seen_is_none() -> None:
    assert found("BU-5", burst(leftovers=("server burst-1", "port x")))
    assert "HTTP 500" in unseen("BU-5", burst(deletion_errors=("listing: HTTP 500",)))


def test_the_ramp_is_sorted_and_names_who_is_missing() -> None:
    ramp = ramp_of(burst(one(2), one(1), replace(silent(3), status="ERROR", fault=NO_HOST), never_made(4)))
    assert ramp.up_s == (10.0, 20.0)
    assert ramp.active_s == (2.0, 4.0, 6.0)
    assert ramp.lacking == (f"burst-3: ERROR: {NO_HOST}", "burst-4: never made, and nobody says why")


def test_a_port_less_than_the_others_have_is_a_finding_and_one_without_an_address_was_not_seen() -> None:
    whole, short = one(2), replace(one(2), nics=one(2).nics[:1])
    assert found("BU-4", burst(one(1), short)) == ["ports of burst-2"]
    bare = replace(whole, nics=(whole.nics[0], replace(whole.nics[1], addresses=())))
    assert "the API knows no address" in unseen("BU-4", burst(one(1), bare))
