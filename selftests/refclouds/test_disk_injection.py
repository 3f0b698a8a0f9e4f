"""Faults that are written into a guest's disk: what is changed, and that nothing else is."""

from __future__ import annotations

import asyncio
import gzip
import re
import subprocess
from pathlib import Path

import pytest
from golden_images import cpio
from golden_images.disk import PARTITION_START_SECTOR
from guest_agent import policy
from metadata_shims.injection import Placement
from refclouds import disk_injection, disks, programs
from refclouds.disk_injection import (
    AUTHORIZED_KEYS,
    GETTY,
    INITRAMFS,
    INITTAB,
    XEN_DRIVERS,
    inject,
    without_xen_drivers,
)
from refclouds.faults import NO_FAULTS, Faults
from refclouds.node import DiskError, DiskFormat

START_BYTES = PARTITION_START_SECTOR * 512
PARTITION_BYTES = 8 << 20


def run(*argv: str) -> bytes:
    return subprocess.run(argv, check=True, capture_output=True, env=programs.environment()).stdout


def modules(tree: Path) -> bytes:
    folder = tree / "lib/modules/6.1"
    folder.mkdir(parents=True)
    for name in (*XEN_DRIVERS, "virtio_blk.ko"):
        (folder / name).write_bytes(name.encode() * 3)
    return cpio.archive(tree)


def names(archive: bytes) -> set[str]:
    """Modules whose file is in the archive, whole."""
    return {name for name in (*XEN_DRIVERS, "virtio_blk.ko") if name.encode() * 3 in archive}


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """One partition with an inittab and an initramfs."""
    tree = tmp_path / "tree"
    (tree / "etc").mkdir(parents=True)
    (tree / "boot").mkdir()
    (tree / "etc/inittab").write_text("::sysinit:/etc/init.d/rcS\n")
    (tree / "boot/initrd.img").write_bytes(gzip.compress(modules(tmp_path / "early"), mtime=0))
    partition, raw = tmp_path / "partition", tmp_path / "disk.raw"
    run("mke2fs", "-q", "-t", "ext4", "-d", str(tree), str(partition), f"{PARTITION_BYTES >> 10}k")
    table = bytes(446 + 8) + PARTITION_START_SECTOR.to_bytes(4, "little")
    raw.write_bytes((table.ljust(510, b"\0") + b"\x55\xaa").ljust(START_BYTES, b"\0") + partition.read_bytes())
    return raw


def content(disk: Path, disk_format: DiskFormat, path: str) -> bytes:
    raw = disk.with_suffix(".back")
    asyncio.run(disks.flatten(disk, disk_format, raw, "raw"))
    return run("debugfs", "-R", f"cat {path}", f"{raw}?offset={START_BYTES}")


def test_a_static_address_is_written_down_by_a_script_of_the_guest_s_own(disk: Path) -> None:
    asyncio.run(inject(disk, "raw", Faults.parse(["stale_static"])))
    assert content(disk, "raw", INITTAB).endswith(disk_injection.RUN_STALE_STATIC)
    assert content(disk, "raw", disk_injection.STALE_STATIC) == disk_injection.STALE_STATIC_SCRIPT


def test_the_archive_keeps_everything_but_xen_s_drivers(tmp_path: Path) -> None:
    whole = modules(tmp_path)
    packed = without_xen_drivers(gzip.compress(whole))
    lighter = gzip.decompress(packed)
    assert without_xen_drivers(whole) == lighter
    assert names(whole) - names(lighter) == set(XEN_DRIVERS)


@pytest.mark.parametrize(
    "content", [b"no archive", gzip.compress(b"neither is this", mtime=0)], ids=["plain", "packed"]
)
def test_what_is_no_archive_is_refused(content: bytes) -> None:
    with pytest.raises(DiskError, match="is not an archive"):
        without_xen_drivers(content)


def test_the_journal_of_a_snapshot_is_replayed_first(disk: Path) -> None:
    partition = f"{disk}?offset={START_BYTES}"
    run("debugfs", "-w", "-R", "set_super_value feature_incompat 0x2c6", partition)  # with needs_recovery
    asyncio.run(inject(disk, "raw", Faults.parse(["hvc0_getty"])))
    assert GETTY in content(disk, "raw", INITTAB)


@pytest.mark.parametrize("disk_format", ["raw", "qcow2", "vpc"])
def test_files_in_the_disk_are_changed_and_the_disk_keeps_its_format(
    disk: Path, disk_format: DiskFormat, tmp_path: Path
) -> None:
    guest = tmp_path / "disk"
    asyncio.run(disks.flatten(disk, "raw", guest, disk_format))
    asyncio.run(inject(guest, disk_format, Faults.parse(["hvc0_getty", "initrd_no_pv"])))
    assert content(guest, disk_format, INITTAB) == b"::sysinit:/etc/init.d/rcS\n" + GETTY
    assert names(gzip.decompress(content(guest, disk_format, INITRAMFS))) == {"virtio_blk.ko"}
    partition = f"{guest.with_suffix('.back')}?offset={START_BYTES}"
    run("e2fsck", "-f", "-n", partition)


