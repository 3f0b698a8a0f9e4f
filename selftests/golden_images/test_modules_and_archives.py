"""Parts of an image build that need no packages."""

from __future__ import annotations

import os
import struct
import uuid
from pathlib import Path

import pytest
from golden_images import cpio, disk, userland
from golden_images.debs import Deb, digest_of
from golden_images.modules import SIGNATURE_MAGIC, canonical, read_modinfo, without_signature
from golden_images.programs import GRUB_FILES, REQUIRED

LAYOUT = disk.DiskLayout(8, uuid.UUID(int=7), "label", 0, "")


def make_elf(modinfo: bytes) -> bytes:
    """The least of an ELF file that has a .modinfo section."""
    names = b"\0.modinfo\0.shstrtab\0"
    body = modinfo + names
    header = bytearray(64)
    struct.pack_into("<Q", header, 0x28, 64 + len(body))
    struct.pack_into("<HHH", header, 0x3A, 64, 3, 2)
    sections = [(0, 0, 0), (1, 64, len(modinfo)), (10, 64 + len(modinfo), len(names))]
    table = b"".join(struct.pack("<IIQQQQ", n, 0, 0, 0, at, size).ljust(64, b"\0") for n, at, size in sections)
    return bytes(header) + body + table


def test_modinfo_is_read_from_the_elf_section() -> None:
    elf = make_elf(b"depends=virtio,virtio_ring\0alias=pci:v00001AF4d*\0bare\0")
    assert read_modinfo(elf) == [("depends", "virtio,virtio_ring"), ("alias", "pci:v00001AF4d*")]


def test_a_dash_and_an_underscore_name_the_same_module() -> None:
    assert canonical("virtio-rng") == "virtio_rng"


def test_a_module_signature_is_cut_off_exactly() -> None:
    signed = b"module bytes" + b"S" * 300 + b"\0" * 8 + struct.pack(">I", 300) + SIGNATURE_MAGIC
    assert without_signature(signed) == b"module bytes"


def test_an_unsigned_module_is_left_as_it_is() -> None:
    assert without_signature(b"module bytes") == b"module bytes"


def test_the_initramfs_archive_does_not_depend_on_times_order_or_umask(tmp_path: Path) -> None:
    archives = []
    for names, time_s in ((("a", "b"), 1), (("b", "a"), 2_000_000_000)):
        tree = tmp_path / str(time_s)
        tree.mkdir()
        for name in names:
            (tree / name).write_text(name)
            os.utime(tree / name, (time_s, time_s))
            (tree / name).chmod(0o600 if time_s == 1 else 0o664)
        (tree / "link").symlink_to("a")
        archives.append(cpio.archive(tree))
    assert archives[0] == archives[1]
    assert archives[0].startswith(b"070701")
    assert cpio.TRAILER.encode() in archives[0]
    assert len(archives[0]) % 4 == 0


@pytest.mark.skipif(not (GRUB_FILES / "boot.img").exists(), reason="needs the package grub-pc-bin")
def test_the_boot_record_has_one_active_linux_partition_up_to_the_end() -> None:
    mbr = disk.master_boot_record(LAYOUT)
    status, kind = mbr[446], mbr[450]
    start, sectors = struct.unpack_from("<II", mbr, 454)
    assert (len(mbr), mbr[510:], status, kind) == (512, b"\x55\xaa", 0x80, 0x83)
    assert start + sectors == LAYOUT.size_mib * 2048


def test_the_digest_of_packages_ignores_their_order_but_not_their_hash() -> None:
    one, two = Deb("a", "1", "a_1_amd64.deb", "00"), Deb("b", "1", "b_1_amd64.deb", "11")
    assert digest_of([one, two]) == digest_of([two, one])
    assert digest_of([one]) != digest_of([Deb("a", "1", "a_1_amd64.deb", "01")])


def test_every_required_program_names_its_debian_package() -> None:
    assert set(REQUIRED.values()) == {"apt", "dpkg", "e2fsprogs", "grub-common", "grub-pc-bin", "util-linux"}


def test_guest_scripts_travel_with_the_package() -> None:
    files = userland.guest_files()
    assert {"root/etc/inittab", "initramfs/init", "root/usr/lib/guest/dhcp-event"} <= set(files)
    assert b"root:*:" in files["root/etc/shadow"]


def test_no_identity_is_baked_in() -> None:
    files = userland.guest_files()
    assert files["root/etc/hostname"] == b"localhost\n"
    assert not [name for name in files if "host_key" in name or "machine-id" in name or "authorized_keys" in name]
