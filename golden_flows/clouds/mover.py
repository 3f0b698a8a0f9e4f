"""Moves an image from one cloud to another in bounded memory.

By way of a sparse spool file, where several imports follow, or a shim needs all of it first; or straight on, as one
stream that never touches the disk. Both say what came, what was sent, and how much of it was not zero.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from golden_flows.clouds import memory
from golden_flows.clouds.cloud import Cloud
from golden_flows.clouds.download import Road, settled, worth_another_try
from golden_flows.clouds.parts import PART_BYTES
from golden_flows.clouds.records import Download, ImageRef, Progress
from golden_flows.clouds.sparse import data_map
from golden_flows.clouds.upload import Stream, Upload
from golden_flows.errors import InteropError, RecordError
from golden_flows.model.file_system import ExportedDisk
from golden_flows.model.image_facts import ExportFacts, ImportFacts
from golden_flows.model.transfer import TransferFacts
from golden_flows.waiting import Deadline

ROAD = Road(is_cut=True)
"""How a flow's exports are read: in parts where the store serves them, and cut once."""


@dataclass(frozen=True)
class Spooled:
    """An export that waits on disk for its imports: exported once per source, imported once per destination."""

    facts: ExportFacts
    path: Path
    """Sparse: takes up what is not zero. Where it went straight on, nothing is there."""
    seconds: float
    rss_before_bytes: int | None
    rss_peak_bytes: int | None
    shared: bool = False
    """Whether another cell brought it out: what that took is not this one's."""


def export_to_spool(
    source: Cloud,
    image_id: str,
    spool: Path,
    *,
    deadline: Deadline,
    progress: Progress | None = None,
    road: Road = ROAD,
) -> Spooled:
    """Bring the image into ``spool``. Raises ``InteropError`` when the disk is full; the spool is then removed."""
    before = memory.reset_peak()
    began_s = time.monotonic()

    def read(way: Road) -> Download:
        return source.download_to(image_id, spool, deadline=deadline, progress=progress, road=way)

    tries = [read(road)]
    if worth_another_try(tries[0]):
        tries.append(read(road.plain))
    return Spooled(_export_facts(settled(tries)), spool, time.monotonic() - began_s, before, memory.peak_bytes())


def import_from_spool(
    spooled: Spooled,
    destination: Cloud,
    *,
    name: str,
    properties: Mapping[str, str] | None = None,
    deadline: Deadline,
    progress: Progress | None = None,
) -> tuple[TransferFacts, ImportFacts]:
    """``TransferFacts`` covers the export and the upload together."""
    before = memory.reset_peak()
    began_s = time.monotonic()
    size_bytes = spooled.facts.raw.size_bytes
    body = Upload(spooled.path, size_bytes, deadline, progress)
    imported = destination.import_body(name=name, body=body, properties=properties, deadline=deadline)
    peaks = [one for one in (spooled.rss_peak_bytes, memory.peak_bytes()) if one is not None]
    readings_before = [one for one in (spooled.rss_before_bytes, before) if one is not None]
    transferred = TransferFacts(
        moved_bytes=imported.sent_bytes,
        received_wire_bytes=None if spooled.shared else spooled.facts.wire_bytes,
        sent_wire_bytes=body.wire_bytes,
        data=data_map(spooled.path, size_bytes),
        seconds=spooled.seconds + time.monotonic() - began_s,
        chunk_bytes=PART_BYTES,
        workers=ROAD.parts_at_once,
        rss_before_bytes=min(readings_before, default=None),
        rss_peak_bytes=max(peaks, default=None),
    )
    return transferred, imported


@dataclass(frozen=True)
class Moved:
    """An image that went straight on."""

    export: ExportFacts
    transfer: TransferFacts
    disk: ExportedDisk
    imported: ImportFacts | None
    """None where there was ``trouble``."""
    trouble: InteropError | None = None
    """Why nothing was imported: what came was damaged, so that nothing of it was kept, or the destination's trouble."""


def can_go_straight(image: ImageRef) -> bool:
    """Whether it is by its labels what travels, so that no shim needs all of it first; and how long it is is known."""
    return (image.disk_format, image.container_format) == ("raw", "bare") and bool(image.size_bytes)


def never_spooled(moved: Moved, nowhere: Path) -> Spooled:
    """The export of what went straight on; nothing lies at ``nowhere``."""
    transfer = moved.transfer
    return Spooled(moved.export, nowhere, transfer.seconds, transfer.rss_before_bytes, transfer.rss_peak_bytes)


def move(
    source: Cloud,
    image_id: str,
    destination: Cloud,
    *,
    name: str,
    properties: Callable[[Mapping[str, str]], Mapping[str, str]] = dict,
    deadline: Deadline,
    progress: Progress | None = None,
    road: Road = ROAD,
) -> Moved:
    """Download and upload at once. The destination's last bytes wait until the source's hash is found to be right.

    ``properties``: what of the image's own is asked for at the destination. Raises ``InteropError`` for what is the
    source's trouble; the destination's does not keep us from reading the export to its end.
    """
    before = memory.reset_peak()
    began_s = time.monotonic()
    image = source.show_image(image_id)
    if image.size_bytes is None:
        raise InteropError(f"image {image_id} on {source.name!r} has no size: it cannot go straight on")
    stream = Stream(
        lambda way, sink: source.export_image(image_id, sink, deadline=deadline, progress=progress, road=way),
        image.size_bytes,
        road,
    )
    imported, trouble = None, None
    with contextlib.closing(stream) as body:
        try:
            imported = destination.import_body(
                name=name, body=body, properties=properties(image.properties), deadline=deadline
            )
        except RecordError:
            raise
        except InteropError as error:
            trouble = error
        tries, passed = body.finish()
    if not tries:  # the destination did not even take the image's name: what the source gives is of interest still
        tries = [source.export_image(image_id, passed, deadline=deadline, road=road)]
    got = settled(tries)
    got = replace(got, wire_bytes=got.wire_bytes + stream.lost_bytes)
    seconds, peak = time.monotonic() - began_s, memory.peak_bytes()
    transfer = TransferFacts(
        moved_bytes=body.sent_bytes,
        received_wire_bytes=got.wire_bytes,
        sent_wire_bytes=body.wire_bytes,
        data=passed.data.counted,
        seconds=seconds,
        chunk_bytes=PART_BYTES,
        workers=road.parts_at_once,
        spooled=False,
        rss_before_bytes=before,
        rss_peak_bytes=peak,
    )
    return Moved(_export_facts(got), transfer, passed.disk.look(), imported, trouble)


def _export_facts(got: Download) -> ExportFacts:
    image = got.image
    return ExportFacts(
        image_id=image.id,
        disk_format=image.disk_format,
        container_format=image.container_format,
        size_bytes=image.size_bytes,
        content_length=got.content_length,
        downloaded_bytes=got.downloaded_bytes,
        checksum=image.checksum,
        os_hash_algo=image.os_hash_algo,
        os_hash_value=image.os_hash_value,
        computed_md5=got.computed_md5,
        computed_hash=got.computed_hash,
        sha256=got.sha256,
        head=got.head,
        tail=got.tail,
        virtual_size_bytes=image.virtual_size_bytes,
        min_disk_bytes=image.min_disk_bytes,
        properties=image.properties,
        error=got.error,
        wire_bytes=got.wire_bytes,
        range_probe=got.range_probe,
        resume=got.resume,
    )
