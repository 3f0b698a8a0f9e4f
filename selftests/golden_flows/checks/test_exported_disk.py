from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from golden_flows.model.facts import Facts
from golden_flows.model.file_system import ExportedDisk
from golden_flows.model.finding import NotApplicable, NotObserved
from golden_flows.model.residue import Residue
from selftests.golden_flows.checks.facts_builder import (
    SIZE_BYTES,
    exported_disk,
    failing,
    healthy_facts,
    said,
    with_export,
    with_shim,
)


def with_file_system(**changes: Any) -> Facts:
    (one,) = exported_disk().file_systems
    return replace(healthy_facts(), exported_disk=replace(exported_disk(), file_systems=(replace(one, **changes),)))


def test_a_property_that_the_snapshot_lacks_is_a_finding() -> None:
    assert failing(with_export(properties={"os_distro": "debian"})) == {"EX-5"}
    assert failing(with_export(properties={"os_distro": "debian", "os_type": ""})) == {"EX-5"}


def test_a_property_of_the_hardware_may_have_another_value() -> None:
    facts = with_export(started_from={"hw_disk_bus": "virtio"}, properties={"hw_disk_bus": "sata"})
    assert said("EX-5", facts) == ()


def test_an_image_that_says_nothing_has_nothing_to_lose() -> None:
    found = said("EX-5", with_export(started_from={"interop_agent": "reference"}))
    assert isinstance(found, NotApplicable)
    assert "hw_firmware_type" in found.proof
    assert isinstance(said("EX-5", with_export(started_from=None)), NotObserved)


def test_half_a_disk_is_said_to_be_needed() -> None:
    assert failing(with_export(virtual_size_bytes=SIZE_BYTES // 2)) == {"EX-6"}
    assert said("EX-6", with_export(virtual_size_bytes=SIZE_BYTES)) == ()


def test_min_disk_is_nothing_or_enough() -> None:
    large = 5 << 30
    sizes = {"size_bytes": large, "content_length": large, "downloaded_bytes": large}
    assert failing(with_export(**sizes, min_disk_bytes=1 << 30)) == {"EX-6"}
    assert said("EX-6", with_export(**sizes, min_disk_bytes=5 << 30)) == ()
    assert said("EX-6", with_export(**sizes, min_disk_bytes=0)) == ()


def test_what_is_packed_tells_no_size_of_its_disk() -> None:
    assert said("EX-6", with_shim()) == ()
    assert isinstance(said("EX-6", with_shim("the chain is broken")), NotObserved)
    assert isinstance(said("EX-6", with_export(downloaded_bytes=1)), NotObserved)


@pytest.mark.parametrize(
    "changes", [{"has_errors": True}, {"has_journal": False, "is_valid": False}], ids=["errors", "no journal"]
)
def test_a_file_system_that_its_journal_does_not_mend_is_a_finding(changes: dict[str, bool]) -> None:
    assert failing(with_file_system(**changes)) == {"EX-7"}


def test_a_journal_to_be_replayed_breaks_only_a_promise_to_quiesce() -> None:
    mounted = with_file_system(needs_recovery=True, is_valid=False)
    assert said("EX-7", mounted) == ()
    promised = with_export(started_from={"os_require_quiesce": "yes"}).export
    assert failing(replace(mounted, export=promised)) == {"EX-7"}


def test_a_disk_without_ext_is_not_judged_and_one_that_cannot_be_read_is_not_passed() -> None:
    facts = healthy_facts()
    assert isinstance(said("EX-7", replace(facts, exported_disk=ExportedDisk(partitions=2))), NotApplicable)
    assert isinstance(said("EX-7", replace(facts, exported_disk=ExportedDisk(error="gone"))), NotObserved)


@pytest.mark.parametrize("kind", ["udev-net-rules", "history", "manual-clean", "connection"])
def test_what_is_of_one_machine_only_is_a_finding(kind: str) -> None:
    assert failing(with_export(residue=(Residue(kind, "/where"),))) == {"EX-8"}


def test_what_every_instance_has_is_listed_and_no_finding() -> None:
    kept = tuple(Residue(kind, "/where") for kind in ("host-key", "machine-id", "lease", "cloud-init"))
    assert said("EX-8", with_export(residue=kept)) == ()


def test_where_nobody_could_look_at_home_nothing_is_passed() -> None:
    facts = with_export(residue=None)
    assert isinstance(said("EX-8", facts), NotObserved)
    assert isinstance(said("EX-8", replace(facts, src=replace(facts.src, auth=()))), NotApplicable)
