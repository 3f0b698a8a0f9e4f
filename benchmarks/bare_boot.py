"""``python -m benchmarks.bare_boot``: boots one guest inside the network namespace that it is started in.

Prints one JSON line: seconds from starting QEMU until SSH answers, processor seconds of QEMU until then, console
marks; with ``--reboot`` the same for a shutdown and a second boot of the same disk; with ``--profile`` what ran.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import bare_network, machine, metadata
from benchmarks.boot_profile import Sampler
from benchmarks.console import Console
from benchmarks.machine import FORMS, Form
from benchmarks.monitor import Monitor

UUID = "11111111-2222-4333-8444-555555555555"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKK bare"
GUEST = "192.168.100.10"
BOOT_TIMEOUT_S = 180.0
POWERDOWN_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Boot:
    """One measured boot. ``shutdown_s`` is the time before it that the shutdown took; 0.0 for a first boot."""

    to_ssh_s: float
    cpu_s: float
    shutdown_s: float
    marks: dict[str, float]
    profile: dict[str, float]


def main() -> int:
    """Set up the network, boot, and say how long it took."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bare_boot", description=__doc__)
    parser.add_argument("form", choices=sorted(FORMS))
    parser.add_argument("disk", type=Path, help="qcow2 that the guest writes to")
    parser.add_argument("folder", type=Path, help="for leases and the config drive")
    parser.add_argument("--bundle", type=Path, required=True, help="driver bundle for the guest's kernel")
    parser.add_argument("--kernel", required=True, help="release of the guest's kernel")
    parser.add_argument("--reboot", action="store_true")
    parser.add_argument("--profile", action="store_true")
    asked = parser.parse_args()
    form = FORMS[asked.form]
    bundle = asked.bundle.read_bytes()
    offer = {"kernel": asked.kernel, "sha256": hashlib.sha256(bundle).hexdigest()}
    files = metadata.documents(form, UUID, KEY, offer)
    metadata.write_config_drive(files, asked.folder / "config.iso")
    bare_network.make(len(form.nics), _taps(form))
    metadata.serve(lambda address: files, bundle)
    with bare_network.dhcp({form.nics[0].mac: GUEST}, asked.folder):
        boots = _boots(form, asked.disk, asked.folder, reboot=asked.reboot, profile=asked.profile)
    print(json.dumps([asdict(boot) for boot in boots]))
    return 0


def _taps(form: Form) -> list[str]:
    return [
        line
        for number, nic in enumerate(form.nics)
        for line in (f"tuntap add dev {nic.tap} mode tap", f"link set {nic.tap} master br{number} up")
    ]


def _boots(form: Form, disk: Path, folder: Path, *, reboot: bool, profile: bool) -> list[Boot]:
    first, shutdown_s = _boot(form, disk, folder, 0.0, profile=profile, power_down=reboot)
    return [first, _boot(form, disk, folder, shutdown_s, profile=profile, power_down=False)[0]] if reboot else [first]


def _boot(
    form: Form, disk: Path, folder: Path, shutdown_s: float, *, profile: bool, power_down: bool
) -> tuple[Boot, float]:
    """One boot; then the power button and how long the shutdown took, or the plug (0.0)."""
    near, far = socket.socketpair()
    argv = machine.arguments(form, UUID, disk, folder / "config.iso", far.fileno())
    began_s = time.monotonic()
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, pass_fds=[far.fileno()])
    far.close()
    try:
        monitor = Monitor(near)
        console = Console(process.stdout.fileno() if process.stdout else -1, began_s)
        sampler = Sampler(monitor) if profile else None
        console.follow("SSH server started", BOOT_TIMEOUT_S, sampler.sample if sampler else None)
        _await_banner()
        ready_s, cpu_s = time.monotonic() - began_s, _cpu_seconds(process.pid)
        boot = Boot(round(ready_s, 3), cpu_s, shutdown_s, console.marks, sampler.seconds() if sampler else {})
        if not power_down:
            return boot, 0.0
        # The watcher of the power button starts beside the agent and is there long before SSH is.
        asked_s = time.monotonic()
        monitor.ask("system_powerdown")
        console.drain(POWERDOWN_TIMEOUT_S)
        process.wait(POWERDOWN_TIMEOUT_S)
        return boot, round(time.monotonic() - asked_s, 3)
    finally:
        process.kill()
        process.wait()


def _await_banner() -> None:
    with socket.create_connection((GUEST, 22), 10.0) as connection:
        connection.settimeout(10.0)
        if not connection.recv(64).startswith(b"SSH-"):
            raise RuntimeError("port 22 answers, but not as SSH")


def _cpu_seconds(pid: int) -> float:
    """User and system time so far. Not from /proc, which shows the process ids of another namespace.

    Source: clock_getcpuclockid(3); Linux makes the clock of a process from its id as below.
    """
    return round(time.clock_gettime((~pid << 3) | 2), 2)


if __name__ == "__main__":
    sys.exit(main())
