"""Superblocks, read from disks that e2fsprogs made; and bytes that nobody made on purpose."""

from __future__ import annotations

import struct
import subprocess
import uuid
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden_flows.clouds.sample_images import gpt_disk
from golden_flows.model import file_system, gpt
from golden_flows.model.file_system import ExportedDisk, Read

START = 2048 * 512
UUID = str(uuid.UUID(int=0x1C5A3D9E_0000_4000_8000_000000000009))


def reader(disk: bytes) -> Read:
    return lambda at, length: disk[at : at + length]


def formatted(folder: Path, *commands: str) -> bytes:
    """A partition of 4 MiB; debugfs then does as it is told."""
    path = folder / "partition"
    argv = ["mke2fs", "-q", "-F", "-t", "ext4", "-U", UUID, str(path), "4096k"]
    path.touch()
    subprocess.run(argv, check=True, capture_output=True)
    for command in commands:
        subprocess.run(["debugfs", "-w", "-R", command, str(path)], check=True, capture_output=True)
    return path.read_bytes()


def on_mbr(partition: bytes) -> bytes:
    entry = struct.pack("<B3sB3sII", 0x80, b"\0\0\0", 0x83, b"\0\0\0", START // 512, len(partition) // 512)
    return ((bytes(446) + entry).ljust(510, b"\0") + b"\x55\xaa").ljust(START, b"\0") + partition


def test_a_fresh_file_system_is_clean(tmp_path: Path) -> None:
    seen = file_system.look(reader(on_mbr(formatted(tmp_path))))
    (one,) = seen.file_systems
    assert (one.start_bytes, one.uuid, seen.partitions) == (START, UUID, 1)
    assert (one.is_valid, one.has_errors, one.has_journal, one.needs_recovery) == (True, False, True, False)


@pytest.mark.parametrize(
    ("command", "field", "value"),
    [
        ("set_super_value state 2", "has_errors", True),
        ("set_super_value state 0", "is_valid", False),
        ("feature needs_recovery", "needs_recovery", True),
        ("feature ^has_journal", "has_journal", False),
    ],
)
def test_what_e2fsprogs_marks_is_seen(tmp_path: Path, command: str, field: str, value: bool) -> None:
    (one,) = file_system.look(reader(on_mbr(formatted(tmp_path, command)))).file_systems
    assert getattr(one, field) is value


def test_a_whole_disk_without_partitions_may_be_a_file_system(tmp_path: Path) -> None:
    seen = file_system.look(reader(formatted(tmp_path)))
    assert (len(seen.file_systems), seen.partitions) == (1, 0)


def test_partitions_of_a_gpt_are_found() -> None:
    seen = file_system.look(reader(gpt_disk()))
    assert seen == ExportedDisk(partitions=1)


@given(st.binary(max_size=4096), st.booleans())
def test_any_bytes_are_read_without_a_complaint(noise: bytes, is_bootable: bool) -> None:
    disk = noise.ljust(2048, b"\0")
    if is_bootable:
        disk = disk[:510] + b"\x55\xaa" + disk[512:]
    file_system.look(reader(disk))
    gpt.alternate_lba(disk)
    gpt.protective_sectors(disk)


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_a_table_that_claims_anything_is_read_within_bounds(table: int, count: int, size: int) -> None:
    asked: list[int] = []
    rest = struct.pack("<QIII", table, count, size, 0)
    header = b"EFI PART" + struct.pack("<IIII", 0x10000, 92, 0, 0) + struct.pack("<QQQQ", 1, 9, 34, 200) + bytes(16)
    whole = header + rest
    whole = whole[:16] + struct.pack("<I", zlib.crc32(whole)) + whole[20:]
    disk = (bytes(510) + b"\x55\xaa" + whole).ljust(4096, b"\0")

    def read(at: int, length: int) -> bytes:
        asked.append(length)
        return disk[at : at + length]

    file_system.look(read)
    assert max(asked) <= 1 << 20
