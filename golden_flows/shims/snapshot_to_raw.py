"""Shims ``qcow2-to-raw``, ``vhd-to-raw`` …: for a source whose snapshots are what its hypervisor writes.

Nova's createImage takes no format: the operator's ``snapshot_image_format`` decides, by default it is the disk's own.
qemu-img makes RAW of it here, with the format stated, and after its header was found to name no other file.
"""

from __future__ import annotations

from pathlib import Path

from golden_flows.clouds import disk_image
from golden_flows.clouds.digests import CHUNK_BYTES, Digests
from golden_flows.model.image_facts import ExportFacts, ShimFacts

DISK_MAX_BYTES = 256 * 1024**3
"""More than any image of this suite; every byte of it is hashed, holes too."""
TIMEOUT_S = 1800.0
NAMES = tuple(f"{one}-to-raw" for one in disk_image.READABLE)


def applies(export: ExportFacts) -> bool:
    """Whether a whole export is one disk image of a format that can be read safely, where a RAW disk was asked for."""
    is_whole = export.size_bytes in (None, export.downloaded_bytes)
    is_other = export.disk_format != export.asked_disk_format == "raw"
    return is_whole and is_other and export.container_format == "bare" and export.disk_format in disk_image.READABLE


def make_raw(export: ExportFacts, image: Path, folder: Path, raw: Path) -> ShimFacts:
    """Write the image's disk to ``raw``, by way of the empty ``folder``. Raises ``InteropError``, ``OSError``."""
    disk_format = str(export.disk_format)
    name, made = f"{disk_format}-to-raw", folder / "disk.raw"
    try:
        disk_image.write_raw(image, disk_format, made, limit_bytes=DISK_MAX_BYTES, timeout_s=TIMEOUT_S)
    except disk_image.NotConvertible as error:
        return ShimFacts(name=name, error=str(error))
    with Digests(("sha256",)) as digests:
        with open(made, "rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                digests.update(chunk)
        facts = ShimFacts(
            name=name,
            chain=(f"{disk_format}: {image.stat().st_size} bytes, a disk of {digests.count} bytes",),
            raw_bytes=digests.count,
            raw_sha256=digests.hex("sha256") or "",
            head=digests.head,
            tail=digests.tail,
        )
    made.replace(raw)
    return facts
