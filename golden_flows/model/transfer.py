"""What was seen of an image's way from one cloud to another."""

from __future__ import annotations

from dataclasses import dataclass

CUT_AT = 0.37
"""Where in an image we cut its download, to see how it goes on."""


@dataclass(frozen=True, kw_only=True)
class RangeProbe:
    """A small part of the image, asked for with a Range header. Source: RFC 9110, section 14; Image API v2."""

    asked: str
    """``bytes=1-65536``."""
    asked_bytes: int
    status: int | None
    """None where nothing answered."""
    content_range: str = ""
    expected_content_range: str = ""
    received_bytes: int | None = None
    """None where the answer's body was not read; of one that is too long, one more than asked for."""
    is_right: bool | None = None
    """Whether they are the image's bytes at that place; None where there was nothing to compare."""
    content_md5_is_whole: bool | None = None
    """Whether a 206's Content-MD5 is the whole image's, as Glance's is: of no use for a part. None: it has none."""
    message: str = ""
    """What a refusal says."""


@dataclass(frozen=True, kw_only=True)
class Resume:
    """A download that was cut and went on. The first cut is ours where the cloud made none before."""

    cut_at_bytes: int
    by_us: bool
    cuts: int
    continued_by: str
    """``range``, or ``whole``: sent again from its beginning, up to the cut for nothing; empty: not at all."""
    is_whole: bool | None
    """Whether what came in pieces is the image, by its hash; None where nobody can tell."""
    error: str = ""
    """Why it did not come to its end."""


@dataclass(frozen=True)
class DataMap:
    """How much of a disk is not zero."""

    data_bytes: int
    """In blocks of at most 64 KiB."""
    blocks_bytes: int
    """In blocks of ``BLOCK_BYTES``: what a format that keeps such blocks, and leaves out the others, takes for it."""

    BLOCK_BYTES = 2 * 1024 * 1024
    """Of a dynamic VHD. Those of qcow2 and VMDK are smaller."""


@dataclass(frozen=True, kw_only=True)
class TransferFacts:
    """What the mover used. RSS is this process's, peak reset before the transfer."""

    moved_bytes: int
    """Logical: of the disk, as far as it was sent; all of it where that went well."""
    received_wire_bytes: int | None = None
    """Out of the source: bodies, what came twice included. None where another cell's export was used."""
    sent_wire_bytes: int = 0
    """Into the destination: bodies, what was sent twice included."""
    data: DataMap | None = None
    """What of it is not zero; None where nobody can tell."""
    seconds: float
    chunk_bytes: int
    """The unit of what is held: a part of the image."""
    workers: int
    """How many of them may be on their way at once."""
    spooled: bool = True
    """Whether it lay on disk on its way."""
    rss_before_bytes: int | None
    """None where the system does not tell."""
    rss_peak_bytes: int | None
