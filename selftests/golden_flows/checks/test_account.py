from __future__ import annotations

from dataclasses import replace

import pytest

from golden_flows.model.account import AuthorizedKeys, KeyLine, PasswordPost, PostProbe
from golden_flows.model.facts import Facts, GuestFiles
from golden_flows.model.finding import NotApplicable, NotObserved
from selftests.golden_flows.checks.account_facts import (
    LAUNCHED,
    posted_facts,
    with_attempt,
    with_authorized,
    with_host_keys_of_home,
    with_keys,
)
from selftests.golden_flows.checks.facts_builder import (
    OWNER,
    attempt,
    failing,
    healthy_facts,
    key_line,
    said,
    source_boot,
    with_account,
    with_application,
    with_auth,
    with_dst,
    with_report,
)

UNSUPPORTED = PasswordPost(verdict="unsupported-key", reason="ssh-ed25519 cannot encrypt")


# -- AU-3


def test_a_host_key_of_home_is_a_finding() -> None:
    assert failing(with_host_keys_of_home()) == {"AU-3", "AU-4"}


def test_a_host_key_that_the_report_does_not_name_is_a_finding() -> None:
    found = said("AU-3", with_report(host_key_fingerprints=("SHA256:another",)))
    assert isinstance(found, tuple)
    assert found[0].actual == "SHA256:host"


@pytest.mark.parametrize(
    "facts",
    [
        with_report(host_key_fingerprints=()),
        with_auth(attempts=(replace(attempt("password", True), host_key_fingerprint=None),)),
        replace(healthy_facts(), source_boot=replace(source_boot(), report=None)),
    ],
)
def test_without_both_host_keys_there_is_no_pass(facts: Facts) -> None:
    assert isinstance(said("AU-3", facts), NotObserved)


# -- AU-6


def test_a_posted_password_that_is_kept_opens_and_logs_in_passes() -> None:
    facts = posted_facts()
    assert (said("AU-6", facts), failing(facts)) == ((), set())
    assert isinstance(said("AU-7", facts), NotApplicable)


@pytest.mark.parametrize(
    ("facts", "actual"),
    [
        (posted_facts(text_bytes=0), "nothing"),
        (posted_facts(api_status=403), "HTTP 403"),
        (posted_facts(unreadable="not encrypted with this key"), "512 characters; not encrypted with this key"),
        (posted_facts(told=PasswordPost(verdict="refused", reason="HTTP 500", status=500)), "refused HTTP 500"),
        (with_attempt(posted_facts(), "posted-password", False), "refused"),
        (posted_facts(second=PostProbe(status=200, kept=False)), "200"),
        (posted_facts(second=PostProbe(status=409, kept=False)), "HTTP 409, and then another text"),
        (posted_facts(oversized=PostProbe(status=200, kept=False)), "200"),
        (posted_facts(again=PostProbe(status=409, kept=False)), "409"),
    ],
)
def test_a_posted_password_that_goes_wrong_is_a_finding(facts: Facts, actual: str) -> None:
    found = said("AU-6", facts)
    assert isinstance(found, tuple)
    assert found[0].actual.startswith(actual)
    assert failing(facts) == {"AU-6"}


@pytest.mark.parametrize(
    "facts",
    [
        with_attempt(posted_facts(), "posted-password", None),
        posted_facts(second=None, trouble="no python3"),
        posted_facts(oversized=PostProbe(status=None, kept=None)),
        posted_facts(again=PostProbe(status=200, kept=None)),
        posted_facts(told=None),
        posted_facts(cleared_status=403, oversized=None, again=None),
    ],
)
def test_a_posted_password_that_was_not_tried_to_an_end_earns_no_pass(facts: Facts) -> None:
    assert isinstance(said("AU-6", facts), NotObserved)


@pytest.mark.parametrize("check_id", ["AU-6", "AU-7"])
def test_a_guest_that_was_not_to_post_is_not_judged(check_id: str) -> None:
    found = said(check_id, healthy_facts())
    assert isinstance(found, NotApplicable)
    assert "launched with password" in found.proof


@pytest.mark.parametrize(("check_id", "key_type"), [("AU-6", "ssh-rsa"), ("AU-7", "ssh-ed25519")])
def test_an_agent_that_posts_nothing_is_not_judged(check_id: str, key_type: str) -> None:
    facts = posted_facts(told=None, key_type=key_type)
    other = replace(facts, dst=replace(facts.dst, agent="cloud_init"))
    assert isinstance(said(check_id, other), NotApplicable)
    assert isinstance(said(check_id, facts), NotObserved)


# -- AU-7


