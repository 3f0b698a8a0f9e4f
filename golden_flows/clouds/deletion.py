"""Deletes what the ledger names and the prefix proves to be ours, and waits until it is really gone.

A cloud that accepts a deletion and does nothing is noticed within ``NOTHING_HAPPENS_S`` and does not hang the run.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from keystoneauth1 import exceptions as auth_errors
from openstack import exceptions as sdk_errors

from golden_flows.clouds.session import ApiSession, reason_of
from golden_flows.errors import InteropError, Unreachable, WaitTimeout
from golden_flows.ledger import CleanupReport, Entry, Ledger
from golden_flows.model.facts import Leftover
from golden_flows.waiting import Deadline, wait_for

NOTHING_HAPPENS_S = 15.0
"""How long an accepted deletion may show no effect at all."""
POLL_S = 0.3


@dataclass(frozen=True)
class Kind:
    """How one kind of resource is reached over REST."""

    service: str
    path: str
    one: str
    """Key of the document under which a single resource comes; empty: the document itself is the resource."""
    label: str = "name"
    """Field that carries the prefix."""
    query: str = "name"
    """Query parameter that selects by ``label``; empty: the list cannot be filtered."""


KINDS: Mapping[str, Kind] = {
    # In the order of deletion: what uses another comes first.
    "floating_ip": Kind("network", "/floatingips", "floatingip", "description", "description"),
    "server": Kind("compute", "/servers", "server"),
    "port": Kind("network", "/ports", "port"),
    "image": Kind("image", "/images", ""),
    "security_group": Kind("network", "/security-groups", "security_group"),
    "keypair": Kind("compute", "/os-keypairs", "keypair", query=""),
}


@dataclass
class _Target:
    """One resource on its way out."""

    entry: Entry
    id: str
    first_seen: tuple[object, ...] = ()
    accepted: bool = False
    gone: bool = False
    refused: str = ""
    accepted_at_s: float = 0.0
    changed: bool = False

    @property
    def leftover(self) -> Leftover:
        return Leftover(cloud=self.entry.cloud, kind=self.entry.kind, id=self.id, name=self.entry.name)


@dataclass
class _Sweep:
    removed: list[Leftover] = field(default_factory=list)
    leftovers: list[Leftover] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def cleanup(api: ApiSession, ledger: Ledger, deadline: Deadline, only: Iterable[Entry] | None = None) -> CleanupReport:
    """Delete the open entries of this cloud (or ``only`` those), newest first within each kind.

    Everything that goes wrong is in the report; nothing is raised.
    """
    entries = [*(ledger.open_entries(api.name) if only is None else only)]
    sweep = _Sweep()
    silent = False
    for kind in KINDS:
        mine = [one for one in reversed(entries) if one.kind == kind]
        if not mine:
            continue
        if silent:
            sweep.leftovers += [_leftover(one) for one in mine]
            continue
        try:
            _remove_kind(api, ledger, mine, deadline, sweep)
        except InteropError as error:
            silent = isinstance(error, Unreachable)  # the other kinds would only wait for the same silence
            still = {one.key for one in ledger.open_entries(api.name)}
            told = {(one.kind, one.name) for one in sweep.leftovers}
            sweep.leftovers += [_leftover(one) for one in mine if one.key in still and (kind, one.name) not in told]
            sweep.failures.append(error.what if silent else f"{kind}: {error.what}")
    for entry in entries:
        if entry.kind not in KINDS:
            sweep.failures.append(f"{entry.kind} {entry.name}: do not know how to delete this kind")
    return CleanupReport(tuple(sweep.removed), tuple(sweep.leftovers), tuple(sweep.failures))


def _leftover(entry: Entry) -> Leftover:
    return Leftover(cloud=entry.cloud, kind=entry.kind, id=entry.id or "", name=entry.name)


def _remove_kind(api: ApiSession, ledger: Ledger, entries: list[Entry], deadline: Deadline, sweep: _Sweep) -> None:
    """All of one kind at once: the deletions run in the cloud side by side."""
    targets: list[_Target] = []
    for entry in entries:
        ids = [entry.id] if entry.id else find_by_name(api, entry.kind, entry.name)
        if not ids:
            ledger.gone(entry.key)  # planned, and never made
        targets += [_Target(entry, one) for one in ids]
    for target in targets:
        _check_ours(api, target, ledger.prefix)
    _delete_all(api, targets, deadline)
    for target in targets:
        if target.gone:
            siblings = [one for one in targets if one.entry is target.entry and not one.gone]
            if not siblings:
                ledger.gone(target.entry.key)
            sweep.removed.append(target.leftover)
        else:
            sweep.leftovers.append(target.leftover)
            sweep.failures.append(f"{target.entry.kind} {target.entry.name} ({target.id}): {target.refused}")


def find_by_name(api: ApiSession, kind: str, name: str) -> list[str]:
    """Ids of resources that carry exactly this full name."""
    spec = KINDS[kind]
    if kind == "keypair":
        return [name] if _look(api, kind, name) is not None else []
    response = api.ask(spec.service, "GET", spec.path, params={spec.query: name}, microversion=_version(spec))
    document = api.json_of(response, spec.path)
    listed = next((value for value in document.values() if isinstance(value, list)), [])
    # Nova's name filter is a regular expression, and descriptions may not be filtered at all.
    return [str(one["id"]) for one in listed if isinstance(one, dict) and one.get(spec.label, name) == name]


def _look(api: ApiSession, kind: str, id: str) -> dict[str, Any] | None:
    """The resource as it is now; None once it is gone."""
    spec = KINDS[kind]
    response = api.ask(spec.service, "GET", f"{spec.path}/{id}", expect=(200, 404), microversion=_version(spec))
    if response.status_code == 404:
        return None
    document = api.json_of(response, spec.path)
    found = document.get(spec.one) if spec.one else document
    if not isinstance(found, dict) or found.get("status") in ("DELETED", "deleted"):
        return None
    return found


def _version(spec: Kind) -> str | None:
    return "2.1" if spec.service == "compute" else None


def _signs(found: Mapping[str, Any]) -> tuple[object, ...]:
    """What moves when a deletion is under way."""
    return (found.get("status"), found.get("OS-EXT-STS:task_state"), found.get("updated_at") or found.get("updated"))


def _check_ours(api: ApiSession, target: _Target, prefix: str) -> None:
    found = _look(api, target.entry.kind, target.id)
    if found is None:
        target.gone = True
        return
    label = str(found.get(KINDS[target.entry.kind].label) or "")
    if not label.startswith(prefix):
        target.refused = f"not deleted: it is called {label!r}, which is not of this run"
    target.first_seen = _signs(found)


def _delete_all(api: ApiSession, targets: list[_Target], deadline: Deadline) -> None:
    """Ask for every deletion (again, while something still uses it: 409), and wait for all of them together."""
    began_s = deadline.clock.now_s()

    def step(target: _Target) -> None:
        if target.gone or target.refused.startswith("not deleted"):
            return
        now_s = deadline.clock.now_s()
        if not target.accepted:
            _request(api, target, now_s, began_s)
        else:
            found = _look(api, target.entry.kind, target.id)
            target.gone = found is None
            target.changed = target.changed or (found is not None and _signs(found) != target.first_seen)
            waited_s = now_s - target.accepted_at_s
            if not target.gone and not target.changed and waited_s > NOTHING_HAPPENS_S:
                target.refused = f"not deleted: the cloud accepted that {waited_s:.0f} s ago and nothing has changed"

    def probe() -> bool:
        for target in targets:
            step(target)
        return all(one.gone or one.refused.startswith("not deleted") for one in targets)

    try:
        wait_for("deletions", probe, deadline=deadline, every_s=POLL_S)
    except WaitTimeout as timeout:
        for target in targets:
            if not target.gone and not target.refused:
                target.refused = f"still there after {timeout.waited_s:.0f} s"


def _request(api: ApiSession, target: _Target, now_s: float, began_s: float) -> None:
    spec = KINDS[target.entry.kind]
    response = api.send(spec.service, "DELETE", f"{spec.path}/{target.id}", microversion=_version(spec))
    if response.status_code == 404:
        target.gone = True
    elif response.status_code in (200, 202, 204):
        target.accepted, target.accepted_at_s, target.refused = True, now_s, ""
    elif response.status_code == 409 and now_s - began_s <= NOTHING_HAPPENS_S:
        target.refused = f"HTTP 409 {reason_of(response)}"  # in use; asked again
    else:
        target.refused = f"not deleted: HTTP {response.status_code} {reason_of(response)}".rstrip()


def inventory(api: ApiSession, ledger: Ledger) -> dict[str, dict[str, str]]:
    """What the project owns: kind -> id -> name; without Neutron's own ports and other runs' things."""
    with api.guard("listing what the project owns"):
        sdk = api.sdk
        project = sdk.session.get_project_id()
        before = {str(one.id): str(one.name) for one in sdk.compute.servers(details=False)}
        ports = [*sdk.network.ports(project_id=project)]
        # Again, for a foreign server that came while we looked at the ports.
        now = {str(one.id): str(one.name) for one in sdk.compute.servers(details=False)}
        seen = {**before, **now}
        foreign = {id for id, name in seen.items() if ledger.is_foreign(api.name, "server", id, name)}
        listed: dict[str, list[tuple[str, str, str]]] = {  # (id, name to tell, label that carries a run's prefix)
            "server": [(id, name, name) for id, name in now.items()],
            "keypair": [(str(one.name), str(one.name), str(one.name)) for one in sdk.compute.keypairs()],
            "image": [(str(one.id), str(one.name), str(one.name)) for one in sdk.image.images(owner=project)],
            "port": [
                (str(one.id), str(one.name or one.mac_address), str(one.name or ""))
                for one in ports
                # A DHCP agent makes its port when the first server comes, and keeps it.
                if not str(one.device_owner or "").startswith("network:") and str(one.device_id) not in foreign
            ],
            "floating_ip": [
                (str(one.id), str(one.floating_ip_address), str(one.description or ""))
                for one in sdk.network.ips(project_id=project)
            ],
            "security_group": [
                (str(one.id), str(one.name), str(one.name)) for one in sdk.network.security_groups(project_id=project)
            ],
        }
        # Not every cloud has block storage; the SDK says so, in two ways, only when it is asked for something there.
        with contextlib.suppress(auth_errors.EndpointNotFound, sdk_errors.ServiceDisabledException):
            listed["volume"] = [(str(one.id), str(one.name), "") for one in sdk.block_storage.volumes(details=False)]
    return {
        kind: {id: name for id, name, label in found if not ledger.is_foreign(api.name, kind, id, label)}
        for kind, found in listed.items()
    }
