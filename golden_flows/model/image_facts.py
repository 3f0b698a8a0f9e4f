"""Facts of an image on its way: out of its cloud, over, into the next one, and as that stores it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from golden_flows.model.residue import Residue
from golden_flows.model.transfer import RangeProbe, Resume


def same_hash(told: str | None, computed: str | None) -> bool | None:
    """Both in hex, in whichever case. None where Glance tells none, or we could not compute it."""
    return told.lower() == computed.lower() if told and computed else None


def is_the_image(size_bytes: int | None, came_bytes: int, *hashes: tuple[str | None, str | None]) -> bool | None:
    """Whether what came is the image that Glance shows: by its size, and the first hash that can be compared.

    ``hashes``: (told, computed), the best first. None where there is none to compare.
    """
    if size_bytes not in (None, came_bytes):
        return False
    compared = [same_hash(*one) for one in hashes]
    return next((one for one in compared if one is not None), None)


@dataclass(frozen=True, kw_only=True)
class ExportFacts:
    """What the source cloud handed out. Source: Glance v2 ``show`` and ``GET /file`` of the snapshot."""

    image_id: str
    asked_disk_format: str = "raw"
    asked_container_format: str = "bare"
    disk_format: str | None
    container_format: str | None
    size_bytes: int | None
    """Glance's ``size``."""
    content_length: int | None
    downloaded_bytes: int
    checksum: str | None
    """Glance's md5."""
    os_hash_algo: str | None
    os_hash_value: str | None
    computed_md5: str
    computed_hash: str | None
    """Digest of the downloaded bytes by ``os_hash_algo``; None when Glance named no (known) algorithm."""
    sha256: str
    head: bytes
    """First 4 KiB."""
    tail: bytes
    """Last 512 bytes."""
    virtual_size_bytes: int | None
    min_disk_bytes: int = 0
    """0: not said."""
    properties: Mapping[str, str] = field(default_factory=dict)
    error: str = ""
    """Why it did not come to its end; empty after a clean end."""
    wire_bytes: int = 0
    """Of answers' bodies; what came twice counts twice."""
    range_probe: RangeProbe | None = None
    """None for an image that is too small to ask for a part of."""
    resume: Resume | None = None
    """None where nothing was cut."""
    started_from: Mapping[str, str] | None = None
    """Properties of the image that the instance at home was launched from; None: not shown."""
    residue: tuple[Residue, ...] | None = None
    """What the disk held of this one machine, just before the snapshot; None: nobody could look."""
    shim: ShimFacts | None = None
    """What turned the export into the RAW disk that travels; None when it travels as it came."""

    @property
    def is_whole(self) -> bool | None:
        """Whether it is the image that Glance shows; None where nobody can tell."""
        hashes = (self.os_hash_value, self.computed_hash), (self.checksum, self.computed_md5)
        return False if self.error else is_the_image(self.size_bytes, self.downloaded_bytes, *hashes)

    @property
    def raw(self) -> RawDisk:
        """The disk that travels."""
        if self.shim is not None and not self.shim.error:
            return RawDisk(self.shim.raw_bytes, self.shim.raw_sha256, self.shim.head, self.shim.tail)
        return RawDisk(self.downloaded_bytes, self.sha256, self.head, self.tail)


@dataclass(frozen=True)
class RawDisk:
    """A RAW disk image on its way."""

    size_bytes: int
    sha256: str
    head: bytes
    """First 4 KiB."""
    tail: bytes
    """Last 512 bytes."""


@dataclass(frozen=True, kw_only=True)
class ShimFacts:
    """An export that a shim of ours turned into RAW, or could not."""

    name: str
    """``tgz-vhd-to-raw``."""
    chain: tuple[str, ...] = ()
    """The disk images that were in it, in words, newest first."""
    raw_bytes: int = 0
    raw_sha256: str = ""
    head: bytes = b""
    tail: bytes = b""
    error: str = ""
    """What is wrong with the export, so that nothing could be made of it; the source's fault."""


@dataclass(frozen=True, kw_only=True)
class ImportFacts:
    """What the destination's Glance did with the image. Source: ``/v2/info/import`` and image ``show``."""

    image_id: str | None
    methods_offered: tuple[str, ...]
    method_used: str | None
    """None when the cloud offers no import and the image went by legacy PUT."""
    create_status: int | None
    stage_status: int | None
    import_status: int | None
    statuses_seen: tuple[str, ...]
    """Image statuses in the order seen, without repeats."""
    final_status: str | None
    message: str
    """Why it failed, as the cloud tells it (task message, failed import property); may be empty."""
    seconds: float
    sent_bytes: int
    sent_sha512: str | None
    stored_hash_algo: str | None
    stored_hash_value: str | None
    stored_disk_format: str | None
    probe: PutProbe | None
    """A small image by the legacy way, ``PUT /file``; None when it was not tried."""


@dataclass(frozen=True, kw_only=True)
class TokenDeath:
    """A small image of random bytes, whose upload was half done when its token was revoked."""

    way: str
    """``PUT /file``, or ``PUT /stage`` and an import, where policy closes the first to tenants."""
    sent_bytes: int
    skipped: str = ""
    """Why no token died; everything else is unknown then."""
    upload_status: int | None = None
    """None where the connection broke off without an answer."""
    image_status: str | None = None
    disk_format: str | None = None
    size_bytes: int | None = None
    virtual_size_bytes: int | None = None
    message: str = ""

    @property
    def kept_bytes(self) -> int | None:
        """The disk that the image holds now; None where the cloud does not say."""
        return self.size_bytes if self.disk_format == "raw" else self.virtual_size_bytes


@dataclass(frozen=True, kw_only=True)
class PutProbe:
    """A 1 MiB image of random bytes, sent as raw by ``PUT /v2/images/{id}/file``."""

    put_status: int | None
    message: str
    image_status: str | None
    sent_bytes: int
    sent_sha512: str
    size_bytes: int | None
    os_hash_algo: str | None
    os_hash_value: str | None
    disk_format: str | None


@dataclass(frozen=True, kw_only=True)
class ConversionFacts:
    """The imported image, downloaded again and expanded to RAW on our side (``qemu-img``, format stated)."""

    asked_format: str
    disk_format: str | None
    downloaded_bytes: int
    head: bytes
    """First 4 KiB of the stored form."""
    footer: bytes
    """Last 512 bytes of the stored form."""
    api_virtual_size_bytes: int | None
    original_bytes: int
    original_sha256: str
    expanded_bytes: int | None
    """Virtual size after expansion; None when it could not be expanded."""
    expanded_sha256: str | None
    """Of the first ``original_bytes`` of the expansion."""
    extra_tail_is_zero: bool | None
    """Whether all bytes beyond ``original_bytes`` are zero; None when there are none."""
    expand_error: str = ""
    size_probe: SizeProbe | None = None
    """Tried where VHDs are stored."""


@dataclass(frozen=True, kw_only=True)
class SizeProbe:
    """Two images that hold nothing, imported as qcow2: one larger than any VHD, and a small one for control."""

    asked_bytes: int
    """What the header of the large one says; the file itself has some 200 KiB."""
    status: str | None
    """Image status when the import had ended."""
    message: str
    disk_format: str | None = None
    virtual_size_bytes: int | None = None
    control_status: str | None
    control_message: str = ""
