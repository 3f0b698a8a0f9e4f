"""The network tried from inside the guest: packets of its MTU, its resolver, its lease; and what is left of another."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from ipaddress import ip_address

from golden_flows.agents.fields import Fields
from golden_flows.errors import GuestError
from golden_flows.guests.probe import run_probe
from golden_flows.guests.ssh import GuestShell
from golden_flows.model.facts import BootFacts, PortFacts
from golden_flows.model.guest import canonical_mac
from golden_flows.model.network_data import bare_ip
from golden_flows.model.network_seen import NetworkSeen, Ping, Renewal, Resolver, Trace
from golden_flows.model.nics import NicSeen

PROBE_TIMEOUT_S = 40.0
SMALL_BYTES = 84
"""What ``ping`` sends by default: a gateway that answers this answers pings."""
_A, _PTR = 1, 12


def look(shell: GuestShell, boot: BootFacts, home: Sequence[PortFacts]) -> NetworkSeen:
    """All of it; what keeps us from it is in ``unseen``. ``home``: ports of the server that the image comes from."""
    if not boot.ports or boot.report is None:
        return NetworkSeen(unseen="the guest never reported, or the API lists no port")
    sought = traces(home, boot.ports)
    try:
        answer = run_probe(shell, "network", question(boot, sought), timeout_s=PROBE_TIMEOUT_S)
        return parse(Fields(answer, "network"), sought)
    except GuestError as error:
        return NetworkSeen(unseen=error.what)


def as_json(seen: NetworkSeen) -> str:
    """All of it, for readers."""
    return json.dumps(asdict(seen), indent=1)


def traces(home: Sequence[PortFacts], ports: Sequence[PortFacts]) -> tuple[str, ...]:
    """MACs and addresses of the NICs at home that are none of the server's own: the clouds may use the same blocks."""
    own = {word for port in ports for word in _traces_of(port)}
    return tuple(dict.fromkeys(word for port in home for word in _traces_of(port) if word not in own))


def _traces_of(port: PortFacts) -> list[str]:
    addresses = [port.fixed_ip, port.fixed_ip6, *port.fixed_ips]
    return [canonical_mac(port.mac), *(ip for one in addresses if one and (ip := bare_ip(one)))]


def question(boot: BootFacts, home: Sequence[str]) -> dict[str, object]:
    """What the probe is asked for: about the first NIC, except ``home``."""
    port, report = boot.ports[0], boot.report
    own = port.fixed_ip or ""
    lease = report.lease(port.mac) if report else None
    has_ipv4 = bool(own) and not port.is_ipv6_alone
    names: list[list[object]] = [[ip_address(own).reverse_pointer, _PTR]] if own else []
    if report is not None and (hostname := report.identity.hostname or "").isascii() and hostname:
        names.append([hostname, _A])
    return {
        "ip": own,
        "mac": canonical_mac(port.mac),
        "gateway": (port.gateway_ip or "") if has_ipv4 else "",
        "sizes": [SMALL_BYTES, port.mtu, port.mtu + 1] if port.mtu and has_ipv4 else [],
        "dhcp_server": (lease.server_id or "") if lease and has_ipv4 else "",
        "resolvers": list(port.dns),
        "questions": names,
        "home": list(home),
    }


def parse(told: Fields, sought: tuple[str, ...]) -> NetworkSeen:
    """What the probe said. Raises ``GuestError`` naming the key that is wrong."""
    renewal = told.object("renewal")
    return NetworkSeen(
        nics=told.each("nics", _nic),
        pings=told.each("pings", _ping),
        renewal=_renewal(renewal) if renewal else None,
        resolvers=told.each("resolvers", _resolver),
        nameservers=told.texts("nameservers"),
        search=told.texts("search"),
        home=sought,
        left=told.each("left", lambda one: Trace(what=one.text("what"), where=one.text("where"))),
        left_unseen=told.text("left_unseen", ""),
    )


def _nic(one: Fields) -> NicSeen:
    mac = canonical_mac(one.text("mac", ""))
    return NicSeen(
        name=one.text("name"),
        mac=mac,
        mtu=one.integer("mtu"),
        mtu6=one.integer("mtu6"),
        is_vlan=bool(one.flag("is_vlan")),
        vlan=one.integer("vlan"),
        below=one.text_or_none("below"),
    )


def _ping(one: Fields) -> Ping:
    return Ping(size_bytes=one.integer("size_bytes") or 0, outcome=one.text("outcome"))


def _renewal(one: Fields) -> Renewal:
    return Renewal(
        answer=one.text("answer", ""),
        ip=one.text("ip", ""),
        lease_s=one.integer("lease_s"),
        ntp=one.texts("ntp"),
        search=one.texts("search"),
        error=one.text("error", ""),
    )


def _resolver(one: Fields) -> Resolver:
    return Resolver(address=one.text("address"), answers=one.texts("answers"), error=one.text("error", ""))
