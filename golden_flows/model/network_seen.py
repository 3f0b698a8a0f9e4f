"""What a probe in the guest found out about its network, once somebody was logged in; whichever agent configured it."""

from __future__ import annotations

from dataclasses import dataclass

from golden_flows.model.nics import NicSeen, find

ANSWERED, SILENT, TOO_LONG = "answered", "silent", "too-long"
ACK = "ack"


@dataclass(frozen=True, kw_only=True)
class Ping:
    """One echo request that must not be fragmented on its way, to the gateway."""

    size_bytes: int
    """Of the whole IPv4 packet."""
    outcome: str
    """``answered``, ``silent``, ``too-long`` (the guest's own kernel refuses to send it), or why there was none."""


@dataclass(frozen=True, kw_only=True)
class Renewal:
    """What the DHCP server said to a request for the same address again, as a client sends it at T1 (RFC 2131, 4.4.5).

    From the address itself to the server alone: not every filter that lets the first lease through lets this through.
    """

    answer: str = ""
    """``ack``, ``nak``; empty for silence."""
    ip: str = ""
    lease_s: int | None = None
    ntp: tuple[str, ...] = ()
    """Option 42, which was asked for."""
    search: tuple[str, ...] = ()
    """Option 119, which was asked for."""
    error: str = ""
    """Why nothing could be asked."""


@dataclass(frozen=True, kw_only=True)
class Resolver:
    """A name server, asked for the name of the guest's own address and for that of the guest."""

    address: str
    answers: tuple[str, ...] = ()
    """The code of each answer that came: ``NOERROR``, ``NXDOMAIN``, ``REFUSED`` … (RFC 1035, 4.1.1)."""
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Trace:
    """A MAC or an address of another cloud's NIC, where it was found in the guest."""

    what: str
    where: str
    """``a NIC``, ``a route``, ``a rule``, or a path."""


@dataclass(frozen=True, kw_only=True)
class NetworkSeen:
    """``unseen`` says what kept us from looking; everything else is empty then."""

    unseen: str = ""
    nics: tuple[NicSeen, ...] = ()
    pings: tuple[Ping, ...] = ()
    """The smallest first, then one of the network's MTU, and one that is longer by a byte. Empty without a gateway."""
    renewal: Renewal | None = None
    """None where no DHCP server is known."""
    resolvers: tuple[Resolver, ...] = ()
    """Those that the subnet offers."""
    nameservers: tuple[str, ...] = ()
    """Those that the guest uses."""
    search: tuple[str, ...] = ()
    """Domains in which the guest looks for a name."""
    home: tuple[str, ...] = ()
    """MACs and addresses at home, which were sought."""
    left: tuple[Trace, ...] = ()
    left_unseen: str = ""
    """What kept us from looking for them."""

    def find(self, mac: str, *, is_vlan: bool = False) -> NicSeen | None:
        """As ``nics.find``."""
        return find(self.nics, mac, is_vlan=is_vlan)
