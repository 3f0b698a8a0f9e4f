"""Does the EC2 tree say what agents of Amazon's time look for?"""

from __future__ import annotations

from golden_flows.errors import shorten
from golden_flows.model.check import SILENT_GUEST, check, given, verdict
from golden_flows.model.ec2 import CHANNEL, FIRST_KEY, INSTANCE_ID, INSTANCE_ID_FORM, KEY_LISTING_FORM, KEYS
from golden_flows.model.facts import Facts
from golden_flows.model.finding import Finding, NotApplicable, NotObserved, Said


@check("MD-11", needs=("boot",))
def ec2_tells_an_instance_id_and_the_key(facts: Facts) -> Said:
    """``instance-id`` is ``i-…``: cirros asks 20 times, 40 s in all, for one that is not. The key is where EC2 has it.

    ``public-keys/`` is listed as ``0=NAME``, and the key lies at ``public-keys/0/openssh-key``.
    """
    boot = given(facts.boot)
    report = boot.report
    if report is None:
        return SILENT_GUEST
    channel = next((one for one in report.channels if one.name == CHANNEL), None)
    if CHANNEL not in facts.dst.channels and (channel is None or not channel.present):
        seen = ", ".join(one.name for one in report.channels if one.present) or "none"
        claimed = ", ".join(facts.dst.channels) or "nothing"
        return NotApplicable(f"no EC2 tree: {facts.dst.cloud} claims {claimed}; seen: {seen}")
    if proof := facts.agent_channels.unread(CHANNEL):
        return NotApplicable(proof)
    if reason := facts.agent_channels.hidden(report.channels):
        return NotObserved(reason)
    findings: list[Finding] = []
    unseen: list[str] = []
    instance_id = report.identity.ec2_instance_id
    if instance_id is None:
        unseen.append("the guest was told no EC2 instance-id (see MD-2)")
    elif not INSTANCE_ID_FORM.fullmatch(instance_id):
        remedy = "let the metadata give the EC2 form of the id (nova maps each server to one)"
        findings.append(Finding(INSTANCE_ID, "i- and hex digits", repr(shorten(instance_id, 60)), remedy))
    if "key" in facts.dst.auth:
        _judge_key(report.listing.get(KEYS), {one.path: one.status for one in report.requests}, findings, unseen)
    return verdict(findings, unseen)


def _judge_key(
    listing: str | None, statuses: dict[str, int | None], findings: list[Finding], unseen: list[str]
) -> None:
    remedy = "serve the key pair in the EC2 tree, too: cirros looks nowhere else over HTTP"
    if KEYS not in statuses and FIRST_KEY not in statuses:
        unseen.append(f"the guest did not ask for {KEYS}")
        return
    if listing is None or not KEY_LISTING_FORM.match(listing):
        actual = repr(shorten(listing, 60)) if listing is not None else f"status {statuses.get(KEYS)}"
        findings.append(Finding(f"listing {KEYS}", "0=NAME", actual, remedy))
    if statuses.get(FIRST_KEY) != 200:
        findings.append(Finding(FIRST_KEY, "200", str(statuses.get(FIRST_KEY, "not asked for")), remedy))
