"""Image bytes in and out of Glance. Facts only: what the cloud answered, in the order it did.

Sources: Image API v2 reference; interoperable image import (``glance-direct``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from golden_flows.clouds.digests import CHUNK_BYTES, Digests
from golden_flows.clouds.records import Download, ImageRef, Progress
from golden_flows.clouds.session import ApiSession, reason_of
from golden_flows.errors import CloudError, WaitTimeout, shorten
from golden_flows.model.image_facts import ImportFacts, PutProbe
from golden_flows.waiting import Deadline, wait_for

GIB = 1024**3
POLL_S = 0.2

_SCHEMA_KEYS = frozenset(
    [
        "id",
        "name",
        "status",
        "visibility",
        "protected",
        "file",
        "self",
        "schema",
        "tags",
        "created_at",
        "updated_at",
        "owner",
        "size",
        "virtual_size",
        "min_disk",
        "min_ram",
        "checksum",
        "os_hash_algo",
        "os_hash_value",
        "os_hidden",
        "disk_format",
        "container_format",
        "locations",
        "direct_url",
        "stores",
    ]
)
OCTETS = {"Content-Type": "application/octet-stream"}
"""Headers of a request that carries image data."""
MOVING = ("saving", "uploading", "importing")
"""Statuses of an image that something still happens to."""


def image_from(document: Mapping[str, Any]) -> ImageRef:
    """An image document of Glance v2; what the schema does not name is a custom property."""

    def number(key: str) -> int | None:
        value = document.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def text(key: str) -> str | None:
        value = document.get(key)
        return value if isinstance(value, str) else None

    return ImageRef(
        id=str(document.get("id")),
        name=text("name") or "",
        status=text("status") or "",
        disk_format=text("disk_format"),
        container_format=text("container_format"),
        size_bytes=number("size"),
        virtual_size_bytes=number("virtual_size"),
        min_disk_bytes=(number("min_disk") or 0) * GIB,
        min_ram_mib=number("min_ram") or 0,
        checksum=text("checksum"),
        os_hash_algo=text("os_hash_algo"),
        os_hash_value=text("os_hash_value"),
        properties={key: str(value) for key, value in document.items() if key not in _SCHEMA_KEYS},
    )


def show(api: ApiSession, image_id: str) -> ImageRef:
    return image_from(api.read("image", f"/images/{image_id}"))


def download(
    api: ApiSession,
    image_id: str,
    sink: Callable[[bytes], None],
    deadline: Deadline,
    progress: Progress | None,
) -> Download:
    """Read the whole image once. A body that breaks off is a fact (``error``), a refusal is a ``CloudError``."""
    image = show(api, image_id)
    began_s = time.monotonic()
    path = f"/images/{image_id}/file"
    response = api.send("image", "GET", path, headers={"Accept-Encoding": "identity"}, stream=True)
    length = response.headers.get("Content-Length", "")
    total = int(length) if length.isdigit() else image.size_bytes
    error = ""
    with response, Digests(("md5", "sha256", image.os_hash_algo or "")) as digests:
        if response.status_code not in (200, 204):
            raise api.refusal(response, f"GET {path}")
        try:
            for chunk in response.iter_content(CHUNK_BYTES):
                sink(chunk)
                digests.update(chunk)
                if progress:
                    progress(digests.count, total)
                if deadline.left_s <= 0:
                    raise WaitTimeout(f"the download of image {image_id}", time.monotonic() - began_s, digests.count)
        except requests.RequestException as broken:
            error = shorten(f"{type(broken).__name__}: {broken}", 300)
        return Download(
            image=image,
            status_code=response.status_code,
            content_length=int(length) if length.isdigit() else None,
            downloaded_bytes=digests.count,
            computed_md5=digests.hex("md5") or "",
            computed_hash=digests.hex(image.os_hash_algo),
            sha256=digests.hex("sha256") or "",
            head=digests.head,
            tail=digests.tail,
            seconds=time.monotonic() - began_s,
            error=error,
        )


class Upload:
    """A request body read from a file in chunks; hashes what is really handed to the socket.

    Its length makes the HTTP library send Content-Length. It may be iterated again, when the library repeats a
    request after a token was refused: then everything starts anew.
    """

    def __init__(self, source: Path, size_bytes: int, deadline: Deadline, progress: Progress | None) -> None:
        self._source, self._size = source, size_bytes
        self._deadline, self._progress = deadline, progress
        self.sent_bytes = 0
        self.sha512: str | None = None

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        self.sent_bytes, self.sha512 = 0, None
        began_s = time.monotonic()
        with Digests(("sha512",)) as digests, open(self._source, "rb", buffering=0) as file:
            while self.sent_bytes < self._size:
                chunk = file.read(min(CHUNK_BYTES, self._size - self.sent_bytes))
                if not chunk:
                    raise CloudError(f"{self._source} ended after {self.sent_bytes} of {self._size} bytes")
                if self._deadline.left_s <= 0:
                    raise WaitTimeout("the upload", time.monotonic() - began_s, f"{self.sent_bytes} bytes sent")
                digests.update(chunk)
                yield chunk
                self.sent_bytes += len(chunk)
                if self._progress:
                    self._progress(self.sent_bytes, self._size)
                # Here and not after the loop: the library stops asking once Content-Length is reached.
                if self.sent_bytes == self._size:
                    self.sha512 = digests.hex("sha512")


def create(api: ApiSession, name: str, disk_format: str, properties: Mapping[str, str]) -> requests.Response:
    """``POST /v2/images``; whatever it answers."""
    body = {"name": name, "disk_format": disk_format, "container_format": "bare", **properties}
    return api.send("image", "POST", "/images", json=body)


def import_methods(api: ApiSession) -> tuple[str, ...]:
    """``GET /v2/info/import``; empty where the cloud has no interoperable import (404, 403).

    Raises ``CloudError`` for any other answer: a service in trouble is not one that offers nothing.
    """
    response = api.send("image", "GET", "/info/import")
    if response.status_code in (403, 404):
        return ()
    if response.status_code != 200:
        raise api.refusal(response, "GET /v2/info/import")
    methods = api.json_of(response, "/info/import").get("import-methods")
    values = methods.get("value") if isinstance(methods, dict) else None
    return tuple(str(one) for one in values) if isinstance(values, list) else ()


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
    upload: Upload,
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


def _stage_and_import(api: ApiSession, seen: _Import, upload: Upload, method: str, deadline: Deadline) -> None:
    image_id = seen.image_id or ""
    seen.stage_status, seen.message = send_bytes(api, f"/images/{image_id}/stage", upload)
    seen.see(show(api, image_id))
    if seen.stage_status != 204:
        return
    response = api.send("image", "POST", f"/images/{image_id}/import", json={"method": {"name": method}})
    seen.import_status = response.status_code
    if response.status_code != 202:
        seen.message = f"import: HTTP {response.status_code} {reason_of(response)}".rstrip()
        return
    _follow(api, seen, deadline)


def _put(api: ApiSession, seen: _Import, upload: Upload, deadline: Deadline) -> None:
    status, seen.message = send_bytes(api, f"/images/{seen.image_id}/file", upload)
    seen.see(show(api, seen.image_id or ""))
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


def send_bytes(api: ApiSession, path: str, body: Upload | bytes) -> tuple[int | None, str]:
    """PUT the bytes; (status, what the cloud says of a refusal). No status when it broke off without an answer."""
    try:
        response = api.send("image", "PUT", path, data=body, headers=OCTETS)
    except WaitTimeout:
        raise
    except CloudError as error:
        # A server that refuses early closes while we still send, and its answer is lost with the connection.
        # An empty body gets the same refusal; where it is not refused we keep the first error.
        response = api.send("image", "PUT", path, data=b"", headers=OCTETS)
        if response.status_code < 400:
            return None, error.what
    if response.status_code >= 400:
        return response.status_code, f"PUT {path}: HTTP {response.status_code} {reason_of(response)}".rstrip()
    return response.status_code, ""


def probe_put(api: ApiSession, image_id: str, content: bytes, sha512: str, deadline: Deadline) -> PutProbe:
    """Send ``content`` by ``PUT /file`` into a queued image."""
    status, message = send_bytes(api, f"/images/{image_id}/file", content)
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
