"""A kernel for a boot loader that reads it once, from its beginning to its end."""

from __future__ import annotations

import struct

import pytest
from golden_images import ImageBuildError, elf

TEXT, DATA, NOTES = b"T" * 5000, b"D" * 100, b"Xen\0"


def make_kernel() -> bytes:
    """Text with notes in it, then data with a long tail of zeros; sections behind."""
    body = bytearray(0x8000)
    body[0x1000 : 0x1000 + len(TEXT)] = TEXT
    body[0x1800 : 0x1800 + len(NOTES)] = NOTES
    body[0x4000 : 0x4000 + len(DATA)] = DATA
    header = struct.pack(
        "<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, 62, 1, 0x1000, 64, 0x7000, 0, 64, 56, 3, 64, 9, 8
    )
    segments = (
        (1, 5, 0x1000, 0x81000000, 0x1000, len(TEXT), len(TEXT), 0x200000),
        (1, 6, 0x4000, 0x82000000, 0x4000, 0x2000, 0x3000, 0x200000),
        (4, 0, 0x1800, 0x81000800, 0x1800, len(NOTES), len(NOTES), 4),
    )
    table = b"".join(struct.pack("<IIQQQQQQ", *segment) for segment in segments)
    body[: len(header) + len(table)] = header + table
    return bytes(body)


def segments_of(kernel: bytes) -> list[tuple[int, ...]]:
    (table,) = struct.unpack_from("<Q", kernel, 32)
    (count,) = struct.unpack_from("<H", kernel, 56)
    return [struct.unpack_from("<IIQQQQQQ", kernel, table + 56 * n) for n in range(count)]


def test_every_segment_keeps_its_content_its_addresses_and_its_place_in_the_table() -> None:
    before, after = make_kernel(), elf.compact(make_kernel())
    for old, new in zip(segments_of(before), segments_of(after), strict=True):
        assert (old[0], old[1], old[3], old[4], old[6]) == (new[0], new[1], new[3], new[4], new[6])
        content = before[old[2] : old[2] + old[5]]
        assert after[new[2] : new[2] + new[5]].ljust(old[5], b"\0") == content


def test_a_reader_never_has_to_go_back() -> None:
    text, data, notes = segments_of(elf.compact(make_kernel()))
    assert notes[2] < text[2] < data[2]


def test_zeros_at_a_segment_s_end_are_left_to_the_loader() -> None:
    assert segments_of(elf.compact(make_kernel()))[1][5] == len(DATA)


def test_no_section_table_is_promised() -> None:
    compacted = elf.compact(make_kernel())
    assert struct.unpack_from("<Q", compacted, 40) == (0,)
    assert struct.unpack_from("<HH", compacted, 60) == (0, 0)


def test_what_is_no_elf_file_is_refused() -> None:
    with pytest.raises(ImageBuildError, match="no 64-bit ELF"):
        elf.compact(b"MZ".ljust(64, b"\0"))
