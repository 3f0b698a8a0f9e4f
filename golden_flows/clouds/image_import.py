"""Image bytes into Glance. Facts only: what the cloud answered, in the order it did.

Sources: Image API v2 reference; interoperable image import (``glance-direct``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import requests

from golden_flows.clouds.images import MOVING, OCTETS, POLL_S, create, image_from, import_methods, show
from golden_flows.clouds.records import ImageRef
from golden_flows.clouds.session import ApiSession, reason_of
from golden_flows.clouds.upload import Body, Damaged
from golden_flows.errors import CloudError, WaitTimeout, shorten
from golden_flows.model.image_facts import ImportFacts, PutProbe
from golden_flows.waiting import Deadline, wait_for

SETTLE_S = 20.0
"""For a cloud to notice that an upload was cut, and to put its image back to ``queued``."""


@dataclass
class _Import:
    """What has been seen of one import so far."""

    image_id: str | None = None
    create_status: int | None = None
    stage_status: int | None = None
    import_status: int | None = None
    message: str = ""
    statuses: list[str] | None = None
    last: ImageRef | None = None

    def see(self, image: ImageRef) -> ImageRef:
        self.statuses = self.statuses or []
        if not self.statuses or self.statuses[-1] != image.status:
            self.statuses.append(image.status)
        self.last = image
        return image


def run_import(
    api: ApiSession,
    *,
    name: str,
    upload: Body,
    disk_format: str,
    properties: Mapping[str, str],
    deadline: Deadline,
    made: Callable[[str], None],
) -> ImportFacts:
    """Create, stage, import, and wait; by legacy PUT where ``glance-direct`` is not offered.

    ``made`` is told the image's id as soon as there is one. Whatever the cloud refuses on the way is a fact.
    """
    began_s = time.monotonic()
    methods = import_methods(api)
    method = "glance-direct" if "glance-direct" in methods else None
    seen = _Import()
    response = create(api, name, disk_format, properties)
    seen.create_status = response.status_code
    if response.status_code == 201:
        image = seen.see(image_from(api.json_of(response, "/images")))
        seen.image_id = image.id
        made(image.id)
        if method:
            _stage_and_import(api, seen, upload, method, deadline)
        else:
            _put(api, seen, upload, deadline)
    else:
        seen.message = f"create: HTTP {response.status_code} {reason_of(response)}".rstrip()
    last = seen.last
    return ImportFacts(
        image_id=seen.image_id,
        methods_offered=methods,
        method_used=method,
        create_status=seen.create_status,
        stage_status=seen.stage_status,
        import_status=seen.import_status,
        statuses_seen=tuple(seen.statuses or ()),
        final_status=last.status if last else None,
        message=seen.message,
        seconds=time.monotonic() - began_s,
        sent_bytes=upload.sent_bytes,
        sent_sha512=upload.sha512,
        stored_hash_algo=last.os_hash_algo if last else None,
        stored_hash_value=last.os_hash_value if last else None,
        stored_disk_format=last.disk_format if last else None,
        probe=None,
    )


def _stage_and_import(api: ApiSession, seen: _Import, upload: Body, method: str, deadline: Deadline) -> None:
    image_id = seen.image_id or ""
    seen.stage_status, seen.message = send_bytes(api, image_id, "stage", upload, deadline)
    seen.see(show(api, image_id))
    if seen.stage_status != 204:
        return
    response = api.send("image", "POST", f"/images/{image_id}/import", json={"method": {"name": method}})
    seen.import_status = response.status_code
    if response.status_code != 202:
        seen.message = f"import: HTTP {response.status_code} {reason_of(response)}".rstrip()
        return
    _follow(api, seen, deadline)


def _put(api: ApiSession, seen: _Import, upload: Body, deadline: Deadline) -> None:
    image_id = seen.image_id or ""
    status, seen.message = send_bytes(api, image_id, "file", upload, deadline)
    shown = seen.see(show(api, image_id))
    if status is None and shown.status == "active":
        # It holds nothing, or half: nobody may take it for Anne's.
        api.ask("image", "DELETE", f"/images/{image_id}", expect=(204, 404))
        seen.see(replace(shown, status="deleted"))
        return
    if status == 204:
        _follow(api, seen, deadline)


def _follow(api: ApiSession, seen: _Import, deadline: Deadline) -> None:
    """Watch an accepted import to its end. After a failure Glance goes back to ``queued``, and never to ``killed``."""
    image_id = seen.image_id or ""

    def ended(image: ImageRef) -> bool:
        return image.status not in MOVING

    try:
        image = wait_for(
            f"the import of image {image_id}",
            lambda: seen.see(show(api, image_id)),
            until=ended,
            deadline=deadline,
            every_s=POLL_S,
        )
    except WaitTimeout as error:
        seen.message = str(error)
        return
    if image.status != "active":
        seen.message = _failure_message(api, image)


def _failure_message(api: ApiSession, image: ImageRef) -> str:
    """Why an import failed, from the image's tasks and properties; tasks are not open to tenants everywhere."""
    parts = []
    response = api.send("image", "GET", f"/images/{image.id}/tasks")
    if response.status_code == 200:
        tasks = api.json_of(response, f"/images/{image.id}/tasks").get("tasks")
        for task in tasks if isinstance(tasks, list) else []:
            if isinstance(task, dict) and task.get("message"):
                parts.append(str(task["message"]))
    stores = image.properties.get("os_glance_failed_import")
    if stores:
        parts.append(f"failed in store {stores}")
    return shorten("; ".join(parts))


