"""A port is attached to the running instance, waited for inside the guest, and detached again."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import asdict, replace

from golden_flows.checks.hotplug import LIVE_CHANNELS
from golden_flows.clouds.records import NetworkRef
from golden_flows.errors import GuestError, InteropError, WaitTimeout
from golden_flows.flows import nics_inside
from golden_flows.flows.instance import Instance
from golden_flows.flows.setting import SHELL_TIMEOUT_S
from golden_flows.guests.ssh import GuestShell
from golden_flows.model.facts import BootFacts
from golden_flows.model.nics import HotplugFacts
from golden_flows.model.untrusted import finite_number
from golden_flows.waiting import Deadline, wait_for

CONFIGURED_WITHIN_S = 60
UNTOLD_S = 15
"""For the NIC alone to come, where nothing could tell a running guest its address."""
GONE_WITHIN_S = 30
CONTROL_TIMEOUT_S = 30.0

# Prints when the NIC was first seen and when it had its address, in seconds of uptime, "-" for never.
_AWAIT = r"""
mac={mac} ip={ip} limit={limit_s}
read -r now rest </proc/uptime; begin=$now seen=- has=-
end=$((${{now%%.*}} + limit))
while :; do
  nic=
  for d in /sys/class/net/*; do [ "$(cat "$d/address" 2>/dev/null)" = "$mac" ] && nic=${{d##*/}}; done
  read -r now rest </proc/uptime
  if [ -n "$nic" ]; then
    [ "$seen" = - ] && seen=$now
    ip addr show dev "$nic" 2>/dev/null | grep -q " $ip/" && has=$now && break
  fi
  [ "${{now%%.*}}" -ge "$end" ] && break
  usleep 300000 2>/dev/null || sleep 0.3
done
echo "$begin $seen $has"
"""
_AWAIT_GONE = r"""
mac={mac} limit={limit_s}
read -r now rest </proc/uptime; begin=$now
end=$((${{now%%.*}} + limit))
while :; do
  nic=
  for d in /sys/class/net/*; do [ "$(cat "$d/address" 2>/dev/null)" = "$mac" ] && nic=${{d##*/}}; done
  read -r now rest </proc/uptime
  [ -z "$nic" ] && echo "$begin $now" && break
  [ "${{now%%.*}}" -ge "$end" ] && echo "$begin -" && break
  usleep 300000 2>/dev/null || sleep 0.3
done
"""


def plug_and_unplug(guest: Instance, boot: BootFacts, say: Callable[[str], None]) -> HotplugFacts:
    """The whole of it. What goes wrong on our side is in ``error``; nothing is raised.

    The network is that of the second NIC, or the only one: there a guest has most to lose.
    """
    network = _network(guest)
    facts = HotplugFacts(network=network.name, agent_follows=_follows(guest))
    say(f"attaching a further NIC on {network.name}")
    try:
        with guest.shell(boot.report, Deadline.after(SHELL_TIMEOUT_S)) as shell:
            facts = _attach(guest, shell, facts, network)
            if facts.refused:
                return replace(facts, inside=nics_inside.look(shell, boot.ports))
            facts = _watch(shell, facts, guest.profile.channels)
            ports = (*boot.ports, facts.port) if facts.port else boot.ports
            facts = replace(facts, inside=nics_inside.look(shell, ports))
            say("detaching it again")
            return _detach(guest, shell, facts, network)
    except InteropError as trouble:
        return replace(facts, error=str(trouble))


def as_json(facts: HotplugFacts) -> str:
    """All of it, for readers."""
    return json.dumps(asdict(facts), indent=1)


def _network(guest: Instance) -> NetworkRef:
    networks = guest.cloud.find_networks(guest.cloud.profile.networks)
    return networks[min(1, len(networks) - 1)]


def _follows(guest: Instance) -> bool:
    return bool(getattr(guest.agent, "CONFIGURES_LATER_NICS", False))


def _attach(guest: Instance, shell: GuestShell, facts: HotplugFacts, network: NetworkRef) -> HotplugFacts:
    port_id, refused = guest.cloud.create_port("hotplug", network)
    port = guest.cloud.show_port(port_id, network)
    return replace(
        facts,
        port=port,
        conveyance_refused=refused,
        refused=guest.cloud.attach_interface(guest.server_id, port_id),
    )


def _watch(shell: GuestShell, facts: HotplugFacts, channels: Collection[str]) -> HotplugFacts:
    port = facts.port
    if port is None:
        raise GuestError("the attached port has vanished from the API")
    limit_s = CONFIGURED_WITHIN_S if port.dhcp or set(LIVE_CHANNELS) & set(channels) else UNTOLD_S
    script = _AWAIT.format(mac=port.mac, ip=port.fixed_ip or "none", limit_s=limit_s)
    begin, seen, has = times(shell.run(script, timeout_s=limit_s + CONTROL_TIMEOUT_S).stdout, 3)
    return replace(
        facts,
        seconds_to_nic=_since(begin, seen),
        seconds_to_address=_since(begin, has),
        waited_s=limit_s,
    )


def _detach(guest: Instance, shell: GuestShell, facts: HotplugFacts, network: NetworkRef) -> HotplugFacts:
    port = facts.port
    if port is None:
        return facts
    if refused := guest.cloud.detach_interface(guest.server_id, port.port_id):
        return replace(facts, detach_refused=refused)
    script = _AWAIT_GONE.format(mac=port.mac, limit_s=GONE_WITHIN_S)
    begin, gone = times(shell.run(script, timeout_s=GONE_WITHIN_S + CONTROL_TIMEOUT_S).stdout, 2)
    still = _listed_after(guest, port.port_id)
    return replace(
        facts,
        seconds_to_gone=_since(begin, gone),
        still_attached=still,
        network_data_after=nics_inside.ask_metadata(shell),
        port_after=guest.cloud.show_port(port.port_id, network),
    )


def _listed_after(guest: Instance, port_id: str) -> bool:
    """Whether the API goes on listing a port that the guest has lost."""
    try:
        return wait_for(
            "the port to be detached",
            lambda: port_id in guest.cloud.attached_ports(guest.server_id),
            until=lambda listed: not listed,
            deadline=Deadline.after(CONTROL_TIMEOUT_S),
            every_s=0.5,
        )
    except WaitTimeout:
        return True


def times(told: bytes, count: int) -> list[float | None]:
    """Numbers of one line, "-" as None. Raises ``GuestError`` for anything else."""
    words = told.decode("ascii", "replace").split()
    found = [finite_number(word) for word in words]
    if len(found) != count or any(number is None and word != "-" for number, word in zip(found, words, strict=True)):
        raise GuestError("the watch over the guest's NICs ended without a word")
    return found


def _since(begin: float | None, end: float | None) -> float | None:
    return None if begin is None or end is None else round(end - begin, 2)
