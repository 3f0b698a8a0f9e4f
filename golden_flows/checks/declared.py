"""Is a cloud what its profile says?

Only what no other check judges: a wrong ``image_format`` is CV-1's, a closed PUT IM-5's, a channel that guests miss
MD-10's.
"""

from __future__ import annotations

from golden_flows.model import vhd
from golden_flows.model.check import check, given, verdict
from golden_flows.model.cloud import Profile
from golden_flows.model.discovery import CloudSeen
from golden_flows.model.facts import Facts
from golden_flows.model.finding import Finding, Said

DRIVE = "config-drive"
OVER_HTTP = frozenset({"openstack-http", "ec2-http"})
OK, REFUSED = 200, (403, 404, 405, 501)
"""404 is nova's word where a hypervisor has no console log; 409 is one for a server that is not ready."""


@check("DC-1", needs=("discovered",))
def cloud_is_what_its_profile_declares(facts: Facts) -> Said:
    """A claim decides what is judged and what is not: a wrong one earns a green that is none."""
    discovered = given(facts.discovered)
    clouds = {facts.src.cloud: (facts.src, discovered.src), facts.dst.cloud: (facts.dst, discovered.dst)}
    if facts.src.cloud == facts.dst.cloud:  # the server at home tells as much as the one abroad
        clouds = {facts.src.cloud: (facts.src, discovered.src)}
    findings: list[Finding] = []
    unseen: list[str] = []
    for profile, seen in clouds.values():
        findings += _console(profile, seen, unseen)
        findings += _config_drive(profile, seen, unseen)
        findings += _import_methods(profile, seen, unseen)
        findings += _image_format(profile, seen, unseen)
        findings += _addresses(profile, seen, unseen)
    return verdict(findings, unseen)


def _console(profile: Profile, seen: CloudSeen, unseen: list[str]) -> list[Finding]:
    status = seen.console_status
    if status is None:
        unseen.append(f"no server of ours became ACTIVE on {profile.cloud}: its console was not asked for")
        return []
    if status not in (OK, *REFUSED):
        unseen.append(f"os-getConsoleOutput on {profile.cloud} answered HTTP {status}, which is neither yes nor no")
        return []
    if profile.console == (status == OK):
        return []
    declared = f"console: {'true' if profile.console else 'false'}, as declared"
    remedy = "correct interop: console, or open os_compute_api:os-console-output to tenants"
    return [Finding(f"os-getConsoleOutput on {profile.cloud}", declared, f"HTTP {status}", remedy)]


def _config_drive(profile: Profile, seen: CloudSeen, unseen: list[str]) -> list[Finding]:
    if seen.config_drive is None:
        unseen.append(f"no server of ours became ACTIVE on {profile.cloud}: whether it has a config drive is unknown")
        return []
    declared = DRIVE in profile.channels
    if declared == seen.config_drive:
        return []
    has = "the API shows none" if declared else "the API shows one that nobody asked for (force_config_drive)"
    remedy = f"{'take config-drive out of' if declared else 'add config-drive to'} interop: channels"
    expected = f"{'a' if declared else 'no'} config drive, as declared by channels: {', '.join(profile.channels)}"
    return [Finding(f"server on {profile.cloud}", expected, has, remedy)]


def _import_methods(profile: Profile, seen: CloudSeen, unseen: list[str]) -> list[Finding]:
    found = seen.discovery
    if not profile.import_methods:
        return []
    if found.import_methods is None:
        unseen.append(f"{profile.cloud}: {found.why_unread('import_methods')}")
        return []
    lacking = [one for one in profile.import_methods if one not in found.import_methods]
    if not lacking:
        return []
    offered = ", ".join(found.import_methods) or "none"
    remedy = "correct interop: import_methods, or add them to enabled_import_methods in glance-api.conf"
    subject = f"GET /v2/info/import on {profile.cloud}"
    return [Finding(subject, f"{', '.join(lacking)}, as declared", offered, remedy)]


def _image_format(profile: Profile, seen: CloudSeen, unseen: list[str]) -> list[Finding]:
    found, declared = seen.discovery, profile.image_format
    if declared is None:
        return []
    if found.disk_formats is None:
        unseen.append(f"{profile.cloud}: {found.why_unread('disk_formats')}")
        return []
    known = {*found.disk_formats, *(vhd.NAMES if set(vhd.NAMES) & set(found.disk_formats) else ())}
    if declared in known:
        return []
    remedy = "correct interop: image_format, or add it to disk_formats in glance-api.conf"
    subject = f"disk formats that Glance takes on {profile.cloud}"
    return [Finding(subject, f"{declared}, as declared", ", ".join(found.disk_formats), remedy)]


def _addresses(profile: Profile, seen: CloudSeen, unseen: list[str]) -> list[Finding]:
    """A guest without an address cannot ask for metadata over HTTP: where nothing else is claimed, DHCP must be there.

    Of the first NIC's network: the one that is declared, or, where none is, the one that our server got.
    """
    if set(profile.channels) - OVER_HTTP:
        return []
    name = profile.networks[0] if profile.networks else seen.network
    if name is None:
        unseen.append(f"no server of ours became ACTIVE on {profile.cloud}: nobody knows on which network it would be")
        return []
    network = seen.discovery.network(name)
    if network is None or not network.subnets:
        why = (
            "which this tenant may not read"
            if seen.discovery.networks is not None
            else seen.discovery.why_unread("networks")
        )
        unseen.append(f"whether network {name} of {profile.cloud} has DHCP is told by its subnets, {why}")
        return []
    if network.has_dhcp:
        return []
    remedy = "add what tells guests their address to interop: channels (config-drive, injection), or turn on DHCP"
    claimed = (
        f"a way to tell guests their address: DHCP, or another channel than {', '.join(profile.channels) or 'none'}"
    )
    return [Finding(f"network {network.name} on {profile.cloud}", claimed, f"{network}", remedy)]
