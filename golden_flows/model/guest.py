"""What a guest says of itself: the reference agent's status report, schema 1.

The agent writes it to ``/run/guest-agent/status.json`` and, CRC-guarded, to the console.
Other agents' facts are brought into the same shape by their file in ``golden_flows/agents``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from golden_flows.model.account import PasswordPost
from golden_flows.model.config_drive import ConfigDriveSeen
from golden_flows.model.ipv6 import Dhcp6Lease
from golden_flows.model.xen import HypervisorSeen, Xenstore

SETTING_PASSWORDS = "setting passwords"
"""Of what an agent may be unable to do: to set a password that the cloud asks for."""

MACHINE_IDS = "making machine-ids"
"""To give a copy of a machine an /etc/machine-id of its own."""

RUNS_PATH = "/var/lib/anne-runs"
"""User data notes its own runs there, whoever runs it: ``NONCE began BOOT UID WAYS`` and ``NONCE ended CODE``, a line
each. WAYS is the number of default routes. ``NONCE mended``: a script ran whose line ends no kernel takes."""


def canonical_mac(mac: str) -> str:
    """Lower case with colons, however a cloud or a guest spells it."""
    return mac.strip().lower().replace("-", ":")


@dataclass(frozen=True, kw_only=True)
class AgentPhase:
    name: str
    verdict: str
    """``ok``, ``degraded``, ``failed``, ``unsupported``, ``skipped``."""
    reason: str = ""
    began_s: float | None = None
    """Guest uptime."""
    ended_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class GuestIdentity:
    uuid: str | None = None
    """From the configuration channel that was used."""
    hostname: str | None = None
    name: str | None = None
    smbios_uuid: str | None = None
    smbios_product: str | None = None
    smbios_vendor: str | None = None
    ec2_instance_id: str | None = None
    """``i-0000000a``, of the EC2 tree; None where there is none."""

    @property
    def stated_smbios_uuid(self) -> str | None:
        """The uuid in lower case; None where the firmware states none (dmidecode: "Not Settable", "Not Present")."""
        known = (self.smbios_uuid or "").strip().lower()
        return None if known in ("", str(UUID(int=0)), "not settable", "not present") else known


@dataclass(frozen=True, kw_only=True)
class Channel:
    name: str
    """``config-drive``, ``openstack-http``, ``ec2-http``, ``xenstore``, ``injection``."""
    present: bool
    used: bool = False
    reason: str = ""
    keys: Mapping[str, str] = field(default_factory=dict)
    """sha256 of each value that channels have in common (``hostname``, ``public_keys``, ``user_data`` …)."""
    vendor_parts: Mapping[str, int | None] | None = None
    """Parts of ``vendor_data2.json`` and how many entries each has, None for one that is no object; None without it."""


@dataclass(frozen=True, kw_only=True)
class MetadataRequest:
    path: str
    status: int | None
    """HTTP status; None when there was no answer."""
    content_type: str | None = None
    bytes: int | None = None
    sha256: str | None = None
    elapsed_s: float | None = None
    json_ok: bool | None = None
    """Whether the body parsed as JSON; None when it was not supposed to."""
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class DhcpLease:
    interface: str
    mac: str
    ip: str
    prefixlen: int
    routers: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    mtu: int | None = None
    lease_s: int | None = None
    server_id: str | None = None
    classless_routes: tuple[tuple[str, str], ...] = ()
    """(destination CIDR, gateway) of option 121. When present, option 3 is to be ignored (RFC 3442)."""
    ntp: tuple[str, ...] = ()
    """Time servers: option 42."""
    search: tuple[str, ...] = ()
    """Domains to look for names in: option 119."""


@dataclass(frozen=True, kw_only=True)
class Link:
    name: str
    mac: str
    driver: str | None = None
    state: str | None = None
    mtu: int | None = None
    addresses: tuple[str, ...] = ()
    """``10.0.0.5/24``."""


@dataclass(frozen=True, kw_only=True)
class Route:
    family: int
    destination: str
    """``default`` or a CIDR."""
    gateway: str | None
    interface: str


@dataclass(frozen=True, kw_only=True)
class DriverBundle:
    url: str
    kernel: str
    sha256_expected: str
    sha256_actual: str | None = None
    bytes: int | None = None
    modules: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Drivers:
    wanted_macs: tuple[str, ...] = ()
    """MACs that the metadata names and no NIC had before drivers were installed."""
    bundle: DriverBundle | None = None
    verdict: str = "skipped"
    reason: str = ""
    seconds: float | None = None
    reboot: str | None = None
    """``pending``: installed, and the guest is about to reboot once; ``done``: this is the boot after that."""
    previous_boot_id: str | None = None
    """Of the boot that installed them."""


@dataclass(frozen=True, kw_only=True)
class GuestTools:
    """The cloud's own tools in the guest (what XenServer calls guest tools), offered like drivers."""

    bundle: DriverBundle | None = None
    verdict: str = "skipped"
    reason: str = ""
    running: bool = False
    version: str | None = None


