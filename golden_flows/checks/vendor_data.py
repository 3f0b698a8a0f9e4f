"""Does a service of the operator's that does not answer leave the guest in peace?"""

from __future__ import annotations

from golden_flows.errors import shorten
from golden_flows.model.check import SILENT_GUEST, check, given
from golden_flows.model.facts import Facts
from golden_flows.model.finding import Finding, NotApplicable, NotObserved, Said

CARRIERS = ("config-drive", "openstack-http")
STATIC = "static"
DOCUMENT = "vendor_data2.json"


@check("MD-13", needs=("boot",))
def dead_vendor_service_costs_its_own_part_only(facts: Facts) -> Said:
    """``vendor_data2.json`` has a part for each of the operator's services: what it answered, ``{}`` where it is dead.

    Nova asks them while a guest waits for its metadata, so a dead one must cost neither the document nor the boot.
    """
    report = given(facts.boot).report
    if report is None:
        return SILENT_GUEST
    carriers = [one for one in report.channels if one.name in CARRIERS and one.present]
    targets = facts.dst.vendor_data_targets
    if not carriers:
        seen = ", ".join(one.name for one in report.channels if one.present) or "none"
        if targets and any(one in facts.dst.channels for one in CARRIERS):
            return NotObserved(f"no channel with vendor data was read (see MD-10); seen: {seen}")
        return NotApplicable(f"no channel carries {DOCUMENT}; seen: {seen}")
    dynamic = {name for one in carriers for name in one.vendor_parts or () if name != STATIC}
    if not targets and not dynamic:
        return NotApplicable(f"{facts.dst.cloud} claims no dynamic vendor data (vendor_data_targets), and serves none")
    remedy = "set vendordata_dynamic_failure_fatal to false, and time limits below what agents wait for"
    findings: list[Finding] = []
    for channel in carriers:
        subject = f"{DOCUMENT} in {channel.name}"
        if channel.vendor_parts is None:
            expected = f"an object with {', '.join(targets) or 'its parts'}, {{}} where a service is dead"
            findings.append(Finding(subject, expected, "no such document", remedy))
            continue
        missing = [name for name in targets if name not in channel.vendor_parts]
        wrong = [name for name, entries in channel.vendor_parts.items() if entries is None]
        findings += [
            Finding(f"{subject}, part {shorten(name, 40)}", "an object, {} where the service is dead", what, remedy)
            for names, what in ((missing, "not there"), (wrong, "no object"))
            for name in names
        ]
    return tuple(findings)
