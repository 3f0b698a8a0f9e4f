"""Can the guest ask the cloud who it is, and does every channel say the same?"""

from __future__ import annotations

from golden_flows.errors import shorten
from golden_flows.model.check import SILENT_GUEST, check, given, verdict
from golden_flows.model.cloud import Profile
from golden_flows.model.ec2 import only_ec2
from golden_flows.model.facts import Facts
from golden_flows.model.finding import Finding, NotApplicable, NotObserved, Said
from golden_flows.model.guest import Channel, GuestReport
from golden_flows.model.nova_metadata import (
    EC2_RULES,
    EC2_VERSIONS,
    NO_SUCH_FILE,
    OPENSTACK_RULES,
    OPENSTACK_VERSIONS,
    Rule,
    listing_defect,
)

OPENSTACK, EC2 = "openstack-http", "ec2-http"
REMEDY_PROXY = "ask nova-api-metadata directly: if it answers well, the proxy in front of it does not"


@check("MD-1", needs=("boot",))
def listings_name_the_versions(facts: Facts) -> Said:
    """``/`` and ``/openstack`` list versions, one to a line, in order, ``latest`` last.

    ``/`` is the EC2 tree, which a cloud need not have: it is judged where EC2 is claimed or seen.
    """
    report = given(facts.boot).report
    if report is None:
        return SILENT_GUEST
    if reason := facts.agent_channels.hidden(report.channels):
        return NotObserved(reason)
    wanted = [("/openstack", OPENSTACK_VERSIONS, OPENSTACK), ("/", EC2_VERSIONS, EC2)]
    wanted = [one for one in wanted if _expected(one[2], facts, report)]
    if not wanted:
        return _no_http(facts, report)
    statuses = {one.path: str(one.status) for one in report.requests if one.status not in (None, 200)}
    findings: list[Finding] = []
    unseen: list[str] = []
    for path, versions, _ in wanted:
        body = report.listing.get(path)
        actual = listing_defect(body, versions) if body is not None else statuses.get(path)
        if actual is not None:
            expected = "200: versions in order, one to a line, latest last"
            findings.append(Finding(f"metadata listing {path}", expected, actual, REMEDY_PROXY))
        elif body is None:
            unseen.append(f"the guest got no listing at {path} (see MD-2)")
    return verdict(findings, unseen)


@check("MD-2", needs=("boot",))
def metadata_answers_as_nova_does(facts: Facts) -> Said:
    """Status, type and JSON of every path that agents ask for; 404 for one that does not exist."""
    report = given(facts.boot).report
    if report is None:
        return SILENT_GUEST
    if reason := facts.agent_channels.hidden(report.channels):
        return NotObserved(reason)
    rules: tuple[Rule, ...] = OPENSTACK_RULES if _expected(OPENSTACK, facts, report) else ()
    rules += EC2_RULES if _expected(EC2, facts, report) else ()
    if not rules:
        return _no_http(facts, report)
    asked = {request.path: request for request in report.requests}
    if asked and all(request.status is None for request in asked.values()):
        errors = ", ".join(sorted({shorten(one.error or "no answer", 80) for one in asked.values()})[:3])
        remedy = "check the route to 169.254.169.254 on the primary network, and the proxy that serves it"
        return (Finding("metadata service as seen by the guest", "an answer", errors, remedy),)
    findings: list[Finding] = []
    unseen: list[str] = []
    for rule in rules:
        request = asked.get(rule.path)
        if request is None:
            unseen.append(f"the guest did not ask for {rule.path}")
            continue
        if (actual := rule.defect(request)) is not None:
            subject = f"metadata {rule.path}"
            findings.append(Finding(subject, str(rule), actual, REMEDY_PROXY))
        elif rule.json and request.status == 200 and request.json_ok is None:
            unseen.append(f"the body of {rule.path} was not parsed")
    return verdict(findings, unseen)


