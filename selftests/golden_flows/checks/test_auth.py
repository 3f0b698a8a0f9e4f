from __future__ import annotations

from dataclasses import replace

import pytest

from golden_flows.model.facts import LoginAttempt, PasswordChange
from golden_flows.model.finding import NotApplicable, NotObserved
from selftests.golden_flows.checks.facts_builder import attempt, failing, said, with_auth, with_report
from selftests.golden_flows.checks.xen_facts import with_command, with_xen_auth

WITH_PASSWORD = (attempt("other-key", False), attempt("wrong-password", False))
WITH_KEY = (attempt("other-key", False), attempt("password", False))


@pytest.mark.parametrize(("check_id", "method"), [("AU-1", "key"), ("AU-5", "password")])
def test_the_asked_way_that_is_refused_is_a_finding(check_id: str, method: str) -> None:
    others = WITH_PASSWORD if method == "password" else WITH_KEY
    assert failing(with_auth(asked=(method,), attempts=(attempt(method, False), *others))) == {check_id}


def test_the_asked_key_that_is_accepted_passes() -> None:
    facts = with_auth(asked=("key",), attempts=(attempt("key", True), *WITH_KEY))
    assert failing(facts) == set()
    assert said("AU-1", facts) == ()


@pytest.mark.parametrize(("check_id", "method"), [("AU-1", "key"), ("AU-5", "password")])
def test_a_way_that_was_not_asked_for_is_not_judged(check_id: str, method: str) -> None:
    other = "password" if method == "key" else "key"
    found = said(check_id, with_auth(asked=(other,)))
    assert isinstance(found, NotApplicable)
    assert other in found.proof


@pytest.mark.parametrize(("check_id", "method"), [("AU-1", "key"), ("AU-5", "password")])
def test_a_try_that_was_not_finished_earns_no_pass(check_id: str, method: str) -> None:
    unknown = LoginAttempt(method=method, user="anne", accepted=None, error="connection timed out")
    found = said(check_id, with_auth(asked=(method,), attempts=(unknown,)))
    assert isinstance(found, NotObserved)
    assert "connection timed out" in found.reason
    assert isinstance(said(check_id, with_auth(asked=(method,), attempts=())), NotObserved)


@pytest.mark.parametrize("method", ["other-key", "wrong-password"])
def test_an_intruder_is_a_finding(method: str) -> None:
    attempts = (attempt("password", True), *(attempt(one.method, one.method == method) for one in WITH_PASSWORD))
    assert failing(with_auth(attempts=attempts)) == {"AU-2"}


@pytest.mark.parametrize("method", ["password", "wrong-password"])
def test_any_password_is_an_intruder_where_none_was_asked(method: str) -> None:
    attempts = (attempt("key", True), attempt("other-key", False), attempt(method, True))
    assert failing(with_auth(asked=("key",), attempts=attempts)) == {"AU-2"}


@pytest.mark.parametrize("asked", ["key", "password"])
def test_the_password_of_home_is_an_intruder_abroad(asked: str) -> None:
    others = WITH_KEY if asked == "key" else WITH_PASSWORD
    attempts = (attempt(asked, True), *others, attempt("home-password", True))
    facts = with_auth(asked=(asked,), attempts=attempts)
    assert failing(facts) == {"AU-2"}
    found = said("AU-2", facts)
    assert isinstance(found, tuple)
    assert "first boot" in found[0].remedy
    assert said("AU-2", with_auth(asked=(asked,), attempts=(*attempts[:-1], attempt("home-password", False)))) == ()
    assert isinstance(
        said("AU-2", with_auth(asked=(asked,), attempts=(*attempts[:-1], attempt("home-password", None)))), NotObserved
    )


@pytest.mark.parametrize("method", ["other-key", "wrong-password"])
def test_an_intruder_that_was_not_tried_earns_no_pass(method: str) -> None:
    attempts = tuple(one for one in WITH_PASSWORD if one.method != method)
    assert isinstance(said("AU-2", with_auth(attempts=attempts)), NotObserved)
    assert isinstance(said("AU-2", with_auth(attempts=(*attempts, attempt(method, None)))), NotObserved)