def send_bytes(
    api: ApiSession, image_id: str, verb: str, body: Body | bytes, deadline: Deadline
) -> tuple[int | None, str]:
    """PUT the bytes to ``file`` or ``stage``: (status, what the cloud says of a refusal).

    What breaks off is sent once more from its beginning: no store takes half a PUT. No status when it broke off
    without an answer all the same; an image may then be there that holds nothing. Raises ``Damaged`` where the bytes
    themselves are not what they should be, twice.
    """
    path = f"/images/{image_id}/{verb}"
    try:
        response = api.send("image", "PUT", path, data=body, headers=OCTETS)
    except WaitTimeout:
        raise
    except (CloudError, Damaged) as first:
        again, broke_off = _send_again(api, image_id, path, body, first, deadline)
        if again is None:
            return None, broke_off
        response = again
    if response.status_code >= 400:
        return response.status_code, f"PUT {path}: HTTP {response.status_code} {reason_of(response)}".rstrip()
    return response.status_code, ""


def _send_again(
    api: ApiSession, image_id: str, path: str, body: Body | bytes, first: CloudError | Damaged, deadline: Deadline
) -> tuple[requests.Response | None, str]:
    """The second answer; None, and why, when there was none again."""
    broke_off: CloudError | Damaged = first
    if _is_queued_again(api, image_id, deadline):
        try:
            return api.send("image", "PUT", path, data=body, headers=OCTETS), ""
        except WaitTimeout:
            raise
        except (CloudError, Damaged) as second:
            broke_off = second
    if isinstance(broke_off, Damaged):
        raise broke_off
    # A server that refuses early closes while we still send, and its answer is lost with the connection.
    # An empty body gets the same refusal; where it is not refused we keep the first error.
    response = api.send("image", "PUT", path, data=b"", headers=OCTETS)
    return (None, broke_off.what) if response.status_code < 400 else (response, "")


def _is_queued_again(api: ApiSession, image_id: str, deadline: Deadline) -> bool:
    try:
        wait_for(
            f"image {image_id} to be queued again",
            lambda: show(api, image_id).status,
            until=lambda status: status == "queued",
            deadline=deadline.sooner(SETTLE_S),
            every_s=POLL_S,
        )
    except WaitTimeout:
        return False
    return True


def probe_put(api: ApiSession, image_id: str, content: bytes, sha512: str, deadline: Deadline) -> PutProbe:
    """Send ``content`` by ``PUT /file`` into a queued image."""
    status, message = send_bytes(api, image_id, "file", content, deadline)
    image = show(api, image_id)
    if status == 204:
        image = wait_for(
            f"image {image_id} to settle",
            lambda: show(api, image_id),
            until=lambda one: one.status not in MOVING,
            deadline=deadline,
            every_s=POLL_S,
        )
    return PutProbe(
        put_status=status,
        message=message,
        image_status=image.status,
        sent_bytes=len(content),
        sent_sha512=sha512,
        size_bytes=image.size_bytes,
        os_hash_algo=image.os_hash_algo,
        os_hash_value=image.os_hash_value,
        disk_format=image.disk_format,
    )
