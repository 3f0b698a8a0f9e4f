"""Does a cloud look at the size in an image's header before it converts? Asked with an image that holds nothing."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from golden_flows.clouds.cloud import Cloud
from golden_flows.clouds.records import ImageRef
from golden_flows.errors import InteropError, MissingProgram, shorten
from golden_flows.model.image_facts import ImportFacts, SizeProbe
from golden_flows.model.vhd import SIZE_MAX_BYTES
from golden_flows.waiting import Deadline

ASKED_BYTES = SIZE_MAX_BYTES + 1024**3
CONTROL_BYTES = 1024**2


def probe_size(cloud: Cloud, scratch: Path, deadline: Deadline) -> SizeProbe:
    """Import both qcow2 images and delete them again. Raises ``InteropError`` when they cannot be made or deleted."""
    with tempfile.TemporaryDirectory(prefix="size-", dir=scratch) as folder:
        large, shown = _import(cloud, "size-probe", ASKED_BYTES, Path(folder), deadline)
        control, _ = _import(cloud, "size-control", CONTROL_BYTES, Path(folder), deadline)
    return SizeProbe(
        asked_bytes=ASKED_BYTES,
        status=large.final_status,
        message=large.message,
        disk_format=shown.disk_format if shown else None,
        virtual_size_bytes=shown.virtual_size_bytes if shown else None,
        control_status=control.final_status,
        control_message=control.message,
    )


def _import(
    cloud: Cloud, name: str, virtual_bytes: int, folder: Path, deadline: Deadline
) -> tuple[ImportFacts, ImageRef | None]:
    path = folder / f"{name}.qcow2"
    _create(path, virtual_bytes)
    facts = cloud.import_image(
        name=name, source=path, size_bytes=path.stat().st_size, disk_format="qcow2", deadline=deadline
    )
    if facts.image_id is None:
        return facts, None
    try:
        return facts, cloud.show_image(facts.image_id)
    finally:
        cloud.delete_image(facts.image_id, deadline)


def _create(path: Path, virtual_bytes: int) -> None:
    qemu_img = shutil.which("qemu-img")
    if qemu_img is None:
        raise MissingProgram("qemu-img is not installed", "apt-get install qemu-utils")
    command = [qemu_img, "create", "-q", "-f", "qcow2", str(path), str(virtual_bytes)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
    if done.returncode:
        raise InteropError(f"qemu-img cannot make an image: {shorten(done.stderr.decode('utf-8', 'replace'), 200)}")
