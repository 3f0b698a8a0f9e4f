"""A look at all NICs inside a guest by ``sh``, /sys and ``ip``: busybox or a full system, whatever agent it has."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from ipaddress import ip_interface, ip_network

from golden_flows.guests.ssh import GuestShell
from golden_flows.model.facts import PortFacts
from golden_flows.model.nics import NicSeen, NicsInside, ReplyPath, RouteSeen
from golden_flows.model.untrusted import pruned, whole_number

LINES_MAX = 400
NETWORK_DATA_BYTES_MAX = 256 * 1024
PING_S = 3

# One line each: "nic NAME MAC MTU", "addr NAME CIDR", "route ...".
_LOOK = r"""
for d in /sys/class/net/*; do n=${d##*/}; [ "$n" = lo ] || echo "nic $n $(cat "$d/address") $(cat "$d/mtu")"; done
ip -o addr show 2>/dev/null | while read -r i n f a r; do case $f in inet|inet6) echo "addr $n $a" ;; esac; done
ip route show 2>/dev/null | sed 's/^/route /'
"""
_FETCH = r"""
u=http://169.254.169.254/openstack/latest/network_data.json
timeout 10 wget -qO- "$u" 2>/dev/null || timeout 10 curl -sf "$u" 2>/dev/null ||
  timeout 10 python3 -c "from urllib.request import urlopen; print(urlopen('$u').read().decode())" 2>/dev/null
"""


def look(shell: GuestShell, ports: Sequence[PortFacts]) -> NicsInside:
    """All of it; ``ports`` are those whose answers are asked about. Raises ``GuestError``."""
    seen = parse(shell.run(_LOOK, timeout_s=30.0).stdout.decode("utf-8", "replace"))
    wanted = [(source, peer, there) for port in ports for source, peer, there in _questions(port, seen)]
    paths = _ask_paths(shell, wanted) if wanted else ()
    return NicsInside(nics=seen.nics, routes=seen.routes, paths=paths, network_data=ask_metadata(shell))


def ask_metadata(shell: GuestShell) -> dict[str, object] | None:
    """network_data.json as the metadata service answers now; None where it does not. Raises ``GuestError``."""
    return document(shell.run(_FETCH, timeout_s=40.0).stdout)


def parse(text: str) -> NicsInside:
    """NICs and main routes from the lines of the script; what is not of its form is passed over."""
    rows = [line.split() for line in text.splitlines()[:LINES_MAX]]
    addresses: dict[str, list[str]] = {}
    for row in rows:
        if row[:1] == ["addr"] and len(row) == 3:
            addresses.setdefault(_bare(row[1]), []).append(row[2])
    nics = tuple(
        NicSeen(
            name=row[1],
            mac=row[2].lower(),
            mtu=whole_number(row[3]),
            addresses=tuple(addresses.get(row[1], ())),
        )
        for row in rows
        if row[:1] == ["nic"] and len(row) == 4
    )
    return NicsInside(nics=nics, routes=tuple(one for row in rows if (one := _route(row)) is not None))


def _bare(name: str) -> str:
    """``eth1.42@eth1:`` as busybox and iproute2 print a name."""
    return name.rstrip(":").partition("@")[0]


def _route(row: list[str]) -> RouteSeen | None:
    if row[:1] != ["route"] or len(row) < 2 or "dev" not in row[:-1]:
        return None
    via = row[row.index("via") + 1] if "via" in row[:-1] else None
    return RouteSeen(row[1], via, row[row.index("dev") + 1])


def _questions(port: PortFacts, seen: NicsInside) -> list[tuple[str, str, bool]]:
    """(own address, peer, whether somebody is known to be there): the gateway, or any neighbour where there is none."""
    nic = seen.find(port.mac)
    if nic is None or port.fixed_ip is None or port.cidr is None or ":" in port.fixed_ip:
        return []
    if port.fixed_ip not in {str(ip_interface(one).ip) for one in nic.addresses if "." in one}:
        return []
    if port.gateway_ip:
        return [(port.fixed_ip, port.gateway_ip, True)]
    network = ip_network(port.cidr, strict=False)
    neighbour = next((str(one) for one in (network[1], network[-2]) if str(one) != port.fixed_ip), None)
    return [(port.fixed_ip, neighbour, False)] if neighbour else []


def _ask_paths(shell: GuestShell, wanted: Sequence[tuple[str, str, bool]]) -> tuple[ReplyPath, ...]:
    lines = []
    for source, peer, there in wanted:
        lines.append(f'echo "path $(ip route get {peer} from {source} 2>/dev/null | head -n 1)"')
        # What is not installed says nothing; 127 is the shell's word for it.
        ping = f'ping -c 1 -W {PING_S} -I {source} {peer} >/dev/null 2>&1; echo "ping $?"'
        lines.append(ping if there else 'echo "ping -"')
    told = shell.run("\n".join(lines), timeout_s=30.0).stdout.decode("utf-8", "replace").splitlines()
    ways = [line for line in told if line.startswith("path")]
    pings = [line.removeprefix("ping ") for line in told if line.startswith("ping")]
    return tuple(
        ReplyPath(
            source=source,
            peer=peer,
            interface=found.group(1) if (found := re.search(r" dev (\S+)", way)) else None,
            answered=None if answer in ("-", "127") else answer == "0",
        )
        for (source, peer, _), way, answer in zip(wanted, ways, pings, strict=False)
    )


def document(content: bytes) -> dict[str, object] | None:
    try:
        found = pruned(json.loads(content[:NETWORK_DATA_BYTES_MAX]))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
