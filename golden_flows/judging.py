"""From a stage's facts to a check's result."""

from __future__ import annotations

import time
from typing import Final

from golden_flows.flows.golden_flow import GoldenFlow
from golden_flows.model.check import Check
from golden_flows.model.finding import NotApplicable, NotObserved, Said, WithShim
from golden_flows.model.guideline import Requirement
from golden_flows.model.matrix import Result
from golden_flows.model.outcome import Outcome
from golden_flows.model.stage import Stage

FACTS_OF: Final = {
    "source_boot": Stage.EXPORT,
    "export": Stage.EXPORT,
    "exported_disk": Stage.EXPORT,
    "transfer": Stage.TRANSFER,
    "imported": Stage.IMPORT,
    "token_death": Stage.IMPORT,
    "import_probes": Stage.IMPORT,
    "conversion": Stage.CONVERSION,
    "boot": Stage.BOOT,
    "agent_channels": Stage.BOOT,
    "auth": Stage.AUTH,
    "files": Stage.AUTH,
    "ipv6": Stage.AUTH,
    "account": Stage.AUTH,
    "metadata_seen": Stage.AUTH,
    "network_seen": Stage.AUTH,
    "platform": Stage.AUTH,
    "user_data": Stage.USER_DATA,
    "hotplug": Stage.USER_DATA,
    "limits": Stage.USER_DATA,
    "power": Stage.USER_DATA,
    "application": Stage.APPLICATION,
    "return_trip": Stage.RETURN_TRIP,
    "second_instance": Stage.SECOND_INSTANCE,
    "burst": Stage.BURST,
    "discovered": Stage.LIFECYCLE,
    "lifecycle": Stage.LIFECYCLE,
}
"""Which stage reads each field of ``Facts``."""

OWN_FAILURE: Final = "the check itself failed"
"""How a reason begins that is this suite's own trouble."""

READ_INSIDE: Final = frozenset({"files", "ipv6", "metadata_seen", "network_seen", "platform"})
"""Fields that are read by logging in, and None where nobody could."""


def judge(flow: GoldenFlow, requirement: Requirement, check: Check) -> Result:
    """Bring the story as far as this check needs it, and ask the check."""
    began_s = time.monotonic()
    result = _judge(flow, requirement, check)
    seconds = round(time.monotonic() - began_s, 2)
    return Result(
        check=result.check,
        outcome=result.outcome,
        findings=result.findings,
        reason=flow.journal.redact(result.reason),
        blocked_by=result.blocked_by,
        seconds=seconds,
        flags=result.flags,
    )


def _judge(flow: GoldenFlow, requirement: Requirement, check: Check) -> Result:
    for stage in (requirement.stage, *(FACTS_OF[name] for name in check.needs)):
        reached = flow.reach(stage)
        if reached.blocked_by:
            return _blocked(check, reached.blocked_by, flow)
        if reached.run.outcome is Outcome.BROKEN:
            return Result(check=check.id, outcome=Outcome.BROKEN, reason=reached.run.detail)
    missing = [name for name in check.needs if getattr(flow.facts, name) is None]
    if missing:
        stopped = flow.stopped_at()
        if stopped:
            return _blocked(check, stopped, flow)
        if not flow.facts.dst.auth and READ_INSIDE.issuperset(missing):
            reason = f"the server on {flow.facts.dst.cloud} was launched with no way in: nobody was to look inside"
            return Result(check=check.id, outcome=Outcome.NOT_APPLICABLE, reason=reason)
        return Result(check=check.id, outcome=Outcome.BROKEN, reason=f"no facts: {', '.join(missing)}")
    try:
        said = check.function(flow.facts)
    except Exception as error:  # a check that trips over facts has found nothing out
        return Result(check=check.id, outcome=Outcome.BROKEN, reason=f"{OWN_FAILURE}: {error!r}")
    return _result(flow, check, said)


def _result(flow: GoldenFlow, check: Check, said: Said) -> Result:
    if isinstance(said, NotApplicable):
        return Result(check=check.id, outcome=Outcome.NOT_APPLICABLE, reason=said.proof)
    if isinstance(said, WithShim):
        return Result(check=check.id, outcome=Outcome.PASS, reason=said.reason, flags=(f"shim={said.name}",))
    if isinstance(said, NotObserved):
        stopped = flow.stopped_at()
        if stopped:
            return _blocked(check, stopped, flow, said.reason)
        return Result(check=check.id, outcome=Outcome.BROKEN, reason=said.reason)
    outcome = Outcome.FAIL if said else Outcome.PASS
    return Result(check=check.id, outcome=outcome, findings=said)


def _blocked(check: Check, stage: Stage, flow: GoldenFlow, reason: str = "") -> Result:
    detail = flow.reach(stage).run.detail
    because = f"{stage.title}: {detail}" if detail else stage.title
    return Result(
        check=check.id,
        outcome=Outcome.BLOCKED,
        reason=f"{reason}; blocked by {because}" if reason else f"blocked by {because}",
        blocked_by=stage,
    )
