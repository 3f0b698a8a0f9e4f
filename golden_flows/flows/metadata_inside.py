"""What the metadata service says to somebody who is logged in and asks in ways that agents do not."""

from __future__ import annotations

import contextlib
import json
import math
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace

from golden_flows.agents.fields import Fields
from golden_flows.clouds.cloud import Cloud
from golden_flows.errors import GuestError, WaitTimeout
from golden_flows.flows.record import Record
from golden_flows.guests.probe import run_probe
from golden_flows.guests.ssh import GuestShell
from golden_flows.model.facts import BootFacts
from golden_flows.model.metadata_seen import AGENT_BUDGET_S, MetadataAnswer, MetadataChange, MetadataSeen
from golden_flows.model.stage import Stage
from golden_flows.waiting import Deadline, wait_for

OPENSTACK_PATH = "/openstack/latest/meta_data.json"
EC2_PATH = "/latest/meta-data/instance-id"
METADATA_ADDRESS_6 = "fe80::a9fe:a9fe"
IN_TURN, AT_ONCE = 100, 20
"""GETs."""
PROBE_TIMEOUT_S = 90.0
CHANGE_LIMIT_S = 20.0
"""From the API's answer to the new value in the guest; Nova's own cache keeps a value for 15 s."""
CHANGED_KEY = "interop_changed"

OPENSTACK, EC2 = "openstack-http", "ec2-http"
_MISSING = {
    OPENSTACK: ("/openstack/latest/interop-no-such-file", "/openstack/1999-12-31/meta_data.json"),
    EC2: ("/latest/meta-data/interop-no-such-key",),
}
_SOMEBODY_ELSE = "7fffffff-0000-4000-8000-000000000001"
_FORGED: tuple[Mapping[str, str], ...] = (
    {"X-Instance-ID": _SOMEBODY_ELSE, "X-Tenant-ID": "0" * 32, "X-Instance-ID-Signature": "0" * 64},
    {"X-Forwarded-For": "192.0.2.1"},
    {"X-Metadata-Provider": _SOMEBODY_ELSE, "X-Metadata-Provider-Signature": "0" * 64},
    {"X-Neutron-Network-ID": _SOMEBODY_ELSE, "X-Neutron-Router-ID": _SOMEBODY_ELSE},
)
"""As proxies tell Nova, and each other, who asks: Neutron's agent, a load balancer, NSX, haproxy."""


def look(
    shell: GuestShell,
    cloud: Cloud,
    boot: BootFacts,
    record: Record,
    asked: Mapping[str, str],
    *,
    owned: bool,
    behind: str = "",
) -> MetadataSeen:
    """Ask from inside. ``asked``: the metadata launched with; ``owned``: hostile questions may be asked.

    ``behind``: the shim that has the service's address in this guest.

    Whatever keeps the guest from asking is in ``unseen``.
    """
    trees = _trees(cloud, boot)
    if behind or not trees:
        return MetadataSeen(owned=owned, behind=behind)
    record.say("asking the metadata service from inside")
    tree = trees[0]
    question = {
        "identity": OPENSTACK_PATH if tree == OPENSTACK else EC2_PATH,
        "budget_s": AGENT_BUDGET_S,
        **_where(boot),
        "missing": [path for tree in trees for path in _MISSING[tree]],
        "forged": list(_FORGED) if owned else [],
        "second": _second(boot),
        "in_turn": IN_TURN,
        "at_once": AT_ONCE,
    }
    try:
        answer = Fields(run_probe(shell, "metadata", question, timeout_s=PROBE_TIMEOUT_S), "metadata probe")
        seen = replace(_parse(answer, asked), tree=tree, owned=owned)
    except GuestError as error:
        return MetadataSeen(tree=tree, unseen=error.what, owned=owned)
    if tree == OPENSTACK and seen.own is not None and seen.own.status == 200:
        seen = _changed(seen, shell, cloud, boot)
    record.keep("metadata.inside.txt", _told(seen), "probe in the guest", stages=(Stage.METADATA,))
    return seen


def _trees(cloud: Cloud, boot: BootFacts) -> list[str]:
    """Of the two over HTTP: what the cloud claims, else what the agent has seen."""
    claimed = [one for one in _MISSING if one in cloud.profile.channels]
    report = boot.report
    return claimed or [one.name for one in report.channels if one.present and one.name in _MISSING] if report else []


