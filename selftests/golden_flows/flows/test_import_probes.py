"""Small images against the real API of a reference cloud: each fault is caught by its check, and by no other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from golden_flows.flows import import_probes
from golden_flows.guideline import load_guideline
from golden_flows.model.finding import NotApplicable
from golden_flows.model.import_seen import HOSTILE, UNUSUAL_MBR, ImportProbes
from golden_flows.waiting import Deadline
from selftests.golden_flows.checks.facts_builder import healthy_facts, said
from selftests.golden_flows.clouds.conftest import Drive, drive, golden

__all__ = ["drive", "golden"]

CHECKS = ("IM-1", "IM-3", "IM-4", "IM-6", "IM-7", "IM-8", "IM-10", "IM-11", "IM-12", "CV-5")
TOGETHER = (
    ("methods_mismatch", "drop_task_msg", "vhd_probe", "orphan"),
    ("import_hang", "strict_mbr", "vhd_force_size"),
    ("inspector", "ssrf_guard", "quota_half", "vhd_align"),
)
"""No two of one row reach the same check."""


def caught_by(*faults: str) -> set[str]:
    return {one.id for one in load_guideline().requirements if set(faults) & set(one.faults)} & set(CHECKS)


def look(
    drive: Drive, scratch: Path, name: str, *faults: str, variants: Sequence[str] = (), owned: bool = True
) -> ImportProbes:
    driven = drive(name, *faults, variants=variants)
    before = driven.cloud.inventory()
    seen = import_probes.look(driven.cloud, scratch, Deadline.after(60), owned=owned)
    assert driven.cloud.inventory() == before
    assert not driven.ledger.open_entries(driven.cloud.name)
    return seen


def judged(seen: ImportProbes) -> dict[str, object]:
    facts = replace(healthy_facts(), import_probes=seen)
    return {one: said(one, facts) for one in CHECKS}


@pytest.mark.parametrize("name", ["private", "public-lite", "rawstore", "vmdk"])
def test_a_sound_cloud_passes_everything_whatever_it_stores(drive: Drive, tmp_path: Path, name: str) -> None:
    seen = look(drive, tmp_path, name)
    found = judged(seen)
    if name == "rawstore" and isinstance(found["IM-12"], NotApplicable):
        found["IM-12"] = ()  # nothing is converted there, so an import may be over before anybody deletes its image
    if name != "public-lite":
        assert isinstance(found.pop("IM-8"), NotApplicable)
    assert found == dict.fromkeys(found, ())
    assert len(seen.of(HOSTILE)) == 7
    assert all(one.is_active for one in seen.of(UNUSUAL_MBR))


@pytest.mark.parametrize("faults", TOGETHER, ids="+".join)
def test_faults_are_caught_by_their_checks_and_no_other(drive: Drive, tmp_path: Path, faults: tuple[str, ...]) -> None:
    found = judged(look(drive, tmp_path, "public-lite", *faults))
    assert {name for name, one in found.items() if one} == caught_by(*faults)
    assert all(isinstance(one, tuple) for one in found.values()), found


def test_a_refusal_that_names_the_mbr_is_no_defect(drive: Drive, tmp_path: Path) -> None:
    seen = look(drive, tmp_path, "public-lite", variants=["mbr_checked"])
    assert {one.image_status for one in seen.of(UNUSUAL_MBR)} == {"queued"}
    assert judged(seen) == dict.fromkeys(CHECKS, ())


def test_nothing_hostile_goes_to_a_cloud_that_nobody_called_their_own(drive: Drive, tmp_path: Path) -> None:
    seen = look(drive, tmp_path, "private", owned=False)
    assert seen.of(HOSTILE) == ()
    assert all(isinstance(judged(seen)[one], NotApplicable) for one in ("IM-7", "IM-8"))


def test_without_import_the_legacy_upload_shows_what_it_can(drive: Drive, tmp_path: Path) -> None:
    found = judged(look(drive, tmp_path, "public-lite", "import_closed"))
    not_applicable = {name for name, one in found.items() if isinstance(one, NotApplicable)}
    assert not_applicable == {"IM-1", "IM-3", "IM-4", "IM-8", "IM-12"}
    assert {name for name, one in found.items() if one == ()} == set(CHECKS) - not_applicable


def test_where_every_way_is_closed_nothing_is_judged(drive: Drive, tmp_path: Path) -> None:
    found = judged(look(drive, tmp_path, "public-lite", "import_closed", "put_forbidden"))
    assert all(isinstance(one, NotApplicable) for one in found.values()), found


def test_images_that_are_made_are_all_told_beforehand(drive: Drive, tmp_path: Path) -> None:
    driven = drive("public-lite")
    import_probes.look(driven.cloud, tmp_path, Deadline.after(60), owned=True)
    text = driven.journal.path.read_text("utf-8")
    for name in import_probes.names(hostile=True, methods=("web-download",)):
        assert f'-{name}"' in text


@pytest.fixture(autouse=True)
def nothing_stays(tmp_path: Path) -> Iterator[None]:
    yield
    assert not list(tmp_path.glob("*.gpt"))
