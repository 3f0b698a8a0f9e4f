"""What a destination does with small images: those it must take, and those it must not."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from golden_flows.clouds import canary, disk_image, sample_images
from golden_flows.clouds.canary import Canary
from golden_flows.clouds.cloud import Cloud
from golden_flows.clouds.small_imports import BY_IMPORT, SmallImports
from golden_flows.errors import InteropError, RecordError
from golden_flows.model import gpt
from golden_flows.model.discovery import WEB_DOWNLOAD
from golden_flows.model.import_seen import PLAIN_GPT, GptAfterwards, ImportProbes, SmallImport
from golden_flows.waiting import Deadline

OVER_QUOTA = "over-quota"


ASTRAY = {
    "web-loopback": ("127.0.0.1", "its own machine"),
    "web-decimal": ("2130706433", "its own machine, in decimal"),
    "web-hex": ("0x7f000001", "its own machine, in hexadecimal"),
    "web-link-local": ("169.254.169.254", "the metadata service of its own machine"),
}
"""Where web-download must not read: name → (host, in words)."""


def names(*, hostile: bool, methods: Collection[str] = ()) -> dict[str, str]:
    """Of every image that is made, and what it is for. ``methods``: those that the cloud offers."""
    samples = (*sample_images.harmless(), *(sample_images.hostile() if hostile else ()))
    made = {one.name: one.words for one in samples}
    made[sample_images.DELETED] = "deleted while it is imported"
    if hostile and WEB_DOWNLOAD in methods:
        made |= {name: f"to be fetched from {words}" for name, (_, words) in ASTRAY.items()}
    made[OVER_QUOTA] = "of which more is announced than the project may keep"
    return made


def look(cloud: Cloud, scratch: Path, deadline: Deadline, *, owned: bool) -> ImportProbes:
    """All of them; nothing is left behind. ``owned``: whether hostile ones may be tried. Raises ``InteropError``."""
    harmless, hostile = sample_images.harmless(), sample_images.hostile() if owned else ()
    with cloud.small_imports(deadline) as imports, canary.listening() as bird:
        doomed = (sample_images.to_delete(),) if imports.way == BY_IMPORT else ()
        for sample in (*harmless, *doomed, *hostile):
            imports.upload(sample)
        # In the middle: behind some that take their time, and before others whose end shows that its turn is over.
        for sample in (*harmless, *doomed):
            imports.start(sample.name)
        deleted = imports.delete(sample_images.DELETED) if doomed else None
        for sample in hostile:
            imports.start(sample.name)
        web_untried = _lead_astray(imports, bird, owned)
        tried = tuple(
            replace(one, was_read=bird.was_read(one.name))
            for one in imports.settle()
            if one.name != sample_images.DELETED
        )
        gpt_back = _read_gpt_back(cloud, imports, scratch, deadline) if _is_active(tried, PLAIN_GPT) else None
        over_quota = imports.over_quota(OVER_QUOTA)
        if deleted is not None and deleted.delete_status is not None:
            deleted = imports.look_again(deleted, sample_images.DELETED)
        return ImportProbes(
            way=imports.way,
            endpoint_methods=imports.endpoint_methods,
            header_methods=imports.header_methods,
            tried=tried,
            deleted=deleted,
            over_quota=over_quota,
            gpt=gpt_back,
            owned=owned,
            web_untried=web_untried,
        )


def _lead_astray(imports: SmallImports, bird: Canary, owned: bool) -> str:
    """Ask for images where the cloud must not read; why not, where there is nothing to ask."""
    if WEB_DOWNLOAD not in imports.endpoint_methods:
        return f"no web-download: GET /v2/info/import offers {', '.join(imports.endpoint_methods) or 'none'}"
    if not owned:
        return ""
    for name, (host, words) in ASTRAY.items():
        imports.download(name, f"an image from {words}", bird.uri(host, name))
    return ""


def as_json(seen: ImportProbes) -> str:
    """For evidence."""
    return json.dumps(dataclasses.asdict(seen), indent=1)


def _is_active(tried: tuple[SmallImport, ...], name: str) -> bool:
    return any(one.name == name and one.is_active for one in tried)


def _read_gpt_back(cloud: Cloud, imports: SmallImports, scratch: Path, deadline: Deadline) -> GptAfterwards:
    asked_bytes = sample_images.GPT_SECTORS * sample_images.SECTOR_BYTES
    folder = scratch / f"{cloud.name}.gpt"
    folder.mkdir(mode=0o700)
    stored, raw = folder / "stored", folder / "raw"
    try:
        got = cloud.download_to(imports.image_id(PLAIN_GPT), stored, deadline=deadline)
        kind = got.image.disk_format or "raw"
        if kind != "raw":
            disk_image.write_raw(stored, kind, raw, limit_bytes=64 << 20, timeout_s=60.0)
        disk = (raw if kind != "raw" else stored).read_bytes()
    except RecordError:
        raise
    except (InteropError, disk_image.NotConvertible) as error:
        return GptAfterwards(asked_bytes=asked_bytes, error=str(error))
    finally:
        for path in (stored, raw):
            path.unlink(missing_ok=True)
        folder.rmdir()
    return GptAfterwards(
        asked_bytes=asked_bytes,
        stored_format=kind,
        expanded_bytes=len(disk),
        backup_at_end=gpt.is_header(disk[-gpt.SECTOR_BYTES :], own_lba=len(disk) // gpt.SECTOR_BYTES - 1),
        alternate_lba=gpt.alternate_lba(disk),
        protective_sectors=gpt.protective_sectors(disk),
    )
