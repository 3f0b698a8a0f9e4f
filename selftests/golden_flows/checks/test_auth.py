from __future__ import annotations

from dataclasses import replace

import pytest

from golden_flows.model.facts import LoginAttempt
from golden_flows.model.finding import NotApplicable, NotObserved
from selftests.golden_flows.checks.facts_builder import attempt, failing, said, with_auth, with_report

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
