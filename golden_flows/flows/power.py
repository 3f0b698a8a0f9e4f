"""Anne's instance goes down and comes up again, the way an owner does it: through the API."""

from __future__ import annotations

from golden_flows.clouds.cloud import Cloud
from golden_flows.errors import GuestError, Unsupported
from golden_flows.guests.ssh import GuestShell
from golden_flows.model.facts import KernelLog, PowerFacts
from golden_flows.waiting import Deadline

STOP_TIMEOUT_S = 120.0
"""Twice what nova by default grants a guest before it takes the power away."""

LINES_MAX = 200

# Words of file system drivers; everything else that a kernel says is nobody's business here.
_KERNEL_LOG = (
    r"cat /proc/sys/kernel/random/boot_id && dmesg"
    r" | grep -aiE 'EXT[234]-fs|XFS|BTRFS|F2FS|FAT-fs|jbd2|recover|mounted|unclean' | tail -n " + str(LINES_MAX)
)


def stop_and_start(cloud: Cloud, server_id: str) -> PowerFacts:
    """A shutdown by the API, then a start; a soft reboot where the cloud lets no tenant stop servers.

    Raises ``CloudError`` when the cloud refuses either for another reason, or when the server does not stop at all.
    """
    deadline = Deadline.after(STOP_TIMEOUT_S)
    try:
        state = cloud.stop(server_id, deadline)
    except Unsupported as refused:
        cloud.reboot(server_id, soft=True)
        return PowerFacts(refused=refused.what)
    seconds = None if state.seconds_to_reach is None else round(state.seconds_to_reach, 2)
    waited_s = seconds if seconds is not None else STOP_TIMEOUT_S - deadline.left_s
    if seconds is not None:
        cloud.start(server_id)
    return PowerFacts(last_status=state.status, seconds_to_shutoff=seconds, waited_s=waited_s)


def read_kernel_log(shell: GuestShell) -> KernelLog | None:
    """What the kernel says of file systems since it started; None where the user may not read its log."""
    try:
        told = shell.run(_KERNEL_LOG, timeout_s=30.0)
    except GuestError:
        return None
    first, *lines = told.stdout.decode("utf-8", "replace").splitlines() or [""]
    if told.exit_code != 0 or not first or not lines:
        return None
    return KernelLog(boot_id=first.strip(), lines=tuple(line[:400] for line in lines[:LINES_MAX]))
