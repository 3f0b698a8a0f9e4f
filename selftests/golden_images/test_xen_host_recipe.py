"""Parts of the Xen host's recipe that need no packages."""

from __future__ import annotations

import gzip
import lzma
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from golden_images import HostImage, ImageBuildError, bzimage, cache, libraries, xen_host
from golden_images.manifest import read_host_manifest, sha256_file, write_manifest


def make_elf(body: bytes) -> bytes:
    """An ELF header whose section table follows ``body``."""
    header = bytearray(b"\x7fELF".ljust(64, b"\0"))
    struct.pack_into("<Q", header, 0x28, 64 + len(body))
    struct.pack_into("<HH", header, 0x3A, 64, 1)
    return bytes(header) + body + b"T" * 64


def make_bzimage(payload: bytes, setup_sectors: int) -> bytes:
    head = bytearray((setup_sectors + 1) * 512 + 100)
    head[0x1F1] = setup_sectors
    head[0x202:0x206] = b"HdrS"
    struct.pack_into("<II", head, 0x248, 100, len(payload))
    return bytes(head) + payload + b"rest"


@pytest.mark.parametrize("pack", [lambda data: lzma.compress(data, check=lzma.CHECK_CRC32), gzip.compress])
def test_the_kernel_comes_out_of_a_bzimage_without_its_relocations(pack: Callable[[bytes], bytes]) -> None:
    elf = make_elf(b"code")
    packed = pack(elf + b"relocations")
    assert bzimage.kernel_elf(make_bzimage(packed, 4)) == elf


def test_a_kernel_packed_otherwise_is_refused_by_its_magic() -> None:
    with pytest.raises(ImageBuildError, match="02214c18"):
        bzimage.kernel_elf(make_bzimage(b"\x02\x21\x4c\x18....", 1))


def test_what_is_no_bzimage_is_refused() -> None:
    with pytest.raises(ImageBuildError, match="no bzImage"):
        bzimage.kernel_elf(bytes(2048))


LISTING = """\
\tlinux-vdso.so.1 (0x00007ffd)
\tlibz.so.1 => {0}/lib/x86_64-linux-gnu/libz.so.1 (0x00007f10)
\tlibc.so.6 => {0}/lib/x86_64-linux-gnu/libc.so.6 (0x00007f11)
\t/lib64/ld-linux-x86-64.so.2 => {0}/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 (0x00007f12)
"""


def test_libraries_are_read_from_the_loader_s_listing(tmp_path: Path) -> None:
    found = libraries.parse(LISTING.format(tmp_path), "xl", tmp_path)
    assert set(found) == {"libz.so.1", "libc.so.6"}
    assert found["libz.so.1"] == tmp_path / "lib/x86_64-linux-gnu/libz.so.1"


@pytest.mark.parametrize("place", ["/lib/x86_64-linux-gnu/libz.so.1 (0x00007f10)", "not found"])
def test_a_library_of_the_building_machine_is_not_taken(tmp_path: Path, place: str) -> None:
    with pytest.raises(ImageBuildError, match=r"no package brings libz\.so\.1, which xl needs"):
        libraries.parse(f"\tlibz.so.1 => {place}\n", "xl", tmp_path)


def make_built(folder: Path) -> HostImage:
    folder.mkdir()
    names = ("xen", "vmlinux", "dom0.cpio")
    for name in names:
        (folder / name).write_text(name)
    sha256 = {name: sha256_file(folder / name) for name in names}
    xen, kernel, initramfs = (folder / name for name in names)
    built = HostImage("xen-host", xen, kernel, initramfs, sha256, "4.17.7+13", "6.1.0-56-amd64", "0" * 64)
    write_manifest(built, folder)
    return built


def test_a_host_s_manifest_survives_a_move_of_its_folder(tmp_path: Path) -> None:
    make_built(tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "b")
    assert read_host_manifest(tmp_path / "b").kernel == tmp_path / "b/vmlinux"


@pytest.mark.parametrize("damaged", ["xen", "vmlinux", "dom0.cpio"])
def test_a_damaged_cached_host_is_said_and_removed(tmp_path: Path, damaged: str) -> None:
    make_built(tmp_path / "a")
    (tmp_path / "a" / damaged).write_bytes(b"?")
    said: list[str] = []
    assert cache._cached(xen_host.RECIPE, tmp_path / "a", said.append) is None
    assert said == [f"cached xen-host is damaged ({damaged}); rebuilding"]


def test_the_pocket_s_recipe_is_no_input_of_the_xen_host() -> None:
    sources = cache._package_sources(xen_host.NAME)
    assert "xen_host.py" in sources
    assert "pocket.py" not in sources


def test_dom0_s_files_travel_with_the_package() -> None:
    files = xen_host.carried_files()
    assert {"root/etc/inittab", "root/etc/init.d/rcS", "root/etc/xen/scripts/vif-bridge"} <= set(files)
    assert all(files[f"root/usr/lib/xen-host/{name}"].startswith(b"#!/bin/sh") for name in ("agent", "nic-attach"))
