"""A kernel packed anew: what the boot loader is told, and, on a virtual processor, that it is unpacked byte by byte."""

from __future__ import annotations

import random
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from golden_images import ImageBuildError, kernel_lz4
from refclouds.qemu_command import BINARY

PLACE = 0x1000000
SETUP_SECTORS = 4
SETUP_BYTES = (SETUP_SECTORS + 1) * 512
assembles = pytest.mark.skipif(not shutil.which("as"), reason="needs the package binutils")


def make_elf(content: bytes) -> bytes:
    """One segment that begins with its first instruction."""
    end = 64 + 56 + len(content)
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, 62, 1, PLACE, 64, end, 0, 64, 56, 1, 64, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 120, 0xFFFFFFFF81000000, PLACE, len(content), len(content) + 4096, 4096)
    return header + segment + content


def make_image(content: bytes) -> bytes:
    """A bzImage with that ELF file, packed by nothing."""
    half = bytearray(SETUP_BYTES)
    half[0x1F1] = SETUP_SECTORS
    half[0x202:0x206] = b"HdrS"
    half[0x234] = 1  # may be moved
    half[0x236:0x238] = b"\x3f\x00"
    elf = make_elf(content)
    struct.pack_into("<II", half, 0x248, 0, len(elf))
    return bytes(half) + elf


def speaking(data: bytes) -> bytes:
    """A kernel that says its own data, byte by byte, at QEMU's debug console and ends the machine."""
    code = b"\x48\x8d\x35" + struct.pack("<i", 64 - 7)  # lea data(%rip), %rsi
    code += b"\xb9" + struct.pack("<I", len(data))  # mov $length, %ecx
    code += b"\x66\xba\xe9\x00\xfc\xf3\x6e"  # mov $0xe9, %dx; cld; rep outsb
    code += b"\x66\xba\xf4\x00\xee\xf4\xeb\xfd"  # mov $0xf4, %dx; out %al, %dx; hlt
    return code.ljust(64, b"\x90") + data


def patterns() -> bytes:
    """Short and long runs, of patterns of each length up to twenty, between what cannot be packed."""
    chance = random.Random(4)
    parts = []
    for period in range(1, 21):
        for length in (5, 18, 19, 274, 5000):
            parts.append(chance.randbytes(chance.choice((0, 1, 7, 8, 14, 15, 16, 300))))
            parts.append((chance.randbytes(period) * length)[:length])
    return b"".join(parts)


@assembles
def test_a_boot_loader_is_told_the_length_and_to_use_the_32_bit_entry_alone(tmp_path: Path) -> None:
    packed = kernel_lz4.repack(make_image(speaking(bytes(100_000))), tmp_path)
    assert struct.unpack_from("<I", packed, 0x1F4)[0] * 16 == len(packed) - SETUP_BYTES
    assert (packed[0x234], packed[0x236:0x238]) == (0, b"\0\0")
    (needed,) = struct.unpack_from("<I", packed, 0x260)
    assert needed == PLACE + 64 + 100_000 + 4096 - kernel_lz4.LOADED_AT


@assembles
def test_a_kernel_that_would_be_unpacked_over_itself_is_refused(tmp_path: Path) -> None:
    incompressible = random.Random(4).randbytes(16 << 20)
    with pytest.raises(ImageBuildError, match="too many to boot"):
        kernel_lz4.repack(make_image(incompressible), tmp_path)


@assembles
@pytest.mark.qemu
def test_a_processor_unpacks_what_was_packed(tmp_path: Path) -> None:
    data = patterns()
    packed = kernel_lz4.repack(make_image(speaking(data)), tmp_path)[SETUP_BYTES:]
    said, wrapped = tmp_path / "said", tmp_path / "kernel"
    # Multiboot is the shortest way to a 32-bit entry: one page with a header that says where the rest goes.
    place, page = 0x200000, 4096
    words = (0x1BADB002, 0x10000, -(0x1BADB002 + 0x10000) & 0xFFFFFFFF, place, place, 0, 0, place + page)
    wrapped.write_bytes(struct.pack("<8I", *words).ljust(page, b"\0") + packed)
    argv = [BINARY, "-nodefaults", "-no-user-config", "-display", "none", "-machine", "pc", "-accel", "tcg"]
    argv += ["-cpu", "max", "-m", "64", "-no-reboot", "-kernel", str(wrapped), "-debugcon", f"file:{said}"]
    argv += ["-device", "isa-debug-exit,iobase=0xf4,iosize=1"]
    done = subprocess.run(argv, capture_output=True, timeout=60, check=False)
    assert done.returncode & 1, done.stderr  # what isa-debug-exit makes of any value
    assert said.read_bytes() == data
