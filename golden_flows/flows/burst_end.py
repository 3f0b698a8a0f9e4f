"""The end of a burst: what is kept of it, and that nothing else is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace

from golden_flows.clouds.cloud import Cloud
from golden_flows.clouds.fleet import Fleet
from golden_flows.errors import InteropError
from golden_flows.flows.instance import Instance
from golden_flows.flows.record import Record
from golden_flows.flows.setting import CLEANUP_TIMEOUT_S
from golden_flows.model.burst import BurstFacts, ramp_of
from golden_flows.waiting import Deadline

DELETE_EACH_S = 3.0
STAYS = ("keypair", "security_group")
"""To the end of the story."""


def keep(facts: BurstFacts, instances: Mapping[str, Instance], record: Record) -> None:
    """The ramp, what was seen of each, and the consoles of those that did not come up. ``instances``: by server id."""
    record.ramp(ramp_of(facts))
    told = json.dumps(asdict(facts), indent=1, ensure_ascii=False)
    record.keep("burst.json", told, "Compute API, the app over HTTP, guests", "application/json")
    for one in facts.missing:
        if instance := instances.get(one.id):
            cloud = instance.cloud.name
            record.keep(f"{cloud}.{one.name}.console.log", _console(instance, one.id), f"{cloud} os-getConsoleOutput")


def delete(
    fleet: Fleet, cloud: Cloud, facts: BurstFacts, before: Mapping[str, Mapping[str, str]] | None, record: Record
) -> BurstFacts:
    """All of it goes now, and an inventory proves that. ``before``: the one taken then; None: there was none."""
    record.say("burst: deleting all of it")
    report = fleet.delete(Deadline.after(CLEANUP_TIMEOUT_S + DELETE_EACH_S * facts.asked))
    leftovers = {f"{one.kind} {one.name}": None for one in report.leftovers}
    errors = list(report.failures)
    try:
        for kind, ids in cloud.inventory().items() if before is not None else ():
            known = before.get(kind, {}) if before is not None else {}
            if kind not in STAYS:
                leftovers |= {f"{kind} {name or id}": None for id, name in ids.items() if id not in known}
    except InteropError as trouble:
        errors.append(trouble.what)
    deleted = sum(one.kind == "server" for one in report.removed)
    return replace(facts, deleted=deleted, leftovers=tuple(leftovers), deletion_errors=tuple(errors))


def _console(instance: Instance, server_id: str) -> str:
    instance.server_id = server_id
    try:
        return instance.console()
    except InteropError as trouble:
        return f"(not to be had: {trouble.what})"
