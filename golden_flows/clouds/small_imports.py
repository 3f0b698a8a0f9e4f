"""Several small images brought in side by side, and what the cloud said of each. Facts only.

Sources: Image API v2 reference; interoperable image import, ``GET /v2/images/{id}/tasks``, ``GET /v2/info/usage``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import requests

from golden_flows.clouds import image_import, images
from golden_flows.clouds.sample_images import Sample
from golden_flows.clouds.session import ApiSession, reason_of
from golden_flows.errors import InteropError, WaitTimeout
from golden_flows.model.discovery import DIRECT, WEB_DOWNLOAD
from golden_flows.model.import_seen import DeletedImport, OverQuota, SmallImport
from golden_flows.waiting import Deadline, wait_for

BY_IMPORT, BY_PUT = "PUT /stage and an import", "PUT /file"
SETTLE_S = 60.0
"""How long an import of a few KiB may take."""
GRACE_S = 2.0
"""From the end of an import's task to the image's last status."""
SENT_BYTES = 4 * 1024
"""What is sent of an upload that announces more than the quota: with its header, so that who refuses has read it."""
ANSWER_S = 5.0
"""How long a cloud may think about an upload whose announced length is too much; it would wait for hours otherwise."""
_MIB = 1 << 20
_ANY = "uploading"
"""What an image is until it has been looked at."""
_UNDER_WAY = (_ANY, "importing", "saving")

AskForImage = Callable[[str, str], tuple[requests.Response, str | None]]
"""(name, disk format) → the answer to the create, and the image's id where there is one."""


@dataclass
class _Tried:
    seen: SmallImport
    image_id: str = ""
    task_ended_at_s: float | None = None

    @property
    def awaits(self) -> bool:
        return bool(self.image_id) and self.seen.image_status in _UNDER_WAY


