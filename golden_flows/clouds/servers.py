"""Servers: boot, watch, console, reboot, snapshot. Source: Compute API v2.1 reference.

Requests go out at microversion 2.1, which every cloud has, but for createImage (see ``snapshot``).
"""

from __future__ import annotations

import base64
import contextlib
import time
from collections.abc import Mapping
from typing import Any

import requests

from golden_flows.clouds import images
from golden_flows.clouds.records import FlavorRef, ImageRef, ServerRequest, ServerState
from golden_flows.clouds.session import ApiSession, reason_of
from golden_flows.errors import CloudError, Unsupported, UsageError, WaitTimeout, shorten
from golden_flows.waiting import Deadline, wait_for

GIB = images.GIB
POLL_S = 0.3
REBUILD_MICROVERSION = (2, 57)
"""From here on a rebuild may bring other user data."""
SNAPSHOT_MICROVERSION = (2, 45)
"""From here on createImage answers the image's id in its body; before, in a Location header of doubtful form."""


def list_flavors(api: ApiSession) -> tuple[FlavorRef, ...]:
    with api.guard("listing flavors"):
        return tuple(
            FlavorRef(str(one.id), str(one.name), int(one.vcpus or 0), int(one.ram or 0), int(one.disk or 0) * GIB)
            for one in api.sdk.compute.flavors(details=True)
        )


def pick_flavor(api: ApiSession, name: str | None, min_disk_bytes: int, min_ram_mib: int) -> FlavorRef:
    """The flavor of that name, or the smallest that fits. Raises ``UsageError`` naming those that would do."""
    flavors = list_flavors(api)
    if name is not None:
        named = next((one for one in flavors if name in (one.name, one.id)), None)
        if named is None:
            known = ", ".join(sorted(one.name for one in flavors)) or "none"
            raise UsageError(f"cloud {api.name!r} has no flavor {name!r}", f"flavors: {known}")
        if 0 < named.disk_bytes < min_disk_bytes:
            larger = [one.name for one in flavors if one.disk_bytes == 0 or one.disk_bytes >= min_disk_bytes]
            raise UsageError(
                f"flavor {name!r} of cloud {api.name!r} has a disk of {named.disk_bytes} bytes, and the image needs "
                f"{min_disk_bytes}",
                f"flavors that it fits: {', '.join(sorted(larger)) or 'none'}",
            )
        return named
    fitting = [
        one
        for one in flavors
        if one.ram_mib >= min_ram_mib and (one.disk_bytes == 0 or one.disk_bytes >= min_disk_bytes)
    ]
    if not fitting:
        raise UsageError(
            f"cloud {api.name!r} has no flavor with {min_ram_mib} MiB of memory and {min_disk_bytes} bytes of disk",
            "ask the operator for a larger flavor, or name one as 'interop: flavor:'",
        )
    return min(fitting, key=lambda one: (one.ram_mib, one.disk_bytes, one.vcpus, one.name))


def create(api: ApiSession, asked: ServerRequest) -> dict[str, Any]:
    """``POST /servers``; the ``server`` object of the answer (``id``, ``adminPass`` and little else)."""
    response = ask_create(api, body_of(asked))
    if response.status_code != 202:
        raise api.refusal(response, "POST /servers")
    server = api.json_of(response, "/servers").get("server")
    if not isinstance(server, dict) or not isinstance(server.get("id"), str):
        raise CloudError(f"cloud {api.name!r} accepted a server and did not say its id")
    return server


def ask_create(api: ApiSession, body: Mapping[str, Any]) -> requests.Response:
    """Any status is an answer."""
    return api.send("compute", "POST", "/servers", json={"server": dict(body)}, microversion="2.1")


def files_allowed(api: ApiSession) -> int:
    """How many files ``personality`` may name; 0 where the cloud takes none, or does not say."""
    response = api.ask("compute", "GET", "/limits", microversion="2.1")
    limits = api.json_of(response, "/limits").get("limits")
    absolute = limits.get("absolute") if isinstance(limits, dict) else None
    allowed = absolute.get("maxPersonality") if isinstance(absolute, dict) else None
    # -1 is nova's word for "as many as you like".
    return allowed if isinstance(allowed, int) and allowed >= 0 else 5 if allowed == -1 else 0


def body_of(asked: ServerRequest) -> dict[str, Any]:
    """What ``POST /servers`` takes under ``server``."""
    body: dict[str, Any] = {
        "name": asked.name,
        "imageRef": asked.image_id,
        "flavorRef": asked.flavor.id,
        "networks": [{"uuid": one.id} for one in asked.networks],
        "metadata": dict(asked.metadata),
    }
    if asked.key_name is not None:
        body["key_name"] = asked.key_name
    if asked.security_group is not None:
        body["security_groups"] = [{"name": asked.security_group}]
    if asked.user_data:
        body["user_data"] = base64.b64encode(asked.user_data).decode("ascii")
    if asked.admin_password is not None:
        body["adminPass"] = asked.admin_password
    if asked.config_drive:
        body["config_drive"] = True
    if asked.files:
        body["personality"] = [
            {"path": path, "contents": base64.b64encode(content).decode("ascii")} for path, content in asked.files
        ]
    return body


