"""A config drive as a guest finds it. Source: nova/virt/configdrive.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

LABEL = "config-2"
FILESYSTEMS = ("iso9660", "vfat")
ISO_EXTENSIONS = ("joliet", "rock-ridge")
TREE = ("openstack/latest/meta_data.json", "openstack/latest/network_data.json", "openstack/latest/vendor_data2.json")
"""What is on every drive since Newton. ``user_data`` and ``vendor_data.json`` are there where there is any."""


@dataclass(frozen=True, kw_only=True)
class ConfigDriveSeen:
    """The device, and the names on it; nothing of its content."""

    device: str
    filesystem: str
    label: str
    extensions: tuple[str, ...] = ()
    """Of ISO 9660: ``joliet``, ``rock-ridge``."""
    names: tuple[str, ...] = ()
    """Paths; those of folders end in ``/``."""
    error: str = ""
    """Why it could not be read."""
    mode: str | None = None
    """Permissions of the device, as ``0660``."""
    admin_pass: bool | None = None
    """Whether a password lies on it in clear; None when the guest did not say."""
    kept: Mapping[str, str | None] = field(default_factory=dict)
    """Files into which the agent put what became of the password, and their permissions."""
