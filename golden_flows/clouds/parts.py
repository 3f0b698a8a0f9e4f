"""The bytes of an image in their order, however the store and the way let them come.

Parts side by side where the store serves Range requests (filesystem, cinder; rbd, swift and s3 answer 400), else one
stream. What is cut goes on where it was cut; what is sent again from its beginning is read past.

Sources: RFC 9110 section 14; Image API v2, ``GET /v2/images/{id}/file``.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import requests
from urllib3.exceptions import HTTPError

from golden_flows.clouds.digests import CHUNK_BYTES
from golden_flows.clouds.patience import BUSY, GaveUp, Patience
from golden_flows.clouds.records import ImageRef
from golden_flows.clouds.session import ApiSession, reason_of
from golden_flows.errors import CloudError, Unreachable, WaitTimeout, shorten
from golden_flows.model.transfer import RangeProbe
from golden_flows.model.untrusted import whole_number
from golden_flows.waiting import Deadline

PART_BYTES = 4 * 1024 * 1024
PROBE_BYTES = 64 * 1024
PROBE_START = 1
"""Where disks have a boot sector and a partition table: what begins elsewhere than it says looks different there."""
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)$")


class Stopped(Exception):
    """The image does not come to its end; the text says why."""


class _RangeLost(Exception):
    """A Range request got the whole image, or a refusal: there are no parts to be had."""


class _Cut(Exception):
    """An answer ended before its end."""

    def __init__(self, reason: str, answer: requests.Response | None = None, trouble: CloudError | None = None) -> None:
        super().__init__(reason)
        self.answer = answer
        self.trouble = trouble
        """What to raise in the end, where no byte came and none was begun: that says nothing of the image."""


class _OurCut(_Cut):
    """The one that we make, to see how it goes on."""


@dataclass(frozen=True)
class Cut:
    """Where a download was cut."""

    at_bytes: int
    by_us: bool
    reason: str


class Parts:
    """One reading of one image. ``chunks`` may be asked for once."""

    def __init__(self, api: ApiSession, image: ImageRef, *, at_once: int, deadline: Deadline) -> None:
        self._api, self._image, self._at_once, self._deadline = api, image, at_once, deadline
        self._path = f"/images/{image.id}/file"
        self._began_s = deadline.clock.now_s()
        self._cut_at: int | None = None
        self._lock = threading.Lock()
        self.serves_ranges = False
        """As the probe saw it; no longer once a part was refused."""
        self.status_code: int | None = None
        """Of the first answer that held the image's bytes."""
        self.length: int | None = None
        """How long the cloud says that the image is: Content-Length, or the total of a Content-Range."""
        self.wire_bytes = 0
        self.cuts: list[Cut] = []
        self.continued_by = ""
        self.in_pieces = False
        """Whether more than one answer made it up."""

    # -- the probe

    def probe(self) -> tuple[RangeProbe, bytes] | None:
        """Ask for a few bytes near the beginning: what came of it, and they; None for an image that is too small."""
        size = self._image.size_bytes or 0
        end = min(size, PROBE_START + PROBE_BYTES)
        if end <= PROBE_START:
            return None
        unanswered = RangeProbe(
            asked=f"bytes={PROBE_START}-{end - 1}",
            asked_bytes=end - PROBE_START,
            status=None,
            expected_content_range=f"bytes {PROBE_START}-{end - 1}/{size}",
        )
        try:
            with self._send(unanswered.asked) as answer:
                return self._answered(unanswered, answer)
        except (requests.RequestException, HTTPError, OSError, Unreachable) as broken:
            told = broken.what if isinstance(broken, CloudError) else f"{type(broken).__name__}: {broken}"
            return replace(unanswered, message=shorten(told, 300)), b""

    def _answered(self, asked: RangeProbe, answer: requests.Response) -> tuple[RangeProbe, bytes]:
        probe = replace(asked, status=answer.status_code, content_range=answer.headers.get("Content-Range", ""))
        if answer.status_code != 206:
            return replace(probe, message="" if answer.ok else reason_of(answer)), b""
        content = answer.raw.read(asked.asked_bytes + 1)  # one more, so that an answer too long is seen
        self.wire_bytes += len(content)
        self.serves_ranges = probe.content_range == probe.expected_content_range and len(content) == probe.asked_bytes
        md5 = answer.headers.get("Content-MD5")
        is_whole = None if md5 is None else md5 == self._image.checksum
        return replace(probe, received_bytes=len(content), content_md5_is_whole=is_whole), content

    # -- the bytes

    def cut_at(self, byte: int | None) -> None:
        """Cut the answer that brings this byte, once."""
        self._cut_at = byte

    def chunks(self, sha256_so_far: Callable[[], str | None]) -> Iterator[bytes]:
        """From the first byte to the last, 1 MiB or less each. ``sha256_so_far``: of everything handed out before.

        Raises ``Stopped``; ``CloudError`` where the cloud refuses to give the image at all.
        """
        size = self._image.size_bytes
        at = 0
        if self._at_once > 1 and self.serves_ranges and size is not None and size > PART_BYTES:
            self.in_pieces = True
            try:
                for chunk in self._side_by_side(size):
                    at += len(chunk)
                    yield chunk
                return
            except _RangeLost:
                self.serves_ranges = False
        yield from self._one_after_the_other(at, sha256_so_far)

    def _side_by_side(self, size: int) -> Iterator[bytes]:
        """In order, while further parts are already coming; as many as may be on their way wait in memory at most."""
        waiting: deque[Future[list[bytes]]] = deque()
        starts = iter(range(0, size, PART_BYTES))
        with ThreadPoolExecutor(self._at_once, "part") as pool:
            try:
                at = 0
                while True:
                    while len(waiting) < self._at_once and (first := next(starts, None)) is not None:
                        waiting.append(pool.submit(self._part, first, min(first + PART_BYTES, size)))
                    if not waiting:
                        return
                    part = waiting.popleft().result()
                    yield from part
                    length = sum(map(len, part))
                    if length < min(PART_BYTES, size - at):
                        return  # the cloud says that the image ends here
                    at += length
            finally:
                for one in waiting:
                    one.cancel()

    def _part(self, start: int, end: int) -> list[bytes]:
        """Bytes ``start`` to ``end`` (exclusive); fewer where the cloud says that the image ends before."""
        got: list[bytes] = []
        at, patience = start, Patience(self._deadline)
        while at < end:
            before = at
            try:
                for chunk in self._answer(at, end, patience.is_tried):
                    got.append(chunk)
                    at += len(chunk)
                    patience.progressed()
                if at == before:
                    break
            except _Cut as cut:
                at = start + sum(map(len, got))
                self._note(at, cut, patience)
        return got

    def _one_after_the_other(self, start: int, sha256_so_far: Callable[[], str | None]) -> Iterator[bytes]:
        at, patience, size = start, Patience(self._deadline), self._image.size_bytes
        while True:
            try:
                for chunk in self._rest(at, sha256_so_far, patience.is_tried):
                    at += len(chunk)
                    patience.progressed()
                    yield chunk
                    if size is not None and at > size:
                        raise Stopped(f"the image has grown while it was read: more than its {size} bytes came")
                return
            except _Cut as cut:
                self._note(at, cut, patience)
                self.in_pieces = True

    def _rest(self, at: int, sha256_so_far: Callable[[], str | None], gently: bool) -> Iterator[bytes]:
        """Everything from ``at`` on, by a Range or by reading past what is here already."""
        if at and self.serves_ranges:
            try:
                yield from self._answer(at, None, gently)
                return
            except _RangeLost:
                self.serves_ranges = False
        chunks = self._answer(0, None, gently)
        yield from self._past(chunks, at, sha256_so_far) if at else chunks

    def _past(self, chunks: Iterator[bytes], at: int, sha256_so_far: Callable[[], str | None]) -> Iterator[bytes]:
        """What comes after ``at`` bytes, which must be those that came the first time."""
        self.continued_by = self.continued_by or "whole"
        again, left = hashlib.sha256(), at
        expected = sha256_so_far()
        for chunk in chunks:
            if left:
                again.update(chunk[:left])
                left, rest = max(0, left - len(chunk)), chunk[left:]
                if not left and expected is not None and again.hexdigest() != expected:
                    raise Stopped("the image has changed while it was read: its beginning is another now")
                if not rest:
                    continue
                chunk = rest
            yield chunk

    # -- one answer

    def _answer(self, at: int, end: int | None, gently: bool) -> Iterator[bytes]:
        """One request's bytes. Raises ``_Cut``, ``_RangeLost``, ``Stopped`` or ``CloudError``.

        ``gently``: however few come at once, so that none are lost with the chunk that a cut leaves unfinished.
        """
        asked = None if at == 0 and end is None else f"bytes={at}-{'' if end is None else end - 1}"
        try:
            answer = self._send(asked)
        except Unreachable as broken:
            raise _Cut(broken.what, trouble=broken) from broken
        with answer:
            self._require(answer, at, asked)
            if asked and self.cuts:
                self.continued_by = self.continued_by or "range"
            try:
                for chunk in _as_they_come(answer) if gently else answer.iter_content(CHUNK_BYTES):
                    with self._lock:
                        self.wire_bytes += len(chunk)
                        ours = self._cut_at
                        if ours is not None and at < ours <= at + len(chunk):
                            self._cut_at = None
                        else:
                            ours = None
                    if self._deadline.left_s <= 0:
                        raise WaitTimeout(f"the download of image {self._image.id}", self._waited_s(), f"byte {at}")
                    if end is not None and at + len(chunk) > end:
                        raise _RangeLost  # more than was asked for
                    if ours is not None:
                        if ours > at:
                            yield chunk[: ours - at]
                        raise _OurCut("by us, to see how it goes on")
                    at += len(chunk)
                    yield chunk
            except (requests.RequestException, HTTPError, OSError) as broken:
                raise _Cut(f"{type(broken).__name__}: {broken}") from broken
            if end is None and asked is None and self.length is None and at < (self._image.size_bytes or 0):
                raise _Cut("the connection ended, and nobody had said how long the image is")

    def _send(self, asked: str | None) -> requests.Response:
        headers = {"Accept-Encoding": "identity", **({"Range": asked} if asked else {})}
        return self._api.send("image", "GET", self._path, headers=headers, stream=True)

    def _require(self, answer: requests.Response, at: int, asked: str | None) -> None:
        """Whether this answer holds what was asked for."""
        status = answer.status_code
        if status in BUSY or status == 401:
            # The session renews a token that has died, but of two threads that learn of it at once one is refused.
            refusal = self._api.refusal(answer, f"GET {self._path}")
            raise _Cut(refusal.what, answer, refusal)
        if asked is not None and status in (200, 400, 416):
            raise _RangeLost
        if status not in (200, 204, 206) or (status == 206) != (asked is not None):
            raise self._api.refusal(answer, f"GET {self._path}")
        self.status_code = self.status_code or (204 if status == 204 else 200)
        if asked is None:
            self.length = whole_number(answer.headers.get("Content-Length", ""))
            return
        found = _CONTENT_RANGE.match(answer.headers.get("Content-Range", "").strip())
        if found is None or int(found[1]) != at:
            raise _RangeLost
        if found[3] != "*":
            self.length = self.length or int(found[3])
            if int(found[3]) != (self._image.size_bytes or int(found[3])):
                raise Stopped(
                    f"the image has changed while it was read: {self._image.size_bytes} bytes before, {found[3]} now"
                )

    def _note(self, at: int, cut: _Cut, patience: Patience) -> None:
        ours = isinstance(cut, _OurCut)
        self.cuts.append(Cut(at, ours, shorten(str(cut), 300)))
        if ours:
            return
        try:
            patience.pause(cut, cut.answer)
        except GaveUp as spent:
            if cut.trouble is not None:
                raise cut.trouble from spent
            raise Stopped(f"the download broke off at byte {at}, {spent}") from cut

    def _waited_s(self) -> float:
        return self._deadline.clock.now_s() - self._began_s


def _as_they_come(answer: requests.Response) -> Iterator[bytes]:
    while chunk := answer.raw.read1(CHUNK_BYTES):
        yield chunk
