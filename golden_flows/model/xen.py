"""What a guest sees of the hypervisor under it, and of Xen's own channel, xenstore.

Sources: Linux ``Documentation/ABI/stable/sysfs-hypervisor-xen``; the xenapi driver of Nova and its guest agents.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

CHANNEL = "xenstore"
"""Its name among a profile's and a report's channels."""

CONNECTED = "4"
"""XenbusStateConnected: both ends of a device drive it. Source: Xen ``public/io/xenbus.h``."""


@dataclass(frozen=True, kw_only=True)
class HypervisorSeen:
    """``/sys/hypervisor`` of the guest. A report that has it and no ``type`` says: not Xen."""

    type: str | None = None
    """``xen``; None where the kernel knows of no such hypervisor (KVM, plain hardware)."""
    guest_type: str | None = None
    """``PV``, ``HVM`` or ``PVH``."""
    uuid: str | None = None
    """Of the domain."""

    @property
    def is_xen(self) -> bool:
        return self.type == "xen"

    def __str__(self) -> str:
        return f"/sys/hypervisor/type = {self.type or 'none'}, guest_type = {self.guest_type or 'none'}"


@dataclass(frozen=True, kw_only=True)
class XenstoreNic:
    """``vm-data/networking/<MAC>`` as the guest read it."""

    mac: str
    label: str = ""
    ips: tuple[str, ...] = ()
    """``10.0.0.5/24``, enabled ones only."""
    ip6s: tuple[str, ...] = ()
    gateway: str | None = None
    gateway6: str | None = None
    """Under whichever key it was found."""
    gateway6_key: str | None = None
    """``gateway_v6`` (Nova's), ``gateway6`` (the Unix agent's), or where else it was found."""


@dataclass(frozen=True, kw_only=True)
class XenstoreCommand:
    """One request of the host under ``data/host`` and the guest's answer."""

    name: str
    """``resetnetwork``, ``keyinit``, ``password`` …"""
    returncode: str
    """As sent: ``0``, ``D0``, ``500``."""
    message: str = ""
    at_s: float | None = None
    """Guest uptime."""


@dataclass(frozen=True, kw_only=True)
class Xenstore:
    """Both directions of the channel."""

    vifs: Mapping[str, str] = field(default_factory=dict)
    """Number of a virtual NIC → its frontend's state."""
    pvaddons: Mapping[str, str] = field(default_factory=dict)
    """``attr/PVAddons``, as it can be read back."""
    commands: tuple[XenstoreCommand, ...] = ()
    """Oldest first."""
    networking: tuple[XenstoreNic, ...] = ()

    def last(self, name: str) -> XenstoreCommand | None:
        """The newest command of that name."""
        return next((one for one in reversed(self.commands) if one.name == name), None)
