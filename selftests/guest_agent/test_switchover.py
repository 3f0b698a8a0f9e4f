"""Xen's drivers in a full virtual machine: installed whole or not at all, and one reboot, never two."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from guest_agent import switchover
from guest_agent.drivers import DriverError
from guest_agent.state import InstanceState
from guest_agent.switchover import Switchover
from guest_agent.xenstore import XenStoreError

KERNEL = "6.1.0-1-amd64"
BLKFRONT = b"\x7fELF blk vermagic=6.1.0-1-amd64 SMP mod_unload \0 more"
NETFRONT = b"\x7fELF net vermagic=6.1.0-1-amd64 SMP mod_unload \0 more"
MODULES = [("xen_blkfront.ko", BLKFRONT), ("xen_netfront.ko", NETFRONT)]
GRUB = "set timeout=0\nmenuentry x {\n  linux16 /boot/vmlinuz root=UUID=1 quiet xen_emul_unplug=never\n}\n"
BEFORE = {"links": [{"name": "eth0", "driver": "8139cp"}], "block": {"root_driver": "ata_piix"}}
INITRAMFS = b"the packed archive of old"


def make_tar(modules: list[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    order = "".join(f"{name}\n" for name, _ in modules).encode()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in [("order", order), *modules]:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A guest's tree with its GRUB configuration and initramfs, and xenbus devices without drivers."""
    top = tmp_path / "root"
    (top / "boot/grub").mkdir(parents=True)
    (top / "boot/grub/grub.cfg").write_text(GRUB)
    (top / "boot/initrd.img").write_bytes(INITRAMFS)
    for name in ("vbd-768", "vif-0", "vkbd-0"):
        (tmp_path / "devices" / name).mkdir(parents=True)
    return top


@pytest.fixture
def offer(metadata_server: Any) -> Callable[[bytes], list[Any]]:
    """Serves a bundle and returns the vendor data that offers it."""

    def serve(tar: bytes) -> list[Any]:
        metadata_server.answers["/drivers/xen.tar"] = tar
        host, port = metadata_server.server_address
        url, sha256 = f"http://{host}:{port}/drivers/xen.tar", hashlib.sha256(tar).hexdigest()
        return [{"drivers": [{"kernel": KERNEL, "platform": "xen", "url": url, "sha256": sha256}]}]

    return serve


def story(root: Path, boot_id: str = "first") -> Switchover:
    memory = InstanceState("11111111-2222", str(root / "var"))
    return Switchover(memory, boot_id, root=str(root), devices=str(root.parent / "devices"))


def is_untouched(root: Path) -> bool:
    return (root / "boot/grub/grub.cfg").read_text() == GRUB and not list(root.rglob("*.tmp"))


