"""What a sound destination does with small images, as values that tests bend one at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from golden_flows.model.import_seen import (
    FIXED_VHD,
    NO_IMAGE,
    PLAIN_GPT,
    DeletedImport,
    GptAfterwards,
    ImportProbes,
    OverQuota,
    SmallImport,
)

DISK_BYTES = 256 * 512


def _taken(name: str, disk_format: str = "raw") -> SmallImport:
    return SmallImport(
        name=name,
        words=f"the image {name}",
        disk_format=disk_format,
        create_status=201,
        upload_status=204,
        import_status=202,
        image_status="active",
    )


def refused(name: str, message: str, disk_format: str = "raw") -> SmallImport:
    return replace(
        _taken(name, disk_format),
        image_status="queued",
        failed_in="local",
        tasks_status=200,
        task_status="failure",
        task_message=message,
    )


def filtered(name: str) -> SmallImport:
    """An image that web-download was not to fetch, and did not."""
    uri = "URI for web-download does not pass filtering"
    return replace(_taken(name), upload_status=None, import_status=400, image_status="queued", message=uri)


def import_probes() -> ImportProbes:
    unlike = "Image content is qcow2 but its disk_format is raw"
    return ImportProbes(
        way="PUT /stage and an import",
        endpoint_methods=("glance-direct",),
        header_methods=("glance-direct",),
        tried=(
            refused(NO_IMAGE, "Image content is raw but its disk_format is qcow2", "qcow2"),
            _taken(PLAIN_GPT),
            _taken("unusual-mbr-chs"),
            _taken("unusual-mbr-hybrid"),
            _taken(FIXED_VHD, "vhd"),
            refused("hostile-qcow2-backing", "Image is a qcow2 with a backing file", "qcow2"),
            refused("hostile-qcow2-as-raw", unlike),
            filtered("web-loopback"),
            filtered("web-hex"),
        ),
        deleted=DeletedImport(status_before="importing", delete_status=204),
        over_quota=OverQuota(
            limit="image_size_total: 1024000 MiB, 300 MiB used",
            announced_bytes=1 << 40,
            sent_bytes=4096,
            status=413,
            message="over the limit of its quota image_size_total",
            image_status="queued",
        ),
        gpt=GptAfterwards(
            asked_bytes=DISK_BYTES,
            stored_format="vhd",
            expanded_bytes=DISK_BYTES,
            backup_at_end=True,
            alternate_lba=255,
            protective_sectors=255,
        ),
        owned=True,
    )


def bent(changes: Mapping[str, Mapping[str, Any]]) -> ImportProbes:
    """The same with some of the images changed, by name."""
    probes = import_probes()
    return replace(probes, tried=tuple(replace(one, **changes.get(one.name, {})) for one in probes.tried))


def grown(extra_bytes: int) -> ImportProbes:
    """The disk with the GPT grew in conversion, so that its backup table is not at the end."""
    probes = import_probes()
    if probes.gpt is None:
        raise ValueError("the healthy destination has a disk with a GPT")
    return replace(probes, gpt=replace(probes.gpt, expanded_bytes=DISK_BYTES + extra_bytes, backup_at_end=False))
