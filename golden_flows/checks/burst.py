"""Do many instances of the image come up together, each at work, and each a machine of its own?

Room is nobody's defect: where quota or hosts end, the burst did not come up, and nothing more is known of the pair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from golden_flows.errors import shorten
from golden_flows.model.burst import BurstFacts, BurstServer, why_missing
from golden_flows.model.check import check, given, verdict
from golden_flows.model.ec2 import only_ec2
from golden_flows.model.facts import Facts
from golden_flows.model.finding import Finding, NotApplicable, NotObserved, Said
from golden_flows.model.guest import MACHINE_IDS, canonical_mac
from golden_flows.model.network_data import bare_ip

NAMED_MAX = 6
"""So many instances are named in one finding; of more only the number."""
FINDINGS_MAX = 12


@check("BU-1", needs=("burst",))
def all_come_up_and_answer(facts: Facts) -> Said:
    """As many as were asked for are ACTIVE, and Anne's app answers on each from outside, while all are at work."""
    seen = given(facts.burst)
    if not seen.missing and seen.servers and not seen.error:
        return ()
    if seen.error or not seen.servers:
        return NotObserved(f"{_count(seen)}; it was not followed to its end: {shorten(seen.error, 300)}")
    if seen.lacks_room:
        reasons = "; ".join(dict.fromkeys(shorten(one.fault or one.untaken, 200) for one in seen.missing))
        return NotObserved(f"no room, which is no defect of the pair: {_count(seen)}: {reasons}")
    remedy = "see the consoles in the evidence; a cloud that takes min_count makes as many, or refuses"
    by_reason: dict[str, list[BurstServer]] = {}
    for one in seen.failed:
        by_reason.setdefault(why_missing(one), []).append(one)
    findings = [
        Finding(_named(group), "up, and Anne's app answers with the nonce of this burst", shorten(why, 200), remedy)
        for why, group in by_reason.items()
    ]
    unasked = [one for one in seen.missing if one.is_unasked]
    return verdict(findings, [f"{one.name}: {shorten(why_missing(one), 200)}" for one in unasked[:NAMED_MAX]])


@check("BU-2", needs=("boot", "burst"))
def nobody_shares_an_identity(facts: Facts) -> Said:
    """Ids, addresses, MACs, host keys, machine-ids, and what the kernel draws at random: all different.

    Instances that grow out of one running template share its random numbers where nobody tells their kernels.
    """
    seen = given(facts.burst)
    if seen.asked == 1:
        return NotApplicable("a burst of one has nobody to share anything with")
    if len(seen.up) < 2:
        return NotObserved(f"{_count(seen)} (see BU-1): nobody could share anything")
    cannot = given(facts.boot).agent_cannot.get(MACHINE_IDS, "")
    findings: list[Finding] = []
    kept = False
    for what, values_of in _IDENTITIES.items():
        for value, group in _shared(seen.up, values_of):
            if what == "machine-id" and cannot:
                kept = True
                continue
            remedy = "serve a uuid of its own to every server, let agents make keys anew, and tell clones that they are"
            findings.append(Finding(f"{what} of {_named(group)}", "one for each", shorten(value, 60), remedy))
    unseen = [*_not_up(seen), *(f"{one.name}: {_why_unseen(one)}" for one in seen.up if one.host_key is None)]
    if facts.dst.auth:  # launched with no way in, nobody was to look inside
        unseen += [f"{one.name}: no look at its machine-id" for one in seen.up if one.machine_id is None]
    for one in seen.up:
        if not one.words[2] and not (one.told and one.told.boot_id):
            unseen.append(f"{one.name}: nothing was seen that its kernel drew at random")
    if kept and not findings and not unseen:
        return NotApplicable(f"all but their machine-ids are different: {cannot}")
    return verdict(findings[:FINDINGS_MAX], unseen)


@check("BU-3", needs=("burst",))
def each_is_told_its_own(facts: Facts) -> Said:
    """Uuid and host name by its metadata are its own, and its user data is what was sent, and ran.

    All of one request share their user data; each has its app answer with the host name that it was told.
    """
    seen = given(facts.burst)
    if not seen.up:
        return NotObserved(f"{_count(seen)} (see BU-1): nobody was told anything")
    findings: list[Finding] = []
    unseen = _not_up(seen)
    for one in seen.up:
        if one.told is None:
            unseen.append(f"{one.name}: {_why_unseen(one)}")
        elif not (one.told.uuid or one.told.hostname or one.words[1] or seen.sent_sha256):
            unseen.append(f"{one.name}: it said nothing of what it was told")
        findings += _misled(one, seen.sent_sha256)
    return verdict(findings[:FINDINGS_MAX], unseen)


@check("BU-4", needs=("boot", "burst"))
def further_nics_are_right_on_each(facts: Facts) -> Said:
    """On every instance, each NIC after the first carries the address of its own port."""
    seen, boot = given(facts.burst), given(facts.boot)
    if len(boot.ports) < 2:
        return NotApplicable("the servers have one NIC each")
    if boot.report and (proof := only_ec2(boot.report, facts.dst.channels)):
        return NotApplicable(f"{proof}, which tells of no NIC")
    if not seen.up:
        return NotObserved(f"{_count(seen)} (see BU-1): no NIC to look at")
    findings: list[Finding] = []
    unseen = _not_up(seen)
    for one in seen.up:
        if one.told is None:
            unseen.append(f"{one.name}: {_why_unseen(one)}")
        elif not one.told.links or not one.nics:
            unseen.append(f"{one.name}: its NICs are not known")
        elif len(one.nics) < len(boot.ports):
            more = "give every server of one request the ports that the others have"
            findings.append(Finding(f"ports of {one.name}", str(len(boot.ports)), str(len(one.nics)), more))
        elif without := [nic.mac for nic in one.nics[1:] if not nic.addresses]:
            unseen.append(f"{one.name}: the API knows no address of {', '.join(without)}")
        else:
            findings += _wrong_nics(one)
    return verdict(findings[:FINDINGS_MAX], unseen)