def test_keys_of_the_image_s_owner_are_thrown_away(disk: Path, tmp_path: Path) -> None:
    partition, keys = f"{disk}?offset={START_BYTES}", tmp_path / "keys"
    keys.write_text("ssh-ed25519 AAAA owner")
    for command in ("mkdir root", "mkdir root/.ssh", f"write {keys} {AUTHORIZED_KEYS}"):
        run("debugfs", "-w", "-R", command, partition)
    asyncio.run(inject(disk, "raw", Faults.parse(["key_replaces"])))
    assert content(disk, "raw", AUTHORIZED_KEYS) == b"# the keys of this file are the cloud's\n"


def test_without_these_faults_a_disk_is_not_touched(disk: Path) -> None:
    before = disk.read_bytes()
    asyncio.run(inject(disk, "raw", NO_FAULTS))
    asyncio.run(inject(disk, "raw", Faults.parse(["nd_empty"])))
    assert disk.read_bytes() == before
    assert disk_injection.edits(NO_FAULTS) == {}


def placed(path: str, content: bytes = b"\0\xffinjected", mode: int = 0o644) -> Placement:
    return Placement(path, lambda old: old + content, mode)


def stat_of(disk: Path, path: str) -> str:
    return run("debugfs", "-R", f'stat "{path}"', f"{disk}?offset={START_BYTES}").decode()


def test_injected_files_are_root_s_in_folders_made_for_them_and_old_ones_keep_what_they_are(disk: Path) -> None:
    partition = f"{disk}?offset={START_BYTES}"
    for field in ("mode 0100600", "uid 7", "gid 8"):
        run("debugfs", "-w", "-R", f"set_inode_field {INITTAB} {field}", partition)
    files = [placed("/root/.ssh/authorized_keys", mode=0o600), placed('/srv/a "b"/file'), placed(INITTAB)]
    asyncio.run(inject(disk, "raw", NO_FAULTS, files))
    assert content(disk, "raw", '"/srv/a ""b""/file"') == b"\0\xffinjected"
    assert content(disk, "raw", INITTAB) == b"::sysinit:/etc/init.d/rcS\n\0\xffinjected"
    assert "Mode:  0600" in stat_of(disk, "/root/.ssh/authorized_keys")
    assert "Mode:  0700" in stat_of(disk, "/root/.ssh")
    kept = stat_of(disk, INITTAB)
    assert "Mode:  0600" in kept
    assert re.search(r"User:\s+7\s+Group:\s+8", kept)
    run("e2fsck", "-f", "-n", partition)


HOSTILE = {
    "dots": "/srv/../../../etc/escape",
    "a link": "/link/escape",
    "a link at the end": "/etc/linked",
    "a file for a folder": "/etc/inittab/escape",
    "a folder": "/etc",
    "relative": "etc/escape",
    "two slashes": "/etc//escape",
    "a line end": "/etc/es\ncape",
    "too long": "/" + "p" * 255,
}


@pytest.mark.parametrize("path", HOSTILE.values(), ids=HOSTILE)
def test_paths_that_are_not_plain_are_refused_and_the_disk_stays_as_it_is(disk: Path, path: str) -> None:
    for link, target in (("/link", "/etc"), ("/etc/linked", "/etc/inittab")):
        run("debugfs", "-w", "-R", f"symlink {link} {target}", f"{disk}?offset={START_BYTES}")
    before = disk.read_bytes()
    with pytest.raises(DiskError):
        asyncio.run(inject(disk, "raw", NO_FAULTS, [placed(path)]))
    assert disk.read_bytes() == before


@pytest.mark.parametrize("path", [HOSTILE["dots"], HOSTILE["a link"]])
def test_with_file_traversal_they_are_followed(disk: Path, path: str) -> None:
    run("debugfs", "-w", "-R", "symlink /link /etc", f"{disk}?offset={START_BYTES}")
    asyncio.run(inject(disk, "raw", Faults.parse(["file_traversal"]), [placed(path)]))
    assert content(disk, "raw", "/etc/escape") == b"\0\xffinjected"


def test_a_full_disk_takes_no_file_and_says_so(disk: Path) -> None:
    with pytest.raises(DiskError, match="is the disk full"):
        asyncio.run(inject(disk, "raw", NO_FAULTS, [placed("/srv/large", bytes(range(256)) * (PARTITION_BYTES >> 8))]))


def test_a_disk_without_partitions_or_files_is_refused(disk: Path, tmp_path: Path) -> None:
    blank = tmp_path / "blank.raw"
    blank.write_bytes(bytes(1 << 20))
    with pytest.raises(DiskError, match="no partition table"):
        asyncio.run(inject(blank, "raw", Faults.parse(["hvc0_getty"])))
    run("debugfs", "-w", "-R", f"rm {INITTAB}", f"{disk}?offset={START_BYTES}")
    with pytest.raises(DiskError, match="/etc/inittab"):
        asyncio.run(inject(disk, "raw", Faults.parse(["hvc0_getty"])))


def test_without_policy_routes_the_agent_is_told_so_before_anything_else_runs() -> None:
    edit = disk_injection.edits(Faults.parse(["no_policy_route", "hvc0_getty"]))[INITTAB]
    first, second, *_, last = edit(b"::sysinit:/etc/init.d/rcS\n").splitlines(keepends=True)
    assert policy.SWITCHED_OFF.encode() in first
    assert (second, last) == (b"::sysinit:/etc/init.d/rcS\n", GETTY)
