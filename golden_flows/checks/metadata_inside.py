"""Does the metadata service hold when somebody in the guest asks for what agents do not ask?"""

from __future__ import annotations

from golden_flows.errors import shorten
from golden_flows.model.check import check, given, verdict
from golden_flows.model.facts import Facts
from golden_flows.model.finding import Finding, NotApplicable, NotObserved, Said
from golden_flows.model.metadata_seen import AGENT_BUDGET_S, MetadataAnswer, MetadataSeen

FAST_S = 5.0
"""For a path that does not exist. Half of what agents wait; an emulated guest under load may take a second or two."""
REMEDY_IDENTITY = (
    "identify a guest by its port alone: strip these headers, and tell networks with equal addresses apart"
)


@check("MD-4", needs=("metadata_seen",))
def missing_path_is_404_and_fast(facts: Facts) -> Said:
    """Agents take 404 for "not there" and go on; anything else they retry, for minutes."""
    seen = _answered(facts)
    if not isinstance(seen, MetadataSeen):
        return seen
    remedy = "ask nova-api-metadata directly: if it answers 404 at once, the proxy in front of it does not"
    findings = []
    for one in seen.missing:
        slow = one.elapsed_s is not None and one.elapsed_s > FAST_S
        if one.status != 404 or slow:
            actual = f"{one}{f' after {one.elapsed_s:.1f} s' if slow else ''}"
            findings.append(Finding(f"metadata {one.what}", f"404 within {FAST_S:.0f} s", actual, remedy))
    return verdict(findings, [] if seen.missing else ["no missing path was asked for"])


@check("MD-5", needs=("metadata_seen",))
def metadata_arrives_as_it_was_given(facts: Facts) -> Said:
    """Every value that the server was launched with, character by character; the cloud may add keys of its own."""
    seen = _openstack(facts)
    if not isinstance(seen, MetadataSeen):
        return seen
    remedy = "look for a text codec on the way: the API's database, or the renderer of meta_data.json"
    if seen.meta_read is None:
        return (Finding("meta in meta_data.json", "an object of texts", "something else", remedy),)
    return tuple(
        Finding(f"metadata value {key}", ascii(asked), _quoted(seen.meta_read.get(key)), remedy)
        for key, asked in seen.meta_asked.items()
        if seen.meta_read.get(key) != asked
    )


@check("MD-6", needs=("metadata_seen",))
def forged_headers_are_ignored(facts: Facts) -> Said:
    """A guest that sends what proxies send gets the same data as ever: its own."""
    seen = _answered(facts)
    if not isinstance(seen, MetadataSeen):
        return seen
    if not seen.owned:
        name = facts.dst.cloud
        return NotApplicable(f"a hostile check, and nobody said that {name} is theirs (--i-own-this-cloud {name})")
    own = seen.own.identity if seen.own else None
    findings = [
        Finding(f"metadata asked with {one.what}", f"200 for {own}", _whose(one), REMEDY_IDENTITY)
        for one in seen.forged
        if one.status != 200 or one.identity != own
    ]
    return verdict(findings, [] if seen.forged else ["no forged request was sent"])


@check("MD-7", needs=("boot", "metadata_seen"))
def second_address_is_the_same_server(facts: Facts) -> Said:
    """Asked from the address of the second NIC, the service knows the same server, or does not answer."""
    seen, ports = _answered(facts), given(facts.boot).ports
    if not isinstance(seen, MetadataSeen):
        return seen
    if len(ports) < 2:
        return NotApplicable("the server has one NIC")
    if ports[1].fixed_ip is None:
        return NotApplicable(f"the port on {ports[1].network} has no fixed address to ask from")
    if any(":" in (one.fixed_ip or "") for one in ports[:2]):
        return NotApplicable(
            "over IPv6 metadata is asked from link-local addresses, which every network has of its own"
        )
    own = seen.own.identity if seen.own else None
    asked = [one for one in seen.second if not _could_not_ask(one)]
    findings = [
        Finding(f"metadata asked {one.what}", f"{own}, or a refusal", _whose(one), REMEDY_IDENTITY)
        for one in asked
        if one.status == 200 and one.identity != own
    ]
    if not asked:
        return NotApplicable(f"the guest has no NIC with {ports[1].fixed_ip} to ask from (N2-1 says more)")
    return tuple(findings)


