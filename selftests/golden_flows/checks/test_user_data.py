from __future__ import annotations

from dataclasses import replace

import pytest

from golden_flows.model.finding import NotObserved
from golden_flows.model.guest import UserDataRun
from selftests.golden_flows.checks.facts_builder import (
    failing,
    healthy_facts,
    report,
    said,
    user_data,
    with_reboot,
    with_user_data_run,
)

OTHER_UUID = "6f1d2c3b-0000-4000-8000-00000000ffff"


def test_other_bytes_are_a_finding() -> None:
    assert failing(with_user_data_run(sha256="0" * 64, bytes=13)) == {"UD-1"}


def test_bytes_that_never_came_also_never_ran() -> None:
    nothing = replace(report(), user_data=UserDataRun())
    facts = replace(healthy_facts(), user_data=replace(user_data(), first=nothing, after_reboot=nothing))
    assert failing(facts) == {"UD-1", "UD-2"}
    assert isinstance(said("UD-3", facts), NotObserved)


def test_no_hash_no_pass() -> None:
    assert isinstance(said("UD-1", with_user_data_run(sha256=None)), NotObserved)


@pytest.mark.parametrize("changes", [{"uid": 1000}, {"network_up": False}, {"exit_code": 1}], ids=str)
def test_a_run_that_is_not_as_promised_is_a_finding(changes: dict[str, object]) -> None:
    assert failing(with_user_data_run(**changes)) == {"UD-2"}


def test_two_runs_at_first_boot_are_a_finding() -> None:
    assert "UD-2" in failing(with_user_data_run(run_count=2))


@pytest.mark.parametrize("name", ["uid", "network_up", "exit_code"])
def test_what_was_not_reported_of_the_run_earns_no_pass(name: str) -> None:
    assert isinstance(said("UD-2", with_user_data_run(**{name: None})), NotObserved)


def test_a_new_uuid_after_a_reboot_is_a_finding() -> None:
    assert failing(with_reboot(identity=replace(report().identity, uuid=OTHER_UUID))) == {"UD-3", "LC-1"}


@pytest.mark.parametrize(("run_count", "ran_this_boot"), [(2, False), (1, True), (2, True)])
def test_running_again_is_a_finding(run_count: int, ran_this_boot: bool) -> None:
    again = replace(report().user_data, run_count=run_count, ran_this_boot=ran_this_boot)
    assert failing(with_reboot(user_data=again)) == {"UD-3"}


def test_a_guest_that_did_not_reboot_earns_no_pass() -> None:
    assert isinstance(said("UD-3", with_reboot(boot_id=report().boot_id)), NotObserved)
    gone = replace(user_data(), after_reboot=None, reboot_error="no report within 120 s")
    found = said("UD-3", replace(healthy_facts(), user_data=gone))
    assert isinstance(found, NotObserved)
    assert "120 s" in found.reason


def test_no_uuid_after_the_reboot_earns_no_pass() -> None:
    assert isinstance(said("UD-3", with_reboot(identity=replace(report().identity, uuid=None))), NotObserved)
