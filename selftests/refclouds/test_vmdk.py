"""VMDK is taken where it is one sparse file of its own, and refused where it names another."""

from __future__ import annotations

import asyncio
import shutil
import struct
from pathlib import Path

import pytest
from refclouds import disks
from refclouds.faults import NO_FAULTS
from refclouds.images import conversion, inspection
from refclouds.images.inspection import ImageRejectedError

MIB = 1 << 20
needs_qemu_img = pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img (qemu-utils) is not installed")


def vmdk(
    *, sectors: int = MIB // 512, form: str = "monolithicSparse", parent: str = "ffffffff", more: str = ""
) -> bytes:
    """A header, and its descriptor in the sector after it."""
    text = f'# Disk DescriptorFile\nparentCID={parent}\ncreateType="{form}"\nRW {sectors} SPARSE "disk"\n{more}'
    head = struct.pack("<4sIIQQQQ", b"KDMV", 1, 3, sectors, 128, 1, 2)
    return head.ljust(512, b"\0") + text.encode().ljust(1024, b"\0")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'# Disk DescriptorFile\nRW 8 FLAT "/etc/passwd" 0\n', "header of a sparse extent"),
        (vmdk(sectors=0), "size to a descriptor"),
        (vmdk(form="twoGbMaxExtentSparse"), "is not monolithicSparse"),
        (vmdk(parent="deadbeef"), "parent"),
        (vmdk(more='parentFileNameHint="/etc/passwd"\n'), "parent"),
        (vmdk(more='RW 8 FLAT "/etc/passwd" 0\n'), "more than one extent"),
    ],
)
def test_a_vmdk_that_names_another_file_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "disk").write_bytes(content)
    with pytest.raises(ImageRejectedError, match=reason):
        inspection.require(tmp_path / "disk", "vmdk")


@needs_qemu_img
def test_what_the_cloud_converts_it_takes_and_boots_from_and_hands_out_as_raw(tmp_path: Path) -> None:
    raw, stored, disk, out = (tmp_path / name for name in ("raw", "stored", "disk", "out"))
    raw.write_bytes(b"\x55" * MIB + bytes(3 * MIB))

    async def through() -> None:
        await conversion.convert(raw, "raw", stored, "vmdk", NO_FAULTS)
        inspection.require(stored, "vmdk")
        disk_format = await disks.overlay(stored, "vmdk", disk, 0)
        await disks.flatten(disk, disk_format, out, "raw")

    asyncio.run(through())
    assert inspection.virtual_size(stored, "vmdk") == 4 * MIB
    assert out.read_bytes() == raw.read_bytes()
