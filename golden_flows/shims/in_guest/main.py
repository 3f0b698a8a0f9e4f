"""Started before the guest's agent: takes the metadata address, looks for its source, and serves, or steps aside."""

from __future__ import annotations

import json
import os
import sys
import threading
import time

from golden_flows.shims.in_guest import address
from golden_flows.shims.in_guest.server import Server, uid_of
from golden_flows.shims.in_guest.source import NotNeeded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from golden_flows.shims.in_guest.source import Found

SOURCES = ("config_drive", "ec2", "pushed")
#: From its start, before file systems are mounted and drivers loaded, on an emulated machine.
PATIENCE_S = {"config_drive": 12.0, "ec2": 60.0, "pushed": 120.0}
LOOK_S = 0.5
NOTE = "/var/lib/golden-flows/metadata-shim.json"


def main(source: str) -> None:
    """Never returns while it serves. However it ends, nothing of it stands in front of a cloud's own service."""
    try:
        address.take()
        server = Server(address.HOST, address.PORT, uid_of)
        found, reason = search(look_of(source), PATIENCE_S[source])
        if found is not None:
            note({"verdict": "ok", "reasons": [found.told], **found.seen})
            server.serve(found.tree)
            print(f"metadata-shim: {source}: serves {found.told} at {address.HOST}", flush=True)
            threading.Event().wait()
        server.close()
    finally:
        address.give_back()
    note({"verdict": "skipped", "reasons": [reason]})
    print(f"metadata-shim: {source}: stepped aside: {reason}", flush=True)


def look_of(source: str) -> Callable[[], Found | None]:
    """How that source is looked for."""
    if source == "ec2":
        from golden_flows.shims.in_guest import ec2  # only what is needed: under emulation an import costs boot time

        return ec2.look
    if source == "pushed":
        from golden_flows.shims.in_guest import pushed

        return pushed.Source().look
    from golden_flows.shims.in_guest import config_drive

    return config_drive.look


def search(look: Callable[[], Found | None], patience_s: float) -> tuple[Found | None, str]:
    """What was found in time, else why not."""
    deadline, pause = time.monotonic() + patience_s, threading.Event()
    while True:
        found: Found | None = None
        trouble = ""
        try:
            found = look()
        except NotNeeded as reason:
            return None, str(reason)
        except OSError as error:  # a drive that goes away while it is read; the next look may go well
            trouble = f" ({error})"
        if found is not None:
            return found, ""
        if time.monotonic() >= deadline:
            return None, f"nothing to read for {patience_s:.0f} s{trouble}"
        pause.wait(LOOK_S)


def note(document: dict[str, Any]) -> None:
    """Leave word for whoever logs in. The boot's id tells it from what an earlier boot left."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        boot_id = file.read().strip()
    os.makedirs(os.path.dirname(NOTE), mode=0o700, exist_ok=True)
    partial = f"{NOTE}.tmp"
    with open(partial, "w", encoding="utf-8") as file:
        json.dump({"schema": 1, "boot_id": boot_id, **document}, file)
    os.replace(partial, NOTE)


if __name__ == "__main__":
    main(sys.argv[1])
