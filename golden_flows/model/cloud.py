"""Clouds as the suite knows them: an entry of clouds.yaml and its profile."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from golden_flows.errors import UsageError
from golden_flows.model.agent_channels import PUSHED, READS_PROPERTY
from golden_flows.model.evidence import EvidenceLevel

INJECTION = "injection"
"""The channel of a host that writes into a guest's disk before its first start."""
USER_DATA_CHANNELS = ("openstack-http", "ec2-http", "config-drive", PUSHED)
"""Those that carry user data."""
FILE_CHANNELS = (INJECTION, "config-drive", "xenstore")
"""Those that carry the files of ``personality``."""

AGENT_PROPERTY = "interop_agent"
USER_PROPERTY = "os_admin_user"
"""Glance's own word. Source: https://docs.openstack.org/glance/latest/admin/useful-image-properties.html"""
BOOT_TIMEOUT_PROPERTY = "interop_boot_timeout_s"
TRAVELLING_PROPERTIES = (
    *(AGENT_PROPERTY, BOOT_TIMEOUT_PROPERTY, READS_PROPERTY),
    *("hw_firmware_type", "hw_qemu_guest_agent"),  # what its loader is made for, and whether it holds that agent
)
"""They tell of the system inside the image, as all that begin with ``os_`` do."""


def travelling(properties: Mapping[str, str]) -> dict[str, str]:
    """Properties that describe the system inside the image, and so travel with it; never a cloud's hardware."""
    return {
        key: value
        for key, value in properties.items()
        if key in TRAVELLING_PROPERTIES or (key.startswith("os_") and not key.startswith(("os_hash", "os_glance")))
    }


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What a cloud is said to be (``interop:`` keys of its clouds.yaml entry), defaults filled in.

    Every field name is also the key a deployer writes; see ``docs/clouds.md``.
    """

    cloud: str
    """Name of the clouds.yaml entry."""
    networks: tuple[str, ...] = ()
    """Names of the networks for the NICs, primary first. Empty: the project's only network."""
    floating_network: str | None = None
    """External network to take a floating IP from; None: fixed addresses are reachable as they are."""
    flavor: str | None = None
    """Flavor name. None: the smallest that fits the image."""
    image: str | None = None
    """Glance name of the golden image that Anne starts from on this cloud (source role)."""
    auth: tuple[str, ...] = ("key",)
    """What instances are launched with: ``key``, ``password``, ``password-post`` (made in the guest, and posted
    encrypted with the key). Empty: no way in."""
    key_type: str | None = None
    """``rsa`` or ``ed25519``. None: ``rsa`` where a password is encrypted with it, else ``ed25519``."""
    channels: tuple[str, ...] = ("openstack-http",)
    """Configuration channels: ``openstack-http``, ``ec2-http``, ``config-drive``, ``xenstore``, ``injection``."""
    vendor_data_targets: tuple[str, ...] = ()
    """Names of the operator's services that fill ``vendor_data2.json`` (nova's ``vendordata_dynamic_targets``)."""
    metadata_ipv6: bool = True
    """Whether metadata over HTTP also answers at ``fe80::a9fe:a9fe``, where servers have IPv6."""
    ntp_servers: tuple[str, ...] = ()
    """Time servers that DHCP tells on the first network (option 42). Empty: not claimed."""
    search_domains: tuple[str, ...] = ()
    """Domains to look for names in, as DHCP tells them there (option 119). Empty: not claimed."""
    image_format: str | None = None
    """Disk format that an imported RAW image is converted into (``vhd``); None: not converted."""
    import_methods: tuple[str, ...] = ()
    """Glance's import methods that tenants are promised (``glance-direct``); whatever else is there is no fault."""
    hypervisor: str = "unknown"
    disk_drivers: tuple[str, ...] = ()
    """Guest drivers expected on the root disk (``virtio_blk``). Empty: any paravirtual driver."""
    nic_drivers: tuple[str, ...] = ()
    """Guest drivers expected on the NICs, primary first. Empty: any paravirtual driver."""
    driver_bundle: bool = False
    """Whether the cloud offers paravirtual drivers to guests through its vendor data."""
    legacy_put: bool = True
    """Whether ``PUT /v2/images/{id}/file`` is open to tenants."""
    agent: str = "reference"
    """Guest agent in the golden image; a file name in ``golden_flows/agents``."""
    user: str = "root"
    """Default user of the golden image."""
    in_all: bool = True
    """Whether `all` on the command line means this cloud, too."""
    access: str | None = None
    """The way in: SOCKS URL (``socks5h://127.0.0.1:1080``), or a jump host's (``ssh://user@host:22?key=…``).

    None: guests are reached directly."""
    console: bool = True
    """Whether ``os-getConsoleOutput`` is offered."""
    boot_timeout_s: float = 120.0
    """From server create to the guest agent's report."""
    evidence_level: EvidenceLevel = EvidenceLevel.REAL_CLOUD
    evidence_detail: str = ""
    """Printed beside the level: ``QEMU 7.2.22 TCG, reference cloud 'public'``."""
    evidence_url: str | None = None
    """A reference cloud's own evidence listing (leases, DHCP capture)."""
    active_faults: tuple[str, ...] = ()
    """Faults that this reference cloud has been told to have; always shown in the report."""
    active_variants: tuple[str, ...] = ()
    """Benign variants that it has been told to be; shown as well."""

    @property
    def carries_user_data(self) -> bool:
        """Whether a channel that it claims can."""
        return any(one in USER_DATA_CHANNELS for one in self.channels)

    @property
    def key_kind(self) -> str:
        """What kind of key to launch with."""
        return self.key_type or ("rsa" if "password-post" in self.auth else "ed25519")

    def running(self, properties: Mapping[str, str]) -> Profile:
        """The same cloud with a guest of an image that has these properties: what they say goes before the profile.

        Raises ``UsageError`` for a time that is none.
        """
        timeout = properties.get(BOOT_TIMEOUT_PROPERTY)
        if timeout is not None and not re.fullmatch(r"[0-9]{1,5}(\.[0-9]+)?", timeout):
            raise UsageError(f"image property {BOOT_TIMEOUT_PROPERTY} is {timeout!r}", "write seconds")
        return replace(
            self,
            agent=properties.get(AGENT_PROPERTY, self.agent),
            user=properties.get(USER_PROPERTY, self.user),
            boot_timeout_s=max(self.boot_timeout_s, float(timeout or 0)),
        )


@dataclass(frozen=True)
class Pair:
    """An ordered pair of clouds. A→B and B→A are two cells."""

    src: str
    dst: str

    @property
    def id(self) -> str:
        return f"{self.src}-{self.dst}"

    def __str__(self) -> str:
        return f"{self.src} → {self.dst}"
