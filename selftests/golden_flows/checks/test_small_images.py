from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from golden_flows.model.facts import Facts
from golden_flows.model.finding import NotApplicable, NotObserved
from golden_flows.model.import_seen import FIXED_VHD, NO_IMAGE, PLAIN_GPT, ImportProbes
from selftests.golden_flows.checks.facts_builder import failing, healthy_facts, said
from selftests.golden_flows.checks.import_facts import bent, grown, import_probes

CHECKS = ("IM-1", "IM-3", "IM-4", "IM-6", "IM-7", "IM-8", "IM-10", "IM-11", "IM-12", "CV-5")


def seen(probes: ImportProbes) -> Facts:
    return replace(healthy_facts(), import_probes=probes)


def with_probes(**changes: Any) -> Facts:
    return seen(replace(import_probes(), **changes))


def with_quota(**changes: Any) -> Facts:
    quota = import_probes().over_quota
    assert quota is not None
    return with_probes(over_quota=replace(quota, **changes))


def with_deleted(**changes: Any) -> Facts:
    deleted = import_probes().deleted
    assert deleted is not None
    return with_probes(deleted=replace(deleted, **changes))


@pytest.mark.parametrize("check_id", CHECKS)
def test_what_could_not_be_tried_earns_no_pass(check_id: str) -> None:
    found = said(check_id, seen(ImportProbes(trouble="the line is down")))
    assert found == NotObserved("the line is down")
    assert isinstance(said(check_id, seen(ImportProbes(owned=True, way="PUT /file"))), NotObserved | NotApplicable)


@pytest.mark.parametrize("header", [None, (), ("copy-image",), ("glance-direct", "web-download")])
def test_a_header_unlike_the_endpoint_is_a_finding(header: tuple[str, ...] | None) -> None:
    assert failing(with_probes(header_methods=header)) == {"IM-1"}


def test_the_order_of_methods_says_nothing() -> None:
    both = ("web-download", "glance-direct")
    assert said("IM-1", with_probes(header_methods=both, endpoint_methods=both[::-1])) == ()


@pytest.mark.parametrize(
    "changes",
    [{"image_status": "importing"}, {"failed_in": ""}, {"failed_in": None}, {"image_status": "uploading"}],
    ids=str,
)
def test_a_failed_import_that_hangs_or_names_no_store_is_a_finding(changes: dict[str, object]) -> None:
    assert failing(seen(bent({NO_IMAGE: changes}))) == {"IM-3"}


def test_a_task_without_a_message_is_a_finding_and_tasks_closed_to_tenants_are_not() -> None:
    assert failing(seen(bent({NO_IMAGE: {"task_message": " "}}))) == {"IM-4"}
    closed = bent({NO_IMAGE: {"task_message": "", "tasks_status": 403, "task_status": None}})
    assert isinstance(said("IM-4", seen(closed)), NotApplicable)
    assert said("IM-3", seen(closed)) == ()


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"image_status": "active", "task_status": "success"}, id="even that is taken"),
        pytest.param({"upload_status": 415, "import_status": None, "message": "not a qcow2"}, id="refused at upload"),
        pytest.param({"import_status": 400, "task_status": None}, id="refused at once"),
    ],
)
def test_where_no_import_fails_there_is_nothing_to_judge(changes: dict[str, object]) -> None:
    facts = seen(bent({NO_IMAGE: changes}))
    assert isinstance(said("IM-3", facts), NotApplicable)
    assert isinstance(said("IM-4", facts), NotApplicable)


@pytest.mark.parametrize(
    ("reason", "fails"),
    [("", True), ("Image is not acceptable", True), ("GPT MBR has no partitions defined", False), ("bad mbr", False)],
)
def test_an_unusual_mbr_may_be_refused_by_name_only(reason: str, fails: bool) -> None:
    refusal = {"image_status": "queued", "task_status": "failure", "task_message": reason}
    assert failing(seen(bent({"unusual-mbr-chs": refusal}))) == ({"IM-6"} if fails else set())


def test_a_cloud_that_takes_no_gpt_at_all_is_not_judged_by_its_mbr() -> None:
    assert isinstance(said("IM-6", seen(bent({PLAIN_GPT: {"image_status": "queued"}}))), NotObserved)


def test_a_hostile_image_that_is_active_is_a_finding() -> None:
    assert failing(seen(bent({"hostile-qcow2-as-raw": {"image_status": "active"}}))) == {"IM-7"}


