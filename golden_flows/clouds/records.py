"""What the cloud driver hands out besides facts: references to resources, states, transfers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from golden_flows.model.image_facts import is_the_image
from golden_flows.model.transfer import RangeProbe, Resume

Progress = Callable[[int, int | None], None]
"""Told ``(done_bytes, total_bytes)`` while a transfer runs; the total is None when nobody knows it."""


@dataclass(frozen=True)
class ImageRef:
    """An image as the cloud shows it. Source: Glance v2 image schema."""

    id: str
    name: str
    status: str
    disk_format: str | None
    container_format: str | None
    size_bytes: int | None
    virtual_size_bytes: int | None
    min_disk_bytes: int
    """From ``min_disk``, which the API gives in GiB."""
    min_ram_mib: int
    checksum: str | None
    os_hash_algo: str | None
    os_hash_value: str | None
    properties: Mapping[str, str] = field(default_factory=dict)
    """Custom properties, at the top level of the document; everything the schema does not name."""

    @property
    def disk_bytes_needed(self) -> int:
        """The smallest root disk that this image fits on."""
        return max(self.min_disk_bytes, self.virtual_size_bytes or self.size_bytes or 0)


@dataclass(frozen=True)
class NetworkRef:
    id: str
    name: str
    mtu: int | None
    external: bool


@dataclass(frozen=True)
class FlavorRef:
    id: str
    name: str
    vcpus: int
    ram_mib: int
    disk_bytes: int


@dataclass(frozen=True, kw_only=True)
class ServerRequest:
    """What a server is created with. Source: ``POST /servers``."""

    name: str
    image_id: str
    flavor: FlavorRef
    networks: Sequence[NetworkRef]
    key_name: str | None = None
    security_group: str | None = None
    user_data: bytes = field(default=b"", repr=False)
    files: Sequence[tuple[str, bytes]] = field(default=(), repr=False)
    """(path, content): ``personality``, which the API has until microversion 2.56."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    admin_password: str | None = field(default=None, repr=False)
    config_drive: bool = False


@dataclass(frozen=True)
class ServerRef:
    """A server that was asked for."""

    id: str
    name: str
    """Full name, with the run's prefix."""
    admin_password: str | None = field(repr=False)
    """As the cloud answered (``adminPass``): the one asked for, or one it made up. Hidden from the journal."""


@dataclass(frozen=True)
class ServerState:
    """How the wait for a server ended."""

    status: str
    """``ACTIVE``, ``ERROR``, ``DELETED``; whatever was last seen when the deadline came first."""
    statuses_seen: tuple[str, ...]
    fault: str
    """``fault.message`` of an ERROR server; may be empty."""
    seconds_to_reach: float | None
    """From this driver's request to the status waited for; None when it was never reached."""


@dataclass(frozen=True)
class Download:
    """One whole image, read once from ``GET /v2/images/{id}/file``. Facts, no judgement."""

    image: ImageRef
    """As shown before the download."""
    status_code: int
    content_length: int | None
    downloaded_bytes: int
    computed_md5: str
    computed_hash: str | None
    """By the image's ``os_hash_algo``; None when that is unknown here."""
    sha256: str
    sha512: str | None
    """None where it was not asked for."""
    head: bytes
    """First 4 KiB."""
    tail: bytes
    """Last 512 bytes."""
    seconds: float
    error: str
    """Why the body ended early; empty after a clean end."""
    wire_bytes: int
    """Of bodies; what came twice counts twice."""
    in_pieces: bool
    """Whether more than one answer made it up."""
    range_probe: RangeProbe | None
    """None for an image that is too small to ask for a part of."""
    resume: Resume | None
    """None where nothing was cut."""

    @property
    def is_whole(self) -> bool | None:
        """Whether it is the image that Glance shows; None where nobody can tell."""
        image = self.image
        hashes = (image.os_hash_value, self.computed_hash), (image.checksum, self.computed_md5)
        return False if self.error else is_the_image(image.size_bytes, self.downloaded_bytes, *hashes)


@dataclass(frozen=True)
class Expansion:
    """A stored disk image turned into RAW on our side."""

    expanded_bytes: int | None
    """Virtual size; None when it could not be expanded."""
    sha256: str | None
    """Of the first ``original_bytes`` of the expansion."""
    extra_tail_is_zero: bool | None
    """Whether all bytes beyond ``original_bytes`` are zero; None when there are none."""
    error: str
    seconds: float
