"""What is read of a disk that passes is what is read of the same disk when it lies still."""

from __future__ import annotations

import struct
import subprocess
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden_flows.clouds.passing import HEAD_BYTES, PassingDisk, Window
from golden_flows.clouds.sample_images import gpt_disk
from golden_flows.model import file_system
from golden_flows.model.file_system import ExportedDisk

SECTOR_BYTES = 512
MIB = 1 << 20


def passing(disk: bytes, chunk_bytes: int) -> ExportedDisk:
    seen = PassingDisk()
    for at in range(0, len(disk), chunk_bytes):
        seen(disk[at : at + chunk_bytes])
    return seen.look()


def lying(disk: bytes) -> ExportedDisk:
    return file_system.look(lambda at, length: disk[at : at + length])


@pytest.fixture(scope="module")
def partition(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("ext") / "partition"
    path.touch()
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", str(path), "2048k"], check=True, capture_output=True)
    return path.read_bytes()


def with_mbr(*places: tuple[int, bytes]) -> bytes:
    """A disk with a partition at each place."""
    disk = bytearray(max(start + len(content) for start, content in places))
    for index, (start, content) in enumerate(places):
        lengths = (start // SECTOR_BYTES, len(content) // SECTOR_BYTES)
        disk[446 + 16 * index : 462 + 16 * index] = struct.pack("<B3sB3sII", 0, b"\0\0\0", 0x83, b"\0\0\0", *lengths)
        disk[start : start + len(content)] = content
    disk[510:512] = b"\x55\xaa"
    return bytes(disk)


@pytest.mark.parametrize("chunk_bytes", [1000, 65536, MIB, MIB + 1, 16 * MIB])
def test_file_systems_are_seen_wherever_chunks_end(partition: bytes, chunk_bytes: int) -> None:
    # In the head, across its end, and far behind it.
    disk = with_mbr((SECTOR_BYTES * 8, partition[:4096]), (MIB - 1536, partition), (9 * MIB, partition))
    seen = passing(disk, chunk_bytes)
    assert len(seen.file_systems) == 3
    assert seen == lying(disk)


def test_a_disk_smaller_than_the_head_is_seen(partition: bytes) -> None:
    disk = partition[: HEAD_BYTES // 2]
    assert len(passing(disk, 4096).file_systems) == 1
    assert passing(gpt_disk(), 4096) == lying(gpt_disk())


def test_a_partition_table_that_was_not_kept_is_said_to_be_unread() -> None:
    disk = bytearray(gpt_disk().ljust(4 * MIB, b"\0"))
    header = disk[SECTOR_BYTES : SECTOR_BYTES + 92]
    struct.pack_into("<Q", header, 72, 3 * MIB // SECTOR_BYTES)
    struct.pack_into("<I", header, 16, 0)
    struct.pack_into("<I", header, 16, zlib.crc32(header))
    disk[SECTOR_BYTES : SECTOR_BYTES + 92] = header
    seen = passing(bytes(disk), 65536)
    assert "beyond the first" in seen.error


@given(st.binary(max_size=300), st.integers(0, 300), st.integers(0, 300), st.integers(1, 50))
def test_a_window_keeps_what_lies_in_it(content: bytes, start: int, length: int, chunk_bytes: int) -> None:
    window = Window(start, length)
    for at in range(0, len(content), chunk_bytes):
        window(content[at : at + chunk_bytes], at)
    assert window.content == content[start : start + length]
