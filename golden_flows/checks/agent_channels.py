"""Is there a channel by which the cloud tells its guests and that the agent in the image reads?"""

from __future__ import annotations

from golden_flows.errors import shorten
from golden_flows.model.agent_channels import AgentChannels
from golden_flows.model.check import SILENT_GUEST, check, given
from golden_flows.model.facts import Facts
from golden_flows.model.finding import Finding, NotObserved, Said, WithShim


@check("MD-16", needs=("boot",))
def guest_is_told_by_a_channel_that_it_reads(facts: Facts) -> Said:
    """Natively, or through a shim of ours that reads the cloud's channel and tells the agent in the way it asks.

    Nobody breaks a promise where the two have no channel in common: the pair does not work all the same.
    """
    report, seen = given(facts.boot).report, facts.agent_channels
    if report is None:
        return SILENT_GUEST
    if seen.unseen:
        return NotObserved(seen.unsure)
    told_by = [one.name for one in report.channels if one.present]
    if told_by and seen.serves:
        return WithShim(seen.shim, f"{_reads(seen)}, {_has(facts)}; the shim served {seen.serves} in the guest")
    if told_by:
        return ()
    if not report.channels:
        return NotObserved("the guest did not say which channels it looked for")
    if seen.unsure:
        return NotObserved(seen.unsure)
    reasons = "; ".join(f"{one.name}: {shorten(one.reason, 80)}" for one in report.channels if one.reason)
    found = f"none: {_has(facts)}" + (f" ({reasons})" if reasons else "")
    if seen.shim:
        found += f"; shim {seen.shim}: {seen.trouble or 'served, and the agent did not take it'}"
    remedy = "offer the metadata service, or let a shim stand between (leave out --no-shims)" if seen.reads else ""
    return (Finding(f"configuration channel of the guest on {facts.dst.cloud}", _wanted(seen), found, remedy),)


def _wanted(seen: AgentChannels) -> str:
    return f"one that the image's agent reads: {', '.join(seen.reads)}" if seen.reads else "one"


def _reads(seen: AgentChannels) -> str:
    return f"the image's agent reads {', '.join(seen.reads) or 'every channel'}"


def _has(facts: Facts) -> str:
    return f"{facts.dst.cloud} has {', '.join(facts.dst.channels) or 'no channel'}"
