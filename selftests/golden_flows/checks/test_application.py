from __future__ import annotations

from dataclasses import replace

import pytest

from golden_flows.model.finding import NotApplicable, NotObserved
from golden_flows.model.guest import UserDataRun
from selftests.golden_flows.checks.facts_builder import (
    failing,
    healthy_facts,
    port,
    power,
    said,
    user_data,
    with_application,
    with_power,
    with_report,
)


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce_found": "of another guest"},
        {"nonce_found": None},
        {"status": 404, "nonce_found": None},
        {"status": None, "nonce_found": None, "error": "connection refused"},
        {"status": 500},
    ],
    ids=str,
)
def test_an_answer_without_our_nonce_is_a_finding(changes: dict[str, object]) -> None:
    silent = changes.get("status", 200) is None  # it had answered before the reboot
    assert failing(with_application(**changes)) == ({"AP-1", "AP-4"} if silent else {"AP-1"})


def test_another_responder_is_not_blamed_for_the_data() -> None:
    assert failing(with_application(nonce_found="x", payload_served_sha256="0" * 64)) == {"AP-1"}
    unread = with_application(nonce_found="x", payload_served_sha256="0" * 64, payload_guest_sha256=None)
    assert isinstance(said("AP-5", unread), NotObserved)


def test_an_open_port_is_a_finding() -> None:
    assert failing(with_application(closed_port_open=True)) == {"AP-2"}


@pytest.mark.parametrize(
    "changes", [{"closed_port_listening": False}, {"closed_port_listening": None}, {"closed_port_open": None}], ids=str
)
def test_silence_of_a_port_where_nothing_listens_proves_nothing(changes: dict[str, object]) -> None:
    assert isinstance(said("AP-2", with_application(**changes)), NotObserved)


@pytest.mark.parametrize("found", ["0" * 64, ""], ids=["other data", "no such file"])
def test_data_that_did_not_travel_is_a_finding(found: str) -> None:
    assert failing(with_application(payload_guest_sha256=found)) == {"AP-5"}


def test_the_served_payload_decides_where_nobody_could_log_in() -> None:
    assert said("AP-5", with_application(payload_guest_sha256=None)) == ()
    assert failing(with_application(payload_guest_sha256=None, payload_served_sha256="0" * 64)) == {"AP-5"}
    unseen = with_application(payload_guest_sha256=None, payload_served_sha256=None)
    assert isinstance(said("AP-5", unseen), NotObserved)


def test_the_nonce_of_home_is_not_judged_where_user_data_never_came() -> None:
    told = with_report(user_data=UserDataRun())
    stale = with_application(nonce_found="of home").application
    assert isinstance(said("AP-1", replace(told, application=stale)), NotObserved)
    silent = with_application(status=None, nonce_found=None).application
    assert isinstance(said("AP-1", replace(told, application=silent)), tuple)


@pytest.mark.parametrize(
    "changes",
    [
        {"payload_served_sha256": "0", "payload_error": "the body took longer than 15 s"},
        {"payload_served_sha256": None},
        {"payload_served_sha256": "0"},
        {"sent_found_sha256": "0"},
        {"sent_found_sha256": None, "sent_error": "ConnectionError: timed out"},
    ],
    ids=["stalls on its way here", "is not served", "comes otherwise", "arrives otherwise", "stalls on its way there"],
)
def test_a_large_body_that_does_not_pass_is_a_finding(changes: dict[str, object]) -> None:
    assert failing(with_application(**changes)) == {"AP-3"}


def test_what_passes_as_the_guest_has_it_is_no_finding() -> None:
    """Whether it is what was written at home is another question."""
    assert said("AP-3", with_application(payload_guest_sha256="0", payload_served_sha256="0")) == ()


def test_another_s_answer_says_nothing_of_large_bodies() -> None:
    assert isinstance(said("AP-3", with_application(nonce_found="of another guest")), NotApplicable)


def test_an_address_that_the_reboot_changed_is_a_finding_though_the_app_answers() -> None:
    moved = replace(port(0), fixed_ip="192.168.100.21")
    found = said("AP-4", with_power(ports=(moved, port(1))))
    assert isinstance(found, tuple)
    assert found[0].actual == "192.168.100.21"


def test_a_port_that_came_later_is_not_taken_for_the_first() -> None:
    further = replace(port(0), port_id="later", mac="fa:16:3e:00:00:99", fixed_ip="192.168.100.77")
    assert said("AP-4", with_power(ports=(further, port(0), port(1)))) == ()


def test_an_app_that_was_silent_once_and_answers_later_proves_nothing() -> None:
    facts = replace(healthy_facts(), power=replace(power(), app_before=False))
    assert isinstance(said("AP-4", facts), NotObserved)


@pytest.mark.parametrize("which", ["payload", "sent"])
def test_a_body_that_was_only_slow_is_no_finding(which: str) -> None:
    late = {f"{which}_late": True, f"{which}_error": "the body took longer than 120 s"}
    facts = with_application(**late) if which == "payload" else with_application(**late, sent_found_sha256=None)
    told = said("AP-3", facts)
    assert isinstance(told, NotObserved)
    assert "longer than 120 s" in told.reason


def test_an_app_that_never_answered_cannot_be_back() -> None:
    facts = replace(with_application(status=None, nonce_found=None), power=replace(power(), app_before=False))
    assert isinstance(said("AP-4", facts), NotApplicable)


def test_a_guest_that_did_not_come_up_again_earns_no_pass() -> None:
    lost = replace(healthy_facts(), user_data=replace(user_data(), after_reboot=None))
    assert isinstance(said("AP-4", lost), NotObserved)
    assert isinstance(said("LC-1", lost), NotObserved)
