"""The machine as a running guest sees it: firmware, clock, disk, entropy, ports. Read over SSH, without its agent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

QGA_PORT = "org.qemu.guest_agent.0"


@dataclass(frozen=True, kw_only=True)
class RootDisk:
    """What ``/`` is on."""

    disk_bytes: int | None = None
    """Of the whole disk."""
    end_bytes: int | None = None
    """Where the partition with ``/`` ends on it; the disk's end where it has no partitions."""
    file_system_bytes: int | None = None
    grower: str = ""
    """What in the guest grows it (``growpart``, ``systemd-growfs``); empty: nothing."""
    discard_max_bytes: int | None = None
    """0: the disk takes no discards."""


@dataclass(frozen=True, kw_only=True)
class PlatformSeen:
    """All of it, and what the image asks for."""

    image: Mapping[str, str] = field(default_factory=dict)
    """Properties of the image that the guest was launched from."""
    has_efi: bool | None = None
    """Whether the guest has ``/sys/firmware/efi``; None: not seen."""
    secure_boot: bool | None = None
    clock_offset_s: float | None = None
    """The guest's clock less the API's."""
    clock_uncertainty_s: float = 0.0
    root: RootDisk = RootDisk()
    crng_ready_s: float | None = None
    """Since the kernel's start, by its own log; None where the log does not tell (any more)."""
    crng_blocks: tuple[str, ...] = ()
    """Lines of programs that waited for random bytes."""
    kernel_log_is_whole: bool = False
    """Whether the log goes back to the start of the kernel."""
    ports: tuple[str, ...] = ()
    """Names of virtio serial ports."""
    qga_runs: bool = False
    cpus: int | None = None
    queues: Mapping[str, int] = field(default_factory=dict)
    """Receive queues by NIC."""
    error: str = ""
    """Why nothing was seen."""
