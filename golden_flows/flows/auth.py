"""Logins: Anne gets in the way she asked for and others do not; what only she can see is seen then, from inside."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace

from golden_flows.errors import GuestError
from golden_flows.flows import account, files, ipv6, metadata_inside, network_inside, platform, watch, ways_in
from golden_flows.flows.account import AtHome
from golden_flows.flows.instance import Instance
from golden_flows.flows.record import Record
from golden_flows.flows.setting import SHELL_TIMEOUT_S, Setting
from golden_flows.flows.story import METADATA
from golden_flows.guests.ssh import GuestShell
from golden_flows.model.account import AccountFacts
from golden_flows.model.facts import AuthFacts, BootFacts, Facts
from golden_flows.model.network_seen import NetworkSeen
from golden_flows.model.platform_seen import PlatformSeen
from golden_flows.model.stage import Stage
from golden_flows.waiting import Deadline

PROBE = "probe in the guest", "application/json"
"""Where it was seen, and what it is."""


def try_and_look(
    at: Setting, guest: Instance, boot: BootFacts, home: AtHome, wanted: Sequence[files.File], facts: Facts, to: Record
) -> Facts:
    """Every way in is tried, and another password set where there is one; then everything is looked at from inside.

    ``home``: the account as it was there. ``wanted``: files that the guest was to be given.
    Raises ``InteropError`` where what had let us in breaks off.
    """
    to.say("logging in")
    posted = account.receive_password(guest, at.journal)
    attempts = ways_in.try_all_ways(guest, home.password)
    change = None
    if ways_in.is_in(attempts, "password"):
        change = ways_in.change_password(guest, at.journal, to.say)
    facts = replace(
        facts,
        auth=AuthFacts(
            asked=guest.login.asked,
            attempts=attempts,
            launched_key_fingerprints=(guest.login.key.fingerprint,) if guest.login.key else (),
            password_change=change,
        ),
        ipv6=ipv6.nothing(boot.ports),
        account=AccountFacts(owner_fingerprint=home.owner_fingerprint, posted=posted),
    )
    if not ways_in.is_in(attempts) or account.another_host(boot.report, attempts):
        return facts
    with guest.shell(boot.report, Deadline.after(SHELL_TIMEOUT_S)) as shell:
        return _look_inside(at, guest, shell, boot, home, wanted, facts, to)


def why_stopped(guest: Instance, facts: Facts) -> str:
    """Why the story ends with these logins; empty where it goes on."""
    attempts = facts.auth.attempts if facts.auth else ()
    if stranger := account.another_host(facts.boot.report if facts.boot else None, attempts):
        return f"SSH shows host key {stranger}, which the guest's report does not name"
    if guest.login.asked and not ways_in.is_in(attempts):
        reasons = "; ".join(f"{one.method}: {one.error or 'refused'}" for one in attempts[: len(guest.login.asked)])
        return f"no way to log in ({reasons})"
    return ""


def _look_inside(
    at: Setting,
    guest: Instance,
    shell: GuestShell,
    boot: BootFacts,
    home: AtHome,
    wanted: Sequence[files.File],
    facts: Facts,
    to: Record,
) -> Facts:
    """What is read first must not wait for what is tried later: the host goes on talking to the guest meanwhile."""
    if facts.auth is None or facts.account is None:
        return facts
    seen = replace(facts.auth, files=guest.agent.read_files(shell))
    found = files.look(guest.cloud, wanted, shell)
    six = facts.ipv6 or ipv6.look(shell)
    with contextlib.suppress(GuestError):
        seen = replace(seen, late_report=guest.agent.read(shell, guest.console))
    inside = account.look_inside(guest, shell, home, facts.account.posted)
    channels = facts.agent_channels
    metadata_seen = metadata_inside.look(
        *(shell, guest.cloud, boot, to, METADATA),
        owned=at.may_attack(guest.cloud),
        behind=channels.shim if channels.serves or channels.unseen else "",
    )
    return replace(
        facts,
        auth=seen,
        files=found,
        ipv6=six,
        account=inside,
        metadata_seen=metadata_seen,
        network_seen=_try_network(shell, boot, facts, to),
        platform=_look_at_platform(shell, guest, to),
    )


def _look_at_platform(shell: GuestShell, guest: Instance, to: Record) -> PlatformSeen:
    seen = platform.look(shell, guest.properties, guest.cloud.clock_ahead_s)
    to.keep("platform.json", platform.as_json(seen), *PROBE, stages=(Stage.BOOT, Stage.PV_DRIVERS))
    watch.clock(to, guest.cloud.name, seen)
    return seen


def _try_network(shell: GuestShell, boot: BootFacts, facts: Facts, to: Record) -> NetworkSeen:
    to.say("trying the network from inside")
    at_home = facts.source_boot.ports if facts.source_boot else ()
    seen = network_inside.look(shell, boot, at_home)
    stages = Stage.PRIMARY_NIC, Stage.SECONDARY_NIC
    to.keep("network.inside.json", network_inside.as_json(seen), *PROBE, stages=stages)
    return seen