def test_a_hostile_image_that_never_ends_is_neither() -> None:
    stuck = {"image_status": "importing", "task_status": "processing"}
    assert isinstance(said("IM-7", seen(bent({"hostile-qcow2-as-raw": stuck}))), NotObserved)


def test_hostile_images_are_for_clouds_that_somebody_owns() -> None:
    found = said("IM-7", with_probes(owned=False))
    assert isinstance(found, NotApplicable)
    assert "--i-own-this-cloud public" in found.proof


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"was_read": True, "import_status": 202}, id="read from"),
        pytest.param({"import_status": 202, "image_status": "active", "message": ""}, id="an active image"),
        pytest.param(
            {"import_status": 202, "task_status": "failure", "task_message": "connection refused"}, id="only tried"
        ),
    ],
)
def test_a_cloud_that_reads_from_its_own_machine_is_a_finding(changes: dict[str, object]) -> None:
    assert failing(seen(bent({"web-hex": changes}))) == {"IM-8"}


def test_a_redirect_that_is_filtered_late_is_no_finding() -> None:
    late = {"import_status": 202, "task_status": "failure", "task_message": "redirect does not pass filtering"}
    assert said("IM-8", seen(bent({"web-hex": late}))) == ()


def test_without_web_download_or_an_owner_nobody_is_led_astray() -> None:
    assert isinstance(said("IM-8", with_probes(web_untried="no web-download: glance-direct")), NotApplicable)
    assert isinstance(said("IM-8", with_probes(owned=False)), NotApplicable)
    assert isinstance(said("IM-8", seen(bent({"web-hex": {"import_status": 500}}))), NotObserved)


@pytest.mark.parametrize(
    ("changes", "fails"),
    [
        ({"task_message": "Image content is raw but its disk_format is vhd"}, True),
        ({"task_message": ""}, True),
        ({"task_message": "fixed VHDs are not supported"}, False),
    ],
)
def test_a_fixed_vhd_may_be_refused_but_not_for_being_raw(changes: dict[str, object], fails: bool) -> None:
    refusal = {"image_status": "queued", "task_status": "failure", **changes}
    assert failing(seen(bent({FIXED_VHD: refusal}))) == ({"IM-10"} if fails else set())


def test_a_cloud_without_the_word_vhd_has_no_fixed_ones() -> None:
    facts = seen(bent({FIXED_VHD: {"create_status": 400, "image_status": None, "message": "not valid"}}))
    assert isinstance(said("IM-10", facts), NotApplicable)


@pytest.mark.parametrize(
    "changes",
    [
        {"image_status": "active", "size_bytes": 4096, "status": None},
        {"status": 500},
        {"message": ""},
    ],
    ids=str,
)
def test_over_quota_half_an_image_or_no_reason_is_a_finding(changes: dict[str, object]) -> None:
    assert failing(with_quota(**changes)) == {"IM-11"}


@pytest.mark.parametrize(
    "changes", [{"skipped": "no limit"}, {"status": None}, {"status": 403, "message": "not authorized"}], ids=str
)
def test_without_a_quota_that_shows_nothing_is_judged(changes: dict[str, object]) -> None:
    assert isinstance(said("IM-11", with_quota(**changes)), NotApplicable)


def test_an_image_that_comes_back_is_a_finding() -> None:
    assert failing(with_deleted(status_after="active")) == {"IM-12"}
    assert failing(with_deleted(delete_status=500)) == {"IM-12"}


@pytest.mark.parametrize("changes", [{"status_before": "active"}, {"delete_status": 409}], ids=str)
def test_what_was_not_deleted_on_its_way_is_not_judged(changes: dict[str, object]) -> None:
    assert isinstance(said("IM-12", with_deleted(**changes)), NotApplicable)
    assert isinstance(said("IM-12", with_deleted(status_before=None)), NotObserved)


def test_a_disk_that_grew_has_its_backup_table_in_the_middle() -> None:
    assert failing(seen(grown(253_952))) == {"CV-5"}


def test_a_guest_s_own_repair_counts_as_well() -> None:
    probes = grown(512)
    assert probes.gpt is not None
    mended = replace(probes.gpt, backup_at_end=True, alternate_lba=256, protective_sectors=256)
    assert said("CV-5", with_probes(gpt=mended)) == ()


def test_a_disk_that_could_not_be_read_back_is_not_passed() -> None:
    probes = import_probes()
    assert probes.gpt is not None
    assert isinstance(said("CV-5", with_probes(gpt=replace(probes.gpt, expanded_bytes=None))), NotObserved)
    assert isinstance(said("CV-5", with_probes(gpt=None)), NotObserved)