def test_a_key_that_the_cloud_adds_on_its_own_is_a_finding() -> None:
    told = with_report(authorized_key_fingerprints=("SHA256:anne", "SHA256:stale"))
    launched = with_auth(launched_key_fingerprints=("SHA256:anne",)).auth
    found = said("AU-2", replace(told, auth=launched))
    assert isinstance(found, tuple)
    assert [one.actual for one in found] == ["SHA256:stale"]
    assert said("AU-2", replace(with_report(authorized_key_fingerprints=("SHA256:anne",)), auth=launched)) == ()


def changed(status: int, message: str = "", **accepted: bool | None) -> PasswordChange:
    attempts = tuple(attempt(method.replace("_", "-"), said_yes) for method, said_yes in accepted.items())
    return PasswordChange(status=status, message=message, attempts=attempts)


def test_a_new_password_that_logs_in_and_the_old_one_no_more_pass() -> None:
    assert said("AU-9", with_auth(password_change=changed(202, new_password=True, old_password=False))) == ()


@pytest.mark.parametrize(("new", "old"), [(False, True), (False, False), (True, True)])
def test_a_change_that_was_taken_and_not_done_is_a_finding(new: bool, old: bool) -> None:
    assert failing(with_auth(password_change=changed(202, new_password=new, old_password=old))) == {"AU-9"}


def test_a_password_that_the_guest_did_not_take_leaves_the_old_one_working() -> None:
    kept = said("AU-9", with_auth(password_change=changed(202, new_password=False, old_password=True)))
    assert isinstance(kept, tuple)
    assert [one.subject.split(" as ")[0] for one in kept] == ["SSH login by new-password"]
    lost = said("AU-9", with_auth(password_change=changed(202, new_password=False, old_password=False)))
    assert isinstance(lost, tuple)
    assert [one.expected for one in lost] == ["accepted", "accepted"]


def test_a_change_that_was_not_tried_to_an_end_earns_no_pass() -> None:
    facts = with_auth(password_change=changed(202, new_password=True, old_password=None))
    assert isinstance(said("AU-9", facts), NotObserved)
    assert isinstance(said("AU-9", with_auth(password_change=changed(202))), NotObserved)
    assert isinstance(said("AU-9", with_auth(password_change=None)), NotObserved)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (501, "Unable to set password on instance"),
        (409, "Set admin password is not supported"),
        (409, "QEMU guest agent is not enabled"),
        (400, "Instance agent isn't enabled: no agent in the guest"),
        (403, "Policy doesn't allow os_compute_api:os-admin-password"),
    ],
)
def test_a_cloud_that_has_no_way_to_set_a_password_proves_it_by_its_answer(status: int, message: str) -> None:
    found = said("AU-9", with_auth(password_change=changed(status, message, old_password=True)))
    assert isinstance(found, NotApplicable)
    assert f"HTTP {status} {message}" in found.proof


@pytest.mark.parametrize(
    ("status", "message"),
    [(409, "Failed to set admin password on 1-2 because error setting admin password"), (500, "unexpected"), (401, "")],
)
def test_a_change_that_failed_is_a_finding(status: int, message: str) -> None:
    assert failing(with_auth(password_change=changed(status, message, old_password=True))) == {"AU-9"}


def test_a_cloud_that_claims_xenstore_cannot_say_that_it_has_no_way() -> None:
    assert failing(with_xen_auth(password_change=changed(501, "not implemented", old_password=True))) == {"AU-9"}


def test_a_password_that_the_guest_refused_is_told_with_its_answer_and_the_old_one_must_live_on() -> None:
    facts = with_command("password", "500", "no UTF-8 after decryption")
    change = changed(409, "Failed to set admin password", old_password=False)
    found = said("AU-9", replace(facts, auth=with_xen_auth(password_change=change).auth))
    assert isinstance(found, tuple)
    assert [one.subject.split(" as ")[0] for one in found] == ["changePassword", "SSH login by old-password"]
    assert "the guest answered keyinit D0 123, password 500 no UTF-8 after decryption" in found[0].actual


def test_a_server_without_a_password_has_none_to_change() -> None:
    assert isinstance(said("AU-9", with_auth(asked=("key",), password_change=None)), NotApplicable)
