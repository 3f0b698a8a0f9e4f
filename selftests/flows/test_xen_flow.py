"""The main job onto a real Xen: paravirtual guests, booted by pvgrub from VHDs; and fully virtual ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from refclouds import profile
from refclouds.xen import memory
from refclouds.xen.errors import XenHostError

from selftests.flows.interop import run_interop

pytestmark = pytest.mark.qemu

NOT_THERE = {"AU-1", "AU-6", "AU-7", "AU-11", "CV-6", "MD-8", "MD-11", "MD-13", "N1-8", "N2-9", "N2-10"}
NOT_THERE |= {"BT-7", "IM-8", "PV-6", "PV-7"}
"""Launched with a password only, which is told; VHD; neither IPv6 nor an EC2 tree nor vendor data of a service; no
web-download; a disk as large as its image; nothing asks for QEMU's guest agent or for several queues."""
NOT_ON_PV = {*NOT_THERE, "BT-8", "IM-12"}
"""No SMBIOS on PV; and an import may be over before its image is deleted."""
LIMIT_S = 1500
HVM_LIMIT_S = 3000
EMULATED = "golden-pocket-emulated"
"""The image that lacks Xen's drivers."""


def require_memory_for(cloud: str) -> None:
    try:
        memory.require(profile.find(cloud).guest.memory_mib_max)
    except XenHostError as error:
        pytest.skip(str(error))


@pytest.mark.first
def test_private_to_public_is_certified_on_a_real_xen(tmp_path: Path) -> None:
    require_memory_for("public")
    result = run_interop("private", "public", tmp_path, limit_s=LIMIT_S)
    assert result.exit_code == 0, result.explain()
    assert result.by_outcome("not-applicable") <= NOT_ON_PV, result.explain()
    assert "real, in QEMU" in (result.folder / "matrix.md").read_text("utf-8")


@pytest.mark.nightly
def test_a_fully_virtual_guest_fetches_xens_drivers_and_ends_on_paravirtual_devices(tmp_path: Path) -> None:
    require_memory_for("public-hvm")
    result = run_interop("private", "public-hvm", tmp_path, image=EMULATED, limit_s=HVM_LIMIT_S)
    assert result.exit_code == 0, result.explain()
    assert result.by_outcome("pass") == {one["id"] for one in result.checks()} - NOT_THERE, result.explain()
    before, after = result.evidence("devices.txt").split("after the reboot")
    for driver in ("ata_piix", "8139cp", "e1000"):
        assert driver in before
        assert driver not in after
    assert "vbd" in after
    assert after.count("vif  up") == 2


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("fault", "told"), [("damaged", "sha256 of the bundle is not"), ("other_kernel", "bundles are for kernel")]
)
def test_a_bundle_that_cannot_be_used_is_reported_and_its_guest_stays_reachable(
    tmp_path: Path, fault: str, told: str
) -> None:
    require_memory_for("public-hvm")
    faults = [f"public-hvm:bad_bundle={fault}"]
    result = run_interop("private", "public-hvm", tmp_path, faults, image=EMULATED, limit_s=HVM_LIMIT_S)
    # PV-4: a NIC that stays emulated is never connected in the host's eyes.
    assert result.by_outcome("fail") == {"PV-1", "PV-2", "PV-4"}, result.explain()
    assert {"AU-5", "UD-2", "AP-1"} <= result.by_outcome("pass"), result.explain()
    assert told in result.evidence("devices.txt")
