"""A Xen host and one paravirtual guest, with nothing around them: what no cloud on such a host can avoid.

The command lines are kept here, beside the cloud's own, on purpose: what is measured must not change with what it is
compared to.
"""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HOST_MIB, DOM0_MIB, GUEST_MIB = 1152, 512, 256
READY_LIMIT_S, GUEST_LIMIT_S = 240.0, 300.0
UP = b"guest: ssh started"
NAME = "bare"
_CPU = "max,-smap,-smep,-erms,-fsrm"
_XEN = (
    f"console=com1 com1=115200,8n1 bootscrub=0 dom0_max_vcpus=1 spec-ctrl=no,eager-fpu xpti=0 pv-l1tf=false"
    f" dom0_mem={DOM0_MIB}M,max:{DOM0_MIB}M"
)
_DOM0 = (
    "console=hvc0 rdinit=/sbin/init quiet loglevel=4 panic=-1 mitigations=off audit=0 apparmor=0 ipv6.disable=1"
    " net.ifnames=0 swiotlb=4096 random.trust_cpu=on cryptomgr.notests init_on_alloc=0"
)
_POLL_S = 0.1


@dataclass(frozen=True)
class Parts:
    """What a host boots, and what its guest does."""

    xen: Path
    kernel: Path
    initramfs: Path


@dataclass(frozen=True)
class Times:
    """Seconds: from starting QEMU until dom0 answers, and from ``xl create`` until the guest's SSH server runs."""

    host_ready_s: float
    guest_ready_s: float


class _Agent:
    """dom0's guest agent: one JSON document a line."""

    def __init__(self, end: socket.socket) -> None:
        end.settimeout(READY_LIMIT_S)
        self._end, self._lines = end, end.makefile("rb")

    def ask(self, execute: str, **arguments: Any) -> Any:
        self._end.sendall(json.dumps({"execute": execute, "arguments": arguments}).encode() + b"\n")
        answer = json.loads(self._lines.readline())
        if "return" not in answer:
            raise RuntimeError(f"dom0 does not {execute}: {answer}")
        return answer["return"]

    def run(self, argv: Sequence[str]) -> None:
        """A program, to its end. Raises ``RuntimeError``."""
        asked = {"path": argv[0], "arg": list(argv[1:]), "capture-output": True}
        pid = self.ask("guest-exec", **asked)["pid"]
        while not (status := self.ask("guest-exec-status", pid=pid))["exited"]:
            time.sleep(_POLL_S)
        if status["exitcode"]:
            raise RuntimeError(f"in dom0, {argv[0]} ended with {status['exitcode']}: {status}")


def measure(parts: Parts, folder: Path, disk: Path, config_drive: Path) -> Times:
    """One boot of each. ``folder`` holds disk and config drive, and is what dom0 sees. Raises ``RuntimeError``."""
    near, far = socket.socketpair()
    began_s = time.monotonic()
    process = subprocess.Popen(_arguments(parts, folder, far.fileno()), pass_fds=[far.fileno()])
    far.close()
    try:
        agent = _Agent(near)
        agent.ask("guest-ping")
        ready_s = time.monotonic() - began_s
        agent.run(["/usr/lib/xen-host/join-cloud", str(int(time.time()))])
        (folder / "bare.cfg").write_text(_domain(disk.name, config_drive.name))
        began_s = time.monotonic()
        agent.run(["xl", "create", "-q", "-e", "/host/bare.cfg"])
        await_line(folder / "consoles" / f"guest-{NAME}.log", began_s)
        return Times(round(ready_s, 2), round(time.monotonic() - began_s, 2))
    finally:
        near.close()
        process.kill()
        process.wait()


def await_line(console: Path, began_s: float) -> None:
    """Until the guest's console says that SSH runs. Raises ``RuntimeError`` when it does not."""
    while not (console.exists() and UP in console.read_bytes()):
        if time.monotonic() - began_s > GUEST_LIMIT_S:
            raise RuntimeError(f"the guest is not up after {GUEST_LIMIT_S:.0f} s; see {console}")
        time.sleep(_POLL_S)


def _arguments(parts: Parts, folder: Path, control_fd: int) -> list[str]:
    argv = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-vga", "none", "-no-reboot"]
    argv += ["-accel", "tcg,tb-size=256", "-cpu", _CPU, "-smp", "1", "-m", str(HOST_MIB)]
    argv += ["-machine", "pc,graphics=off", "-kernel", str(parts.xen), "-append", _XEN]
    argv += ["-initrd", f"{parts.kernel} {_DOM0},{parts.initramfs}"]
    argv += ["-serial", f"file:{folder / 'console-dom0.log'}", "-device", "virtio-serial-pci"]
    argv += ["-chardev", f"socket,id=control,fd={control_fd}", "-device", "virtserialport,chardev=control,name=control"]
    for tag in ("host", "disks"):
        argv += ["-fsdev", f"local,id={tag},path={folder},security_model=none,multidevs=remap"]
        argv += ["-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"]
    return argv


def _domain(disk: str, config_drive: str) -> str:
    return (
        f'name = "{NAME}"\ntype = "pv"\nkernel = "/usr/lib/xen-4.17/boot/pvgrub.bin"\nmemory = {GUEST_MIB}\n'
        f'disk = ["format=vhd,backendtype=qdisk,vdev=xvda,access=rw,target=/disks/{disk}", '
        f'"format=raw,backendtype=qdisk,vdev=xvdb,access=rw,target=/disks/{config_drive}"]\n'
    )
