"""An agent that reads none of a cloud's channels: through a shim it works there, without it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from selftests.flows.interop import run_interop

pytestmark = [pytest.mark.qemu, pytest.mark.nightly]

HTTP_ONLY = "golden-pocket-http"


def test_a_cloud_that_tells_nothing_works_where_the_owner_pushes_metadata(tmp_path: Path) -> None:
    result = run_interop("private", "no-metadata", tmp_path)
    assert result.exit_code == 0, result.explain()
    assert {one["id"]: one["flags"] for one in result.checks() if one["flags"]} == {"MD-16": ["shim=pushed-metadata"]}


@pytest.mark.parametrize(
    ("dst", "shim"), [("configdrive-iso", "config-drive-to-metadata"), ("ec2-only", "ec2-to-openstack")]
)
def test_an_agent_that_asks_the_metadata_service_alone_works_through_a_shim(
    dst: str, shim: str, tmp_path: Path
) -> None:
    result = run_interop("private", dst, tmp_path, image=HTTP_ONLY)
    assert result.exit_code == 0, result.explain()
    assert {one["id"]: one["flags"] for one in result.checks() if one["flags"]} == {"MD-16": [f"shim={shim}"]}


def test_without_shims_it_does_not_work_and_the_cell_says_what_the_two_speak(tmp_path: Path) -> None:
    result = run_interop("private", "configdrive-iso", tmp_path, image=HTTP_ONLY, options=["--no-shims"])
    assert result.exit_code == 1, result.explain()
    # Nobody told the guest the key.
    assert result.by_outcome("fail") == {"MD-16", "AU-1"}, result.explain()
    assert not result.by_outcome("broken"), result.explain()


def test_a_shim_that_finds_nothing_to_read_steps_aside_and_says_so(tmp_path: Path) -> None:
    result = run_interop("private", "configdrive-iso", tmp_path, ["configdrive-iso:cd_label"], image=HTTP_ONLY)
    assert result.exit_code == 1, result.explain()
    assert result.by_outcome("fail") == {"AU-1"}, result.explain()
    # Nobody can log in to ask it, so that nothing is said of its cloud; the console has its word.
    assert {"MD-9", "MD-10", "MD-16"} <= result.by_outcome("blocked"), result.explain()
    console = result.evidence("configdrive-iso.anne.console.log")
    assert "metadata-shim: config_drive: stepped aside: nothing to read" in console
