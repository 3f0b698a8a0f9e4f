from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from golden_flows.model.check import given
from golden_flows.model.facts import Facts
from golden_flows.model.finding import NotApplicable, NotObserved
from golden_flows.model.guest import MACHINE_IDS
from golden_flows.model.second_instance import LaterBoot, MachineIdentity, Neighbour
from selftests.golden_flows.checks.facts_builder import (
    failing,
    healthy_facts,
    later_boot,
    report,
    said,
    second_instance,
    with_second,
)

NEIGHBOUR = Neighbour(own="192.168.100.20", peer="192.168.100.22", seen_as="192.168.100.20")
CHECKS = ["AU-4", "UD-4", "UD-5", "UD-7"]
SILENT = replace(later_boot(), report=None, status="ERROR", fault="No valid host was found.")


@pytest.mark.parametrize(
    "identity",
    [MachineIdentity(host_key="SHA256:first", machine_id="twin"), MachineIdentity(host_key="k", machine_id="first")],
    ids=["host key", "machine-id"],
)
def test_a_copy_that_shows_its_origin_s_identity_is_a_finding(identity: MachineIdentity) -> None:
    assert failing(with_second(twin_identity=identity)) == {"AU-4"}


def test_a_machine_id_that_the_agent_cannot_make_anew_is_not_the_cloud_s_fault() -> None:
    kept = MachineIdentity(host_key="twin", machine_id="first")
    facts = with_second(first=MachineIdentity(host_key="first", machine_id="first"), twin_identity=kept)
    assert failing(facts) == {"AU-4"}
    boot = replace(given(facts.boot), agent_cannot={MACHINE_IDS: "it leaves them alone"})
    answer = said("AU-4", replace(facts, boot=boot))
    assert isinstance(answer, NotApplicable)
    assert "it leaves them alone" in str(answer)
    same = replace(given(facts.second_instance), twin_identity=MachineIdentity(host_key="first", machine_id="first"))
    assert failing(replace(facts, boot=boot, second_instance=same)) == {"AU-4"}


def test_images_without_a_machine_id_are_judged_by_their_host_keys() -> None:
    first, twin = (MachineIdentity(host_key=key, machine_id="") for key in ("a", "b"))
    assert said("AU-4", with_second(first=first, twin_identity=twin)) == ()


def test_servers_with_no_way_in_are_judged_by_their_host_keys() -> None:
    first, twin = (MachineIdentity(host_key=key) for key in ("a", "b"))
    facts = with_second(first=first, twin_identity=twin)
    assert isinstance(said("AU-4", facts), NotObserved)
    assert said("AU-4", replace(facts, dst=replace(facts.dst, auth=()))) == ()


def test_an_identity_that_could_not_be_read_earns_no_pass() -> None:
    assert isinstance(said("AU-4", with_second(twin_identity=MachineIdentity())), NotObserved)


def test_user_data_that_the_twin_did_not_run_is_a_finding() -> None:
    twin = replace(later_boot("twin", ran_this_boot=False), nonce_found="nonce-1")
    assert failing(with_second(twin=twin)) == {"UD-4", "UD-7"}


def test_an_agent_that_tells_little_is_believed_for_what_the_app_answers() -> None:
    twin = later_boot("twin", exit_code=None)
    assert [said(one, with_second(twin=twin)) for one in ("UD-4", "UD-7")] == [(), ()]


@pytest.mark.parametrize("run", [{"sha256": "0" * 64}, {"present": False, "sha256": None}], ids=str)
def test_other_user_data_after_a_rebuild_is_a_finding(run: dict[str, Any]) -> None:
    assert failing(with_second(rebuilt=replace(later_boot(**run), nonce_found="nonce-1"))) == {"UD-5", "UD-7"}


def test_user_data_after_a_rebuild_without_a_hash_earns_no_pass() -> None:
    assert isinstance(said("UD-5", with_second(rebuilt=later_boot(sha256=None))), NotObserved)


@pytest.mark.parametrize(
    "changes",
    [
        {"twin": later_boot("twin", exit_code=1)},
        {"rebuilt": later_boot(exit_code=2, failed_parts=1)},
        {"rebuilt": replace(later_boot(exit_code=None, failed_parts=2), nonce_found="nonce-1")},
    ],
    ids=["gzip failed", "multipart failed", "no part ran"],
)
def test_a_form_that_does_not_run_is_a_finding(changes: dict[str, LaterBoot]) -> None:
    assert failing(with_second(**changes)) == {"UD-7"}


