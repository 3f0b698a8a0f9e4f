"""Which checks will judge a cell, as far as its two profiles tell: a forecast, which decides nothing.

What the checks say themselves counts, in the run. Flow tests hold this to it: a check that is said here to have
nothing to judge is not applicable then, and one that is not applicable then is not said here to apply.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from golden_flows.judging import READ_INSIDE
from golden_flows.model import vhd
from golden_flows.model.check import Check
from golden_flows.model.cloud import FILE_CHANNELS, INJECTION
from golden_flows.model.discovery import DIRECT, WEB_DOWNLOAD, NetworkFound
from golden_flows.model.evidence import EvidenceLevel
from golden_flows.planning.outlook import Outlook

HTTP, EC2, DRIVE = "openstack-http", "ec2-http", "config-drive"
QCOW2 = "qcow2"
UNKNOWN = "unknown"


class Ahead(Enum):
    APPLIES = "applies"
    DOES_NOT = "does not apply"
    OPEN = "decided in the run"
    """It depends on what only the run will show."""


@dataclass(frozen=True)
class Expected:
    ahead: Ahead
    why: str = ""
    """Empty where it applies."""


@dataclass(frozen=True)
class Prospect:
    """A cell before its run."""

    src: Outlook
    dst: Outlook
    owned: bool
    """Whether hostile checks may be tried on the destination."""
    burst: int = 0
    """So many instances at once; 0: none."""


Said = Expected | None
"""None: it applies."""
Rule = Callable[[Prospect], Said]


def expect(check: Check, cell: Prospect) -> Expected:
    """What is to be expected of this check in this cell."""
    if not cell.dst.profile.auth and (set(check.needs) & READ_INSIDE or check.id in LOOKS_INSIDE):
        return open_("the server is launched with no way in: nobody is to look inside")
    rule = RULES.get(check.id)
    return (rule(cell) if rule else None) or Expected(Ahead.APPLIES)


def not_(why: str) -> Expected:
    return Expected(Ahead.DOES_NOT, why)


def open_(why: str) -> Expected:
    return Expected(Ahead.OPEN, why)


LOOKS_INSIDE = frozenset(
    ("AP-2", "AU-4", "AU-10", "BT-5", "N1-4", "N2-3", "N2-5", "N2-6", "N2-8", "PV-2", "PV-3", "PV-5")
)


def _claims(cell: Prospect) -> str:
    return f"{cell.dst.name} claims {', '.join(cell.dst.profile.channels) or 'no channel'}"


def _asked(cell: Prospect, way: str) -> Said:
    auth = cell.dst.profile.auth
    return None if way in auth else not_(f"launched with {', '.join(auth) or 'no way in'} on {cell.dst.name}")


def _sets_passwords(cell: Prospect) -> Said:
    if (said := _asked(cell, "password")) is not None:
        return said
    agent = cell.dst.profile.agent
    return None if agent == "reference" else open_(f"whether {agent} in the image sets passwords")


def _posts(cell: Prospect) -> Said:
    if (said := _asked(cell, "password-post")) is not None:
        return said
    if cell.dst.profile.key_kind != "rsa":
        return not_(f"a key of type {cell.dst.profile.key_kind} encrypts nothing")
    return None if cell.dst.profile.agent == "reference" else open_("whether the image's agent posts passwords")


def _posts_without_rsa(cell: Prospect) -> Said:
    if (said := _asked(cell, "password-post")) is not None:
        return said
    return not_("an RSA key can encrypt") if cell.dst.profile.key_kind == "rsa" else None


def _owner_s_keys(cell: Prospect) -> Said:
    if not cell.src.profile.auth:
        return not_(f"{cell.src.name} has no way in: nobody can put a key into the image")
    if cell.src.profile.user != cell.dst.profile.user:
        return not_(f"another account: {cell.src.profile.user} at home, {cell.dst.profile.user} abroad")
    if cell.dst.profile.channels == (INJECTION,):
        return not_(f"{cell.dst.name} writes keys into the disk itself")
    return None


def _looks_at_home(cell: Prospect) -> Said:
    return None if cell.src.profile.auth else not_(f"{cell.src.name} has no way in: nobody is to look")


def _channel(*names: str) -> Rule:
    def rule(cell: Prospect) -> Said:
        if set(names) & set(cell.dst.profile.channels):
            return None
        return open_(f"{_claims(cell)}; judged where the guest sees {' or '.join(names)} all the same")

    return rule


def _further_nic(cell: Prospect) -> Said:
    networks = cell.dst.networks
    if networks is None:
        return open_(f"the networks of {cell.dst.name} could not be read")
    names = ", ".join(one.name for one in networks)
    return None if len(networks) > 1 else not_(f"the server has one NIC, on {names or 'an unknown network'}")


def _subnets(cell: Prospect) -> tuple[NetworkFound, ...] | None:
    """The networks of the NICs with their subnets; None where some could not be read, and so nothing is known."""
    networks = cell.dst.networks
    return networks if networks and all(one.subnets for one in networks) else None


def _unread(cell: Prospect) -> Expected:
    what = "networks" if cell.dst.networks is None else "subnets"
    return open_(f"the {what} of {cell.dst.name} could not be read")


def _has_company(cell: Prospect) -> Said:
    return not_("a burst of one has nobody to share anything with") if cell.burst == 1 else None


def _told_of_nics(cell: Prospect) -> Said:
    if (said := _further_nic(cell)) is not None:
        return said
    return open_("the EC2 tree tells of no second NIC") if cell.dst.profile.channels == (EC2,) else None


def _asks_from_second_nic(cell: Prospect) -> Said:
    if (said := _further_nic(cell)) is not None:
        return said
    networks = _subnets(cell)
    if networks is None:
        return _unread(cell)
    if not all(one.has_ipv4 for one in networks[:2]):
        return not_("over IPv6 metadata is asked from link-local addresses")
    return _http(cell) or open_("where the second NIC has its address in the guest")


_http = _channel(HTTP, EC2)


def _ipv6(cell: Prospect) -> Said:
    networks = _subnets(cell)
    if networks is None:
        return _unread(cell)
    return None if any(one.has_ipv6 for one in networks) else not_("no network of the server has IPv6")


def _metadata_over_ipv6(cell: Prospect) -> Said:
    if (said := _ipv6(cell)) is not None:
        return said
    if (said := _http(cell)) is not None:
        return said
    return None if cell.dst.profile.metadata_ipv6 else open_("metadata_ipv6: false is declared")


def _primary_ipv4(cell: Prospect) -> Said:
    networks = _subnets(cell)
    if networks is None:
        return _unread(cell)
    return None if networks[0].has_ipv4 else not_(f"{networks[0].name} has no IPv4")


def _leases(cell: Prospect) -> Said:
    networks = _subnets(cell)
    if networks is None:
        return _unread(cell)
    has_dhcp = any(one.dhcp and not one.is_ipv6 for one in networks[0].subnets)
    return None if has_dhcp else not_(f"{networks[0].name} has no DHCP for IPv4")


def _told_options(cell: Prospect) -> Said:
    profile = cell.dst.profile
    claimed = profile.ntp_servers or profile.search_domains
    return None if claimed else not_(f"{cell.dst.name} claims neither ntp_servers nor search_domains")


def _static(cell: Prospect) -> Said:
    networks = _subnets(cell)
    if networks is None:
        return _unread(cell)
    if any(one.is_static for one in networks):
        return open_("where a port has neither DHCP nor DHCPv6, and its network says an MTU")
    return not_("every network has DHCP")


def _host_routes(cell: Prospect) -> Said:
    networks = _subnets(cell)
    if networks is None:
        return _unread(cell)
    routes = any(subnet.has_host_routes for one in networks for subnet in one.subnets)
    return None if routes else not_("no subnet has host routes")


def _stored(*formats: str) -> Rule:
    def rule(cell: Prospect) -> Said:
        declared = cell.dst.profile.image_format
        if declared is None:
            return open_(f"{cell.dst.name} declares no image_format; where it stores {formats[0]}")
        return None if declared in formats else not_(f"{cell.dst.name} stores {declared}")

    return rule


def _declared_vhd(cell: Prospect) -> Said:
    declared = cell.dst.profile.image_format
    return None if declared in vhd.NAMES else not_(f"{cell.dst.name} does not declare that it stores VHD")


def _on_xen(cell: Prospect) -> Said:
    hypervisor = cell.dst.profile.hypervisor
    if hypervisor == UNKNOWN:
        return open_("where the guest sees Xen")
    return not_(f"{cell.dst.name} runs on {hypervisor}, not on Xen") if hypervisor != "xen" else None


def _over_xenstore(cell: Prospect) -> Said:
    return _on_xen(cell) or _channel("xenstore")(cell)


def _gateway_in_xenstore(cell: Prospect) -> Said:
    return _on_xen(cell) or open_("where a NIC has an IPv6 address, in xenstore or in the API")


def _smbios(cell: Prospect) -> Said:
    return open_("fully virtual guests have SMBIOS") if cell.dst.profile.hypervisor == "xen" else None


def _hostile(cell: Prospect) -> Said:
    return _hostile_images(cell) or _http(cell)


def _hostile_images(cell: Prospect) -> Said:
    if not cell.owned and cell.dst.profile.evidence_level is EvidenceLevel.REAL_CLOUD:
        return not_(f"a hostile check, and nobody said --i-own-this-cloud {cell.dst.name}")
    return None


def _fetches(cell: Prospect) -> Said:
    found = cell.dst.discovery
    methods = cell.dst.profile.import_methods if found is None else found.import_methods
    if methods is None or WEB_DOWNLOAD not in methods:
        return open_("where web-download is offered")
    return _hostile_images(cell)


def _files(cell: Prospect) -> Said:
    if not set(FILE_CHANNELS) & set(cell.dst.profile.channels):
        return not_(f"{_claims(cell)}; files travel by {', '.join(FILE_CHANNELS)}")
    found = cell.dst.discovery
    if found is None:
        return None
    if found.files_max is None:
        return open_(f"{cell.dst.name}: {found.why_unread('files_max')}")
    return not_(f"the API takes no files: maxPersonality is {found.files_max}") if found.files_max < 2 else None


def _carries_user_data(cell: Prospect) -> Said:
    return None if cell.dst.profile.carries_user_data else open_(f"{_claims(cell)}: none carries user data")


def _imports(cell: Prospect) -> Said:
    found = cell.dst.discovery
    if found is None:
        return None
    if found.import_methods is None:
        return open_(f"{cell.dst.name}: {found.why_unread('import_methods')}")
    if DIRECT in found.import_methods:
        return None
    return not_(f"GET /v2/info/import offers: {', '.join(found.import_methods) or 'none'}")


def _legacy_put(cell: Prospect) -> Said:
    return None if cell.dst.profile.legacy_put else open_("legacy_put: false is declared")


def _console(cell: Prospect) -> Said:
    return None if cell.dst.profile.console else not_(f"the profile of {cell.dst.name} says console = false")


def _when(why: str) -> Rule:
    return lambda cell: open_(why)


_attaches = _when("where the cloud attaches a port to a running server")

RULES: Mapping[str, Rule] = {
    "EX-4": _when("where the export is labelled RAW, natively"),
    "TX-4": _stored("qcow2", *vhd.NAMES, "vmdk"),
    "EX-5": _when("where the image that Anne starts from has such properties"),
    "EX-7": _when("where the exported disk holds an ext file system"),
    "EX-8": _looks_at_home,
    "TX-5": _when("where a way of upload is open, and a user may revoke their own tokens"),
    "TX-6": _when("where the image is larger than a mover's memory that holds all of it"),
    "IM-1": _when("where an import method is named at all"),
    "IM-2": _imports,
    "IM-3": _when("where an import of bytes that are no image fails, and not at once"),
    "IM-4": _when("where such an import fails, and its tasks are open to tenants"),
    "IM-6": _when("where this tenant may upload images"),
    "IM-7": _hostile_images,
    "IM-8": _fetches,
    "IM-10": _when("where images may be called vhd"),
    "IM-11": _when("where the cloud shows a quota, and looks at the announced length"),
    "IM-12": _when("where the deletion comes before the import's end"),
    "IM-5": _legacy_put,
    "IM-9": _legacy_put,
    "CV-5": _when("where this tenant may upload images"),
    "CV-4": _stored(*vhd.NAMES),
    "CV-6": _stored(QCOW2),
    "CV-7": _declared_vhd,
    "BT-4": _console,
    "BT-5": _when("where init keeps login prompts up"),
    "BT-6": _when("where the image says hw_firmware_type"),
    "BT-7": _when("where the disk is larger than the image, and something in it grows it"),
    "BT-8": _smbios,
    "BT-11": _when("where the image's agent tells when it did what"),
    "PV-3": _when("where the guest has services of a platform"),
    "PV-4": _on_xen,
    "PV-6": _when("where the image says hw_qemu_guest_agent=yes"),
    "PV-7": _when("where the image asks for several queues, and the guest has several CPUs"),
    "N1-1": _primary_ipv4,
    "N1-2": _when("where the API tells an MTU of the first NIC's network"),
    "N1-3": _when("where DHCP tells routes, and the image's client follows them"),
    "N1-5": _when("where Anne's app answers the twin"),
    "N1-6": _when("where the subnet offers name servers, and the image asks them"),
    "N1-7": _leases,
    "N1-8": _ipv6,
    "N1-9": _told_options,
    "N2-1": _told_of_nics,
    "N2-2": _further_nic,
    "N2-3": _attaches,
    "N2-4": _further_nic,
    "N2-5": _attaches,
    "N2-6": _attaches,
    "N2-7": _static,
    "N2-8": _attaches,
    "N2-9": _when("where the metadata tells of a VLAN for a port of the server"),
    "N2-10": _host_routes,
    "N2-13": _when("where the NICs at home had what those abroad have not"),
    "N2-11": _over_xenstore,
    "N2-12": _gateway_in_xenstore,
    "MD-1": _http,
    "MD-2": _http,
    "MD-3": _channel(HTTP, DRIVE),
    "MD-4": _http,
    "MD-5": _channel(HTTP),
    "MD-6": _hostile,
    "MD-7": _asks_from_second_nic,
    "MD-8": _metadata_over_ipv6,
    "MD-9": _channel(DRIVE),
    "MD-10": lambda cell: (
        None if len(cell.dst.profile.channels) > 1 else open_(f"{_claims(cell)}; judged where the guest sees another")
    ),
    "MD-11": _channel(EC2),
    "MD-12": _http,
    "MD-13": lambda cell: (
        None if cell.dst.profile.vendor_data_targets else open_("no vendor_data_targets are claimed; where some answer")
    ),
    "MD-14": _channel(HTTP),
    "MD-15": _channel(HTTP, DRIVE),
    "AU-1": lambda cell: _asked(cell, "key"),
    "AU-5": _sets_passwords,
    "AU-6": _posts,
    "AU-7": _posts_without_rsa,
    "AU-8": lambda cell: _channel(DRIVE)(cell) or open_("where a password lies on the config drive"),
    "AU-9": lambda cell: _asked(cell, "password") or open_("where the cloud sets a password in a running guest"),
    "AU-10": _owner_s_keys,
    "AU-11": lambda cell: _asked(cell, "key"),
    "UD-1": _carries_user_data,
    "UD-2": _carries_user_data,
    "UD-3": _carries_user_data,
    "UD-4": _carries_user_data,
    "UD-5": _carries_user_data,
    "UD-7": _carries_user_data,
    "UD-8": _files,
    "BU-2": _has_company,
    "BU-4": _told_of_nics,
}
"""Those that are not here apply to every cell."""