def show(api: ApiSession, server_id: str) -> dict[str, Any] | None:
    """The server; None once it is gone (404, or for a moment 200 with status DELETED)."""
    response = api.ask("compute", "GET", f"/servers/{server_id}", expect=(200, 404), microversion="2.1")
    if response.status_code == 404:
        return None
    server = api.json_of(response, f"/servers/{server_id}").get("server")
    if not isinstance(server, dict):
        raise CloudError(f"cloud {api.name!r}: /servers/{server_id} answered no server")
    return None if server.get("status") == "DELETED" else server


def wait(api: ApiSession, server_id: str, began_s: float, deadline: Deadline, wanted: str = "ACTIVE") -> ServerState:
    """Until it has that status, is in ERROR, or gone. A passed deadline is an answer too: the status last seen."""
    seen: list[str] = []
    last: dict[str, Any] = {}

    def probe() -> str:
        server = show(api, server_id)
        last.clear()
        last.update(server or {"status": "DELETED"})
        status = str(last.get("status"))
        if not seen or seen[-1] != status:
            seen.append(status)
        return status

    with contextlib.suppress(WaitTimeout):
        wait_for(
            f"server {server_id} to become {wanted}",
            probe,
            until=lambda status: status in (wanted, "ERROR", "DELETED"),
            deadline=deadline,
            every_s=POLL_S,
        )
    fault = last.get("fault")
    message = fault.get("message") if isinstance(fault, dict) else None
    reached_s = deadline.clock.now_s() - began_s if last.get("status") == wanted else None
    return ServerState(str(last.get("status")), tuple(seen), shorten(str(message or "")), reached_s)


def read_console(api: ApiSession, server_id: str, tail_lines: int | None) -> str:
    """``os-getConsoleOutput``. Empty while the server is still being built (409)."""
    response = _ask_console(api, server_id, tail_lines)
    if response.status_code == 409:
        return ""
    if response.status_code in (403, 405, 501):
        raise Unsupported(
            f"cloud {api.name!r} offers no console output: HTTP {response.status_code} {reason_of(response)}".rstrip()
        )
    if response.status_code != 200:
        raise api.refusal(response, f"reading the console of server {server_id}")
    output = api.json_of(response, "os-getConsoleOutput").get("output")
    return output if isinstance(output, str) else ""


def console_status(api: ApiSession, server_id: str) -> int:
    """What ``os-getConsoleOutput`` answers: an HTTP status."""
    return _ask_console(api, server_id, 1).status_code


def _ask_console(api: ApiSession, server_id: str, tail_lines: int | None) -> requests.Response:
    return _act(api, server_id, "os-getConsoleOutput", {} if tail_lines is None else {"length": tail_lines})


def reboot(api: ApiSession, server_id: str, soft: bool) -> None:
    api.ask(
        "compute",
        "POST",
        f"/servers/{server_id}/action",
        json={"reboot": {"type": "SOFT" if soft else "HARD"}},
        expect=(202,),
        microversion="2.1",
    )


def stop(api: ApiSession, server_id: str) -> None:
    """``os-stop``. Raises ``Unsupported`` where the cloud lets no tenant do that."""
    response = _act(api, server_id, "os-stop", None)
    if response.status_code in (403, 405, 501):
        raise Unsupported(f"os-stop: HTTP {response.status_code} {reason_of(response)}".rstrip())
    if response.status_code != 202:
        raise api.refusal(response, f"stopping server {server_id}")


def start(api: ApiSession, server_id: str) -> None:
    response = _act(api, server_id, "os-start", None)
    if response.status_code != 202:
        raise api.refusal(response, f"starting server {server_id}")


def change_password(api: ApiSession, server_id: str, password: str) -> tuple[int, str]:
    """``changePassword``: (HTTP status, why it was refused). Whatever the cloud answers is an answer."""
    response = _act(api, server_id, "changePassword", {"adminPass": password})
    return response.status_code, "" if response.ok else reason_of(response)


def read_posted_password(api: ApiSession, server_id: str) -> tuple[int, str]:
    """(HTTP status, what the guest posted): ciphertext, or empty. Source: ``os-server-password``."""
    response = api.send("compute", "GET", f"/servers/{server_id}/os-server-password", microversion="2.1")
    text = api.json_of(response, "os-server-password").get("password") if response.status_code == 200 else ""
    return response.status_code, text if isinstance(text, str) else ""


