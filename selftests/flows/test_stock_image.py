"""Other people's image and agent, on real guests: a stock Debian whose cloud-init knows nothing of us."""

from __future__ import annotations

from pathlib import Path

import pytest

from selftests.flows.interop import run_interop

pytestmark = [pytest.mark.qemu, pytest.mark.nightly]

IMAGE = "golden-debian"
LIMIT_S = 3600
"""Five boots of systemd and cloud-init, two of them side by side, where a loaded machine takes minutes for one."""
PASSWORDS = {"AU-5", "AU-6", "AU-7", "AU-8", "AU-9"}
"""Nobody asks for any, and none lies on a config drive."""
NO_IPV6_NO_XEN = {"MD-8", "N1-8", "N2-11", "N2-12", "PV-4", "N1-9"}
CLOUD_INIT = {"AU-4", "N2-5", "N2-8", "PV-3"}
"""It keeps a copy's machine-id and leaves NICs that come later alone; and no service in it belongs to a platform."""
ONE_NIC = {"MD-7", "N2-1", "N2-2", "N2-3", "N2-4", "N2-7"}


def test_stock_cloud_init_is_certified_where_metadata_is_all_there_is(tmp_path: Path) -> None:
    result = run_interop("private", "private", tmp_path, image=IMAGE, limit_s=LIMIT_S)
    assert result.exit_code == 0, result.explain()
    assert result.by_outcome("pass") | result.by_outcome("not-applicable") == {one["id"] for one in result.checks()}
    elsewhere = {"CV-4", "CV-7", "MD-9", "N2-10", "UD-8"}
    may_not = PASSWORDS | NO_IPV6_NO_XEN | CLOUD_INIT | ONE_NIC | elsewhere
    assert result.by_outcome("not-applicable") <= may_not, result.explain()