class Store:
    """A xenstore that only says what kind of disk 5632 is, or nothing at all."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def read(self, path: str) -> str | None:
        if self.error:
            raise self.error
        return {"device/vbd/5632/device-type": "cdrom", "device/vbd/768/device-type": "disk"}.get(path)


@pytest.mark.parametrize(
    ("store", "idle"),
    [
        (Store(), ["vbd-768", "vif-0"]),
        (Store(XenStoreError("EIO", "device")), ["vbd-5632", "vbd-768", "vif-0"]),
        (Store(OSError(errno.EIO, "gone")), ["vbd-5632", "vbd-768", "vif-0"]),
        (None, ["vbd-5632", "vbd-768", "vif-0"]),
    ],
    ids=["it says", "it refuses", "it breaks", "there is none"],
)
def test_a_config_drive_stays_with_the_emulated_controller(root: Path, store: Any, idle: list[str]) -> None:
    (root.parent / "devices/vbd-5632").mkdir()
    assert switchover.idle_devices(str(root.parent / "devices"), store) == idle


def test_a_disk_and_a_nic_without_driver_are_found_and_nothing_else(root: Path) -> None:
    devices = root.parent / "devices"
    assert switchover.idle_devices(str(devices)) == ["vbd-768", "vif-0"]
    (devices / "vif-0/driver").mkdir()
    assert switchover.idle_devices(str(devices)) == ["vbd-768"]


def test_a_machine_without_xenbus_has_nothing_to_switch(root: Path) -> None:
    assert not Switchover(
        InstanceState("1", str(root / "var")), "b", root=str(root), devices=str(root / "none")
    ).applies


def test_the_first_boot_installs_and_asks_for_one_reboot(root: Path, offer: Callable[[bytes], list[Any]]) -> None:
    report = story(root).run(offer(make_tar(MODULES)), KERNEL, BEFORE)
    assert (report["verdict"], report["reboot"]) == ("ok", "pending")
    assert report["bundle"]["modules"] == ["xen_blkfront", "xen_netfront"]
    assert (root / f"lib/modules/{KERNEL}/extra/xen_blkfront.ko").read_bytes() == BLKFRONT
    assert "xen_emul_unplug" not in (root / "boot/grub/grub.cfg").read_text()
    assert (root / "boot/initrd.img.old").read_bytes() == INITRAMFS
    assert (root / "boot/initrd.img").read_bytes().startswith(INITRAMFS)


def test_the_next_boot_says_done_and_remembers_the_first(root: Path, offer: Callable[[bytes], list[Any]]) -> None:
    story(root).run(offer(make_tar(MODULES)), KERNEL, BEFORE)
    for name in ("vbd-768", "vif-0"):
        (root.parent / "devices" / name / "driver").mkdir()
    second = story(root, "second")
    report = second.run([], KERNEL, {})
    assert (report["verdict"], report["reboot"], report["previous_boot_id"]) == ("ok", "done", "first")
    assert report["bundle"]["modules"] == ["xen_blkfront", "xen_netfront"]
    assert second.before == BEFORE


def test_drivers_that_do_not_bind_are_a_failure_and_no_second_reboot(
    root: Path, offer: Callable[[bytes], list[Any]]
) -> None:
    vendor_data = offer(make_tar(MODULES))
    story(root).run(vendor_data, KERNEL, BEFORE)
    report = story(root, "second").run(vendor_data, KERNEL, {})
    assert (report["verdict"], report["reboot"]) == ("failed", "done")
    assert "vbd-768, vif-0" in report["reason"]


def test_another_instance_from_the_same_disk_begins_anew(root: Path, offer: Callable[[bytes], list[Any]]) -> None:
    story(root).run(offer(make_tar(MODULES)), KERNEL, BEFORE)
    other = Switchover(
        InstanceState("99", str(root / "var")), "b", root=str(root), devices=str(root.parent / "devices")
    )
    assert other.earlier == {}


@pytest.mark.parametrize(
    ("tar", "said"),
    [
        (make_tar([("xen_blkfront.ko", BLKFRONT.replace(b"6.1.0-1", b"5.10.0-9"))]), "is for kernel 5.10.0-9-amd64"),
        (make_tar([("xen_blkfront.ko", b"no module")]), "is for kernel unknown"),
        (b"no tar at all" * 100, "no tar archive"),
    ],
    ids=["modules of another kernel", "no module", "no tar"],
)
def test_an_unfit_bundle_changes_nothing(
    root: Path, offer: Callable[[bytes], list[Any]], tar: bytes, said: str
) -> None:
    report = story(root).run(offer(tar), KERNEL, BEFORE)
    assert (report["verdict"], report["reboot"]) == ("failed", None)
    assert said in report["reason"]
    assert is_untouched(root)
    assert (root / "boot/initrd.img").read_bytes() == INITRAMFS


def test_a_bundle_with_other_bytes_than_announced_changes_nothing(
    root: Path, offer: Callable[[bytes], list[Any]], metadata_server: Any
) -> None:
    vendor_data = offer(make_tar(MODULES))
    metadata_server.answers["/drivers/xen.tar"] = make_tar(MODULES[:1])
    report = story(root).run(vendor_data, KERNEL, BEFORE)
    assert report["verdict"] == "failed"
    assert "sha256" in report["reason"]
    assert is_untouched(root)


def test_a_bundle_for_another_kernel_only_is_said(root: Path, offer: Callable[[bytes], list[Any]]) -> None:
    report = story(root).run(offer(make_tar(MODULES)), "6.1.0-2-amd64", BEFORE)
    assert report["reason"] == f"bundles are for kernel {KERNEL}, this is 6.1.0-2-amd64"


def test_another_platform_s_bundle_is_not_taken(root: Path) -> None:
    offered = {"kernel": KERNEL, "platform": "vmware", "url": "http://x/y", "sha256": "0"}
    report = story(root).run([{"drivers": [offered]}], KERNEL, BEFORE)
    assert report["reason"] == "the metadata offers no driver bundle"


def test_a_full_disk_is_found_before_anything_is_written(root: Path) -> None:
    with pytest.raises(DriverError, match=r"disk is full: \d+ bytes are needed, 4096 are free"):
        switchover.install(MODULES, KERNEL, str(root), free=lambda path: 4096)
    assert is_untouched(root)
    assert not (root / "lib").exists()


def test_a_disk_that_fills_up_half_way_leaves_a_guest_that_boots(
    root: Path, offer: Callable[[bytes], list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, data: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    vendor_data = offer(make_tar(MODULES))
    monkeypatch.setattr(os, "write", full)
    report = story(root).run(vendor_data, KERNEL, BEFORE)
    monkeypatch.undo()
    assert (report["verdict"], report["reason"], report["reboot"]) == ("failed", "the disk is full", None)
    assert (root / "boot/grub/grub.cfg").read_text() == GRUB
    assert (root / "boot/initrd.img").read_bytes() == INITRAMFS


def test_without_the_word_in_grub_s_configuration_nothing_reboots(
    root: Path, offer: Callable[[bytes], list[Any]]
) -> None:
    (root / "boot/grub/grub.cfg").write_text(GRUB.replace(" xen_emul_unplug=never", ""))
    report = story(root).run(offer(make_tar(MODULES)), KERNEL, BEFORE)
    assert (report["verdict"], report["reboot"]) == ("failed", None)
    assert "no kernel line" in report["reason"]
    assert story(root, "second").earlier == {}


def test_the_word_goes_from_kernel_lines_only() -> None:
    text = "# xen_emul_unplug=never\nlinux16 /v a xen_emul_unplug=never b\n\tlinux /v xen_emul_unplug=never\n"
    changed, count = switchover.without_unplug_word(text)
    assert changed == "# xen_emul_unplug=never\nlinux16 /v a b\n\tlinux /v \n"
    assert count == 2


def test_an_archive_is_put_behind_an_initramfs_once(root: Path) -> None:
    segment, path = switchover.archive(MODULES, KERNEL), root / "boot/initrd.img"
    for _ in range(2):
        switchover.extend_initramfs(segment, str(path))
    data = path.read_bytes()
    assert data.count(segment) == 1
    assert data.index(segment) % 4 == 0
    assert (root / "boot/initrd.img.old").read_bytes() == INITRAMFS


def test_the_archive_is_a_cpio_that_ends_and_holds_the_order() -> None:
    data = zlib.decompress(switchover.archive(MODULES, KERNEL), wbits=31)
    names, at = [], 0
    while True:
        assert data[at : at + 6] == b"070701"
        fields = [int(data[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        size, length = fields[6], fields[11]
        names.append(data[at + 110 : at + 110 + length - 1].decode())
        at += (110 + length + 3) // 4 * 4
        content = data[at : at + size]
        at += (size + 3) // 4 * 4
        if names[-1].endswith("/order"):
            assert content == b"xen_blkfront.ko\nxen_netfront.ko\n"
        if names[-1] == "TRAILER!!!":
            break
    folder = f"lib/modules/{KERNEL}/extra"
    assert names[3:-1] == [folder, f"{folder}/xen_blkfront.ko", f"{folder}/xen_netfront.ko", f"{folder}/order"]
    assert at == len(data)
