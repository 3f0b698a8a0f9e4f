"""NICs as the kernel of a running guest shows them, whichever agent configured them, and one that came and went."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from golden_flows.model.guest import canonical_mac

if TYPE_CHECKING:  # facts hold these facts
    from golden_flows.model.facts import PortFacts


@dataclass(frozen=True, kw_only=True)
class NicSeen:
    """One interface, as far as somebody looked. Source: /sys/class/net, /proc/sys/net/ipv6/conf, ``ip addr``."""

    name: str
    mac: str
    mtu: int | None = None
    addresses: tuple[str, ...] = ()
    """``10.0.0.5/24``. Looked at while NICs come and go (``NicsInside``)."""
    mtu6: int | None = None
    """What IPv6 makes of it, by the router's word; None without IPv6. This and what follows: ``NetworkSeen``."""
    is_vlan: bool = False
    vlan: int | None = None
    """The number of a VLAN; None where it is none, or the system tells root alone."""
    below: str | None = None
    """The interface that a VLAN is on."""


def find(nics: Iterable[NicSeen], mac: str, *, is_vlan: bool = False) -> NicSeen | None:
    """The NIC with this MAC, or None. ``is_vlan``: the VLAN with it, which has its parent's MAC by default."""
    wanted = canonical_mac(mac)
    return next((one for one in nics if canonical_mac(one.mac) == wanted and one.is_vlan is is_vlan), None)


@dataclass(frozen=True)
class RouteSeen:
    """A route of the main table."""

    destination: str
    """``default`` or a CIDR."""
    gateway: str | None
    interface: str


@dataclass(frozen=True, kw_only=True)
class ReplyPath:
    """Which way a packet would leave that answers ``peer`` from one of the guest's addresses."""

    source: str
    peer: str
    interface: str | None
    """None where the kernel finds no route."""
    answered: bool | None = None
    """Whether the peer answered a ping from that address; None where nobody is known to be there, or no ping is."""


@dataclass(frozen=True, kw_only=True)
class NicsInside:
    """A look at all NICs at one moment."""

    nics: tuple[NicSeen, ...] = ()
    routes: tuple[RouteSeen, ...] = ()
    paths: tuple[ReplyPath, ...] = ()
    network_data: dict[str, object] | None = None
    """As the metadata service gave it to the guest just then; None where none answered."""

    def find(self, mac: str) -> NicSeen | None:
        """As ``find``."""
        return find(self.nics, mac)


@dataclass(frozen=True, kw_only=True)
class HotplugFacts:
    """A port was attached to the running server, and detached again. Source: Compute API ``os-interface``."""

    network: str
    refused: str = ""
    """Why the cloud attaches nothing, as it tells it."""
    port: PortFacts | None = None
    """The port as it was attached."""
    conveyance_refused: str = ""
    """Why the port has one address only, as the cloud tells it."""
    seconds_to_nic: float | None = None
    """From the API's answer until the guest had a NIC with that MAC; None when it never came."""
    seconds_to_address: float | None = None
    """The same, until the NIC had its first fixed address."""
    waited_s: float = 0.0
    inside: NicsInside = field(default_factory=NicsInside)
    """With the NIC there, or when it was no longer waited for."""
    agent_follows: bool = True
    """Whether the image's agent configures NICs that come after its report."""
    detach_refused: str = ""
    seconds_to_gone: float | None = None
    """From the request until the guest had no such NIC; None when it kept it."""
    port_after: PortFacts | None = None
    """The port after it was detached; None when it is no more."""
    network_data_after: dict[str, object] | None = None
    """As the metadata service gave it to the guest after that; an agent may have read a config drive instead."""
    still_attached: bool = False
    """Whether the API still listed it as the server's when the guest had lost it."""
    error: str = ""
    """Why all this could not be found out."""
