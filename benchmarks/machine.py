"""QEMU's command line of a bare guest: the same machines as the two reference clouds make, and nothing around them.

Kept beside the clouds' own on purpose: what is measured here must not change with what it is compared to.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

BINARY = "qemu-system-x86_64"
RAM_MIB = 256
_NOVA = "manufacturer=OpenStack Foundation,product=OpenStack Nova,version=26.1.0,family=Virtual Machine"


@dataclass(frozen=True)
class Nic:
    """One NIC, wired to a tap device of the same namespace."""

    model: str
    mac: str
    tap: str


@dataclass(frozen=True)
class Form:
    """The hardware that one reference cloud gives its guests."""

    name: str
    disk_bus: str  # "virtio" or "sata"
    nics: tuple[Nic, ...]
    config_drive: bool
    entropy_device: bool

    @property
    def drivers(self) -> tuple[str, ...]:
        """Kernel modules that have to come from outside the image."""
        return tuple(nic.model for nic in self.nics if nic.model == "vmxnet3")


FORMS = {
    "private": Form("private", "virtio", (Nic("virtio-net-pci", "52:54:00:aa:00:01", "tap0"),), False, True),
    "public-lite": Form(
        "public-lite",
        "sata",
        (Nic("e1000", "52:54:00:aa:00:01", "tap0"), Nic("vmxnet3", "52:54:00:aa:00:02", "tap1")),
        True,
        False,
    ),
}


def arguments(form: Form, uuid: str, disk: Path, config_drive: Path, monitor_fd: int) -> list[str]:
    """The command line; the serial console is standard output."""
    argv = [
        *(BINARY, "-nodefaults", "-no-user-config", "-display", "none", "-vga", "none"),
        *("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"),
        *("-uuid", uuid, "-machine", "pc,graphics=off", "-accel", "tcg,tb-size=128", "-cpu", "max,-erms"),
        *("-m", str(RAM_MIB), "-smp", "1", "-smbios", f"type=1,{_NOVA},serial={uuid},uuid={uuid}"),
        *("-chardev", f"socket,id=monitor,fd={monitor_fd}", "-mon", "chardev=monitor,mode=control"),
        *("-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"),
        *("-drive", f"if=none,id=disk,file={disk},format=qcow2,cache=unsafe"),
        *_disk(form),
    ]
    if form.config_drive:
        argv += ["-drive", f"if=none,id=config,file={config_drive},format=raw,readonly=on"]
        argv += ["-device", "ide-cd,drive=config,bus=ide.1"]
    for number, nic in enumerate(form.nics):
        argv += ["-netdev", f"tap,id=net{number},ifname={nic.tap},script=no,downscript=no,vhost=off"]
        argv += ["-device", f"{nic.model},netdev=net{number},mac={nic.mac},romfile="]
    argv += ["-device", f"vmgenid,guid={uuid}"]
    if form.entropy_device:
        argv += ["-object", "rng-random,id=entropy,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=entropy"]
    return argv


def _disk(form: Form) -> tuple[str, ...]:
    if form.disk_bus == "virtio":
        return ("-device", "virtio-blk-pci,drive=disk,bootindex=0")
    return ("-device", "ahci,id=sata", "-device", "ide-hd,drive=disk,bus=sata.0,bootindex=0")
