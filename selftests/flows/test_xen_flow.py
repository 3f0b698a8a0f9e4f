"""The main job onto a real Xen: paravirtual guests, booted by pvgrub from VHDs, from the private cloud."""

from __future__ import annotations

from pathlib import Path

import pytest
from refclouds import profile
from refclouds.xen import memory
from refclouds.xen.errors import XenHostError

from selftests.flows.interop import run_interop

pytestmark = pytest.mark.qemu

NOT_ON_PV = {"AU-1", "BT-8"}
"""Launched with a password only; no SMBIOS on PV."""
LIMIT_S = 1500


def test_private_to_public_is_certified_on_a_real_xen(tmp_path: Path) -> None:
    try:
        memory.require(profile.find("public").guest.memory_mib_max)
    except XenHostError as error:
        pytest.skip(str(error))
    result = run_interop("private", "public", tmp_path, limit_s=LIMIT_S)
    assert result.exit_code == 0, result.explain()
    assert result.by_outcome("not-applicable") <= NOT_ON_PV, result.explain()
    assert "real, in QEMU" in (result.folder / "matrix.md").read_text("utf-8")
