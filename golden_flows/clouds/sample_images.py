"""Tiny disk images made here, byte by byte: what a cloud should take, and what none may take.

Sources: UEFI specification 2.10, chapter 5 (GPT); Microsoft, VHD specification 1.0; QEMU docs/interop/qcow2.txt;
VMware, Virtual Disk Format 5.0; cryptsetup, LUKS1 on-disk format; ECMA-119 (ISO 9660). The files that hostile images
name do not exist anywhere.
"""

from __future__ import annotations

import hashlib
import struct
import uuid
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from golden_flows.model.import_seen import FIXED_VHD, HOSTILE, NO_IMAGE, PLAIN_GPT, UNUSUAL_MBR

SECTOR_BYTES = 512
GPT_SECTORS = 256
"""128 KiB: two tables of 128 entries, their headers, and room for a partition."""
NOWHERE = "/nonexistent/interop-canary"
DELETED = "deleted"
"""The image that is deleted while it is imported."""

_FLAT_VMDK = f"""# Disk DescriptorFile
version=1
CID=1
parentCID=ffffffff
createType="monolithicFlat"
RW 128 FLAT "{NOWHERE}" 0
"""
_ENTRIES = 128
_ENTRY_SECTORS = _ENTRIES * 128 // SECTOR_BYTES
_LINUX_DATA = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")
_PARTITION = uuid.UUID("1c5a3d9e-0000-4000-8000-000000000001")
_DISK = uuid.UUID("1c5a3d9e-0000-4000-8000-000000000000")
_PROTECTIVE, _LINUX = 0xEE, 0x83
_START_CHS, _ANY_CHS = bytes([0, 2, 0]), bytes([0xFE, 0xFF, 0xFF])


@dataclass(frozen=True)
class Sample:
    """One image to be uploaded."""

    name: str
    """Durable; the ledger's name of the image is made of it."""
    words: str
    disk_format: str
    """What it is declared to be."""
    content: bytes


def harmless() -> tuple[Sample, ...]:
    """What may be asked of every cloud."""
    return (
        Sample(NO_IMAGE, "bytes that are no qcow2, called one", "qcow2", hashlib.sha512(b"no image").digest() * 64),
        Sample(PLAIN_GPT, "a GPT disk as it should be", "raw", gpt_disk()),
        *(Sample(f"{UNUSUAL_MBR}-{name}", words, "raw", disk) for name, (words, disk) in _unusual().items()),
        Sample(FIXED_VHD, "a fixed VHD, whose only signature is at its end", "vhd", fixed_vhd(bytes(1 << 18))),
    )


def to_delete() -> Sample:
    """What is deleted while it is imported."""
    return Sample(DELETED, "a disk of zeros and nothing else", "raw", bytes(1 << 18))


def hostile() -> tuple[Sample, ...]:
    """What no cloud may take in, in whatever guise."""
    iso = (bytes(0x8000) + b"\x01CD001\x01").ljust(0x9000, b"\0")
    luks = (b"LUKS\xba\xbe" + struct.pack(">H32s32s", 1, b"aes", b"xts-plain64")).ljust(1 << 16, b"\0")
    every = (
        ("qcow2-backing", "a qcow2 that names a backing file", "qcow2", qcow2(backing=NOWHERE)),
        ("qcow2-data-file", "a qcow2 that names a data file", "qcow2", qcow2(data_file=NOWHERE)),
        ("flat-vmdk", "a VMDK that names a file of the host", "vmdk", _FLAT_VMDK.encode().ljust(1 << 16, b"\0")),
        ("qcow2-as-raw", "a qcow2 that is called RAW", "raw", qcow2()),
        ("iso-as-raw", "an ISO 9660 image that is called RAW", "raw", iso),
        ("qcow2-l1", "a qcow2 whose first table is oversize", "qcow2", qcow2(l1_entries=1 << 30)),
        ("luks-as-raw", "a LUKS volume that is called RAW", "raw", luks),
    )
    return tuple(Sample(f"{HOSTILE}-{name}", words, kind, content) for name, words, kind, content in every)


