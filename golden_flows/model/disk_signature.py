"""By what bytes a disk is taken for another format than RAW. Source: oslo.utils format_inspector."""

from __future__ import annotations

SIGNATURES = (
    (0, b"QFI\xfb", "qcow2"),
    (0, b"QED\0", "QED"),
    (0, b"KDMV", "VMDK"),
    (0, b"COWD", "VMDK of ESX"),
    (0, b"# Disk Desc", "VMDK descriptor"),
    (0, b"conectix", "dynamic VHD"),
    (0, b"vhdxfile", "VHDX"),
    (0, b"LUKS\xba\xbe", "LUKS"),
    (0, b"\x1f\x8b", "gzip, as XenServer packs its images"),
    (0x40, b"\x7f\x10\xda\xbe", "VDI"),
)
"""Offset, bytes, name."""

VHD_COOKIE = b"conectix"


def foreign_formats(head: bytes, tail: bytes) -> list[str]:
    """Formats that the first 4 KiB and the last 512 bytes speak of; empty for a plain disk."""
    seen = [name for at, magic, name in SIGNATURES if head[at : at + len(magic)] == magic]
    if VHD_COOKIE in tail and "dynamic VHD" not in seen:
        seen.append("fixed VHD (footer)")
    return seen
