"""Did the user data arrive byte for byte, and run exactly once?"""

from __future__ import annotations

from golden_flows.errors import shorten
from golden_flows.model.check import SILENT_GUEST, check, given, verdict
from golden_flows.model.facts import Facts
from golden_flows.model.finding import Finding, NotObserved, Said


@check("UD-1", needs=("user_data",))
def user_data_arrives_unchanged(facts: Facts) -> Said:
    """SHA-256 of what the guest got against what was sent, NUL and 0xff included."""
    sent = given(facts.user_data)
    if sent.first is None:
        return SILENT_GUEST
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


def _word(value: int | bool) -> str:
    return ("up" if value else "down") if isinstance(value, bool) else str(value)
