"""IPv6 of one cell: subnets as the API describes them, and what a running guest sees of them.

Sources: Networking API v2.0 ``ipv6_ra_mode``, ``ipv6_address_mode``; RFC 4861 (advertisements), RFC 8415 (DHCPv6);
Linux ``/proc/net/if_inet6``, ``IFLA_INET6_FLAGS``.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address

SLAAC, STATEFUL, STATELESS, STATIC = "slaac", "dhcpv6-stateful", "dhcpv6-stateless", "static"

METADATA_ADDRESS = "fe80::a9fe:a9fe"
"""Where the metadata service is on every link that has it. Source: Nova's metadata documentation, since Victoria."""


@dataclass(frozen=True, kw_only=True)
class Subnet6:
    """The subnet of a port's first IPv6 address."""

    cidr: str
    gateway_ip: str | None = None
    dhcp: bool = False
    address_mode: str | None = None
    """``slaac``, ``dhcpv6-stateful``, ``dhcpv6-stateless``; None: nobody but metadata tells the guest."""
    ra_mode: str | None = None
    """The same words, for what OpenStack's own router announces; None: it is not OpenStack's."""

    @property
    def mode(self) -> str:
        """How guests get their addresses; DHCP without any mode hands them out."""
        return self.address_mode or (STATEFUL if self.dhcp else STATIC)


@dataclass(frozen=True, kw_only=True)
class Dhcp6Lease:
    """What DHCPv6 gave to one NIC."""

    interface: str
    mac: str
    mode: str
    """``dhcpv6-stateful``, or ``dhcpv6-stateless``: no address, only what goes with one."""
    ip: str | None = None
    dns: tuple[str, ...] = ()
    valid_s: int | None = None


@dataclass(frozen=True, kw_only=True)
class Address6:
    """One IPv6 address of a NIC, link-local ones left out."""

    ip: str
    prefixlen: int
    permanent: bool
    """Set by hand; others have the lifetime that a router or DHCPv6 gave them."""


@dataclass(frozen=True, kw_only=True)
class Nic6:
    """IPv6 of one NIC of the guest."""

    name: str
    mac: str
    accept_ra: int | None = None
    """None where the kernel has no IPv6 on this NIC. 1 is heard unless the guest forwards, 2 always."""
    forwarding: bool = False
    addresses: tuple[Address6, ...] = ()
    heard: bool | None = None
    """Whether a router has announced itself on this link; None when the kernel did not tell."""
    managed: bool | None = None
    """The M flag of the last advertisement: ask DHCPv6 for an address."""
    other: bool | None = None
    """The O flag: ask DHCPv6 for the rest."""

    @property
    def listens(self) -> bool:
        """Whether advertisements are taken."""
        return self.accept_ra == 2 or (self.accept_ra == 1 and not self.forwarding)


@dataclass(frozen=True, kw_only=True)
class MetadataAnswer:
    """``meta_data.json`` asked for at ``fe80::a9fe:a9fe``, on one NIC."""

    interface: str
    status: int | None
    """None when there was no answer."""
    uuid: str | None = None
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Ipv6Facts:
    """Seen from inside the guest, without its agent."""

    nics: tuple[Nic6, ...] = ()
    metadata: tuple[MetadataAnswer, ...] = ()
    error: str = ""
    """Why nothing could be looked at; empty otherwise."""

    def nic(self, mac: str) -> Nic6 | None:
        """The NIC of a MAC in lower case."""
        return next((one for one in self.nics if one.mac == mac), None)


def same_address(one: str | None, other: str | None) -> bool:
    """Whether two spellings mean one IPv6 address."""
    try:
        return one is not None and other is not None and IPv6Address(one) == IPv6Address(other)
    except ValueError:
        return False
