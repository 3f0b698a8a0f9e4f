from __future__ import annotations

from dataclasses import replace

import pytest

from golden_flows.model.finding import NotObserved
from golden_flows.model.guest import UserDataRun
from selftests.golden_flows.checks.facts_builder import failing, said, with_application, with_report


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
    assert failing(with_application(**changes)) == {"AP-1"}


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