@dataclass(frozen=True, kw_only=True)
class Getty:
    """A login prompt that init keeps up."""

    line: str
    """``ttyS0``, ``hvc0``."""
    exists: bool
    """Whether there is a port behind that device."""
    respawns: int
    """How often init had to start it again in this boot."""
    started: bool = True
    """False where whatever init started for this line rests, because there is no such console."""


@dataclass(frozen=True, kw_only=True)
class Consoles:
    active: tuple[str, ...] = ()
    """Where the kernel prints."""
    gettys: tuple[Getty, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Service:
    """A service that belongs to some platform: guest tools, another hypervisor's agent."""

    name: str
    state: str
    """``running``, ``failed``, ``stopped``."""
    restarts: int = 0
    """In this boot."""


@dataclass(frozen=True, kw_only=True)
class Block:
    root_device: str | None = None
    root_driver: str | None = None
    cmdline_root: str | None = None
    fstab_root: str | None = None


@dataclass(frozen=True, kw_only=True)
class UserDataRun:
    present: bool = False
    bytes: int | None = None
    sha256: str | None = None
    ran_this_boot: bool = False
    run_count: int = 0
    exit_code: int | None = None
    uid: int | None = None
    network_up: bool | None = None
    failed_parts: int = 0
    """Parts of a multipart that the agent says it could not run, or that failed."""
    mended_parts: int = 0
    """Those with CR LF in their #! line that ran all the same, because the agent mends line ends."""


@dataclass(frozen=True, kw_only=True)
class GuestReport:
    """One report of one boot."""

    run: str
    boot_id: str
    kernel: str
    verdict: str
    reasons: tuple[str, ...] = ()
    phases: tuple[AgentPhase, ...] = ()
    identity: GuestIdentity = GuestIdentity()
    channels: tuple[Channel, ...] = ()
    listing: Mapping[str, str | None] = field(default_factory=dict)
    """Bodies of ``/``, ``/openstack`` and EC2's list of keys, by path."""
    requests: tuple[MetadataRequest, ...] = ()
    config_drive: ConfigDriveSeen | None = None
    """None when the guest found none, or did not say."""
    network_data: Mapping[str, object] = field(default_factory=dict)
    """As served by the channel that was used; untrusted."""
    leases: tuple[DhcpLease, ...] = ()
    leases6: tuple[Dhcp6Lease, ...] = ()
    links: tuple[Link, ...] = ()
    links_before_drivers: tuple[Link, ...] = ()
    routes: tuple[Route, ...] = ()
    drivers: Drivers = Drivers()
    block: Block = Block()
    host_key_fingerprints: tuple[str, ...] = ()
    """``SHA256:…`` as OpenSSH prints them."""
    authorized_key_fingerprints: tuple[str, ...] | None = None
    """Of every key that the channel told the agent to let in; None when it did not say."""
    password_set: bool = False
    password_post: PasswordPost | None = None
    """None where the guest was not asked, or its agent does not do that."""
    user_data: UserDataRun = UserDataRun()
    hypervisor: HypervisorSeen | None = None
    """None when the guest did not say."""
    xenstore: Xenstore | None = None
    """None off Xen, and where the guest could not open the channel."""
    tools: GuestTools | None = None
    consoles: Consoles | None = None
    services: tuple[Service, ...] | None = None
    """None when the guest did not say; empty when it knows of none."""
    source: str = "ssh"
    """How the report reached us: ``ssh`` or ``console``."""

    @property
    def awaits_reboot(self) -> bool:
        """Whether this boot ends by itself, so that the story goes on in the next."""
        return self.drivers.reboot == "pending"

    def link(self, mac: str) -> Link | None:
        """The NIC with this MAC (any case, ``:`` or ``-``), or None."""
        wanted = canonical_mac(mac)
        return next((link for link in self.links if canonical_mac(link.mac) == wanted), None)

    def lease(self, mac: str) -> DhcpLease | None:
        """The newest lease of the NIC with this MAC (spelt in any way), or None."""
        wanted = canonical_mac(mac)
        return next((lease for lease in reversed(self.leases) if canonical_mac(lease.mac) == wanted), None)
