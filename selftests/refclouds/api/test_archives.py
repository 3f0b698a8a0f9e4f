"""XenServer's packaging over HTTP: archives that come in are VHDs afterwards, and snapshots go out as archives."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from refclouds import profile
from refclouds.errors import UsageError

from selftests.refclouds.api.test_compute import snapshot
from selftests.refclouds.api.test_faults_of_images import OCTETS, bring_in, create, download, expanded, show, task
from selftests.vhd_archives import HOSTILE, Chain, make_chain

Wait = Callable[[str, Callable[[], Any]], Any]
PACKED = {"disk_format": "vhd", "container_format": "ovf"}


@pytest.fixture
def chain(tmp_path: Path) -> Chain:
    return make_chain(tmp_path)


def test_an_imported_archive_becomes_the_vhd_that_it_holds(public: Any, wait: Wait, chain: Chain) -> None:
    image = bring_in(public, wait, chain.packed().read_bytes(), **PACKED)
    assert (image["status"], image["disk_format"], image["container_format"]) == ("active", "vhd", "bare")
    content = download(public, image["id"]).content
    assert (image["virtual_size"], image["size"]) == (len(chain.disk), len(content))
    assert image["os_hash_value"] == hashlib.sha512(content).hexdigest()
    assert expanded(content, chain.folder) == chain.disk
    assert not list(public.cloud.paths.staging.iterdir())


def test_an_uploaded_archive_becomes_the_vhd_that_it_holds(public: Any, chain: Chain) -> None:
    image_id = create(public, **PACKED)
    path = f"/image/v2/images/{image_id}/file"
    assert public.call("PUT", path, data=chain.packed().read_bytes(), headers=OCTETS).status_code == 204
    image = show(public, image_id)
    assert (image["status"], image["container_format"]) == ("active", "bare")
    assert expanded(download(public, image_id).content, chain.folder) == chain.disk
    assert not list(public.cloud.paths.staging.iterdir())


def test_a_cloud_without_vhds_keeps_an_uploaded_archive_as_it_is(private: Any, chain: Chain) -> None:
    image_id, packed = create(private, **PACKED), chain.packed().read_bytes()
    private.call("PUT", f"/image/v2/images/{image_id}/file", data=packed, headers=OCTETS)
    assert show(private, image_id)["container_format"] == "ovf"
    assert download(private, image_id).content == packed


@pytest.mark.parametrize("defect", ["a path that leads up", "a symbolic link", "a gap", "a cut", "a bomb"])
def test_a_bad_archive_is_refused_with_one_reason(public: Any, wait: Wait, chain: Chain, defect: str) -> None:
    bad = HOSTILE[defect](chain.packed().read_bytes())
    image = bring_in(public, wait, bad, **PACKED)
    assert image["status"] == "queued"
    assert "Image is no archive of a chain of VHDs: " in task(public, image["id"])["message"]
    image_id = create(public, **PACKED)
    answer = public.call("PUT", f"/image/v2/images/{image_id}/file", data=bad, headers=OCTETS)
    assert (answer.status_code, show(public, image_id)["status"]) == (400, "queued")
    assert "Image is no archive of a chain of VHDs: " in answer.text
    assert not list(public.cloud.paths.staging.iterdir())


def test_an_archive_declared_raw_is_refused(public: Any, wait: Wait, chain: Chain) -> None:
    image = bring_in(public, wait, chain.packed().read_bytes())
    assert image["status"] == "queued"
    assert "Image content is a gzip archive but its disk_format is raw" in task(public, image["id"])["message"]


def test_a_snapshot_of_a_vhd_cloud_is_its_disk_byte_by_byte(public: Any, wait: Wait) -> None:
    image, content = snapshot(public, wait)
    server = public.hypervisor.started[0]
    assert (image["disk_format"], image["container_format"]) == ("raw", "bare")
    assert content == server.disk.read_bytes()
    assert not list(public.cloud.paths.staging.iterdir())


@pytest.mark.parametrize("name", ["private", "public-lite"])
def test_export_tgz_packs_the_image_and_what_the_guest_has_written(
    start_cloud: Any, wait: Wait, tmp_path: Path, chain: Chain, public: Any, name: str
) -> None:
    cloud = start_cloud(name, variants=["export_tgz"])
    image, content = snapshot(cloud, wait)
    assert (image["disk_format"], image["container_format"]) == ("vhd", "ovf")
    assert image["os_hash_value"] == hashlib.sha512(content).hexdigest()
    packed = tmp_path / "packed.tgz"
    packed.write_bytes(content)
    assert subprocess.run(["tar", "-tzf", packed], capture_output=True, text=True, check=True).stdout.split() == [
        "./",
        "./0.vhd",
        "./1.vhd",
    ]
    back = bring_in(public, wait, content, **PACKED)
    assert expanded(download(public, back["id"]).content, tmp_path) == cloud.hypervisor.started[0].disk.read_bytes()
    assert not list(cloud.cloud.paths.staging.iterdir())


@pytest.mark.parametrize(
    ("word", "reason"),
    [("wrong_parent", "was made on 000000"), ("missing_parent", "is missing"), ("cut", "cut short or damaged")],
)
def test_tgz_chain_packs_what_nobody_can_read(
    start_cloud: Any, wait: Wait, public: Any, word: str, reason: str
) -> None:
    image, content = snapshot(start_cloud(faults=[f"tgz_chain={word}"]), wait)
    assert (image["disk_format"], image["container_format"], image["size"]) == ("vhd", "ovf", len(content))
    refused = bring_in(public, wait, content, **PACKED)
    assert refused["status"] == "queued"
    assert reason in task(public, refused["id"])["message"]


def test_mislabel_tgz_as_raw_declares_the_archive_raw(start_cloud: Any, wait: Wait) -> None:
    image, content = snapshot(start_cloud(faults=["mislabel=tgz_as_raw"]), wait)
    assert (image["disk_format"], image["container_format"], content[:3]) == ("raw", "bare", b"\x1f\x8b\x08")


def test_a_profile_may_pack_its_snapshots(tmp_path: Path) -> None:
    text = (profile.PROFILES_DIR / "public-lite.toml").read_text()
    wrong, right = tmp_path / "wrong.toml", tmp_path / "right.toml"
    wrong.write_text(text.replace("drivers = true\n", 'drivers = true\nsnapshot_container = "ovf"\n', 1))
    right.write_text(wrong.read_text().replace('snapshot_format = "raw"', 'snapshot_format = "vhd"'))
    assert profile.load(right).snapshot_container == "ovf"
    with pytest.raises(UsageError, match="only VHDs are packed as ovf"):
        profile.load(wrong)
