"""Stored images expand to what they hold; those that name other files never reach qemu-img."""

from __future__ import annotations

import hashlib
import os
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden_flows.clouds.disk_image import expand
from golden_flows.clouds.sparse import SparseWriter, sha256_of, zeros_only
from golden_flows.errors import MissingProgram

MIB = 1024 * 1024
needs_qemu_img = pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img (qemu-utils) is not installed")


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """8 MiB: some data, holes, a last sector that is not zero."""
    path = tmp_path / "original.raw"
    path.write_bytes(os.urandom(MIB) + bytes(7 * MIB - 512) + os.urandom(512))
    return path


def convert(raw: Path, *arguments: str) -> Path:
    out = raw.with_suffix(".converted")
    subprocess.run(["qemu-img", "convert", "-f", "raw", *arguments, str(raw), str(out)], check=True)
    return out


@needs_qemu_img
@pytest.mark.parametrize(
    ("disk_format", "arguments", "grows"),
    [
        ("vhd", ("-O", "vpc", "-o", "subformat=dynamic,force_size=on"), False),
        ("vhd", ("-O", "vpc", "-o", "subformat=fixed,force_size=on"), False),
        ("vhd", ("-O", "vpc"), True),
        ("qcow2", ("-O", "qcow2"), False),
        ("raw", ("-O", "raw"), False),
        ("vmdk", ("-O", "vmdk", "-o", "subformat=monolithicSparse"), False),
        ("vmdk", ("-O", "vmdk", "-o", "subformat=streamOptimized"), False),
    ],
)
def test_an_image_expands_to_its_original(raw: Path, disk_format: str, arguments: tuple[str, ...], grows: bool) -> None:
    original = raw.read_bytes()
    expansion = expand(convert(raw, *arguments), disk_format, raw.parent, original_bytes=len(original))
    assert expansion.error == ""
    assert expansion.sha256 == hashlib.sha256(original).hexdigest()
    assert (expansion.expanded_bytes != len(original)) is grows
    assert expansion.extra_tail_is_zero is (True if grows else None)


@needs_qemu_img
def test_one_flipped_bit_changes_the_digest(raw: Path) -> None:
    stored = convert(raw, "-O", "vpc", "-o", "force_size=on")
    data = bytearray(stored.read_bytes())
    data[data.index(raw.read_bytes()[:512]) + 100] ^= 1
    stored.write_bytes(data)
    expansion = expand(stored, "vhd", raw.parent, original_bytes=8 * MIB)
    assert expansion.sha256 != hashlib.sha256(raw.read_bytes()).hexdigest()


@needs_qemu_img
def test_a_damaged_image_is_an_error_of_the_image(raw: Path) -> None:
    stored = convert(raw, "-O", "qcow2")
    data = bytearray(stored.read_bytes())
    data[36:40] = struct.pack(">I", 2**31 - 1)  # entries in the L1 table
    stored.write_bytes(data)
    expansion = expand(stored, "qcow2", raw.parent, original_bytes=8 * MIB)
    assert expansion.expanded_bytes is None
    assert "qemu-img" in expansion.error
    assert not [one for one in raw.parent.iterdir() if one.name.startswith("expand-")]


def qcow2_header(*, backing: int = 0, incompatible: int = 0, virtual: int = MIB) -> bytes:
    start = struct.pack(">4sIQIIQ", b"QFI\xfb", 3, backing, 0, 16, virtual)
    return start.ljust(72, b"\0") + struct.pack(">Q", incompatible) + bytes(512)


def vhd_footer(disk_type: int, creator: bytes = b"qem2") -> bytes:
    footer = bytearray(512)
    footer[:8], footer[28:32] = b"conectix", creator
    struct.pack_into(">Q", footer, 48, MIB)
    struct.pack_into(">I", footer, 60, disk_type)
    return bytes(footer)


def vmdk(
    *,
    sectors: int = MIB // 512,
    form: str = "monolithicSparse",
    parent: str = "ffffffff",
    more: str = "",
    at: int = 1,
    behind: bytes = b"",
) -> bytes:
    """A header and its descriptor in the sector after it, whatever sector the header names."""
    extent = f'RW {sectors} SPARSE "stored"\n'
    text = f'# Disk DescriptorFile\nversion=1\nparentCID={parent}\ncreateType="{form}"\n{extent}{more}'
    head = struct.pack("<4sIIQQQQ", b"KDMV", 1, 3, sectors, 128, at, 2)
    return head.ljust(512, b"\0") + text.encode().ljust(1024, b"\0") + behind