@check("MD-12", needs=("metadata_seen",))
def many_requests_are_answered_in_time(facts: Facts) -> Said:
    """Neither in a row nor at once does the service fail, or take longer than agents wait. Latencies are evidence."""
    seen = given(facts.metadata_seen)
    if seen.own is None:
        return _nothing_asked(facts, seen)
    groups = [("alone", (seen.own,)), ("one after another", seen.in_turn), ("at the same time", seen.at_once)]
    remedy = "look at what is rendered anew for each request (vendor data of other services), and add workers"
    findings = []
    for how, answers in groups:
        bad = [one for one in answers if one.status is None or one.status >= 500]
        if bad:
            subject = f"{len(answers)} metadata requests {how}"
            actual = f"{len(bad)} otherwise: {', '.join(sorted({str(one) for one in bad})[:3])}"
            findings.append(Finding(subject, f"answered within {AGENT_BUDGET_S:.0f} s, none by 5xx", actual, remedy))
    return verdict(findings, [] if seen.in_turn and seen.at_once else ["the requests were not sent"])


@check("MD-14", needs=("metadata_seen",))
def changed_metadata_reaches_the_guest(facts: Facts) -> Said:
    """A value set through the API is read in the guest 20 s later; Nova's own cache lives for 15 s."""
    seen = _openstack(facts)
    if not isinstance(seen, MetadataSeen):
        return seen
    change = seen.change
    if change is None:
        return NotObserved("the metadata was not changed, as it could not be read before")
    if change.status in (403, 405, 501):
        why = shorten(change.message, 120)
        return NotApplicable(f"{facts.dst.cloud} lets no tenant change metadata: HTTP {change.status} {why}".rstrip())
    if not 200 <= change.status < 300:
        return NotObserved(f"changing metadata: HTTP {change.status} {shorten(change.message, 120)}".rstrip())
    if change.seen == change.asked:
        return ()
    remedy = "check metadata_cache_expiration, and that all metadata workers share one cache"
    actual = f"{_quoted(change.seen)} after {change.waited_s:.0f} s"
    return (Finding("metadata changed through the API, read in the guest", repr(change.asked), actual, remedy),)


def _answered(facts: Facts) -> MetadataSeen | NotApplicable | NotObserved:
    """What was seen, where the service answered at all."""
    seen = given(facts.metadata_seen)
    if seen.own is None:
        return _nothing_asked(facts, seen)
    if seen.own.status != 200 or seen.own.identity is None:
        return NotObserved(f"asked from inside for its own data, the guest got: {_whose(seen.own)} (see MD-2, MD-12)")
    return seen


def _openstack(facts: Facts) -> MetadataSeen | NotApplicable | NotObserved:
    seen = _answered(facts)
    if isinstance(seen, MetadataSeen) and seen.tree != "openstack-http":
        return NotApplicable(f"only the EC2 tree is there, which does not carry it: {_claims(facts)}")
    return seen


def _nothing_asked(facts: Facts, seen: MetadataSeen) -> NotApplicable | NotObserved:
    if seen.behind:
        return NotApplicable(f"in the guest, shim {seen.behind} answers at 169.254.169.254, not {facts.dst.cloud}")
    if not seen.tree:
        return NotApplicable(f"no metadata over HTTP was seen, and {_claims(facts)}")
    return NotObserved(seen.unseen or "the metadata service was not asked from inside")


def _claims(facts: Facts) -> str:
    return f"{facts.dst.cloud} claims {', '.join(facts.dst.channels) or 'no channel'}"


def _could_not_ask(one: MetadataAnswer) -> bool:
    """The guest has no such address, or may not choose a NIC: nothing was sent."""
    return one.status is None and any(word in one.error for word in ("Errno 99", "Errno 19", "Errno 1]"))


def _whose(one: MetadataAnswer) -> str:
    return f"{one} for {shorten(one.identity or 'nobody', 60)}" if one.status == 200 else str(one)


def _quoted(text: str | None) -> str:
    return "nothing" if text is None else shorten(ascii(text), 120)
