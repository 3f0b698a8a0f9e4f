"""``--image FILE`` or ``--image URL``: the user's own disk image, made RAW before any cloud is asked for anything.

The format is stated (``--image-format``) or detected by oslo.utils' inspectors, which Glance and Nova guard themselves
with; an image that reaches outside itself (CVE-2024-32498 and its family) is refused before qemu-img sees it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from oslo_utils.imageutils import format_inspector

from golden_flows.clouds import disk_image
from golden_flows.clouds.digests import CHUNK_BYTES, HEAD_BYTES, TAIL_BYTES
from golden_flows.clouds.sparse import SparseWriter, sha256_of
from golden_flows.errors import CloudError, InteropError, UsageError
from golden_flows.model.disk_signature import VHD_COOKIE, foreign_formats

FORMATS = ("raw", *disk_image.READABLE)
"""Glance's words for what is taken."""
GLANCE_PREFIX = "glance:"
DISK_MAX_BYTES = 256 * 1024**3
CONVERT_TIMEOUT_S = 1800.0
ANSWER_TIMEOUT_S = 60.0
SAY_EVERY_S = 10.0
_SECTOR_BYTES = 512
_PARTITIONED = "gpt"
"""The inspectors' word for a RAW disk with a partition table, of MBR's kind too."""


@dataclass(frozen=True, kw_only=True)
class OwnImage:
    """A RAW disk on this machine that Anne's instance starts from, on every source of the run."""

    path: Path
    size_bytes: int
    sha256: str
    told: str
    """Where it came from, for the record: ``app.qcow2 (qcow2)``."""
    properties: Mapping[str, str] = field(default_factory=dict)
    """Image properties to import it with: ``os_admin_user``, ``hw_firmware_type`` …"""


def is_glance_name(text: str) -> bool:
    """Whether ``--image`` names an image that the source has; a file has a ``/`` or a disk image's suffix."""
    if text.startswith(GLANCE_PREFIX):
        return True
    return not (_is_url(text) or "/" in text or Path(text).suffix.lower().lstrip(".") in (*FORMATS, "img"))


def glance_name(text: str) -> str:
    return text.removeprefix(GLANCE_PREFIX)


def read_properties(texts: tuple[str, ...]) -> dict[str, str]:
    """``KEY=VALUE`` texts. Raises ``UsageError``."""
    found: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise UsageError(f"--image-property {text!r} is not KEY=VALUE", "for example os_admin_user=debian")
        found[key] = value
    return found


def fetch(
    asked: str, stated: str | None, properties: Mapping[str, str], scratch: Path, say: Callable[[str], None]
) -> OwnImage:
    """The image as RAW: the user's own file where it is RAW already, else a file in ``scratch``.

    Raises ``UsageError`` for what is no disk image that can be taken, ``CloudError`` for a URL that does not answer,
    ``InteropError`` where there is no room.
    """
    if stated is not None and stated not in FORMATS:
        raise UsageError(f"--image-format {stated!r} is not taken", f"formats: {', '.join(FORMATS)}")
    name = shown(asked)
    file = _download(asked, name, scratch / "own-image", say) if _is_url(asked) else _file(asked)
    disk_format = _checked_format(name, file, stated)
    raw = file
    if disk_format != "raw":
        say(f"converting {name} from {disk_format} to RAW")
        folder = scratch / "own-image.raw"
        folder.mkdir(mode=0o700)
        raw = folder / "disk"
        try:
            disk_image.write_raw(file, disk_format, raw, limit_bytes=DISK_MAX_BYTES, timeout_s=CONVERT_TIMEOUT_S)
        except disk_image.NotConvertible as error:
            raise UsageError(f"--image {name}: {error}", "see `qemu-img info`, or convert it yourself") from error
    size = raw.stat().st_size
    if not size or size % _SECTOR_BYTES:
        raise UsageError(f"--image {name} is no disk: it has {size} bytes", "a disk has whole sectors of 512 bytes")
    told = f"{name} ({disk_format})"
    return OwnImage(path=raw, size_bytes=size, sha256=sha256_of(raw, size), told=told, properties=dict(properties))


def look(asked: str, stated: str | None = None) -> int | None:
    """How large the disk in a file of the user's is, in bytes; None for a URL: it is not fetched for a look.

    Raises ``UsageError`` for what is no disk image that can be taken.
    """
    if _is_url(asked):
        return None
    file = _file(asked)
    if _checked_format(asked, file, stated) == "raw":
        return file.stat().st_size
    inspector = format_inspector.detect_file_format(str(file))
    return int(inspector.virtual_size) if inspector is not None else None