@check("BU-5", needs=("burst",))
def nothing_is_left_of_the_burst(facts: Facts) -> Said:
    """When all of it has been deleted, an inventory shows what it showed before."""
    seen = given(facts.burst)
    if seen.leftovers:
        remedy = "run `golden-flows clean`; read nova-compute's log for what became of the deletion"
        more = f" and {len(seen.leftovers) - NAMED_MAX} more" if len(seen.leftovers) > NAMED_MAX else ""
        left = ", ".join(shorten(one, 80) for one in seen.leftovers[:NAMED_MAX])
        return (Finding(f"the burst on {facts.dst.cloud}, deleted", "nothing left", f"{left}{more}", remedy),)
    if seen.deletion_errors:
        return NotObserved("; ".join(shorten(one, 200) for one in seen.deletion_errors[:NAMED_MAX]))
    if not seen.deleted:
        return NotObserved(f"{_count(seen)} (see BU-1): there was nothing to delete")
    return ()


_IDENTITIES: dict[str, Callable[[BurstServer], Sequence[str | None]]] = {
    "id": lambda one: (one.id,),
    "address": lambda one: [f"{address} on {nic.network}" for nic in one.nics for address in nic.addresses],
    "MAC": lambda one: [canonical_mac(nic.mac) for nic in one.nics],
    "SSH host key": lambda one: (one.host_key, *(one.told.host_keys if one.told else ())),
    "machine-id": lambda one: (one.machine_id,),
    "EC2 instance-id": lambda one: (one.told.ec2_instance_id if one.told else None,),
    "boot id": lambda one: (one.told.boot_id if one.told else None,),
    "random uuid": lambda one: (one.words[2],),
}
"""What must tell one from the other; what is unknown or empty tells nothing."""


def _shared(
    servers: Sequence[BurstServer], values_of: Callable[[BurstServer], Sequence[str | None]]
) -> Iterator[tuple[str, list[BurstServer]]]:
    holders: dict[str, list[BurstServer]] = {}
    for one in servers:
        for value in dict.fromkeys(filter(None, values_of(one))):
            holders.setdefault(value, []).append(one)
    return ((value, group) for value, group in holders.items() if len(group) > 1)


def _misled(one: BurstServer, sent_sha256: str) -> Iterator[Finding]:
    told, own_host = one.told, one.full_name.lower()
    remedy = "the metadata service takes this server for another: look at how it knows who asks"
    if told is not None and told.uuid is not None and told.uuid.lower() != one.id.lower():
        yield Finding(f"uuid that {one.name} was told", one.id, shorten(told.uuid, 60), remedy)
    hosts = {_first_label(host) for host in (told.hostname if told else None, one.words[1]) if host}
    if wrong := sorted(hosts - {_first_label(own_host)}):
        yield Finding(f"host name of {one.name}", own_host, shorten(", ".join(wrong), 120), remedy)
    if told is None or not sent_sha256:
        return
    if told.user_data_sha256 != sent_sha256:
        actual = f"sha256 {told.user_data_sha256}" if told.user_data_sha256 else "none"
        yield Finding(f"user data of {one.name}", f"sha256 {sent_sha256}", actual, "see UD-1")
    elif not told.user_data_ran and not one.words[0]:
        yield Finding(f"user data of {one.name}", "run", "not run", "see UD-2")


def _first_label(host: str) -> str:
    return host.lower().partition(".")[0]


def _wrong_nics(one: BurstServer) -> Iterator[Finding]:
    told = one.told
    if told is None:
        return
    remedy = "put the network into network_data.json by MAC; without DHCP nothing else tells the guest"
    for nic in one.nics[1:]:
        link = next((link for link in told.links if canonical_mac(link.mac) == canonical_mac(nic.mac)), None)
        has = {bare_ip(address) for address in link.addresses} if link else set()
        fours = [address for address in nic.addresses if ":" not in address] or nic.addresses
        if lacking := [address for address in fours[:1] if bare_ip(address) not in has]:
            actual = f"{link.name} has {', '.join(link.addresses) or 'no address'}" if link else "no such NIC in it"
            yield Finding(f"port {nic.mac} of {one.name}", f"{lacking[0]} on its NIC", shorten(actual, 120), remedy)


def _count(seen: BurstFacts) -> str:
    return f"{len(seen.up)} of {seen.asked} instances came up"


def _not_up(seen: BurstFacts) -> list[str]:
    why = "for want of room" if seen.lacks_room else "see BU-1"
    return [f"{len(seen.missing)} of {seen.asked} never came up ({why})"] if seen.missing else []


def _why_unseen(one: BurstServer) -> str:
    return shorten(one.error, 160) or "it was not looked at"


def _named(group: Sequence[BurstServer]) -> str:
    if len(group) > NAMED_MAX:
        return f"{len(group)} instances ({group[0].name}, {group[1].name}, …)"
    return ", ".join(one.name for one in group)