@check("MD-3", needs=("boot",))
def metadata_is_this_server_s(facts: Facts) -> Said:
    """The uuid in the metadata is the server's, and the one the firmware states if it states one (BT-8)."""
    boot = given(facts.boot)
    if boot.report is None:
        return SILENT_GUEST
    told, stated = boot.report.identity.uuid, boot.report.identity.stated_smbios_uuid
    if told is None:
        if proof := only_ec2(boot.report, facts.dst.channels):
            return NotApplicable(f"{proof}, which tells no uuid")
        if not any(_expected(one, facts, boot.report) for one in (OPENSTACK, "config-drive")):
            claimed = ", ".join(facts.dst.channels)
            return NotApplicable(
                f"no channel that tells a uuid: {facts.dst.cloud} claims {claimed}, the guest saw none"
            )
        return NotObserved("no channel told the guest a uuid")
    remedy = "the metadata proxy must identify a guest by its port, never by address alone or by what it sends"
    findings: list[Finding] = []
    if told.lower() != boot.server_id.lower():
        findings.append(
            Finding("uuid in the metadata", f"{boot.server_id}, the server's id", shorten(told, 60), remedy)
        )
    elif stated is not None and stated != told.lower():
        remedy = "cloud-init takes such metadata for another instance's: set the SMBIOS system uuid (see BT-8)"
        findings.append(Finding("SMBIOS system uuid", f"{told}, as the metadata says", shorten(stated, 60), remedy))
    return tuple(findings)


@check("MD-10", needs=("boot",))
def channels_agree(facts: Facts) -> Said:
    """Agents differ in which channel they read first, so a value must be the same in all of them."""
    report = given(facts.boot).report
    if report is None:
        return SILENT_GUEST
    if reason := facts.agent_channels.hidden(report.channels):
        return NotObserved(reason)
    present = [one for one in report.channels if _is_present(one, facts.dst, report)]
    names = ", ".join(one.name for one in present) or "none"
    missing = [name for name in facts.dst.channels if name not in {one.name for one in present}]
    missing = [name for name in missing if not facts.agent_channels.unread(name)]
    unsure = facts.agent_channels.unsure if facts.agent_channels.through in missing else ""
    missing = [name for name in missing if not unsure or name != facts.agent_channels.through]
    remedy = "switch the channel on, or take it out of the profile's channels"
    findings = [Finding(f"channel {name}", "present, as the profile says", "not seen", remedy) for name in missing]
    keys = sorted({key for one in present for key in one.keys})
    findings += [found for key in keys if (found := _disagreement(key, present)) is not None]
    if findings:
        return tuple(findings)
    if unsure:
        return NotObserved(unsure)
    if len(present) < 2:
        return NotApplicable(f"one channel cannot disagree; the guest saw: {names}")
    if not any(_common(one, other) for at, one in enumerate(present) for other in present[at + 1 :]):
        return NotObserved(f"the guest reported no value that two of its channels share ({names})")
    return ()


def _expected(name: str, facts: Facts, report: GuestReport) -> bool:
    if facts.agent_channels.unread(name):
        return False
    return name in facts.dst.channels or any(
        one.name == name and _is_present(one, facts.dst, report) for one in report.channels
    )


def _is_present(channel: Channel, profile: Profile, report: GuestReport) -> bool:
    """A service that answers 200 to anything (MD-2) shows no channel that is not claimed besides."""
    if channel.name in profile.channels or channel.name not in (OPENSTACK, EC2):
        return channel.present
    return channel.present and not any(one.path == NO_SUCH_FILE and one.status == 200 for one in report.requests)


def _no_http(facts: Facts, report: GuestReport) -> NotApplicable:
    if proof := facts.agent_channels.unread(OPENSTACK, EC2):
        return NotApplicable(proof)
    profile = facts.dst
    seen = ", ".join(one.name for one in report.channels if one.present) or "none"
    return NotApplicable(f"no metadata over HTTP: {profile.cloud} claims {', '.join(profile.channels)}; seen: {seen}")


def _disagreement(key: str, channels: list[Channel]) -> Finding | None:
    digests = {one.name: one.keys[key] for one in channels if key in one.keys}
    if len(set(digests.values())) < 2:
        return None
    actual = ", ".join(f"{name} {shorten(digest, 12)}" for name, digest in digests.items())
    remedy = "render the config drive anew after a change (rebuild, hard reboot), or stop offering two channels"
    return Finding(f"{shorten(key, 60)} in {' and '.join(digests)}", "one value in all", f"sha256 {actual}", remedy)


def _common(one: Channel, other: Channel) -> set[str]:
    return set(one.keys) & set(other.keys)
