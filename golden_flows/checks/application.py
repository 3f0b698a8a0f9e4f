"""Does Anne's application answer from outside, with her data, and only where she opened a port?"""

from __future__ import annotations

from golden_flows.errors import shorten
from golden_flows.model.check import check, given, unseen_inside, verdict
from golden_flows.model.facts import Facts
from golden_flows.model.finding import Finding, NotApplicable, NotObserved, Said


@check("AP-1", needs=("boot", "application"))
def application_answers_with_its_nonce(facts: Facts) -> Said:
    """200 alone proves nothing: a captive page or another guest answers 200 too.

    The nonce comes in user data: where that never reached the guest, an old nonce says nothing (UD-1 does).
    """
    seen, report = given(facts.application), given(facts.boot).report
    subject = f"http://{seen.address}:{seen.port}/"
    expected = f"200 with nonce {seen.nonce_expected}"
    if seen.status == 200 and seen.nonce_found == seen.nonce_expected:
        return ()
    if seen.status == 200 and seen.nonce_found is not None and report is not None and not report.user_data.present:
        return NotObserved("user data never reached the guest, so its app cannot know the nonce (see UD-1)")
    remedy = "follow the address: floating IP, security group, the guest's service; who answers there?"
    if seen.status is None:
        actual = f"no answer ({shorten(seen.error, 160) or 'no reason given'})"
    elif seen.nonce_found is None:
        actual = f"{seen.status} without a nonce"
    else:
        actual = f"{seen.status} with nonce {shorten(seen.nonce_found, 80)}"
    return (Finding(subject, expected, actual, remedy),)


@check("AP-2", needs=("application",))
def unopened_port_is_closed(facts: Facts) -> Said:
    """A port where the guest listens and that no security group opens is not reached from outside."""
    seen = given(facts.application)
    if seen.closed_port_listening is not True:
        reason = f"nothing is known to listen on port {seen.closed_port} in the guest, so silence proves nothing"
        return unseen_inside(facts, reason)
    if seen.closed_port_open is None:
        return NotObserved(f"port {seen.closed_port} was not probed to an end")
    if not seen.closed_port_open:
        return ()
    subject = f"port {seen.closed_port} of {seen.address}, opened by no security group"
    remedy = "check that the firewall driver runs and port security is on"
    return (Finding(subject, "closed from outside", "open", remedy),)


@check("AP-3", needs=("application",))
def large_bodies_pass_both_ways(facts: Facts) -> Said:
    """Sixteen MiB come and ten go, whole: what stalls after the first packets is lost to a path that is too narrow."""
    seen = given(facts.application)
    if seen.status is None or seen.nonce_found != seen.nonce_expected:
        return NotApplicable(f"it is not Anne's app of this launch that answers at {seen.address} (see AP-1)")
    remedy = "look for a path with a smaller MTU than the network tells, and let ICMP 'fragmentation needed' through"
    findings: list[Finding] = []
    late = [
        f"{what} {seen.address}: {error}"
        for what, is_late, error in (
            ("the payload from", seen.payload_late, seen.payload_error),
            ("the body to", seen.sent_late, seen.sent_error),
        )
        if is_late
    ]
    # What the app has on its disk is AP-5's: here it is held against what came of it, where that is known.
    came, on_disk = seen.payload_served_sha256, seen.payload_guest_sha256 or seen.payload_served_sha256
    if not seen.payload_late and (
        seen.payload_error or came is None or came not in (on_disk, seen.payload_expected_sha256)
    ):
        actual = shorten(seen.payload_error or came or "no answer", 160)
        findings.append(Finding(f"payload from {seen.address}", "all of it, as the guest has it", actual, remedy))
    if not seen.sent_late and (seen.sent_error or seen.sent_found_sha256 != seen.sent_sha256):
        actual = shorten(seen.sent_error or seen.sent_found_sha256 or "no answer", 160)
        findings.append(Finding(f"sha256 of the body to {seen.address}", seen.sent_sha256, actual, remedy))
    return verdict(findings, late)


@check("AP-4", needs=("boot", "power", "user_data", "application"))
def application_is_back_after_a_stop_and_a_start(facts: Facts) -> Said:
    """The app that answered before answers again, and the primary port has the address that it had."""
    boot, power, seen = given(facts.boot), given(facts.power), given(facts.application)
    if given(facts.user_data).after_reboot is None or not power.ports or not boot.ports:
        return NotObserved("the guest was not seen again after its stop and start (see UD-3)")
    findings = []
    if power.app_before and seen.status is None:
        remedy = "start the service at every boot, not by user data; and see where its address has gone"
        findings.append(Finding(f"application at {seen.address} after a stop and a start", "an answer", "none", remedy))
    before = boot.ports[0]
    # On any port: one that was attached since may come first now. Whether the port is the same is LC-1's.
    addresses = [one.fixed_ip or "none" for one in power.ports if one.network == before.network]
    if before.fixed_ip not in addresses:
        remedy = "keep a port's address for as long as its server lives, running or not"
        actual = ", ".join(addresses) or "no port there"
        findings.append(Finding(f"address of the port on {before.network}", f"{before.fixed_ip}", actual, remedy))
    if findings or power.app_before:
        return tuple(findings)
    if seen.status is not None:
        return NotObserved(f"the application at {seen.address} answers now, and did not when it was asked before")
    return NotApplicable(f"no application answered at {seen.address} before either (see AP-1)")


@check("AP-5", needs=("application",))
def data_of_the_source_is_there(facts: Facts) -> Said:
    """What was written at home before the snapshot is read in the new cloud.

    The hash made in the guest decides. Where nobody could log in, what the app served does, if it was the right app.
    """
    seen = given(facts.application)
    found = seen.payload_guest_sha256
    if found is None and seen.nonce_found == seen.nonce_expected:
        found = seen.payload_served_sha256
    if found is None:
        return NotObserved("the payload was neither read in the guest nor served by Anne's app")
    if found == seen.payload_expected_sha256:
        return ()
    remedy = "export the snapshot of the running disk, taken after the data was written, not the image it came from"
    actual = shorten(found, 80) or "no such file in the guest"
    return (Finding("sha256 of the payload written before the snapshot", seen.payload_expected_sha256, actual, remedy),)
