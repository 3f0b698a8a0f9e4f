"""Anne's app abroad, asked from outside as its users do, and looked at from inside where somebody can log in."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from concurrent.futures import ThreadPoolExecutor

from golden_flows.errors import WaitTimeout
from golden_flows.flows.instance import Instance
from golden_flows.flows.power import read_kernel_log
from golden_flows.flows.setting import APP_TIMEOUT_S, BODY_TIMEOUT_S, SHELL_TIMEOUT_S, STALLED_S
from golden_flows.flows.story import APP_PORT, CLOSED_PORT, PAYLOAD_PATH, UPLOAD, UPLOAD_BYTES
from golden_flows.guests.tcp import HttpAnswer, http_get, http_post, probe_port, url_of
from golden_flows.model.facts import ApplicationFacts, KernelLog
from golden_flows.waiting import Deadline, wait_for

Inside = tuple[str | None, bool | None, KernelLog | None]
"""(sha256 of the payload in the guest, whether something listens on the port nobody opened, kernel's log)."""


def ask(guest: Instance, nonce: str, payload_sha256: str, *, can_look: bool) -> ApplicationFacts:
    """``nonce`` of this launch; ``payload_sha256`` as it was written at home; ``can_look``: somebody can log in."""
    access = guest.cloud.profile.access
    with ThreadPoolExecutor(1) as beside:  # a port that swallows what comes to it costs the whole timeout
        closed_port = beside.submit(probe_port, guest.address, CLOSED_PORT, access)
        answer = ask_nonce(guest)
        payload = http_get(
            url_of(guest.address, APP_PORT, "payload"), access, timeout_s=BODY_TIMEOUT_S, stalled_s=STALLED_S
        )
        sent, received = _upload(url_of(guest.address, APP_PORT, UPLOAD), access)
        in_guest, listening, kernel_log = _look_inside(guest) if can_look else (None, None, None)
    return ApplicationFacts(
        address=guest.address,
        port=APP_PORT,
        status=answer.status,
        nonce_expected=nonce,
        nonce_found=answer.body[:200].decode("utf-8", "replace").strip() if answer.status == 200 else None,
        payload_expected_sha256=payload_sha256,
        payload_guest_sha256=in_guest,
        payload_served_sha256=hashlib.sha256(payload.body).hexdigest() if payload.status == 200 else None,
        closed_port=CLOSED_PORT,
        closed_port_open=closed_port.result(),
        closed_port_listening=listening,
        kernel_log=kernel_log,
        error=answer.error or payload.error,
        payload_error=payload.error,
        payload_late=payload.is_late,
        sent_sha256=sent,
        sent_found_sha256=received.body[:64].decode("ascii", "replace") if received.status == 200 else None,
        sent_error=received.error or (f"HTTP {received.status}" if received.status != 200 else ""),
        sent_late=received.is_late,
    )


def ask_nonce(guest: Instance) -> HttpAnswer:
    """Of its launch. The app starts after the agent has reported: it gets some time to answer anything at all."""
    url, access = url_of(guest.address, APP_PORT, "nonce"), guest.cloud.profile.access
    with contextlib.suppress(WaitTimeout):
        return wait_for(
            "Anne's app",
            lambda: http_get(url, access),
            deadline=Deadline.after(APP_TIMEOUT_S),
            until=lambda seen: seen.status is not None,
        )
    return http_get(url, access)


def _upload(url: str, access: str | None) -> tuple[str, HttpAnswer]:
    """Random bytes, their sha256, and what the app says of them."""
    body = secrets.token_bytes(UPLOAD_BYTES)
    answer = http_post(url, body, access, timeout_s=BODY_TIMEOUT_S, stalled_s=STALLED_S)
    return hashlib.sha256(body).hexdigest(), answer


def _look_inside(guest: Instance) -> Inside:
    with guest.shell(None, Deadline.after(SHELL_TIMEOUT_S)) as shell:
        digest = shell.run(f"sha256sum {PAYLOAD_PATH}", timeout_s=60.0)
        tables = (shell.read_file("/proc/net/tcp") or b"") + (shell.read_file("/proc/net/tcp6") or b"")
        kernel_log = read_kernel_log(shell)
    sha256 = digest.stdout.split()[0].decode("ascii", "replace") if digest.exit_code == 0 else ""
    return sha256, f":{CLOSED_PORT:04X} ".encode() in tables.upper(), kernel_log
