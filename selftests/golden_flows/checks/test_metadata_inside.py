from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from golden_flows.model.finding import Finding, NotApplicable, NotObserved
from golden_flows.model.metadata_seen import MetadataChange, MetadataSeen
from selftests.golden_flows.checks.facts_builder import (
    boot,
    failing,
    healthy_facts,
    own,
    port,
    said,
    with_boot,
    with_metadata_seen,
)

CHECKS = ("MD-4", "MD-5", "MD-6", "MD-7", "MD-12", "MD-14")
UNANSWERED: dict[str, Any] = {"status": None, "identity": None, "error": "TimeoutError: timed out"}


@pytest.mark.parametrize("check_id", CHECKS)
def test_passes_on_a_healthy_cloud(check_id: str) -> None:
    assert said(check_id, healthy_facts()) == ()


@pytest.mark.parametrize("check_id", CHECKS)
def test_without_metadata_over_http_there_is_nothing_to_judge(check_id: str) -> None:
    verdict = said(check_id, replace(healthy_facts(), metadata_seen=MetadataSeen()))
    assert verdict == NotApplicable("no metadata over HTTP was seen, and public claims openstack-http, config-drive")


@pytest.mark.parametrize("check_id", CHECKS)
def test_a_guest_that_could_not_ask_is_not_observed(check_id: str) -> None:
    seen = MetadataSeen(tree="openstack-http", unseen="the guest has no python3, which the probes need")
    verdict = said(check_id, replace(healthy_facts(), metadata_seen=seen))
    assert verdict == NotObserved("the guest has no python3, which the probes need")


@pytest.mark.parametrize("check_id", sorted({*CHECKS} - {"MD-12"}))
def test_without_an_answer_for_its_own_data_nothing_else_is_judged(check_id: str) -> None:
    verdict = said(check_id, with_metadata_seen(own=own("/x", **UNANSWERED)))
    assert isinstance(verdict, NotObserved)
    assert "TimeoutError" in verdict.reason


def test_no_answer_at_all_fails_the_check_of_answers_in_time() -> None:
    assert failing(with_metadata_seen(own=own("/x", **UNANSWERED))) == {"MD-12"}


@pytest.mark.parametrize("changes", [{"status": 500}, {"status": 200}, UNANSWERED, {"elapsed_s": 6.0}])
def test_a_missing_path_must_be_404_and_fast(changes: dict[str, Any]) -> None:
    assert failing(with_metadata_seen(missing=(replace(own("/none", status=404), **changes),))) == {"MD-4"}


@pytest.mark.parametrize("read", ["Z\xc3\xbcrich", "Zurich", None])
def test_a_changed_value_is_named_with_both_texts(read: str | None) -> None:
    meta = {"interop_unicode": read} if read else {}
    (finding,) = _findings("MD-5", meta_asked={"interop_unicode": "Zürich"}, meta_read=meta)
    assert finding.subject == "metadata value interop_unicode"
    assert finding.expected == r"'Z\xfcrich'"
    assert finding.actual == (ascii(read) if read else "nothing")


def test_metadata_of_another_form_is_a_finding() -> None:
    assert failing(with_metadata_seen(meta_read=None)) == {"MD-5"}


@pytest.mark.parametrize("check_id", ["MD-5", "MD-14"])
def test_the_ec2_tree_does_not_carry_metadata(check_id: str) -> None:
    verdict = said(check_id, with_metadata_seen(tree="ec2-http", meta_read=None, change=None))
    assert isinstance(verdict, NotApplicable)
    assert "only the EC2 tree" in verdict.proof


def test_a_cloud_that_nobody_owns_is_not_attacked() -> None:
    verdict = said("MD-6", with_metadata_seen(owned=False, forged=()))
    assert isinstance(verdict, NotApplicable)
    assert "--i-own-this-cloud public" in verdict.proof


@pytest.mark.parametrize("changes", [{"identity": "another"}, {"status": 404, "identity": None}, {"status": 403}])
def test_forged_headers_must_change_nothing(changes: dict[str, Any]) -> None:
    assert failing(with_metadata_seen(forged=(own("X-Instance-ID", **changes),))) == {"MD-6"}


@pytest.mark.parametrize("changes", [{"status": 404, "identity": None}, {"status": 403, "identity": None}, UNANSWERED])
def test_a_refusal_from_the_second_address_is_fine(changes: dict[str, Any]) -> None:
    assert said("MD-7", with_metadata_seen(second=(own("from 192.168.200.20", **changes),))) == ()


def test_one_nic_has_no_second_address() -> None:
    assert said("MD-7", with_boot(ports=(port(0),))) == NotApplicable("the server has one NIC")


def test_over_ipv6_the_second_address_says_nothing() -> None:
    verdict = said("MD-7", with_boot(ports=(replace(port(0), fixed_ip="2001:db8::5"), port(1))))
    assert isinstance(verdict, NotApplicable)


@pytest.mark.parametrize("error", ["", "OSError: [Errno 99] Cannot assign requested address"])
def test_an_address_that_the_guest_does_not_have_asks_nothing(error: str) -> None:
    second = (own("from 192.168.200.20", status=None, identity=None, error=error),) if error else ()
    verdict = said("MD-7", with_metadata_seen(second=second))
    assert verdict == NotApplicable("the guest has no NIC with 192.168.200.20 to ask from (N2-1 says more)")
    assert boot().ports[1].fixed_ip == "192.168.200.20"


@pytest.mark.parametrize("group", ["in_turn", "at_once"])
@pytest.mark.parametrize("changes", [{"status": 503}, UNANSWERED])
def test_one_bad_answer_among_many_is_a_finding(group: str, changes: dict[str, Any]) -> None:
    assert failing(with_metadata_seen(**{group: (own("/x"), own("/x", **changes))})) == {"MD-12"}


def test_a_cloud_that_lets_nobody_change_metadata_is_not_judged() -> None:
    verdict = said("MD-14", with_metadata_seen(change=MetadataChange(status=403, message="policy")))
    assert verdict == NotApplicable("public lets no tenant change metadata: HTTP 403 policy")


@pytest.mark.parametrize("change", [None, MetadataChange(status=500, message="oops")])
def test_metadata_that_could_not_be_changed_is_not_observed(change: MetadataChange | None) -> None:
    assert isinstance(said("MD-14", with_metadata_seen(change=change)), NotObserved)


def _findings(check_id: str, **changes: Any) -> tuple[Finding, ...]:
    verdict = said(check_id, with_metadata_seen(**changes))
    assert isinstance(verdict, tuple)
    return verdict