@pytest.mark.parametrize(
    ("disk_format", "content", "reason"),
    [
        ("qcow2", qcow2_header(backing=600), "backing file"),
        ("qcow2", qcow2_header(incompatible=4), "data file"),
        ("qcow2", qcow2_header(virtual=2**50), "header claims"),
        ("qcow2", b"QFI", "not expanded"),
        ("qcow2", bytes(600), "no qcow2 header"),
        ("vhd", vhd_footer(4), "differencing"),
        ("vhd", vhd_footer(4) + bytes(512) + vhd_footer(3), "differencing"),
        ("vhd", bytes(4096), "no VHD footer"),
        ("vhd", b"", "no VHD footer"),
        ("vmdk", b"# Disk DescriptorFile\n", "no header"),
        ("vmdk", vmdk(sectors=0), "to a descriptor"),
        ("vmdk", vmdk(form="monolithicFlat"), "monolithicFlat"),
        ("vmdk", vmdk(parent="12345678"), "parent"),
        ("vmdk", vmdk(more='parentFileNameHint="/etc/passwd"\n'), "parent"),
        ("vmdk", vmdk(more='a=" "" parentFileNameHint="/etc/passwd"\n'), "parent"),
        ("vmdk", vmdk(behind=b'parentFileNameHint="/etc/passwd"\n'), "parent"),
        ("vmdk", vmdk(at=3, behind=vmdk()[512:]), "not in sector 1"),
        ("vmdk", vmdk(at=2**63), "not in sector 1"),
        ("vmdk", vmdk(more=f'a={" " * 300}""x\n', form="x"), "its form"),
        ("vmdk", vmdk(more='RW 8 FLAT "/etc/passwd" 0\n'), "more than one extent"),
        ("vmdk", vmdk(sectors=2**40), "header claims"),
        ("vdi", bytes(4096), "no safe way"),
    ],
)
def test_an_image_that_names_another_file_or_lies_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, disk_format: str, content: bytes, reason: str
) -> None:
    monkeypatch.setenv("PATH", "")  # qemu-img would be missed if it were called
    path = tmp_path / "stored"
    path.write_bytes(content)
    expansion = expand(path, disk_format, tmp_path, original_bytes=MIB)
    assert expansion.expanded_bytes is None
    assert reason in expansion.error


@given(st.binary(max_size=1100))
def test_any_header_is_read_or_refused(content: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"QFI\xfb\0\0\0\3" + b"\0\0\0\0\0\0\0\1" + content)
        file.flush()
        assert expand(Path(file.name), "qcow2", Path("/nonexistent"), original_bytes=1).error


def test_without_qemu_img_the_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    (tmp_path / "stored").write_bytes(vhd_footer(2))
    with pytest.raises(MissingProgram, match="apt-get install qemu-utils"):
        expand(tmp_path / "stored", "vhd", tmp_path, original_bytes=MIB)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 70_000)), max_size=8), st.integers(500, 200_000))
def test_a_sparse_file_reads_and_hashes_as_what_was_written(parts: list[tuple[bool, int]], size: int) -> None:
    content = b"".join((b"\x01" if filled else b"\0") * length for filled, length in parts)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sparse"
        writer = SparseWriter(path)
        for at in range(0, len(content), size):
            writer(content[at : at + size])
        writer.close()
        assert path.read_bytes() == content
        assert sha256_of(path, len(content)) == hashlib.sha256(content).hexdigest()
        assert zeros_only(path, 0, len(content)) is (not content.strip(b"\0"))


def test_zeros_take_no_room(tmp_path: Path) -> None:
    writer = SparseWriter(tmp_path / "sparse")
    for _ in range(64):
        writer(bytes(MIB))
    writer.close()
    assert (tmp_path / "sparse").stat().st_size == 64 * MIB
    assert (tmp_path / "sparse").stat().st_blocks * 512 < MIB
