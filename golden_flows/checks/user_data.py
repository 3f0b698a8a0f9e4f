"""Did the user data arrive byte for byte, and run exactly once? And the files that were asked for beside it?"""

from __future__ import annotations

from golden_flows.errors import shorten
from golden_flows.model.check import SILENT_GUEST, check, given, verdict
from golden_flows.model.cloud import FILE_CHANNELS, INJECTION, USER_DATA_CHANNELS
from golden_flows.model.facts import Facts
from golden_flows.model.files import Answer, FileFacts, InjectedFile
from golden_flows.model.finding import Finding, NotApplicable, NotObserved, Said
from golden_flows.model.guest import GuestReport

OTHERS_MAY_WRITE = 0o002
SET_ID = 0o6000


@check("UD-1", needs=("user_data",))
def user_data_arrives_unchanged(facts: Facts) -> Said:
    """SHA-256 of what the guest got against what was sent, NUL and 0xff included."""
    sent = given(facts.user_data)
    if sent.first is None:
        return SILENT_GUEST
    if proof := _none_carried(facts, sent.first):
        return proof
    got = sent.first.user_data
    expected = f"{sent.sent_bytes} bytes, sha256 {sent.sent_sha256}"
    if not got.present:
        remedy = "check that create keeps user_data and that the metadata serves it"
        return (Finding("user data in the guest", expected, "none", remedy),)
    if got.sha256 is None:
        return NotObserved("the guest reported no hash of its user data")
    if got.sha256 == sent.sent_sha256:
        return ()
    remedy = "user data is bytes: decode base64 once, and never pass it through a text codec"
    return (Finding("user data in the guest", expected, f"{got.bytes} bytes, sha256 {got.sha256}", remedy),)


@check("UD-2", needs=("user_data",))
def user_data_runs_once_as_root_with_network(facts: Facts) -> Said:
    """By the first report it has run once, as uid 0, after the network, and ended with 0."""
    sent = given(facts.user_data)
    if sent.first is None:
        return SILENT_GUEST
    if proof := _none_carried(facts, sent.first):
        return proof
    run = sent.first.user_data
    if run.run_count != 1:
        remedy = "see UD-1 where it never arrived; otherwise read the agent's log on the console"
        return (Finding("user data at first boot", "run once", f"run {run.run_count} times", remedy),)
    findings: list[Finding] = []
    unseen: list[str] = []
    for what, expected, actual in (
        ("uid of the user data", 0, run.uid),
        ("network when the user data ran", True, run.network_up),
        ("exit code of the user data", 0, run.exit_code),
    ):
        if actual is None:
            unseen.append(f"the guest did not report the {what}")
        elif actual != expected:
            remedy = "read the script's output on the console; an agent must run it as root after its network phase"
            findings.append(Finding(what, _word(expected), _word(actual), remedy))
    return verdict(findings, unseen)


@check("UD-3", needs=("user_data",))
def reboot_does_not_run_it_again(facts: Facts) -> Said:
    """After a reboot the instance is the same instance, so what runs per instance does not run again."""
    sent = given(facts.user_data)
    if sent.first is None:
        return SILENT_GUEST
    if proof := _none_carried(facts, sent.first):
        return proof
    first, after = sent.first, sent.after_reboot
    if after is None:
        return NotObserved(f"no report after the reboot: {shorten(sent.reboot_error, 200) or 'no reason given'}")
    if after.boot_id == first.boot_id:
        return NotObserved(f"the guest did not reboot: still boot id {shorten(after.boot_id, 60)}")
    if not first.user_data.run_count:
        return NotObserved("the user data never ran at first boot (see UD-2), so it cannot run again")
    remedy = "keep the instance uuid in the metadata over reboots: agents take a new one for a new instance"
    findings: list[Finding] = []
    unseen: list[str] = []
    # The EC2 tree tells no uuid, and agents take its instance-id for the instance's.
    told, again = ((one.identity.uuid or one.identity.ec2_instance_id or "").lower() for one in (first, after))
    if not told or not again:
        unseen.append("the guest reported no instance uuid before or after the reboot")
    elif again != told:
        findings.append(Finding("instance uuid after a reboot", shorten(told, 60), shorten(again, 60), remedy))
    counts = (first.user_data.run_count, after.user_data.run_count)
    if after.user_data.ran_this_boot or counts[0] != counts[1]:
        actual = f"{counts[1]} runs, {'one' if after.user_data.ran_this_boot else 'none'} of them in this boot"
        findings.append(Finding("user data after a reboot", f"{counts[0]} run(s), none in this boot", actual, remedy))
    return verdict(findings, unseen)


