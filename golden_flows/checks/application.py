"""Does Anne's application answer from outside, with her data, and only where she opened a port?"""

from __future__ import annotations

from golden_flows.errors import shorten
from golden_flows.model.check import check, given, unseen_inside
from golden_flows.model.facts import Facts
from golden_flows.model.finding import Finding, NotObserved, Said


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
