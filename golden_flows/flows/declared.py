"""What is declared of a cloud beside what it was found to be, for the facts and for readers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from golden_flows.model.cloud import Profile
from golden_flows.model.discovery import CloudSeen, Discovery, DiscoveryFacts
from golden_flows.model.facts import BootFacts, Facts

UNSAID, UNSEEN, UNREAD = "nothing", "not seen", "not read"


def both(facts: Facts, found: Mapping[str, Discovery]) -> DiscoveryFacts | None:
    """``found``: by name of the cloud. None where one of the two was not looked at."""
    src, dst = found.get(facts.pair.src), found.get(facts.pair.dst)
    if src is None or dst is None:
        return None
    return DiscoveryFacts(src=_seen(src, facts.source_boot), dst=_seen(dst, facts.boot))


def _seen(discovery: Discovery, boot: BootFacts | None) -> CloudSeen:
    """``boot``: of our server there, if it got that far."""
    if boot is None:
        return CloudSeen(discovery=discovery)
    return CloudSeen(
        discovery=discovery,
        console_status=boot.console_status,
        config_drive=boot.config_drive,
        network=boot.ports[0].network if boot.ports else None,
    )


def table(profile: Profile, found: CloudSeen) -> str:
    """One line a key: name, declared, discovered. Everything that was discovered is in it."""
    told = found.discovery
    console = UNSEEN if found.console_status is None else f"HTTP {found.console_status}"
    drive = UNSEEN if found.config_drive is None else "on our server" if found.config_drive else "none on our server"
    rows = [
        ("key", "declared", "discovered"),
        ("import_methods", _listed(profile.import_methods), _listed(told.import_methods)),
        ("image_format", profile.image_format or "not converted", f"Glance takes {_listed(told.disk_formats)}"),
        ("networks", _listed(profile.networks), _listed(told.networks, "; ")),
        ("flavor", profile.flavor or UNSAID, _listed(told.flavors and tuple(one.name for one in told.flavors))),
        ("channels", _listed(profile.channels), f"config drive: {drive}; files: {_number(told.files_max)}"),
        ("console", "yes" if profile.console else "no", console),
        ("compute", UNSAID, f"up to {told.compute_microversion}"),
        ("extensions", UNSAID, _listed(told.network_extensions)),
        *(("could not be read", UNSAID, f"{name}: {why}") for name, why in told.unread.items()),
    ]
    return "\n".join(" | ".join((f"{key:<14}", f"{declared:<28}", discovered)) for key, declared, discovered in rows)


def _listed(found: Sequence[object] | None, between: str = ", ") -> str:
    return UNREAD if found is None else between.join(map(str, found)) or UNSAID


def _number(found: int | None) -> str:
    return UNREAD if found is None else str(found)
