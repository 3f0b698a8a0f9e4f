"""Frozen facts, read once at each stage. Checks are pure functions of these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from golden_flows.model.account import AccountFacts
from golden_flows.model.agent_channels import AgentChannels
from golden_flows.model.burst import BurstFacts
from golden_flows.model.cloud import Pair, Profile
from golden_flows.model.discovery import DiscoveryFacts
from golden_flows.model.file_system import ExportedDisk
from golden_flows.model.files import FileFacts, LimitFacts
from golden_flows.model.guest import Consoles, GuestReport, Link
from golden_flows.model.image_facts import ConversionFacts, ExportFacts, ImportFacts, TokenDeath
from golden_flows.model.import_seen import ImportProbes
from golden_flows.model.ipv6 import Ipv6Facts, Subnet6
from golden_flows.model.metadata_seen import MetadataSeen
from golden_flows.model.network_seen import NetworkSeen
from golden_flows.model.nics import HotplugFacts
from golden_flows.model.platform_seen import PlatformSeen
from golden_flows.model.return_trip import ReturnTripFacts
from golden_flows.model.second_instance import SecondInstanceFacts
from golden_flows.model.transfer import TransferFacts


@dataclass(frozen=True, kw_only=True)
class PortFacts:
    """One NIC as the API describes it. Source: Neutron port and subnet."""

    port_id: str
    network: str
    mac: str
    fixed_ip: str | None
    cidr: str | None
    gateway_ip: str | None
    dns: tuple[str, ...]
    dhcp: bool
    mtu: int | None
    fixed_ip6: str | None = None
    gateway6_ip: str | None = None
    """Of the subnet of ``fixed_ip6``."""
    fixed_ips: tuple[str, ...] = ()
    """All of them, both families, in the order of the API."""
    host_routes: tuple[tuple[str, str], ...] = ()
    """(destination CIDR, gateway) that the IPv4 subnet tells its hosts of."""
    server_id: str | None = None
    """Whose port it is; None for nobody's."""
    subnet6: Subnet6 | None = None
    """The whole of that subnet."""

    @property
    def name(self) -> str:
        """How findings name it: by MAC and network. The name that its owner may have given it is not read."""
        return f"port {self.mac} on {self.network}"

    @property
    def is_ipv6_alone(self) -> bool:
        """Whether ``fixed_ip`` is ``fixed_ip6``, for want of an IPv4 address."""
        return self.fixed_ip is not None and self.fixed_ip == self.fixed_ip6


@dataclass(frozen=True, kw_only=True)
class BootFacts:
    """One server's way from create to a guest that reports."""

    server_id: str
    name: str
    status: str
    statuses_seen: tuple[str, ...]
    fault: str
    """``fault.message`` of an ERROR server; may be empty."""
    console: str
    """The serial console; control characters already stripped by the cloud, hostile text all the same."""
    console_marker: str
    """What our agent prints and the console must therefore contain."""
    report: GuestReport | None
    """The agent's report, by SSH or from the console; None when the guest never reported."""
    console_links: tuple[Link, ...] = ()
    """The NICs of a guest that nobody got a report from, where its agent has printed them on the console."""
    earlier: GuestReport | None = None
    """Of the boot before, where the guest installed drivers and rebooted itself once to use them."""
    ports: tuple[PortFacts, ...]
    """In the order the NICs were asked for."""
    seconds_to_active: float | None
    seconds_to_report: float | None
    run_id: str = ""
    console_status: int | None = None
    """HTTP status of ``os-getConsoleOutput``; None where the server never became ACTIVE."""
    config_drive: bool | None = None
    """Whether the API says that the server has one; None as above."""
    agent_cannot: Mapping[str, str] = field(default_factory=dict)
    """What the guest's agent has no way to do (``password`` …), with the proof."""
    waited_s: float | None = None
    """How long a silent guest was waited for; shorter than the profile says where its console told of a failed boot."""


@dataclass(frozen=True, kw_only=True)
class GuestFiles:
    """Read over SSH from the running guest; None where the file does not exist.

    Every Linux has a command line: ``cmdline`` None says that nothing could be read at all.
    """

    fstab: str | None = None
    cmdline: str | None = None
    udev_net_rules: str | None = None
    initramfs_modules: tuple[str, ...] | None = None
    """Kernel modules in the initramfs, or built into the kernel, as names with underscores."""
    modules_on_disk: tuple[str, ...] | None = None
    consoles: Consoles | None = None
    """None where nobody can tell how often init restarted what."""


@dataclass(frozen=True, kw_only=True)
class LoginAttempt:
    """One try to log in over SSH."""

    method: str
    """``key``, ``password``, and ``posted-``, ``other-``, ``wrong-``, ``home-``, ``new-`` and ``old-`` before them."""
    user: str
    accepted: bool | None
    """None when we could not find out (no connection)."""
    error: str = ""
    host_key_fingerprint: str | None = None


@dataclass(frozen=True, kw_only=True)
class PasswordChange:
    """The API was asked to set another password in the running guest. Source: Compute API ``changePassword``."""

    status: int
    """HTTP status of the answer."""
    message: str = ""
    """Why it was refused, as the cloud tells it."""
    attempts: tuple[LoginAttempt, ...] = ()
    """Afterwards: ``new-password`` (unless it was refused) and ``old-password``."""

    @property
    def taken(self) -> bool:
        return 200 <= self.status < 300

    def attempt(self, method: str) -> LoginAttempt | None:
        return next((one for one in self.attempts if one.method == method), None)