def clear_posted_password(api: ApiSession, server_id: str) -> int:
    """HTTP status. In the guest nothing changes; it may post again."""
    return api.send("compute", "DELETE", f"/servers/{server_id}/os-server-password", microversion="2.1").status_code


def set_metadata(api: ApiSession, server_id: str, items: dict[str, str]) -> tuple[int, str]:
    """Add to a server's metadata: (HTTP status, why it was refused). Whatever the cloud answers is an answer."""
    path = f"/servers/{server_id}/metadata"
    response = api.send("compute", "POST", path, json={"metadata": items}, microversion="2.1")
    return response.status_code, "" if response.ok else reason_of(response)


def _act(api: ApiSession, server_id: str, action: str, argument: object) -> requests.Response:
    return api.send("compute", "POST", f"/servers/{server_id}/action", json={action: argument}, microversion="2.1")


def rebuild(api: ApiSession, server_id: str, image_id: str, user_data: bytes) -> str | None:
    """Rebuild with other user data; the new ``adminPass``, if the cloud tells it.

    Raises ``Unsupported`` where the API is too old for that, or lets no tenant do it.
    """
    newest = newest_microversion(api)
    if newest < REBUILD_MICROVERSION:
        raise Unsupported(f"compute up to {newest[0]}.{newest[1]}; user data in a rebuild came with 2.57")
    argument = {"imageRef": image_id, "user_data": base64.b64encode(user_data).decode("ascii")}
    path = f"/servers/{server_id}/action"
    response = api.send("compute", "POST", path, json={"rebuild": argument}, microversion="2.57")
    if response.status_code in (403, 405, 501):
        raise Unsupported(f"rebuild: HTTP {response.status_code} {reason_of(response)}".rstrip())
    if response.status_code != 202:
        raise api.refusal(response, f"rebuilding server {server_id}")
    server = api.json_of(response, path).get("server")
    password = server.get("adminPass") if isinstance(server, dict) else None
    return password if isinstance(password, str) else None


def snapshot(api: ApiSession, server_id: str, name: str, metadata: Mapping[str, str]) -> str:
    """Ask for a snapshot; the id of an image that is not there yet."""
    modern = newest_microversion(api) >= SNAPSHOT_MICROVERSION
    response = api.send(
        "compute",
        "POST",
        f"/servers/{server_id}/action",
        json={"createImage": {"name": name, "metadata": dict(metadata)}},
        microversion="2.45" if modern else "2.1",
    )
    if response.status_code in (405, 501):
        raise Unsupported(f"createImage: HTTP {response.status_code} {reason_of(response)}".rstrip())
    if response.status_code != 202:
        raise api.refusal(response, f"POST /servers/{server_id}/action")
    if modern:
        image_id = api.json_of(response, "createImage").get("image_id")
    else:
        # http://host:9292//images/<id>: two slashes and no version, so only the last part is of use.
        image_id = response.headers.get("Location", "").rstrip("/").rsplit("/", 1)[-1]
    if not isinstance(image_id, str) or not image_id:
        raise CloudError(f"cloud {api.name!r} accepted a snapshot and did not say its image's id")
    return image_id


def wait_snapshot(api: ApiSession, server_id: str, image_id: str, deadline: Deadline) -> ImageRef:
    """Until the image is active and the server has no task: the image is ready about 0.3 s earlier."""
    began_s = time.monotonic()
    last_seen = ""

    def probe() -> ImageRef | None:
        nonlocal last_seen
        response = api.ask("image", "GET", f"/images/{image_id}", expect=(200, 404))
        if response.status_code == 404:
            raise CloudError(f"cloud {api.name!r}: the snapshot's image {image_id} vanished while it was being saved")
        image = images.image_from(api.json_of(response, "image"))
        server = show(api, server_id)
        task = (server or {}).get("OS-EXT-STS:task_state")
        last_seen = f"image {image.status}, task {task}"
        if image.status in ("killed", "deleted", "pending_delete"):
            raise CloudError(f"cloud {api.name!r}: the snapshot failed: image {image_id} is {image.status}")
        return image if image.status == "active" and not task else None

    try:
        image = wait_for(f"snapshot {image_id}", probe, deadline=deadline, every_s=POLL_S)
    except WaitTimeout as error:
        raise WaitTimeout(f"snapshot {image_id}", time.monotonic() - began_s, last_seen) from error
    if image is None:
        raise CloudError(f"cloud {api.name!r}: snapshot {image_id}: {last_seen}")
    return image


def newest_microversion(api: ApiSession) -> tuple[int, int]:
    """The compute API's newest; (2, 1) where it has none."""
    with api.guard("reading the compute API's versions"):
        data = api.sdk.compute.get_endpoint_data()
    version = getattr(data, "max_microversion", None) or (2, 1)
    return int(version[0]), int(version[1])