class SmallImports:
    """Images begun one after the other and watched together; whoever made this deletes them."""

    def __init__(self, api: ApiSession, ask: AskForImage, deadline: Deadline) -> None:
        self._api, self._ask, self._deadline = api, ask, deadline
        self.endpoint_methods = images.import_methods(api)
        self.header_methods: tuple[str, ...] | None = None
        self.way = BY_IMPORT if DIRECT in self.endpoint_methods else BY_PUT
        self._tried: dict[str, _Tried] = {}

    def upload(self, sample: Sample) -> None:
        """Create and upload; the import is begun by ``start``. What is refused goes no further."""
        response, image_id = self._ask(sample.name, sample.disk_format)
        seen = SmallImport(name=sample.name, words=sample.words, disk_format=sample.disk_format)
        tried = self._tried[sample.name] = _Tried(replace(seen, create_status=response.status_code), image_id or "")
        header = response.headers.get("OpenStack-image-import-methods")
        if header is not None:
            self.header_methods = tuple(one.strip() for one in header.split(",") if one.strip())
        if image_id is None:
            tried.seen = replace(tried.seen, message=reason_of(response))
            return
        verb = "stage" if self.way == BY_IMPORT else "file"
        status, message = image_import.send_bytes(self._api, image_id, verb, sample.content, self._deadline)
        tried.seen = replace(tried.seen, upload_status=status, message=message, image_status=_ANY)

    def start(self, name: str) -> None:
        """Begin its import, where there is one to begin; does not wait for its end."""
        tried = self._tried[name]
        if tried.seen.upload_status == 204 and self.way == BY_IMPORT:
            body = {"method": {"name": DIRECT}}
            answer = self._api.send("image", "POST", f"/images/{tried.image_id}/import", json=body)
            message = "" if answer.status_code == 202 else reason_of(answer)
            tried.seen = replace(tried.seen, import_status=answer.status_code, message=message)

    def download(self, name: str, words: str, uri: str) -> None:
        """Have the cloud fetch an image itself; ``words`` say what is wrong with that."""
        response, image_id = self._ask(name, "raw")
        seen = SmallImport(name=name, words=words, disk_format="raw", create_status=response.status_code)
        tried = self._tried[name] = _Tried(seen, image_id or "")
        if image_id is None:
            tried.seen = replace(seen, message=reason_of(response))
            return
        body = {"method": {"name": WEB_DOWNLOAD, "uri": uri}}
        answer = self._api.send("image", "POST", f"/images/{image_id}/import", json=body)
        message = "" if answer.status_code == 202 else reason_of(answer)
        status = _ANY if answer.status_code == 202 else "queued"
        tried.seen = replace(seen, import_status=answer.status_code, message=message, image_status=status)

    def image_id(self, name: str) -> str:
        return self._tried[name].image_id

    def delete(self, name: str) -> DeletedImport:
        """Delete that image now, whatever it is about; ``look_again`` later tells what became of it."""
        tried = self._tried[name]
        if tried.seen.import_status != 202:
            return DeletedImport(status_before=None, message=tried.seen.reason or "its import was not accepted")
        status_before = self._status(tried.image_id)
        answer = self._api.send("image", "DELETE", f"/images/{tried.image_id}")
        return DeletedImport(
            status_before=status_before,
            delete_status=answer.status_code,
            message=reason_of(answer) if answer.status_code >= 400 else "",
        )

    def look_again(self, deleted: DeletedImport, name: str) -> DeletedImport:
        """That image once the imports that were begun after its own have ended."""
        return replace(deleted, status_after=self._status(self._tried[name].image_id))

    def settle(self) -> tuple[SmallImport, ...]:
        """Wait until nothing happens to any of them any more, or for too long; each as it is then."""

        def all_rest() -> bool:
            for tried in self._tried.values():
                if tried.awaits:
                    self._look(tried)
            return not any(self._is_open(one) for one in self._tried.values())

        with contextlib.suppress(WaitTimeout):  # which of them still is on its way is to be read in its status
            wait_for("small imports", all_rest, deadline=self._deadline.sooner(SETTLE_S), every_s=images.POLL_S)
        for tried in self._tried.values():
            if tried.image_id and tried.seen.tasks_status is None and not tried.seen.is_active:
                self._read_task(tried)
        return tuple(one.seen for one in self._tried.values())

    def _is_open(self, tried: _Tried) -> bool:
        if not tried.awaits:
            return False
        ended = tried.task_ended_at_s
        return ended is None or self._deadline.clock.now_s() - ended < GRACE_S

    def _look(self, tried: _Tried) -> None:
        response = self._api.send("image", "GET", f"/images/{tried.image_id}")
        if response.status_code != 200:
            tried.seen = replace(tried.seen, image_status=None)
            return
        image = images.image_from(self._api.json_of(response, "/images"))
        failed_in = image.properties.get("os_glance_failed_import")
        tried.seen = replace(tried.seen, image_status=image.status, failed_in=failed_in)
        if tried.awaits:
            self._read_task(tried)

    def _read_task(self, tried: _Tried) -> None:
        response = self._api.send("image", "GET", f"/images/{tried.image_id}/tasks")
        tried.seen = replace(tried.seen, tasks_status=response.status_code)
        if response.status_code != 200:
            return
        listed = self._api.json_of(response, "/tasks").get("tasks")
        tasks = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
        if not tasks:
            return
        status, message = str(tasks[-1].get("status")), str(tasks[-1].get("message") or "")
        tried.seen = replace(tried.seen, task_status=status, task_message=message)
        if status in ("success", "failure") and tried.task_ended_at_s is None:
            tried.task_ended_at_s = self._deadline.clock.now_s()

    def _status(self, image_id: str) -> str | None:
        response = self._api.send("image", "GET", f"/images/{image_id}")
        if response.status_code == 404:
            return None
        return images.image_from(self._api.json_of(response, "/images")).status

    def over_quota(self, name: str) -> OverQuota:
        """Announce more than the project may still keep, where the cloud shows how much that is."""
        shown, left_bytes = _quota(self._api)
        if left_bytes is None:
            return OverQuota(limit="", skipped=shown)
        response, image_id = self._ask(name, "raw")
        announced = max(0, left_bytes) + _MIB
        seen = OverQuota(limit=shown, announced_bytes=announced, sent_bytes=SENT_BYTES)
        if image_id is None:
            return replace(seen, skipped=f"no image to upload to: HTTP {response.status_code} {reason_of(response)}")
        began_s = self._deadline.clock.now_s()
        status, message = self._send_too_much(image_id, announced, SENT_BYTES)
        if status is None and self._deadline.clock.now_s() - began_s < ANSWER_S / 2:
            # Who refuses at once and hangs up while we still send has answered, and the answer is lost: ask in silence.
            status, message = self._send_too_much(image_id, announced, 0)
        try:
            image = wait_for(
                "an upload that broke off to be noticed",
                lambda: images.show(self._api, image_id),
                until=lambda one: one.status not in _UNDER_WAY,
                deadline=self._deadline.sooner(SETTLE_S),
                every_s=images.POLL_S,
            )
        except WaitTimeout:
            image = images.show(self._api, image_id)
        seen = replace(seen, image_status=image.status, size_bytes=image.size_bytes)
        return replace(seen, status=status, message=message)

    def _send_too_much(self, image_id: str, announced: int, sent: int) -> tuple[int | None, str]:
        session = self._api.sdk.session
        patience, session.timeout = session.timeout, ANSWER_S
        # The rest never comes, so nothing else may be sent on this connection.
        headers = {"Content-Type": "application/octet-stream", "Connection": "close"}
        path = f"/images/{image_id}/file"
        try:
            answer = self._api.send("image", "PUT", path, data=_Announced(announced, sent), headers=headers)
        except InteropError as error:  # it waits for the rest, or hung up: either is an answer of a kind
            return None, error.what
        finally:
            session.timeout = patience
        return answer.status_code, reason_of(answer) if answer.status_code >= 400 else ""


class _Announced:
    """A request body that is longer than what comes of it. Its length makes the library send Content-Length."""

    def __init__(self, length: int, sent: int) -> None:
        self._length, self._sent = length, sent

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        if self._sent:
            yield bytes(self._sent)


def _quota(api: ApiSession) -> tuple[str, int | None]:
    """(the quota in words, bytes that are left); or (why none is known, None)."""
    response = api.send("image", "GET", "/info/usage")
    if response.status_code != 200:
        return f"GET /v2/info/usage: HTTP {response.status_code}", None
    usage = api.json_of(response, "/info/usage").get("usage")
    total = usage.get("image_size_total") if isinstance(usage, dict) else None
    limit = total.get("limit") if isinstance(total, dict) else None
    used = total.get("usage") if isinstance(total, dict) else None
    if not isinstance(limit, int) or not isinstance(used, int) or limit < 0:
        return "GET /v2/info/usage shows no limit of image_size_total", None
    return f"image_size_total: {limit} MiB, {used} MiB used", (limit - used) * _MIB