@check("UD-6", needs=("limits",))
def the_limit_of_user_data_is_kept(facts: Facts) -> Said:
    """65,535 base64 characters are taken, and one more is refused: nothing is cut in silence."""
    asked = given(facts.limits)
    findings: list[Finding] = []
    if not asked.longest.accepted:
        remedy = "let the compute API take user data of 65,535 base64 characters; look for a proxy that limits bodies"
        findings.append(Finding(asked.longest.asked, "HTTP 202", _told(asked.longest), remedy))
    if asked.too_long.accepted:
        remedy = "refuse user data that is too long: what is cut runs half, and nobody is told"
        findings.append(Finding(asked.too_long.asked, "HTTP 400", "HTTP 202", remedy))
    elif asked.too_long.status not in (400, 413):
        remedy = "answer 400 to user data that is too long"
        findings.append(Finding(asked.too_long.asked, "HTTP 400", _told(asked.too_long), remedy))
    return tuple(findings)


@check("UD-8", needs=("files", "limits"))
def files_arrive_whole_and_nowhere_else(facts: Facts) -> Said:
    """The files asked for at launch are in the guest, byte for byte and root's own; ``..`` and links are refused.

    Paths are tried only where the host writes into disks: a config drive leaves it to the agent in the guest.
    """
    seen, limits = given(facts.files), given(facts.limits)
    if not seen.files:
        return _no_files(facts, seen)
    reads = facts.agent_channels.reads
    if reads and not {*reads, INJECTION} & set(seen.carriers):  # what is injected lies in the disk, whatever is read
        told = f"the image's agent reads {', '.join(reads)}"
        return NotApplicable(f"{told}; to {facts.dst.cloud} files travel by {', '.join(seen.carriers)} only")
    findings: list[Finding] = []
    unseen: list[str] = []
    for file in seen.files:
        findings += _file_defects(file, seen)
        if file.found_sha256 is not None and file.mode is None:
            unseen.append(f"owner and mode of {file.path} could not be read")
    for answer in limits.hostile_files:
        if answer.accepted and answer.server_status != "ERROR":
            remedy = (
                "refuse paths that are not normal or lead through a link before anything is written (CVE-2012-3361)"
            )
            actual = f"HTTP {answer.status}, then {answer.server_status or 'unknown'}"
            findings.append(Finding(shorten(answer.asked, 120), "refused, or a server in ERROR", actual, remedy))
    if INJECTION in facts.dst.channels and not limits.hostile_files:
        unseen.append("no file with a hostile path was asked for")
    return verdict(findings, unseen)


def _file_defects(file: InjectedFile, seen: FileFacts) -> list[Finding]:
    subject, carriers = f"injected file {file.path}", ", ".join(seen.carriers)
    if file.found_sha256 != file.sent_sha256:
        expected = f"{file.sent_bytes} bytes, sha256 {file.sent_sha256}"
        actual = f"sha256 {shorten(file.found_sha256, 80)}" if file.found_sha256 else "no such file"
        remedy = f"files must reach the guest by {carriers}, and its agent must write them at the first boot"
        return [Finding(subject, expected, actual, remedy)]
    if file.mode is None:
        return []
    remedy = "write injected files as root, closed to others"
    findings: list[Finding] = []
    if (file.owner, file.group) != (0, 0):
        findings.append(Finding(f"owner of {subject}", "0:0", f"{file.owner}:{file.group}", remedy))
    if file.mode & (OTHERS_MAY_WRITE | SET_ID):
        findings.append(
            Finding(f"mode of {subject}", "nobody else may write, no set-id bits", f"{file.mode:o}", remedy)
        )
    return findings


def _no_files(facts: Facts, seen: FileFacts) -> NotApplicable:
    cloud, channels = facts.dst.cloud, ", ".join(facts.dst.channels)
    if not seen.carriers:
        return NotApplicable(f"{cloud} claims {channels}; files travel by {', '.join(FILE_CHANNELS)} only")
    return NotApplicable(f"the API of {cloud} takes no files: maxPersonality is {seen.allowed}")


def _none_carried(facts: Facts, report: GuestReport) -> NotApplicable | None:
    """The proof that this cloud has no way to carry user data; None where it claims one, or the guest saw one."""
    seen = [one.name for one in report.channels if one.present]
    if facts.dst.carries_user_data or report.user_data.present or set(seen) & set(USER_DATA_CHANNELS):
        return None
    told = f"{facts.dst.cloud} claims {', '.join(facts.dst.channels)}; the guest saw {', '.join(seen) or 'none'}"
    return NotApplicable(f"no channel that carries user data: {told}")


def _told(answer: Answer) -> str:
    return f"HTTP {answer.status} {shorten(answer.message, 160)}".rstrip()


def _word(value: int | bool) -> str:
    return ("up" if value else "down") if isinstance(value, bool) else str(value)
