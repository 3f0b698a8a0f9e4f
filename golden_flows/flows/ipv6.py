"""IPv6 as a running guest has it: addresses, what routers announce, and metadata at its link-local address.

Looked at over SSH and without the guest's agent, by the Python that our images and full systems have.
"""

from __future__ import annotations

from collections.abc import Sequence

from golden_flows.agents.fields import Fields
from golden_flows.errors import GuestError, shorten
from golden_flows.guests.probe import run_probe
from golden_flows.guests.ssh import GuestShell
from golden_flows.model.facts import PortFacts
from golden_flows.model.guest import canonical_mac
from golden_flows.model.ipv6 import Address6, Ipv6Facts, MetadataAnswer, Nic6
from golden_flows.model.untrusted import whole_number

LOOK_TIMEOUT_S = 30.0

# Linux IF_RA_RCVD, IF_RA_MANAGED, IF_RA_OTHERCONF (net/if_inet6.h), and IFA_F_PERMANENT
_HEARD, _MANAGED, _OTHER = 0x20, 0x40, 0x80
_PERMANENT = 0x80


def nothing(ports: Sequence[PortFacts]) -> Ipv6Facts | None:
    """That there is nothing to look at where no port has an IPv6 address; None where there is."""
    return None if any(port.fixed_ip6 for port in ports) else Ipv6Facts()


def look(shell: GuestShell) -> Ipv6Facts:
    """Everything at once. What could not be seen is in ``error``; nothing is raised."""
    try:
        return parse(run_probe(shell, "ipv6", {}, timeout_s=LOOK_TIMEOUT_S))
    except GuestError as error:
        return Ipv6Facts(error=shorten(str(error), 200))


def parse(document: object) -> Ipv6Facts:
    """What the probe in the guest said. Raises ``GuestError`` naming the key that is wrong."""
    top = Fields(document, "ipv6")
    return Ipv6Facts(nics=top.each("nics", _nic), metadata=top.each("metadata", _answer))


def _nic(one: Fields) -> Nic6:
    flags = one.integer("flags")
    accept_ra = one.text_or_none("accept_ra")
    return Nic6(
        name=one.text("name"),
        mac=canonical_mac(one.text("mac", "")),
        accept_ra=whole_number(accept_ra or ""),
        forwarding=one.text_or_none("forwarding") == "1",
        addresses=one.each("addresses", _address),
        heard=None if flags is None else bool(flags & _HEARD),
        managed=None if flags is None else bool(flags & _MANAGED),
        other=None if flags is None else bool(flags & _OTHER),
    )


def _address(one: Fields) -> Address6:
    return Address6(
        ip=one.text("ip"),
        prefixlen=one.integer("prefixlen") or 0,
        permanent=bool((one.integer("flags") or 0) & _PERMANENT),
    )


def _answer(one: Fields) -> MetadataAnswer:
    return MetadataAnswer(
        interface=one.text("interface"),
        status=one.integer("status"),
        uuid=one.text_or_none("uuid"),
        error=one.text("error", ""),
    )
