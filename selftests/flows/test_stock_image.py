"""Other people's image and agent, on real guests: a stock Debian whose cloud-init knows nothing of us."""

from __future__ import annotations

from pathlib import Path

import pytest

from selftests.flows.interop import golden_image_as_qcow2, run_interop

pytestmark = [pytest.mark.qemu, pytest.mark.nightly]

IMAGE = "golden-debian"
TOLD = ("interop_agent=cloud_init", "os_admin_user=debian", "interop_boot_timeout_s=420")
OPTIONS = [word for one in TOLD for word in ("--image-property", one)]
LIMIT_S = 3600
"""Five boots of systemd and cloud-init, two of them side by side, where a loaded machine takes minutes for one."""
PASSWORDS = {"AU-5", "AU-6", "AU-7", "AU-8", "AU-9"}
"""Nobody asks for any on these clouds, and none lies on a config drive."""
NO_IPV6_NO_XEN = {"MD-8", "N1-8", "N1-9", "N2-9", "N2-11", "N2-12", "PV-4"}
CLOUD_INIT = {"AU-4", "BT-11", "IM-8", "IM-12", "N2-5", "N2-8", "PV-3", "PV-6", "PV-7"}
"""It keeps a copy's machine-id, leaves NICs that come later alone and does not say when it did what; no service in it
belongs to a platform, its image asks for no port and no queues; these clouds have no web-download."""
ONE_NIC = {"MD-7", "N2-1", "N2-2", "N2-3", "N2-4", "N2-7"}


def test_stock_cloud_init_is_certified_where_metadata_is_all_there_is(tmp_path: Path) -> None:
    result = run_interop("private", "private", tmp_path, image=IMAGE, limit_s=LIMIT_S)
    assert result.exit_code == 0, result.explain()
    assert result.by_outcome("pass") | result.by_outcome("not-applicable") == {one["id"] for one in result.checks()}
    elsewhere = {"CV-4", "CV-7", "MD-9", "N2-10", "UD-8"}
    may_not = PASSWORDS | NO_IPV6_NO_XEN | CLOUD_INIT | ONE_NIC | elsewhere
    assert result.by_outcome("not-applicable") <= may_not, result.explain()


def test_stock_cloud_init_is_certified_with_a_second_nic_that_metadata_alone_tells_of(tmp_path: Path) -> None:
    result = run_interop("private", "public-stock", tmp_path, image=IMAGE, limit_s=LIMIT_S)
    assert result.exit_code == 0, result.explain()
    assert result.by_outcome("pass") | result.by_outcome("not-applicable") == {one["id"] for one in result.checks()}
    elsewhere = {"CV-6", "MD-11", "MD-13", "N2-10"}
    assert result.by_outcome("not-applicable") <= PASSWORDS | NO_IPV6_NO_XEN | CLOUD_INIT | elsewhere, result.explain()
    assert {"N2-1", "N2-2", "N2-4", "MD-9", "MD-10", "PV-1", "AU-1"} <= result.by_outcome("pass"), result.explain()


def test_the_reference_image_is_certified_beside_it(tmp_path: Path) -> None:
    result = run_interop("private", "public-stock", tmp_path)
    assert result.exit_code == 0, result.explain()
    assert result.by_outcome("pass") | result.by_outcome("not-applicable") == {one["id"] for one in result.checks()}


def test_what_the_cloud_does_wrong_shows_in_a_guest_of_cloud_init(tmp_path: Path) -> None:
    """No word of the second NIC, and user data that is no script any more: cloud-init neither configures nor runs.

    The image is a file of the user's here, who says what is in it.
    """
    own = golden_image_as_qcow2("debian", tmp_path / "debian.qcow2")
    faults = ["public-stock:nd_first_only", "public-stock:ud_utf8"]
    results = tmp_path / "results"
    result = run_interop("private", "public-stock", results, faults, image=str(own), options=OPTIONS, limit_s=LIMIT_S)
    assert result.exit_code == 1, result.explain()
    must_fail = {"N2-1", "UD-1", "UD-2", "UD-4", "UD-7"}
    assert must_fail <= result.by_outcome("fail"), result.explain()
    # Without its script Anne's app answers nothing new, a rebuild gets spoilt user data as well, and nobody tells a NIC
    # that comes later.
    assert result.by_outcome("fail") <= must_fail | {"AP-1", "N2-5", "UD-5"}, result.explain()
    assert not result.by_outcome("broken"), result.explain()