def _unusual() -> Mapping[str, tuple[str, bytes]]:
    """Disks that firmware and kernels take, and strict readers of the protective MBR may not."""
    hybrid = (_mbr_entry(_PROTECTIVE, _START_CHS, 1, 39), _mbr_entry(_LINUX, _ANY_CHS, 40, 100))
    return {
        "chs": (
            "a GPT disk whose protective MBR begins at another CHS",
            gpt_disk(_mbr(_mbr_entry(_PROTECTIVE, _ANY_CHS, 1, GPT_SECTORS - 1))),
        ),
        "hybrid": ("a GPT disk with a hybrid MBR", gpt_disk(_mbr(*hybrid))),
        "empty": ("a disk with a boot sector and no partition", _mbr().ljust(1 << 16, b"\0")),
    }


def _mbr_entry(kind: int, start_chs: bytes, first: int, sectors: int) -> bytes:
    return struct.pack("<B3sB3sII", 0, start_chs, kind, _ANY_CHS, first, sectors)


def _mbr(*entries: bytes) -> bytes:
    return (bytes(446) + b"".join(entries)).ljust(510, b"\0") + b"\x55\xaa"


def gpt_disk(mbr: bytes = b"") -> bytes:
    """A disk with one partition and both tables, the second in its last sectors. ``mbr``: instead of the usual one."""
    last = GPT_SECTORS - 1
    first_usable, last_usable = 2 + _ENTRY_SECTORS, last - _ENTRY_SECTORS - 1
    entry = _LINUX_DATA.bytes_le + _PARTITION.bytes_le + struct.pack("<QQQ", first_usable, last_usable, 0)
    entries = (entry + "interop".encode("utf-16-le")).ljust(_ENTRIES * 128, b"\0")

    def header(own: int, other: int, table: int) -> bytes:
        def packed(crc: int) -> bytes:
            places = struct.pack("<QQQQ", own, other, first_usable, last_usable)
            rest = struct.pack("<QIII", table, _ENTRIES, 128, zlib.crc32(entries))
            return b"EFI PART" + struct.pack("<IIII", 0x10000, 92, crc, 0) + places + _DISK.bytes_le + rest

        return packed(zlib.crc32(packed(0))).ljust(SECTOR_BYTES, b"\0")

    mbr = mbr or _mbr(_mbr_entry(_PROTECTIVE, _START_CHS, 1, last))
    data = bytes((last_usable - first_usable + 1) * SECTOR_BYTES)
    return mbr + header(1, last, 2) + entries + data + entries + header(last, 1, last - _ENTRY_SECTORS)


def fixed_vhd(data: bytes) -> bytes:
    """The disk's bytes, and a footer."""
    sectors = len(data) // SECTOR_BYTES
    geometry = (sectors // (4 * 17), 4, 17)
    sizes = (len(data), len(data))
    fixed = (b"conectix", 2, 0x10000, 0xFFFFFFFFFFFFFFFF, 0, b"qem2", 0x50003, b"Wi2k", *sizes, *geometry, 2)
    footer = struct.pack(">8sIIQI4sI4sQQHBBI", *fixed).ljust(SECTOR_BYTES, b"\0")
    return data + footer[:64] + struct.pack(">I", ~sum(footer) & 0xFFFFFFFF) + footer[68:]


def qcow2(*, backing: str = "", data_file: str = "", l1_entries: int = 1) -> bytes:
    """A version 3 image of 1 MiB that holds nothing: header, L1 table, refcount table and block, a cluster each."""
    cluster = 1 << 16
    extensions = b""
    if data_file:
        name = data_file.encode()
        extensions += struct.pack(">II", 0x44415441, len(name)) + name.ljust(-(-len(name) // 8) * 8, b"\0")
    extensions += struct.pack(">II", 0, 0)
    backing_at = 104 + len(extensions) if backing else 0
    head = struct.pack(
        ">4sIQIIQIIQQIIQQQQII",
        *(b"QFI\xfb", 3, backing_at, len(backing), 16, 1 << 20, 0, l1_entries, cluster),
        *(2 * cluster, 1, 0, 0, 4 if data_file else 0, 0, 0, 4, 104),
    )
    counts = struct.pack(">HHHH", 1, 1, 1, 1)
    clusters = (head + extensions + backing.encode(), b"", struct.pack(">Q", 3 * cluster), counts)
    return b"".join(one.ljust(cluster, b"\0") for one in clusters)
