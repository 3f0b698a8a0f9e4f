"""What becomes of an upload whose token dies on the way? Asked with a token of our own, which is then revoked.

Any tenant may revoke a token of theirs. Source: Identity API v3, ``DELETE /v3/auth/tokens``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import requests

from golden_flows.clouds import images
from golden_flows.clouds.records import ImageRef
from golden_flows.clouds.session import TOKEN_TYPES, ApiSession, reason_of
from golden_flows.errors import CloudError, InteropError, Unreachable, UsageError, WaitTimeout
from golden_flows.model.discovery import DIRECT
from golden_flows.model.image_facts import TokenDeath
from golden_flows.waiting import Deadline, wait_for

PROBE_BYTES = 1024 * 1024
CHUNK_BYTES = 64 * 1024
SETTLE_S = 20.0
FILE, STAGE = "PUT /file", "PUT /stage"
CLOSED = (403, 404, 405)
"""What policy closes to tenants, or is not there."""

SmallImage = Callable[[str, Deadline], AbstractContextManager[str]]
"""(name, deadline) → the id of a queued image, which is deleted afterwards."""


class _Dying:
    """A request body; half-way, ``revoke`` is called. Its length makes the HTTP library send Content-Length."""

    def __init__(self, content: bytes, revoke: Callable[[], None]) -> None:
        self._content, self._revoke = content, revoke

    def __len__(self) -> int:
        return len(self._content)

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self._content), CHUNK_BYTES):
            if start == len(self._content) // 2:
                self._revoke()
            yield self._content[start : start + CHUNK_BYTES]


class _Closed(Exception):
    """This way of upload is closed to tenants, whatever token they send: nothing can be learnt of it."""


def probe(api: ApiSession, small_image: SmallImage, deadline: Deadline) -> TokenDeath:
    """By ``PUT /file``; where policy refuses that, by staging and an import."""
    if api.auth_type in TOKEN_TYPES:
        return _skipped(FILE, f"{api.name} is logged in to by a token, which is not ours to revoke (auth_type)")
    try:
        return _upload(api, small_image, FILE, deadline)
    except _Closed as closed:
        if DIRECT not in images.import_methods(api):
            return _skipped(FILE, str(closed))
    try:
        return _upload(api, small_image, STAGE, deadline)
    except _Closed as closed:
        return _skipped(STAGE, str(closed))


def _upload(api: ApiSession, small_image: SmallImage, way: str, deadline: Deadline) -> TokenDeath:
    """What became of it, once the token was really dead. Raises ``_Closed``."""
    try:
        token = api.another_token()
    except Unreachable as error:
        return _unseen(way, error.what)
    except (CloudError, UsageError) as error:
        return _skipped(way, f"{api.name} gives no second token: {error.what}")
    answers: list[requests.Response] = []
    trouble: list[str] = []

    def revoke() -> None:
        try:
            answers.append(api.send("identity", "DELETE", "/auth/tokens", headers={"X-Subject-Token": token}))
        except InteropError as error:  # ours, in the middle of a request that is not to blame for it
            trouble.append(f"revoking the token: {error.what}")

    with small_image("token-probe", deadline) as image_id:
        path = f"/images/{image_id}/{'file' if way == FILE else 'stage'}"
        status, message = _send(api, path, _Dying(os.urandom(PROBE_BYTES), revoke), token)
        # As the cloud left it: where an empty body is let in, it makes an image of nothing.
        cut_off = _settled(api, image_id, deadline) if status is None else None
        refusal = _send(api, path, b"", None)[0] if status is None else status
        if refusal in CLOSED:
            raise _Closed(f"{api.name} takes no image by {way} from this tenant: HTTP {refusal}")
        if not answers:
            return _unseen(way, trouble[0] if trouble else message or f"HTTP {status} before half of it was sent")
        if answers[0].status_code not in (200, 204):
            why = f"HTTP {answers[0].status_code} {reason_of(answers[0])}".rstrip()
            if answers[0].status_code in CLOSED:
                return _skipped(way, f"{api.name} lets no user revoke a token: {why}")
            return _unseen(way, f"revoking the token: {why}")
        if way == STAGE and status == 204:
            api.send("image", "POST", f"/images/{image_id}/import", json={"method": {"name": DIRECT}})
        image = cut_off or _settled(api, image_id, deadline)
    return TokenDeath(
        way=way,
        sent_bytes=PROBE_BYTES,
        upload_status=status,
        image_status=image.status,
        disk_format=image.disk_format,
        size_bytes=image.size_bytes,
        virtual_size_bytes=image.virtual_size_bytes,
        message=message,
    )


def _send(api: ApiSession, path: str, body: _Dying | bytes, token: str | None) -> tuple[int | None, str]:
    """(status, what a refusal says); no status where the connection broke off while we still sent."""
    try:
        response = api.send("image", "PUT", path, data=body, headers=images.OCTETS, token=token)
    except InteropError as error:
        return None, error.what
    return response.status_code, "" if response.ok else reason_of(response)


def _unseen(way: str, why: str) -> TokenDeath:
    """No image status: TX-5 cannot say anything, and says so."""
    return TokenDeath(way=way, sent_bytes=PROBE_BYTES, message=why)


def _skipped(way: str, why: str) -> TokenDeath:
    return TokenDeath(way=way, sent_bytes=PROBE_BYTES, skipped=why)


def _settled(api: ApiSession, image_id: str, deadline: Deadline) -> ImageRef:
    """The image once nothing happens to it any more; as it is, where it stays on its way."""
    try:
        return wait_for(
            f"image {image_id} to settle",
            lambda: images.show(api, image_id),
            until=lambda one: one.status not in images.MOVING,
            deadline=deadline.sooner(SETTLE_S),
            every_s=images.POLL_S,
        )
    except WaitTimeout:
        return images.show(api, image_id)
