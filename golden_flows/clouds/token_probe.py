"""What becomes of an upload whose token dies on the way? Asked with a token of our own, which is then revoked.

Any tenant may revoke a token of theirs. Source: Identity API v3, ``DELETE /v3/auth/tokens``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from golden_flows.clouds import images
from golden_flows.clouds.records import ImageRef
from golden_flows.clouds.session import ApiSession, reason_of
from golden_flows.errors import CloudError, InteropError, UsageError, WaitTimeout
from golden_flows.model.discovery import DIRECT
from golden_flows.model.facts import TokenDeath
from golden_flows.waiting import Deadline, wait_for

PROBE_BYTES = 1024 * 1024
CHUNK_BYTES = 64 * 1024
FILE, STAGE = "PUT /file", "PUT /stage"
UNDER_WAY = ("saving", "uploading", "importing")
TOKEN_TYPES = ("token", "v2token", "v3token", "admin_token", "none", "noauth")
"""Ways to log in by a token that somebody gave: what is derived from it may not outlive its end, or be had twice."""

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


def probe(api: ApiSession, small_image: SmallImage, deadline: Deadline) -> TokenDeath:
    """By ``PUT /file``; where policy refuses that, by staging and an import."""
    if api.auth_type in TOKEN_TYPES:
        return _skipped(FILE, f"{api.name} is logged in to by a token, which is not ours to revoke (auth_type)")
    died = _upload(api, small_image, FILE, deadline)
    if died.upload_status == 403 and DIRECT in images.import_methods(api):
        return _upload(api, small_image, STAGE, deadline)
    return died


def _upload(api: ApiSession, small_image: SmallImage, way: str, deadline: Deadline) -> TokenDeath:
    try:
        token = api.another_token()
    except (CloudError, UsageError) as error:
        return _skipped(way, f"{api.name} gives no second token: {error.what}")
    refused: list[str] = []

    def revoke() -> None:
        answer = api.send("identity", "DELETE", "/auth/tokens", headers={"X-Subject-Token": token})
        if answer.status_code not in (200, 204):
            refused.append(
                f"{api.name} lets no user revoke a token: HTTP {answer.status_code} {reason_of(answer)}".rstrip()
            )

    with small_image("token-probe", deadline) as image_id:
        path = f"/images/{image_id}/{'file' if way == FILE else 'stage'}"
        body = _Dying(os.urandom(PROBE_BYTES), revoke)
        octets = {"Content-Type": "application/octet-stream"}
        try:
            response = api.send("image", "PUT", path, data=body, headers=octets, token=token)
            status: int | None = response.status_code
            message = "" if response.ok else reason_of(response)
        except InteropError as error:  # refused while we still sent: the connection is gone, and the image tells
            status, message = None, error.what
        if refused:
            return _skipped(way, refused[0])
        if way == STAGE and status == 204:
            api.send("image", "POST", f"/images/{image_id}/import", json={"method": {"name": DIRECT}})
        image = _settled(api, image_id, deadline)
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


def _skipped(way: str, why: str) -> TokenDeath:
    return TokenDeath(way=way, sent_bytes=PROBE_BYTES, skipped=why)


def _settled(api: ApiSession, image_id: str, deadline: Deadline) -> ImageRef:
    """The image once nothing happens to it any more; as it is, where it stays on its way."""
    try:
        return wait_for(
            f"image {image_id} to settle",
            lambda: images.show(api, image_id),
            until=lambda one: one.status not in UNDER_WAY,
            deadline=Deadline.after(min(20.0, deadline.left_s), deadline.clock),
            every_s=images.POLL_S,
        )
    except WaitTimeout:
        return images.show(api, image_id)