def _where(boot: BootFacts) -> dict[str, str]:
    """The address to ask at, where it is not the one of IPv4."""
    first = boot.ports[0] if boot.ports else None
    link = boot.report.link(first.mac) if boot.report and first else None
    if first is None or link is None or ":" not in (first.fixed_ip or ""):
        return {}
    return {"host": METADATA_ADDRESS_6, "zone": link.name}


def _second(boot: BootFacts) -> list[dict[str, str]]:
    """The second NIC's address, without and with its device named; nothing where the guest does not have it."""
    if len(boot.ports) < 2 or boot.report is None:
        return []
    port = boot.ports[1]
    link = boot.report.link(port.mac)
    if port.fixed_ip is None or ":" in port.fixed_ip or link is None or _where(boot):
        return []
    return [
        {"what": f"from {port.fixed_ip}", "ip": port.fixed_ip, "device": ""},
        {"what": f"from {port.fixed_ip} over {link.name}", "ip": port.fixed_ip, "device": link.name},
    ]


def _parse(told: Fields, asked: Mapping[str, str]) -> MetadataSeen:
    own = told.object("own")
    return MetadataSeen(
        own=_answer(own) if own else None,
        meta_asked=dict(asked),
        meta_read=_texts(told),
        missing=told.each("missing", _answer),
        forged=told.each("forged", _answer),
        second=told.each("second", _answer),
        in_turn=told.each("in_turn", _answer),
        at_once=told.each("at_once", _answer),
    )


def _answer(one: Fields) -> MetadataAnswer:
    return MetadataAnswer(
        what=one.text("what", "")[:200],
        status=one.integer("status"),
        identity=one.text_or_none("identity"),
        elapsed_s=one.number("elapsed_s"),
        error=one.text("error", "")[:200],
    )


def _texts(told: Fields) -> Mapping[str, str] | None:
    """``meta``, unless it is something else than texts."""
    if not told.has("meta"):
        return None
    try:
        return {name: value for name, value in told.text_map("meta").items() if value is not None}
    except GuestError:
        return None


def _changed(seen: MetadataSeen, shell: GuestShell, cloud: Cloud, boot: BootFacts) -> MetadataSeen:
    """Change a value through the API, and read until the guest sees it."""
    value = secrets.token_hex(8)
    status, message = cloud.set_metadata(boot.server_id, {CHANGED_KEY: value})
    change = MetadataChange(status=status, message=message, asked=value)
    if not 200 <= status < 300:
        return replace(seen, change=change)
    deadline = Deadline.after(CHANGE_LIMIT_S)
    question = {"identity": OPENSTACK_PATH, "budget_s": AGENT_BUDGET_S, **_where(boot)}
    last: list[str | None] = [None]

    def read() -> str | None:
        told = Fields(run_probe(shell, "metadata", question, timeout_s=PROBE_TIMEOUT_S), "metadata probe")
        last[0] = (_texts(told) or {}).get(CHANGED_KEY)
        return last[0]

    with contextlib.suppress(WaitTimeout):
        wait_for("the changed metadata", read, until=lambda text: text == value, deadline=deadline, every_s=1.0)
    waited_s = round(CHANGE_LIMIT_S - deadline.left_s, 2)
    return replace(seen, change=replace(change, seen=last[0], waited_s=waited_s))


def _told(seen: MetadataSeen) -> str:
    """What a reader wants to know, latency first."""
    lines = [_latency("in turn", seen.in_turn), _latency("at once", seen.at_once), ""]
    groups = (("missing", seen.missing), ("forged headers", seen.forged), ("second NIC", seen.second))
    lines += [f"{name}: {one.what}: {one}, {one.identity or ''}" for name, answers in groups for one in answers]
    if seen.change:
        lines.append(f"changed by API: HTTP {seen.change.status}, in the guest after {seen.change.waited_s} s")
    return "\n".join([*lines, "", json.dumps(seen.meta_read, indent=1, ensure_ascii=False), ""])


def _latency(name: str, answers: Sequence[MetadataAnswer]) -> str:
    """Percentiles of the nearest rank."""
    times = sorted(one.elapsed_s for one in answers if one.status is not None and one.elapsed_s is not None)
    if not times:
        return f"{name}: no answer"
    p50, p99 = (times[math.ceil(share * len(times)) - 1] for share in (0.5, 0.99))
    statuses = ", ".join(sorted({str(one) for one in answers}))
    return f"{len(answers)} GETs {name}: p50 {p50 * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms; {statuses}"
