from __future__ import annotations

from dataclasses import replace

import pytest

from golden_flows.model.facts import Facts
from golden_flows.model.finding import NotApplicable, NotObserved
from selftests.golden_flows.checks.facts_builder import (
    failing,
    healthy_facts,
    imported,
    said,
    with_export,
    with_import,
    with_probe,
)


@pytest.mark.parametrize("seen", [("active",), ("queued", "active"), ("queued", "importing", "active")], ids=" ".join)
def test_polling_may_miss_short_statuses(seen: tuple[str, ...]) -> None:
    assert said("IM-2", with_import(statuses_seen=seen)) == ()


@pytest.mark.parametrize(
    ("seen", "final"),
    [
        (("queued", "uploading", "importing", "queued"), "queued"),
        (("queued", "importing", "uploading", "active"), "active"),
        (("queued", "importing"), "importing"),
        (("queued", "killed"), "killed"),
        (("queued", "active"), "deleted"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value),
)
def test_a_step_back_or_another_end_is_a_finding(seen: tuple[str, ...], final: str) -> None:
    assert failing(with_import(statuses_seen=seen, final_status=final)) == {"IM-2"}


def test_the_cloud_s_own_message_is_told() -> None:
    found = said("IM-2", with_import(statuses_seen=("queued",), final_status="queued", message="staging store is gone"))
    assert isinstance(found, tuple)
    assert "staging store is gone" in found[0].actual


@pytest.mark.parametrize("name", ["create_status", "stage_status", "import_status"])
def test_each_answer_of_the_import_is_judged(name: str) -> None:
    assert failing(with_import(**{name: 500})) == {"IM-2"}
    assert isinstance(said("IM-2", with_import(**{name: None})), NotObserved)


def test_web_download_has_no_stage() -> None:
    facts = with_import(method_used="web-download", stage_status=None, statuses_seen=("queued", "importing", "active"))
    assert said("IM-2", facts) == ()


def test_a_cloud_without_import_is_not_judged_and_the_list_is_the_proof() -> None:
    found = said("IM-2", with_import(method_used=None, methods_offered=("web-download",)))
    assert isinstance(found, NotApplicable)
    assert "web-download" in found.proof


@pytest.mark.parametrize(
    "changes",
    [
        {"method_used": None},
        {"method_used": "unheard-of"},
        {"statuses_seen": (), "final_status": None},
    ],
    ids=str,
)
def test_an_import_that_was_not_seen_earns_no_pass(changes: dict[str, object]) -> None:
    assert isinstance(said("IM-2", with_import(**changes)), NotObserved)


def test_put_that_policy_refuses_is_a_finding_unless_declared() -> None:
    refused = with_probe(put_status=403, image_status="queued", size_bytes=None)
    assert failing(refused) == {"IM-5"}
    declared = replace(refused, dst=replace(refused.dst, legacy_put=False))
    found = said("IM-5", declared)
    assert isinstance(found, NotApplicable)
    assert "403" in found.proof


@pytest.mark.parametrize("changes", [{"put_status": 500}, {"image_status": "saving"}, {"size_bytes": 1}], ids=str)
def test_put_that_does_not_end_in_the_image_is_a_finding(changes: dict[str, object]) -> None:
    assert "IM-5" in failing(with_probe(**changes))


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param(with_import(probe=None), id="not tried"),
        pytest.param(with_probe(put_status=None), id="no answer"),
        pytest.param(with_probe(image_status=None), id="not shown"),
    ],
)
def test_put_that_was_not_seen_earns_no_pass(facts: Facts) -> None:
    assert isinstance(said("IM-5", facts), NotObserved)


def test_stored_bytes_that_differ_are_a_finding() -> None:
    assert failing(with_probe(os_hash_value="0" * 128)) == {"IM-9"}


def test_an_import_that_stayed_raw_is_judged_too() -> None:
    assert failing(with_import(stored_disk_format="raw", stored_hash_value="0" * 128)) == {"IM-9"}
    sent = imported().sent_sha512
    assert said("IM-9", with_import(stored_disk_format="raw", stored_hash_value=sent, probe=None)) == ()


def test_another_hash_algorithm_earns_no_pass() -> None:
    assert isinstance(said("IM-9", with_probe(os_hash_algo="sha256")), NotObserved)


def test_nothing_kept_raw_is_not_applicable_only_with_proof() -> None:
    converted = said("IM-9", with_probe(disk_format="qcow2"))
    assert isinstance(converted, NotApplicable)
    assert "vhd" in converted.proof
    assert isinstance(said("IM-9", with_import(probe=None)), NotObserved)
    refused = with_probe(put_status=403, image_status="queued")
    assert isinstance(said("IM-9", refused), NotApplicable)
    assert failing(refused) == {"IM-5"}
    broken = with_probe(put_status=500, image_status="queued")
    assert isinstance(said("IM-9", broken), NotObserved)


def test_healthy_probe_alone_is_enough() -> None:
    assert said("IM-9", healthy_facts()) == ()


@pytest.mark.parametrize("head", [b"QFI\xfb", b"LUKS\xba\xbe"])
def test_a_destination_that_refuses_what_is_not_raw_is_not_blamed(head: bytes) -> None:
    refused = with_import(statuses_seen=("queued", "uploading", "importing", "queued"), final_status="queued")
    facts = replace(refused, export=with_export(head=head).export)
    assert isinstance(said("IM-2", facts), NotObserved)
    assert failing(refused) == {"IM-2"}


def test_an_import_that_failed_leaves_the_hash_to_the_probe() -> None:
    failed = with_import(final_status="queued", stored_disk_format="raw", stored_hash_value=None)
    assert said("IM-9", failed) == ()
    assert isinstance(
        said("IM-9", replace(failed, imported=replace(imported(), final_status="queued", probe=None))), NotObserved
    )