def test_a_crlf_script_of_which_nothing_is_said_is_a_finding_and_a_degraded_agent_says_something() -> None:
    quiet = later_boot(failed_parts=0)
    assert failing(with_second(rebuilt=quiet)) == {"UD-7"}
    told = replace(quiet, report=replace(report(), verdict="degraded"))
    assert said("UD-7", with_second(rebuilt=told)) == ()


def test_a_crlf_script_that_the_agent_mended_has_run_and_needs_no_word() -> None:
    assert said("UD-7", with_second(rebuilt=later_boot(failed_parts=0, mended_parts=1))) == ()


@pytest.mark.parametrize("check_id", CHECKS)
def test_a_boot_that_was_not_seen_to_its_end_earns_no_pass(check_id: str) -> None:
    for twin in (None, SILENT):
        found = said(check_id, with_second(twin=twin, rebuilt=twin, error="the way in broke"))
        assert isinstance(found, NotObserved)
        assert found.reason


def only_injection(facts: Facts) -> Facts:
    return replace(facts, dst=replace(facts.dst, channels=("injection",)))


@pytest.mark.parametrize("check_id", ["UD-4", "UD-5", "UD-7"])
def test_clouds_without_user_data_prove_it(check_id: str) -> None:
    facts = only_injection(with_second(rebuilt=None, no_rebuild="none carries user data"))
    assert isinstance(said(check_id, facts), NotApplicable)
    assert said("AU-4", facts) == ()


@pytest.mark.parametrize("check_id", CHECKS)
def test_clouds_that_make_no_snapshot_prove_it(check_id: str) -> None:
    refused = "createImage: HTTP 405"
    facts = with_second(twin=None, rebuilt=None, no_snapshot=refused, no_rebuild="not tried without a twin")
    assert isinstance(said(check_id, facts), NotApplicable)


def test_clouds_that_do_not_rebuild_prove_it_and_are_judged_by_the_rest() -> None:
    facts = with_second(rebuilt=None, no_rebuild="compute up to 2.53")
    assert isinstance(said("UD-5", facts), NotApplicable)
    assert [said(one, facts) for one in ("AU-4", "UD-4", "UD-7")] == [(), (), ()]


def test_the_healthy_second_instance_is_whole() -> None:
    assert second_instance().twin is not None
    assert healthy_facts().second_instance == second_instance()


@pytest.mark.parametrize("seen_as", ["192.168.100.77", None], ids=["another address", "no answer"])
def test_a_server_that_its_neighbour_knows_otherwise_is_a_finding(seen_as: str | None) -> None:
    assert failing(with_second(neighbour=replace(NEIGHBOUR, seen_as=seen_as))) == {"N1-5"}


def test_addresses_may_be_spelled_otherwise() -> None:
    mapped = replace(NEIGHBOUR, seen_as="::ffff:192.168.100.20")
    assert said("N1-5", with_second(neighbour=mapped)) == ()
    six = Neighbour(own="fd00:0::5", peer="fd00::6", seen_as="fd00::5")
    assert said("N1-5", with_second(neighbour=six)) == ()


def test_a_twin_whose_app_answers_nobody_says_nothing_of_addresses() -> None:
    silent = replace(later_boot("twin"), nonce_found=None)
    facts = with_second(twin=silent, neighbour=replace(NEIGHBOUR, seen_as=None))
    assert isinstance(said("N1-5", facts), NotObserved)


@pytest.mark.parametrize("neighbour", [None, replace(NEIGHBOUR, error="connection lost")], ids=["nobody", "error"])
def test_a_neighbour_that_was_not_asked_earns_no_pass(neighbour: Neighbour | None) -> None:
    facts = with_second(neighbour=neighbour)
    assert isinstance(said("N1-5", facts), NotObserved)
    keyless = replace(facts, dst=replace(facts.dst, auth=()))
    assert isinstance(said("N1-5", keyless), NotApplicable)


def test_somebody_else_in_the_twin_s_place_says_nothing_of_addresses() -> None:
    stranger = replace(NEIGHBOUR, seen_as=None, stranger="<html>It works!</html>")
    found = said("N1-5", with_second(neighbour=stranger))
    assert isinstance(found, NotApplicable)
    assert "It works!" in found.proof
