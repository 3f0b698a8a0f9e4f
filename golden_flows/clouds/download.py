"""One whole image out of Glance, hashed beside the transfer. Facts only, no judgement."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from golden_flows.clouds import images
from golden_flows.clouds.digests import Digests
from golden_flows.clouds.parts import PROBE_START, Parts, Stopped
from golden_flows.clouds.passing import Window
from golden_flows.clouds.records import Download, ImageRef, Progress
from golden_flows.clouds.session import ApiSession
from golden_flows.model.transfer import CUT_AT, RangeProbe, Resume
from golden_flows.waiting import Deadline

PARTS_AT_ONCE = 4
CUT_AT_MAX_BYTES = 32 * 1024 * 1024
"""Where no part can be asked for, what lies before our cut is sent twice."""

Sink = Callable[[bytes], None]


@dataclass(frozen=True)
class Road:
    """How an image is read."""

    parts_at_once: int = PARTS_AT_ONCE
    """Where the store serves Range requests; 1: in one stream."""
    is_cut: bool = False
    """Whether we cut it ourselves once, at 37 %, to see how it goes on."""
    hashes: tuple[str, ...] = ("md5", "sha256")
    """Besides the image's own."""

    @property
    def plain(self) -> Road:
        """The whole of it by one request, as any client asks."""
        return replace(self, parts_at_once=1, is_cut=False)


def download(
    api: ApiSession, image_id: str, sink: Sink, deadline: Deadline, progress: Progress | None, road: Road
) -> Download:
    """Read the whole image once. A body that breaks off for good is a fact (``error``), a refusal a ``CloudError``."""
    image = images.show(api, image_id)
    began_s = time.monotonic()
    parts = Parts(api, image, at_once=road.parts_at_once, deadline=deadline)
    probed = parts.probe()
    if road.is_cut:
        parts.cut_at(_cut_at(image, parts))
    compare = Window(PROBE_START, len(probed[1]) if probed else 0)
    error = ""
    with Digests((*road.hashes, image.os_hash_algo or "")) as digests:
        try:
            for chunk in parts.chunks(lambda: digests.hex("sha256")):
                compare(chunk, digests.count)
                sink(chunk)
                digests.update(chunk)
                if progress:
                    progress(digests.count, parts.length or image.size_bytes)
        except Stopped as stopped:
            error = str(stopped)
        got = Download(
            image=image,
            status_code=parts.status_code or 0,
            content_length=parts.length,
            downloaded_bytes=digests.count,
            computed_md5=digests.hex("md5") or "",
            computed_hash=digests.hex(image.os_hash_algo),
            sha256=digests.hex("sha256") or "",
            sha512=digests.hex("sha512"),
            head=digests.head,
            tail=digests.tail,
            seconds=time.monotonic() - began_s,
            error=error,
            wire_bytes=parts.wire_bytes,
            in_pieces=parts.in_pieces,
            range_probe=None,
            resume=None,
        )
    return replace(got, range_probe=_judged(probed, compare), resume=_resume(parts, got))


def worth_another_try(got: Download) -> bool:
    """Whether it came to its end in pieces and is not the image: asked for in one piece, it may be."""
    return got.in_pieces and got.is_whole is False and not got.error


def settled(tries: Sequence[Download]) -> Download:
    """One reading of all tries: the last one's bytes, and what a poor one before it had to say of its cut.

    A destination that makes us send again has the image read again too, though nothing was wrong with it.
    """
    last = tries[-1]
    poor = next((one for one in tries[:-1] if worth_another_try(one)), None)
    resume = last.resume
    if poor is not None and poor.resume is not None:
        resume = replace(poor.resume, is_whole=False if last.is_whole else None)
    return replace(last, resume=resume, wire_bytes=sum(one.wire_bytes for one in tries))


def _judged(probed: tuple[RangeProbe, bytes] | None, compare: Window) -> RangeProbe | None:
    return replace(probed[0], is_right=_is_equal(compare.content, probed[1])) if probed else None


def _is_equal(seen: bytes, content: bytes) -> bool | None:
    return seen == content if content and len(seen) == len(content) else None


def _cut_at(image: ImageRef, parts: Parts) -> int | None:
    at = int((image.size_bytes or 0) * CUT_AT)
    return (at if parts.serves_ranges else min(at, CUT_AT_MAX_BYTES)) or None


def _resume(parts: Parts, got: Download) -> Resume | None:
    if not parts.cuts:
        return None
    # Parts are cut side by side: what lies first in the image says most.
    first = min([one for one in parts.cuts if not one.by_us] or parts.cuts, key=lambda one: one.at_bytes)
    return Resume(
        cut_at_bytes=first.at_bytes,
        by_us=first.by_us,
        cuts=len(parts.cuts),
        continued_by=parts.continued_by,
        is_whole=got.is_whole,
        error=got.error,
    )