@dataclass(frozen=True, kw_only=True)
class AuthFacts:
    asked: tuple[str, ...]
    """What the instance was launched with: ``key``, ``password``, ``password-post``; nothing: it has no way in."""
    attempts: tuple[LoginAttempt, ...]
    launched_key_fingerprints: tuple[str, ...] = ()
    """``SHA256:…`` of the key pair launched with; empty without one."""
    password_change: PasswordChange | None = None
    """None where there was no password to change, or nobody could log in with it."""
    files: GuestFiles = GuestFiles()
    late_report: GuestReport | None = None
    """The agent's report as it lay in the guest after all this: what the host did meanwhile is in it."""


def latest_report(boot: BootFacts, auth: AuthFacts) -> GuestReport | None:
    """The newest report of the same boot: a host goes on talking to a guest after its agent has reported."""
    late, first = auth.late_report, boot.report
    return late if late is not None and first is not None and late.boot_id == first.boot_id else first


@dataclass(frozen=True, kw_only=True)
class UserDataFacts:
    sent_sha256: str
    sent_bytes: int
    first: GuestReport | None
    """Report of the first boot."""
    after_reboot: GuestReport | None
    reboot_error: str = ""


@dataclass(frozen=True, kw_only=True)
class PowerFacts:
    """The server was told to stop, and started again. Source: Compute API ``os-stop``, ``os-start``."""

    refused: str = ""
    """Why the cloud does not let its tenants stop servers, as it tells it; the guest was rebooted instead."""
    last_status: str = ""
    seconds_to_shutoff: float | None = None
    """From the request; None when the server was never SHUTOFF."""
    waited_s: float = 0.0
    app_before: bool | None = None
    """Whether Anne's app answered just before; None where it was not asked."""
    ports: tuple[PortFacts, ...] = ()
    """As the API describes them when the server is up again."""


@dataclass(frozen=True, kw_only=True)
class KernelLog:
    """What the kernel said of file systems since it started, read in the guest."""

    boot_id: str
    lines: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ApplicationFacts:
    """Anne's app, seen from outside."""

    address: str
    port: int
    status: int | None
    """HTTP status; None when nothing answered."""
    nonce_expected: str
    nonce_found: str | None
    payload_expected_sha256: str
    payload_guest_sha256: str | None
    """Computed in the guest, over the file written before the snapshot; empty when the guest has no such file,
    None when we could not look."""
    payload_served_sha256: str | None
    """Of the same file as the app served it to us from outside; None when it did not."""
    closed_port: int
    closed_port_open: bool | None
    """Whether a listening port that no security group opens was reached from outside; None if unknown."""
    closed_port_listening: bool | None
    """Whether something in the guest really listens there (else the probe proves nothing)."""
    kernel_log: KernelLog | None = None
    """None when we could not look inside."""
    payload_error: str = ""
    """Why the payload came in part only, or not at all."""
    payload_late: bool = False
    """Whether it was only slow: it was still coming when time was up."""
    sent_sha256: str = ""
    """Of ten MiB that were posted to the app."""
    sent_found_sha256: str | None = None
    """Of what came there, by the app's word; None when it did not answer."""
    sent_error: str = ""
    sent_late: bool = False
    """As ``payload_late``."""
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Leftover:
    cloud: str
    kind: str
    id: str
    name: str


@dataclass(frozen=True, kw_only=True)
class LifecycleFacts:
    """Inventory of both clouds before and after, by resource kind."""

    before: Mapping[str, Mapping[str, int]]
    """cloud → kind → count."""
    after: Mapping[str, Mapping[str, int]]
    made: int
    """How many resources the run made."""
    leftovers: tuple[Leftover, ...]
    errors: tuple[str, ...] = ()
    """What could not be listed or deleted."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Everything known of one cell so far. A stage that has not been reached is None."""

    pair: Pair
    src: Profile
    dst: Profile
    source_boot: BootFacts | None = None
    """Anne's instance at home."""
    export: ExportFacts | None = None
    exported_disk: ExportedDisk | None = None
    """Read from the bytes of the disk that travels."""
    transfer: TransferFacts | None = None
    imported: ImportFacts | None = None
    token_death: TokenDeath | None = None
    import_probes: ImportProbes | None = None
    """Small images that the destination was asked to take in."""
    conversion: ConversionFacts | None = None
    boot: BootFacts | None = None
    """Anne's instance on the destination; also what the NIC, metadata and driver checks read."""
    agent_channels: AgentChannels = field(default_factory=AgentChannels)
    """What the agent of ``boot`` reads, and through which shim."""
    auth: AuthFacts | None = None
    files: FileFacts | None = None
    ipv6: Ipv6Facts | None = None
    """Read where somebody got in; empty on a cloud without IPv6."""
    account: AccountFacts | None = None
    metadata_seen: MetadataSeen | None = None
    """The metadata service, asked from inside the guest once somebody was logged in."""
    network_seen: NetworkSeen | None = None
    """The network, tried from inside."""
    platform: PlatformSeen | None = None
    """The machine, looked at from inside."""
    user_data: UserDataFacts | None = None
    hotplug: HotplugFacts | None = None
    """A further NIC that came and went before ``user_data.after_reboot``."""
    limits: LimitFacts | None = None
    power: PowerFacts | None = None
    """How the guest went down and up again for ``user_data.after_reboot``."""
    application: ApplicationFacts | None = None
    return_trip: ReturnTripFacts | None = None
    """Only where it was asked for."""
    second_instance: SecondInstanceFacts | None = None
    burst: BurstFacts | None = None
    """Only where it was asked for."""
    discovered: DiscoveryFacts | None = None
    """Read at the end, when all has been seen."""
    lifecycle: LifecycleFacts | None = None
