"""The question of CV-7, asked of a reference cloud that looks at headers and of one that does not."""

from __future__ import annotations

from pathlib import Path

from golden_flows.clouds.size_probe import ASKED_BYTES, probe_size
from golden_flows.waiting import Deadline
from selftests.golden_flows.clouds.conftest import Drive


def test_a_disk_that_no_vhd_can_hold_is_refused_with_the_reason(drive: Drive, tmp_path: Path) -> None:
    driven = drive("public-lite")
    before = driven.cloud.inventory()
    probe = probe_size(driven.cloud, tmp_path, Deadline.after(30))
    assert (probe.asked_bytes, probe.status, probe.control_status) == (2041 << 30, "queued", "active")
    assert "a disk of 2041 GiB, and a VHD holds 2040 GiB at most" in probe.message
    assert driven.cloud.inventory() == before
    assert not list(tmp_path.glob("size-*"))


def test_a_disk_that_is_cut_to_fit_is_seen(drive: Drive, tmp_path: Path) -> None:
    probe = probe_size(drive("public-lite", "size=2041GiB").cloud, tmp_path, Deadline.after(60))
    assert (probe.status, probe.disk_format, probe.virtual_size_bytes) == ("active", "vhd", 2040 << 30)


def test_a_cloud_that_takes_no_qcow2_at_all_is_told_apart(drive: Drive, tmp_path: Path) -> None:
    probe = probe_size(drive("public-lite", "stage_lost").cloud, tmp_path, Deadline.after(30))
    assert (probe.status, probe.control_status) == ("queued", "queued")
    assert probe.asked_bytes == ASKED_BYTES
