"""The machine that Anne's guest runs on, looked at from inside; and its clock beside the cloud's own."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Mapping

from golden_flows.agents.fields import Fields
from golden_flows.errors import GuestError, InteropError, shorten
from golden_flows.guests.probe import run_probe
from golden_flows.guests.ssh import GuestShell
from golden_flows.model.platform_seen import PlatformSeen, RootDisk
from golden_flows.model.untrusted import finite_number, whole_number

PROBE_TIMEOUT_S = 40.0
API_DATE_S = 1.0
"""An HTTP Date has no fraction of a second."""
_CLOCK = "python3 -I -S -c 'import time; print(time.time())'"


def look(shell: GuestShell, image: Mapping[str, str], api_ahead_s: Callable[[], float]) -> PlatformSeen:
    """Everything at once. What could not be seen is in ``error``; nothing is raised.

    ``api_ahead_s``: by how much the cloud's API is ahead of this machine's clock. Raises ``InteropError``.
    """
    try:
        seen = parse(run_probe(shell, "platform", {}, timeout_s=PROBE_TIMEOUT_S))
        offset_s, uncertainty_s = _ask_clock(shell)
    except GuestError as error:
        return PlatformSeen(image=dict(image), error=shorten(str(error), 200))
    try:
        offset_s, uncertainty_s = offset_s - api_ahead_s(), uncertainty_s + API_DATE_S
    except InteropError as error:
        return dataclasses.replace(seen, image=dict(image), error=shorten(str(error), 200))
    return dataclasses.replace(seen, image=dict(image), clock_offset_s=offset_s, clock_uncertainty_s=uncertainty_s)


def _ask_clock(shell: GuestShell) -> tuple[float, float]:
    """(the guest's clock less ours, how wrong that may be): by a question as short as can be. Raises ``GuestError``."""
    before_s = time.time()
    told = shell.run(_CLOCK, timeout_s=PROBE_TIMEOUT_S)
    after_s = time.time()
    clock_s = finite_number(told.stdout.decode("ascii", "replace"))
    if clock_s is None:
        raise GuestError("the guest does not tell its time")
    return clock_s - (before_s + after_s) / 2, (after_s - before_s) / 2


def parse(document: object) -> PlatformSeen:
    """What the probe in the guest said. Raises ``GuestError`` naming the key that is wrong."""
    top = Fields(document, "platform")
    root = top.object("root")
    counts = {nic: whole_number(count or "") for nic, count in top.text_map("queues").items()}
    return PlatformSeen(
        has_efi=top.flag("has_efi"),
        secure_boot=top.flag("secure_boot"),
        root=_root(root) if root else RootDisk(),
        crng_ready_s=top.number("crng_ready_s"),
        crng_blocks=top.texts("crng_blocks"),
        kernel_log_is_whole=bool(top.flag("kernel_log_is_whole")),
        ports=top.texts("ports"),
        qga_runs=bool(top.flag("qga_runs")),
        cpus=top.integer("cpus"),
        queues={nic: count for nic, count in counts.items() if count is not None},
    )


def _root(one: Fields) -> RootDisk:
    return RootDisk(
        disk_bytes=one.integer("disk_bytes"),
        end_bytes=one.integer("end_bytes"),
        file_system_bytes=one.integer("file_system_bytes"),
        grower=one.text("grower", ""),
        discard_max_bytes=one.integer("discard_max_bytes"),
    )


def as_json(seen: PlatformSeen) -> str:
    """For evidence."""
    return json.dumps(dataclasses.asdict(seen), indent=1)
