from __future__ import annotations

import pytest

from golden_flows.model.finding import NotObserved
from selftests.golden_flows.checks.facts_builder import failing, said, with_application


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