def test_a_key_that_only_signs_is_told() -> None:
    facts = posted_facts(told=UNSUPPORTED, key_type="ssh-ed25519", text_bytes=0)
    assert said("AU-7", facts) == ()
    assert isinstance(said("AU-6", facts), NotApplicable)


@pytest.mark.parametrize(("told", "text_bytes"), [(PasswordPost(verdict="posted", status=200), 0), (UNSUPPORTED, 64)])
def test_a_guest_that_posts_all_the_same_is_a_finding(told: PasswordPost, text_bytes: int) -> None:
    assert failing(posted_facts(told=told, key_type="ssh-ed25519", text_bytes=text_bytes)) == {"AU-7"}


# -- AU-10


def test_the_owner_s_key_that_is_gone_is_a_finding() -> None:
    assert failing(with_authorized(posted_facts(), with_keys(LAUNCHED.text))) == {"AU-10"}


def test_a_key_from_nowhere_is_a_finding_and_those_of_home_are_not() -> None:
    home = key_line("ssh-ed25519", "of home")
    assert failing(with_authorized(posted_facts(), with_keys(OWNER.text, home.text, LAUNCHED.text))) == set()
    foreign = key_line("ssh-ed25519", "nobody")
    facts = with_authorized(posted_facts(), with_keys(OWNER.text, foreign.text, LAUNCHED.text))
    found = said("AU-10", facts)
    assert isinstance(found, tuple)
    assert [one.actual for one in found] == [foreign.fingerprint]


def test_keys_that_nobody_could_see_earn_no_pass() -> None:
    assert isinstance(said("AU-10", with_account(authorized_keys=None)), NotObserved)
    assert isinstance(said("AU-10", with_account(owner_fingerprint=None)), NotObserved)
    assert isinstance(said("AU-11", with_authorized(posted_facts(), None)), NotObserved)


def test_keys_of_another_account_or_of_no_account_are_not_judged() -> None:
    other, locked = with_dst(user="debian"), with_dst(auth=())
    assert isinstance(said("AU-10", other), NotApplicable)
    assert isinstance(said("AU-10", replace(locked, account=with_account(authorized_keys=None).account)), NotApplicable)
    source = replace(healthy_facts(), src=replace(healthy_facts().src, auth=()))
    assert isinstance(said("AU-10", source), NotApplicable)


# -- AU-11


@pytest.mark.parametrize(
    ("keys", "defect"),
    [
        (with_keys(OWNER.text, f"{LAUNCHED.text}{key_line('ssh-ed25519', 'next').text}"), "two keys on one line"),
        (with_keys(OWNER.text, f"{LAUNCHED.text}\r"), "a carriage return in it"),
        (with_keys(OWNER.text, LAUNCHED.text, "ssh-rsa AAAA"), "no key that sshd can read"),
        (with_keys(OWNER.text, LAUNCHED.text, LAUNCHED.text), "2 times"),
        (with_keys(OWNER.text, LAUNCHED.text, ends_in_newline=False), "none, so the next key is glued to it"),
    ],
)
def test_what_is_not_one_key_to_a_line_is_a_finding(keys: AuthorizedKeys, defect: str) -> None:
    facts = with_authorized(posted_facts(), keys)
    found = said("AU-11", facts)
    assert isinstance(found, tuple)
    assert [one.actual for one in found] == [defect]
    assert failing(facts) == {"AU-11"}


@pytest.mark.parametrize("text", [f'no-pty,command="ls -l" {OWNER.text}', OWNER.text.rpartition(" ")[0], OWNER.text])
def test_options_and_comments_are_no_defect(text: str) -> None:
    line = KeyLine(1, text)
    assert (line.defect, line.fingerprint) == ("", OWNER.fingerprint)


def test_a_file_is_read_by_lines_without_comments() -> None:
    keys = AuthorizedKeys.read("root", f"# mine\n\n{OWNER.text}")
    assert ([one.number for one in keys.lines], keys.ends_in_newline) == ([3], False)
    assert AuthorizedKeys.read("root", "").ends_in_newline
    # as ssh-keygen -lf prints it
    text = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl user@example"
    assert KeyLine(1, text).fingerprint == "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU"


# -- no way in


@pytest.mark.parametrize("check_id", ["BT-5", "PV-2", "AP-2", "PV-5", "N1-4"])
def test_what_nobody_was_to_look_at_is_not_judged_and_the_proof_says_so(check_id: str) -> None:
    app = with_application(closed_port_listening=None, kernel_log=None).application
    blind = replace(with_auth(asked=(), files=GuestFiles()), application=app)
    assert isinstance(said(check_id, blind), NotObserved)
    found = said(check_id, replace(blind, dst=replace(blind.dst, auth=())))
    assert isinstance(found, NotApplicable)
    assert "launched with no way in" in found.proof
