"""What a cloud says of itself to an ordinary tenant, before anything is made on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

DIRECT = "glance-direct"
"""The import method that takes bytes from the tenant."""
WEB_DOWNLOAD = "web-download"
"""The one by which the cloud fetches them itself."""


@dataclass(frozen=True, kw_only=True)
class SubnetFound:
    """A subnet that the tenant may read. Source: Networking API v2.0, subnets."""

    cidr: str
    dhcp: bool
    gateway: str | None = None
    has_host_routes: bool = False

    @property
    def is_ipv6(self) -> bool:
        return ":" in self.cidr


@dataclass(frozen=True, kw_only=True)
class NetworkFound:
    """A network with its subnets."""

    name: str
    id: str = ""
    """Empty where nobody was asked: of a reference cloud that was not started."""
    external: bool = False
    mtu: int | None = None
    subnets: tuple[SubnetFound, ...] = ()
    """Those that the tenant may read: a network without any has none for us."""

    @property
    def has_ipv4(self) -> bool:
        return any(not one.is_ipv6 for one in self.subnets)

    @property
    def has_ipv6(self) -> bool:
        return any(one.is_ipv6 for one in self.subnets)

    @property
    def has_dhcp(self) -> bool:
        return any(one.dhcp for one in self.subnets)

    @property
    def is_static(self) -> bool:
        """Whether a subnet of it has no DHCP, so that only metadata or the host's hand tells a guest its address."""
        return any(not one.dhcp for one in self.subnets)

    def __str__(self) -> str:
        told = [f"{one.cidr} {'DHCP' if one.dhcp else 'no DHCP'}" for one in self.subnets]
        return f"{self.name} ({', '.join(told) or 'external' if self.external else ', '.join(told) or 'no subnet'})"


@dataclass(frozen=True, kw_only=True)
class FlavorFound:
    """A flavor; ``disk_gib`` 0: as large as the image."""

    name: str
    ram_mib: int
    disk_gib: int


@dataclass(frozen=True, kw_only=True)
class Discovery:
    """Everything that was found out by reading. What could not be read is None, and ``unread`` says why."""

    compute_microversion: str = ""
    """Newest offered: ``2.96``."""
    import_methods: tuple[str, ...] | None = None
    """From ``/v2/info/import``."""
    disk_formats: tuple[str, ...] | None = None
    """That Glance's schema takes. It says nothing of what hypervisors run."""
    networks: tuple[NetworkFound, ...] | None = None
    network_extensions: tuple[str, ...] | None = None
    """Aliases: ``security-group``, ``router``, ``standard-attr-tag`` …"""
    flavors: tuple[FlavorFound, ...] | None = None
    files_max: int | None = None
    """``maxPersonality`` of ``/limits``; 0: no files."""
    unread: Mapping[str, str] = field(default_factory=dict)
    """Why this tenant could not read what is None, by the field's name."""

    def network(self, name: str) -> NetworkFound | None:
        """By name or id."""
        return next((one for one in self.networks or () if name in (one.id, one.name)), None)

    def why_unread(self, field_name: str) -> str:
        """In words, for whoever needed it."""
        return f"{field_name.replace('_', ' ')} could not be read: {self.unread.get(field_name) or 'nobody asked'}"


@dataclass(frozen=True, kw_only=True)
class CloudSeen:
    """One cloud as it was found: by reading, and by the server that it ran."""

    discovery: Discovery
    console_status: int | None = None
    """HTTP status of ``os-getConsoleOutput``; None: none of our servers became ACTIVE there."""
    config_drive: bool | None = None
    """Whether the API says that our server got one; None as above."""
    network: str | None = None
    """Name of the network that our server's first NIC is on; None as above."""


@dataclass(frozen=True, kw_only=True)
class DiscoveryFacts:
    """Both clouds of a cell; the same twice in a baseline."""

    src: CloudSeen
    dst: CloudSeen