def _file(asked: str) -> Path:
    file = Path(asked).expanduser()
    if not file.is_file():
        raise UsageError(f"--image {asked}: there is no such file", f"{GLANCE_PREFIX}NAME is an image on the source")
    return file


def shown(asked: str) -> str:
    """``--image`` as it may be told and recorded: a URL may hold a user's password, and its query a signature."""
    if not _is_url(asked):
        return asked
    parts = urlsplit(asked)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def _is_url(text: str) -> bool:
    return text.lower().startswith(("http://", "https://"))


def _checked_format(name: str, file: Path, stated: str | None) -> str:
    """What the bytes are, which must be what was stated. Raises ``UsageError``."""
    found = _detected(name, file)
    if stated is None:
        if found in FORMATS:
            return found
        if found == _PARTITIONED:
            return "raw"
        what = "nothing that is known here" if found is None else found
        raise UsageError(
            f"--image {name} holds {what}",
            f"taken are {', '.join(FORMATS)}; unpack what is packed; or --image-format raw",
        )
    if found not in (stated, *((None, _PARTITIONED) if stated == "raw" else ())):
        raise UsageError(f"--image {name} is {found}, and --image-format says {stated}", "state what it is")
    return stated


def _detected(name: str, file: Path) -> str | None:
    """``gpt`` for a RAW disk with partitions, None for bytes that announce nothing. Raises ``UsageError``."""
    try:
        inspector = format_inspector.detect_file_format(str(file))
        found = None if inspector is None or str(inspector) == "raw" else str(inspector)
        with open(file, "rb") as opened:
            head = opened.read(HEAD_BYTES)
            opened.seek(max(0, file.stat().st_size - TAIL_BYTES))
            tail = opened.read(TAIL_BYTES)
        if tail.startswith(VHD_COOKIE) and found in (None, _PARTITIONED):
            return "vhd"  # a fixed VHD: the disk, and its only signature behind it
        if found is None:
            return next(iter(foreign_formats(head, tail)), None)
        if inspector is not None and found not in (None, _PARTITIONED):
            inspector.safety_check()
    except format_inspector.SafetyCheckFailed as error:
        reasons = "; ".join(str(one) for one in error.failures.values())
        raise UsageError(f"--image {name} is not safe to open: {reasons or error}", "flatten it first") from error
    except format_inspector.ImageFormatError as error:
        raise UsageError(f"--image {name} looks like several formats at once: {error}") from error
    except OSError as error:
        raise UsageError(f"--image {name}: {error.strerror}", "check the path and its permissions") from error
    return found


def _download(url: str, name: str, target: Path, say: Callable[[str], None]) -> Path:
    writer = SparseWriter(target)
    try:
        with requests.get(
            url, stream=True, timeout=ANSWER_TIMEOUT_S, headers={"Accept-Encoding": "identity"}
        ) as answer:
            if answer.status_code != requests.codes.ok:
                raise UsageError(f"--image {name} answers {answer.status_code}", "check the address")
            _write(answer, writer, name, say)
        writer.close()
    except requests.RequestException as error:
        writer.abandon()
        raise CloudError(f"--image {name}: {type(error).__name__}", "fetch it yourself, and name the file") from error
    except BaseException:
        writer.abandon()
        raise
    return target


def _write(answer: Any, writer: SparseWriter, name: str, say: Callable[[str], None]) -> None:
    length = answer.headers.get("Content-Length", "")
    total = int(length) if length.isdigit() else None
    done, said_s = 0, time.monotonic()
    say(f"fetching {name}" + (f", {total >> 20} MiB" if total else ""))
    for chunk in answer.iter_content(CHUNK_BYTES):
        writer(chunk)
        done += len(chunk)
        if done > DISK_MAX_BYTES:
            raise InteropError(f"--image {name} is larger than {DISK_MAX_BYTES >> 30} GiB")
        if time.monotonic() - said_s > SAY_EVERY_S:
            said_s = time.monotonic()
            say(f"fetched {done >> 20} MiB" + (f" of {total >> 20}" if total else ""))
    if total is not None and done != total:
        raise CloudError(f"--image {name} broke off after {done} of {total} bytes", "try again")
