"""Every fault that lives in the image API, seen from outside."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

OCTETS = {"Content-Type": "application/octet-stream"}
Wait = Callable[[str, Callable[[], Any]], Any]


def create(cloud: Any, **fields: Any) -> str:
    body = {"name": "mine", "disk_format": "raw", "container_format": "bare", **fields}
    image_id: str = cloud.call("POST", "/image/v2/images", json=body).json()["id"]
    return image_id


def show(cloud: Any, image_id: str) -> dict[str, Any]:
    shown: dict[str, Any] = cloud.call("GET", f"/image/v2/images/{image_id}").json()
    return shown


def upload(cloud: Any, content: bytes) -> str:
    image_id = create(cloud)
    answer = cloud.call("PUT", f"/image/v2/images/{image_id}/file", data=content, headers=OCTETS)
    assert answer.status_code == 204
    return image_id


def bring_in(cloud: Any, wait: Wait, content: bytes, **fields: Any) -> dict[str, Any]:
    """Stage and import; the image when the task has ended."""
    image_id = create(cloud, **fields)
    assert cloud.call("PUT", f"/image/v2/images/{image_id}/stage", data=content, headers=OCTETS).status_code == 204
    body = {"method": {"name": "glance-direct"}}
    assert cloud.call("POST", f"/image/v2/images/{image_id}/import", json=body).status_code == 202
    wait("the import to end", lambda: task(cloud, image_id)["status"] in ("success", "failure"))
    return show(cloud, image_id)


def task(cloud: Any, image_id: str) -> dict[str, Any]:
    tasks = cloud.call("GET", f"/image/v2/images/{image_id}/tasks").json()["tasks"]
    last: dict[str, Any] = tasks[-1]
    return last


def download(cloud: Any, image_id: str) -> Any:
    return cloud.call("GET", f"/image/v2/images/{image_id}/file")


def expanded(content: bytes, folder: Path) -> bytes:
    """A VHD as the raw disk in it."""
    vhd, raw = folder / "x.vhd", folder / "x.raw"
    vhd.write_bytes(content)
    subprocess.run(["qemu-img", "convert", "-f", "vpc", "-O", "raw", vhd, raw], check=True)
    return raw.read_bytes()


def test_truncate_tail_shortens_the_body_and_its_length_but_not_the_size(start_cloud: Any) -> None:
    cloud = start_cloud(faults=["truncate_tail=100"])
    image_id = upload(cloud, b"x" * 5000)
    answer = download(cloud, image_id)
    assert (len(answer.content), answer.headers["Content-Length"], show(cloud, image_id)["size"]) == (
        4900,
        "4900",
        5000,
    )


def test_flip_bit_at_changes_one_bit_of_what_is_downloaded(start_cloud: Any) -> None:
    cloud = start_cloud(faults=["flip_bit_at=10"])
    image_id = upload(cloud, bytes(5000))
    content = download(cloud, image_id).content
    assert [(index, byte) for index, byte in enumerate(content) if byte] == [(10, 1)]
    assert hashlib.sha512(content).hexdigest() != show(cloud, image_id)["os_hash_value"]


def test_flip_bit_store_changes_what_is_stored_and_hashes_that(start_cloud: Any) -> None:
    cloud = start_cloud(faults=["flip_bit_store"])
    image_id = upload(cloud, bytes(5000))
    content = download(cloud, image_id).content
    assert sum(content) == 1
    assert show(cloud, image_id)["os_hash_value"] == hashlib.sha512(content).hexdigest()


def part(cloud: Any, image_id: str, asked: str) -> Any:
    return cloud.call("GET", f"/image/v2/images/{image_id}/file", headers={"Range": asked})


def test_a_part_is_that_part_and_its_md5_the_whole_images(private: Any) -> None:
    content = bytes(range(256)) * 20
    answer = part(private, upload(private, content), "bytes=1000-1999")
    assert (answer.status_code, answer.headers["Content-Range"]) == (206, "bytes 1000-1999/5120")
    assert answer.content == content[1000:2000]
    assert answer.headers["Content-MD5"] == hashlib.md5(content).hexdigest()


@pytest.mark.parametrize(
    ("behaviour", "status", "first"), [("ignore", 200, 0), ("refuse", 400, None), ("shifted", 206, 1000 - 512)]
)
def test_range_is_ignored_refused_or_taken_from_elsewhere(
    start_cloud: Any, behaviour: str, status: int, first: int | None
) -> None:
    cloud = start_cloud(faults=[f"range={behaviour}"])
    content = b"".join(number.to_bytes(4, "big") for number in range(1280))
    answer = part(cloud, upload(cloud, content), "bytes=1000-1999")
    assert answer.status_code == status
    if first is not None:
        assert answer.content == content[first : first + len(answer.content)]


def test_extra_tail_brings_more_than_there_is(start_cloud: Any) -> None:
    cloud = start_cloud(faults=["extra_tail=100"])
    image_id = upload(cloud, b"x" * 5000)
    assert len(download(cloud, image_id).content) == 5100
    assert part(cloud, image_id, "bytes=0-9").headers["Content-Range"] == "bytes 0-9/5100"


def test_cut_once_and_cut_after_break_off_in_the_middle(start_cloud: Any) -> None:
    once, for_ever = start_cloud(faults=["cut_once=40"]), start_cloud(faults=["cut_after=40"])
    for cloud, again in ((once, 5000), (for_ever, None)):
        image_id = upload(cloud, b"x" * 5000)
        with pytest.raises(requests.exceptions.ChunkedEncodingError, match="2000 bytes read, 3000 more expected"):
            download(cloud, image_id)
        if again is not None:
            assert len(download(cloud, image_id).content) == again
        else:
            with pytest.raises(requests.exceptions.ChunkedEncodingError, match="0 bytes read"):
                part(cloud, image_id, "bytes=3000-3999")


def test_upload_cut_leaves_the_image_queued(start_cloud: Any) -> None:
    cloud = start_cloud(faults=["upload_cut=50"])
    image_id = create(cloud)
    answer = cloud.call("PUT", f"/image/v2/images/{image_id}/stage", data=bytes(5000), headers=OCTETS)
    assert (answer.status_code, show(cloud, image_id)["status"]) == (502, "queued")
    assert not list(cloud.cloud.paths.staging.iterdir())


def test_desparsify_stores_what_is_zero(start_cloud: Any, wait: Wait) -> None:
    whole, sparse = start_cloud("public-lite", faults=["desparsify"]), start_cloud("public-lite")
    sizes = [bring_in(cloud, wait, b"data" + bytes((16 << 20) - 4))["size"] for cloud in (whole, sparse)]
    assert sizes[0] > 16 << 20
    assert sizes[1] < 4 << 20


def test_put_forbidden_refuses_the_upload_and_leaves_the_image_queued(start_cloud: Any) -> None:
    cloud = start_cloud(faults=["put_forbidden"])
    image_id = create(cloud)
    answer = cloud.call("PUT", f"/image/v2/images/{image_id}/file", data=b"x", headers=OCTETS)
    assert (answer.status_code, show(cloud, image_id)["status"]) == (403, "queued")


def test_stage_lost_fails_the_import_with_a_reason(start_cloud: Any, wait: Wait) -> None:
    cloud = start_cloud("public-lite", faults=["stage_lost"])
    image = bring_in(cloud, wait, bytes(1 << 20))
    assert (image["status"], image["os_glance_failed_import"]) == ("queued", "local")
    assert "staged bytes are not there" in task(cloud, image["id"])["message"]


def test_import_converts_losslessly_without_a_fault(public: Any, wait: Wait, golden: Path, tmp_path: Path) -> None:
    image = bring_in(public, wait, golden.read_bytes())
    content = download(public, image["id"]).content
    assert (image["status"], image["disk_format"], image["virtual_size"]) == ("active", "vhd", golden.stat().st_size)
    assert (image["size"], image["checksum"]) == (len(content), hashlib.md5(content).hexdigest())
    assert expanded(content, tmp_path) == golden.read_bytes()


@pytest.mark.parametrize(("fault", "byte"), [("flip_bit_conv", 0x1B8), ("flip_bit_conv=510", 510)])
def test_flip_bit_conv_changes_one_bit_of_the_guests_data(
    fault: str, byte: int, start_cloud: Any, wait: Wait, golden: Path, tmp_path: Path
) -> None:
    cloud = start_cloud("public-lite", faults=[fault])
    image = bring_in(cloud, wait, golden.read_bytes())
    changed = expanded(download(cloud, image["id"]).content, tmp_path)
    pairs = zip(changed, golden.read_bytes(), strict=True)
    assert [(index, a ^ b) for index, (a, b) in enumerate(pairs) if a != b] == [(byte, 1)]


def test_vhd_force_size_off_grows_the_disk(start_cloud: Any, wait: Wait, golden: Path) -> None:
    cloud = start_cloud("public-lite", faults=["vhd_force_size=off"])
    assert bring_in(cloud, wait, golden.read_bytes())["virtual_size"] > golden.stat().st_size


def test_vhd_footer_spoils_the_checksum_only(start_cloud: Any, wait: Wait, golden: Path, tmp_path: Path) -> None:
    cloud = start_cloud("public-lite", faults=["vhd_footer"])
    content = download(cloud, bring_in(cloud, wait, golden.read_bytes())["id"]).content
    footer = bytearray(content[-512:])
    written = int.from_bytes(footer[64:68], "big")
    footer[64:68] = bytes(4)
    assert footer.startswith(b"conectix")
    assert written != ~sum(footer) & 0xFFFFFFFF
    assert expanded(content, tmp_path) == golden.read_bytes()


def test_vhd_align_makes_half_a_kib_too_much(start_cloud: Any, wait: Wait, golden: Path) -> None:
    cloud = start_cloud("public-lite", faults=["vhd_align=off"])
    assert bring_in(cloud, wait, golden.read_bytes())["virtual_size"] == golden.stat().st_size + 512


def test_vhd_creator_names_virtual_pc_and_keeps_the_checksum_right(
    start_cloud: Any, wait: Wait, golden: Path, tmp_path: Path
) -> None:
    cloud = start_cloud("public-lite", faults=["vhd_creator"])
    content = download(cloud, bring_in(cloud, wait, golden.read_bytes())["id"]).content
    footer = bytearray(content[-512:])
    written = int.from_bytes(footer[64:68], "big")
    footer[64:68] = bytes(4)
    assert (bytes(footer[28:32]), written) == (b"vpc ", ~sum(footer) & 0xFFFFFFFF)
    assert expanded(content, tmp_path) == golden.read_bytes()


def test_a_disk_that_no_vhd_can_hold_is_refused_unless_size_is_on(
    start_cloud: Any, public: Any, wait: Wait, tmp_path: Path
) -> None:
    large = tmp_path / "large.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", large, "2041G"], check=True)
    refused = bring_in(public, wait, large.read_bytes(), disk_format="qcow2")
    assert refused["status"] == "queued"
    assert "a disk of 2041 GiB, and a VHD holds 2040 GiB" in task(public, refused["id"])["message"]
    cut = bring_in(start_cloud("public-lite", faults=["size=2041GiB"]), wait, large.read_bytes(), disk_format="qcow2")
    assert (cut["status"], cut["virtual_size"]) == ("active", 2040 << 30)


def test_convert_makes_a_format_nobody_declared(start_cloud: Any, wait: Wait, golden: Path) -> None:
    cloud = start_cloud("public-lite", faults=["convert=qcow2"])
    image = bring_in(cloud, wait, golden.read_bytes())
    assert image["disk_format"] == "qcow2"
    assert download(cloud, image["id"]).content.startswith(b"QFI\xfb")


@pytest.mark.parametrize("disk_format", ["raw", "qcow2"])
def test_a_hostile_image_is_refused_with_a_reason(public: Any, wait: Wait, tmp_path: Path, disk_format: str) -> None:
    backing, evil = tmp_path / "backing.raw", tmp_path / "evil.qcow2"
    backing.write_bytes(b"secret" * 1000)
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", backing, "-F", "raw", evil], check=True)
    image = bring_in(public, wait, evil.read_bytes(), disk_format=disk_format)
    expected = "content is qcow2" if disk_format == "raw" else "backing file"
    assert image["status"] == "queued"
    assert expected in task(public, image["id"])["message"]
    assert not list(public.cloud.paths.staging.iterdir())


def test_a_range_is_206_with_the_whole_images_md5(private: Any) -> None:
    image_id = upload(private, b"0123456789")
    answer = private.call("GET", f"/image/v2/images/{image_id}/file", headers={"Range": "bytes=2-4"})
    assert (answer.status_code, answer.content, answer.headers["Content-Range"]) == (206, b"234", "bytes 2-4/10")
    assert answer.headers["Content-MD5"] == hashlib.md5(b"0123456789").hexdigest()


def test_errors_are_html_with_entities(private: Any) -> None:
    answer = private.call("POST", "/image/v2/images", json={"disk_format": "floppy"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "text/html; charset=utf-8")
    assert "&#x27;floppy&#x27;" in answer.text


def test_the_small_print_of_uploads(private: Any) -> None:
    image_id = create(private)
    path = f"/image/v2/images/{image_id}/file"
    assert private.call("GET", path).status_code == 204
    assert private.call("PUT", path, data=b"x", headers={"Content-Type": "text/plain"}).status_code == 415
    assert private.call("PUT", path, data=b"x", headers=OCTETS).status_code == 204
    again = private.call("PUT", path, data=b"x", headers=OCTETS)
    assert again.status_code == 409
    assert "Image status transition from active to saving is not allowed" in again.text
    assert private.call("PATCH", f"/image/v2/images/{image_id}", json=[]).status_code == 415
    assert private.call("DELETE", f"/image/v2/images/{image_id}").status_code == 204
    assert private.call("DELETE", f"/image/v2/images/{image_id}").status_code == 404


def test_a_patch_changes_what_may_be_changed(private: Any) -> None:
    path, kind = f"/image/v2/images/{upload(private, b'x')}", "application/openstack-images-v2.1-json-patch"

    def patch(*operations: dict[str, Any]) -> Any:
        return private.call("PATCH", path, data=json.dumps(operations), headers={"Content-Type": kind})

    assert patch({"op": "add", "path": "/os_distro", "value": "debian"}).json()["os_distro"] == "debian"
    assert "os_distro" not in patch({"op": "remove", "path": "/os_distro"}).json()
    assert patch({"op": "replace", "path": "/disk_format", "value": "qcow2"}).status_code == 403
    assert patch({"op": "replace", "path": "/visibility", "value": "public"}).status_code == 403
    assert patch({"op": "replace", "path": "/status", "value": "queued"}).status_code == 403


def test_a_list_is_paged_and_a_name_is_exact(private: Any) -> None:
    for name in ("a", "ab", "a"):
        create(private, name=name)
    assert len(private.call("GET", "/image/v2/images?name=a").json()["images"]) == 2
    first = private.call("GET", "/image/v2/images?limit=3").json()
    second = private.call("GET", "/image" + first["next"]).json()
    assert (len(first["images"]), len(second["images"]), "next" in second) == (3, 1, False)


def test_a_strangers_private_image_is_not_there(private: Any) -> None:
    image_id = create(private, visibility="private")
    seen = {
        user: private.call("GET", f"/image/v2/images/{image_id}", user=user).status_code for user in ("bob", "admin")
    }
    assert seen == {"bob": 404, "admin": 200}


def test_a_full_disk_leaves_nothing(private: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from refclouds.images import blobs

    def full(file: Any, block: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(blobs, "_write_sparse", full)
    image_id = create(private)
    answer = private.call("PUT", f"/image/v2/images/{image_id}/file", data=b"x" * 100, headers=OCTETS)
    assert (answer.status_code, show(private, image_id)["status"]) == (413, "queued")
    assert not list(private.cloud.paths.staging.iterdir())


@pytest.mark.parametrize(("faults", "offered"), [((), ["glance-direct"]), (("import_closed",), [])])
def test_import_closed_offers_no_method_wherever_they_are_told(
    start_cloud: Any, faults: tuple[str, ...], offered: list[str]
) -> None:
    cloud = start_cloud(faults=faults)
    told = cloud.call("GET", "/image/v2/info/import").json()["import-methods"]["value"]
    made = cloud.call("POST", "/image/v2/images", json={"name": "app"})
    assert (told, made.status_code) == (offered, 201)
    assert made.headers.get("OpenStack-image-import-methods") == (offered[0] if offered else None)
