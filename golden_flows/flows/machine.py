"""What tells a machine, and what is on its disks, looked at from inside."""

from __future__ import annotations

from golden_flows.agents.fields import Fields
from golden_flows.guests.probe import run_probe
from golden_flows.guests.ssh import GuestShell
from golden_flows.model.return_trip import Machine
from golden_flows.model.second_instance import MachineIdentity

PROBE_TIMEOUT_S = 90.0
"""For sha256 of some 17 MiB on an emulated machine."""


def look(shell: GuestShell, *paths: str) -> Machine:
    """The machine that somebody is logged in to, and these files. Raises ``GuestError``."""
    answer = Fields(run_probe(shell, "machine", {"files": list(paths)}, timeout_s=PROBE_TIMEOUT_S), "machine probe")
    payloads = {path: digest or "" for path, digest in answer.text_map("files").items()}
    identity = MachineIdentity(host_key=shell.host_key_fingerprint, machine_id=answer.text("machine_id"))
    return Machine(identity=identity, file_systems=answer.texts("file_systems"), payloads=payloads)
