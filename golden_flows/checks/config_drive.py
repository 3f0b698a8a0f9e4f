"""Is the config drive there, can every agent find what is on it, and who else may read it?"""

from __future__ import annotations

from golden_flows.errors import shorten
from golden_flows.model.check import SILENT_GUEST, check, given, verdict
from golden_flows.model.config_drive import FILESYSTEMS, ISO_EXTENSIONS, LABEL, TREE, ConfigDriveSeen
from golden_flows.model.facts import Facts
from golden_flows.model.finding import Finding, NotApplicable, NotObserved, Said
from golden_flows.model.guest import GuestReport

CHANNEL = "config-drive"
OTHERS_MAY_READ = 0o004
GROUP_OR_OTHERS_MAY = 0o077


@check("MD-9", needs=("boot",))
def config_drive_is_found_by_every_agent(facts: Facts) -> Said:
    """A cloud of config drives gives one, labelled ``config-2``, whose names are whole.

    ISO 9660 needs Joliet and Rock Ridge for them: without, agents meet ``OPENSTAC/LATEST/META_DAT.JSO``.
    """
    report = given(facts.boot).report
    if report is None:
        return SILENT_GUEST
    drive = report.config_drive
    if drive is None:
        return _no_drive(facts, report)
    subject = f"config drive {drive.device}"
    if drive.error:
        remedy = "look at it in another guest: mount it read-only, as iso9660 or vfat"
        return (Finding(subject, "a file system that mounts", shorten(drive.error, 120), remedy),)
    findings: list[Finding] = []
    unseen: list[str] = []
    if drive.label != LABEL:
        remedy = f"make it with the label {LABEL}; dosfstools before 4.2 puts it in capitals"
        findings.append(Finding(f"label of {subject}", LABEL, repr(shorten(drive.label, 40)), remedy))
    if drive.filesystem not in FILESYSTEMS:
        remedy = "set config_drive_format in nova.conf to iso9660 or vfat"
        found = shorten(drive.filesystem, 40)
        findings.append(Finding(f"file system of {subject}", " or ".join(FILESYSTEMS), found, remedy))
    missing = [one for one in ISO_EXTENSIONS if one not in drive.extensions] if drive.filesystem == "iso9660" else []
    if missing:
        remedy = "make it with genisoimage -J -r (nova's mkisofs_cmd)"
        found = ", ".join(drive.extensions) or "neither"
        findings.append(Finding(f"extensions of {subject}", " and ".join(ISO_EXTENSIONS), found, remedy))
    if not drive.names:
        unseen.append("the guest reported no names on the drive")
    absent = [path for path in TREE if path not in drive.names]
    if drive.names and absent:
        remedy = "let nova write the whole tree; names that are cut lack the file system's long names"
        found = shorten(", ".join(drive.names), 160)
        findings.append(Finding(f"tree of {subject}", ", ".join(absent), found, remedy))
    return verdict(findings, unseen)


def _no_drive(facts: Facts, report: GuestReport) -> Said:
    channel = next((one for one in report.channels if one.name == CHANNEL), None)
    if proof := facts.agent_channels.unread(CHANNEL):
        return NotApplicable(proof)
    claimed = ", ".join(facts.dst.channels) or "nothing"
    if CHANNEL not in facts.dst.channels:
        if channel is None:
            return NotObserved("the guest did not say whether it has a config drive")
        if channel.present:
            return NotObserved("the guest read a config drive and did not describe it")
        return NotApplicable(f"no config drive was asked for, and none is there: {facts.dst.cloud} claims {claimed}")
    if channel is None or channel.present:
        return NotObserved("the guest did not describe its config drive")
    if facts.agent_channels.unsure:
        return NotObserved(facts.agent_channels.unsure)
    remedy = "see whether the server was given one (API: config_drive), and whether the guest has drivers for its bus"
    return (
        Finding("config drive", f"a disk or disc labelled {LABEL}", shorten(channel.reason, 120) or "none", remedy),
    )


@check("AU-8", needs=("boot",))
def password_on_the_drive_is_nobody_else_s(facts: Facts) -> Said:
    """A password that lies in clear on the config drive was asked for, and only root may read it there and later.

    Nova puts the password of every server on its drive, whether anybody asked for one or not.
    """
    report = given(facts.boot).report
    if report is None:
        return SILENT_GUEST
    drive = report.config_drive
    if drive is None:
        if proof := facts.agent_channels.unread(CHANNEL):
            return NotApplicable(proof)
        if CHANNEL in facts.dst.channels:
            return NotObserved("the guest did not describe its config drive (see MD-9)")
        return NotApplicable(f"no config drive: {facts.dst.cloud} claims {', '.join(facts.dst.channels) or 'nothing'}")
    if drive.admin_pass is None:
        return NotObserved("the guest did not say whether a password lies on its config drive")
    if not drive.admin_pass:
        return NotApplicable(f"no password lies on {drive.device}")
    return verdict(*_exposures(facts, drive))


def _exposures(facts: Facts, drive: ConfigDriveSeen) -> tuple[list[Finding], list[str]]:
    findings: list[Finding] = []
    unseen: list[str] = []
    if "password" not in facts.dst.auth:
        asked = ", ".join(facts.dst.auth) or "nothing"
        remedy = "the drive stays attached: lock the account, or let the agent overwrite the password at first boot"
        subject = f"admin_pass on {drive.device}"
        findings.append(Finding(subject, f"none: the server was launched with {asked}", "a password in clear", remedy))
    mode = _mode(drive.mode)
    if mode is None:
        unseen.append(f"the permissions of {drive.device}")
    elif mode & OTHERS_MAY_READ:
        remedy = "let udev give block devices to root and a group only (0660)"
        findings.append(Finding(f"permissions of {drive.device}", "not readable by every user", f"{mode:04o}", remedy))
    for path, told in drive.kept.items():
        mode = _mode(told)
        if mode is None:
            unseen.append(f"the permissions of {shorten(path, 60)}")
        elif mode & GROUP_OR_OTHERS_MAY & ~0o040:
            remedy = "keep what became of the password readable by root alone (0600, or 0640 with group shadow)"
            findings.append(Finding(f"permissions of {shorten(path, 60)}", "0640 or less", f"{mode:04o}", remedy))
    return findings, [f"the guest did not tell {', '.join(unseen)}"] if unseen else []


def _mode(told: str | None) -> int | None:
    return int(told, 8) if told and len(told) <= 5 and all(one in "01234567" for one in told) else None
