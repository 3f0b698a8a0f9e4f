"""The image as the destination stores it: read back, and expanded to RAW on our side."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from golden_flows.clouds import disk_image
from golden_flows.clouds.mover import Spooled
from golden_flows.clouds.size_probe import probe_size
from golden_flows.errors import CloudError, WaitTimeout
from golden_flows.flows import as_seen
from golden_flows.flows.record import Record
from golden_flows.flows.setting import TRANSFER_TIMEOUT_S, Setting
from golden_flows.model import vhd
from golden_flows.model.image_facts import ConversionFacts, ImportFacts
from golden_flows.waiting import Deadline


def read_back(at: Setting, spooled: Spooled, imported: ImportFacts, image_id: str, to: Record) -> ConversionFacts:
    """``spooled`` was imported as ``image_id``. Raises ``InteropError`` where it cannot be read."""
    to.say(f"reading the converted image back from {at.dst.name}")
    path = at.scratch / f"{at.src.name}-{at.dst.name}.stored"
    try:
        stored = at.dst.download_to(image_id, path, deadline=Deadline.after(TRANSFER_TIMEOUT_S))
        disk_format = stored.image.disk_format or imported.stored_disk_format or "raw"
        expansion = disk_image.expand(path, disk_format, at.scratch, original_bytes=spooled.facts.raw.size_bytes)
    finally:
        path.unlink(missing_ok=True)
    facts = disk_image.conversion_facts("raw", spooled.facts, stored, expansion)
    if at.dst.profile.image_format in vhd.NAMES:
        to.say("asking for a disk that no VHD can hold")
        # Without it CV-7 says that nothing was seen; the rest of the stage stands on the disk itself.
        with contextlib.suppress(CloudError, WaitTimeout):
            facts = replace(facts, size_probe=probe_size(at.dst, at.scratch, Deadline.after(120.0)))
    raw = spooled.facts.raw
    to.keep("exported.header.txt", as_seen.image_header(raw.head, raw.tail), f"{at.src.name} exported image")
    to.keep("stored.header.txt", as_seen.image_header(facts.head, facts.footer), f"{at.dst.name} stored image")
    to.keep_bytes("stored.head.bin", facts.head, f"{at.dst.name} first 4 KiB of the stored image")
    to.keep_bytes("stored.footer.bin", facts.footer, f"{at.dst.name} last 512 bytes of the stored image")
    return facts
