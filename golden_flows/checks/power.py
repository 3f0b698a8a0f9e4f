"""Does the guest hear that it should shut down, and is it in order inside: no leftovers that fail, no lost writes?"""

from __future__ import annotations

import re

from golden_flows.errors import shorten
from golden_flows.model.check import SILENT_GUEST, check, given, unseen_inside, verdict
from golden_flows.model.facts import Facts, latest_report
from golden_flows.model.finding import Finding, NotApplicable, NotObserved, Said

GRACEFUL_S = 60.0
"""How long Nova by default lets a guest shut down before it takes the power away (``shutdown_timeout``)."""

RESTARTS_MAX = 2

NOT_CLEAN = re.compile(
    r"recovery (?:required|complete)|needs journal recovery|starting recovery|ending recovery|orphan cleanup"
    r"|not (?:cleanly|properly) (?:unmounted|umounted)|unclean shutdown|log replay",
    re.IGNORECASE,
)
"""What ext4, XFS, Btrfs and FAT drivers say of a file system that was not unmounted."""

MOUNTED = re.compile(r"mounted filesystem|Mounting V\d|clean mount|BTRFS.*(?:first mount|using)", re.IGNORECASE)
"""The kernel tells of mounts at all, so its silence on recoveries means something."""


@check("PV-3", needs=("boot", "auth"))
def nothing_of_another_platform_fails(facts: Facts) -> Said:
    """Tools of the cloud that the guest came from find another hypervisor: they must rest, not crash and come again."""
    report = latest_report(given(facts.boot), given(facts.auth))
    if report is None:
        return SILENT_GUEST
    if report.services is None:
        return NotObserved("the guest did not tell of its platform services")
    if not report.services:
        return NotApplicable("the guest tells of no service that belongs to a platform (guest tools, agents)")
    remedy = "remove or disable the tools of other hypervisors before the export; install those of the destination"
    findings: list[Finding] = []
    for one in report.services:
        if one.state == "failed" or one.restarts > RESTARTS_MAX:
            actual = f"{shorten(one.state, 20)}, restarted {one.restarts} times in this boot"
            findings.append(Finding(f"service {shorten(one.name, 60)}", "running or at rest", actual, remedy))
    return tuple(findings)


@check("PV-5", needs=("user_data", "power", "application"))
def stop_shuts_the_guest_down(facts: Facts) -> Said:
    """``os-stop`` reaches the guest, which unmounts its file systems; a server that is killed shows SHUTOFF too.

    So the next boot's kernel is asked whether it had to repair anything.
    """
    power, after = given(facts.power), given(facts.user_data).after_reboot
    if power.refused:
        return NotApplicable(f"{facts.dst.cloud} lets no tenant stop a server: {shorten(power.refused, 200)}")
    subject = "server after os-stop"
    remedy = "give guests a power button that they hear: ACPI with acpid or logind, Xen's control/shutdown, guest tools"
    findings: list[Finding] = []
    if power.seconds_to_shutoff is None:
        actual = f"{power.last_status or 'unknown'} after {power.waited_s:.0f} s"
        return (Finding(subject, f"SHUTOFF within {GRACEFUL_S:.0f} s", actual, remedy),)
    if power.seconds_to_shutoff > GRACEFUL_S:
        actual = f"SHUTOFF after {power.seconds_to_shutoff:.0f} s, when nova takes the power away"
        findings.append(Finding(subject, f"SHUTOFF within {GRACEFUL_S:.0f} s", actual, remedy))
    unseen: list[str] = []
    log = given(facts.application).kernel_log
    if after is None:
        unseen.append("the guest did not report after it was started again (see UD-3)")
    elif log is None:
        if not findings:
            return unseen_inside(facts, "the kernel's log could not be read in the guest")
    elif log.boot_id != after.boot_id:
        unseen.append("the kernel's log is not of the boot after the stop")
    else:
        repaired = [line for line in log.lines if NOT_CLEAN.search(line)]
        actual = f"after {power.seconds_to_shutoff:.0f} s to SHUTOFF the next boot had to repair it"
        findings += [
            Finding("file system after os-stop", "unmounted", f"{actual}: {shorten(line, 160)!r}", remedy)
            for line in repaired[:1]
        ]
        if not any(MOUNTED.search(line) for line in log.lines):
            unseen.append("the kernel's log tells of no mount, so its silence on repairs proves nothing")
    return verdict(findings, unseen)
