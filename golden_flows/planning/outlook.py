"""A cloud as it is known before a run: by what its reference profile declares, or by reading what a real one says."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from golden_flows import burst_room
from golden_flows.clouds.cloud import Cloud, connect
from golden_flows.clouds.config import CloudConfig, read_profile
from golden_flows.clouds.records import ImageRef
from golden_flows.errors import InteropError
from golden_flows.flows.instance import GUEST_RAM_MIB
from golden_flows.guests.socket_path import require_way_in
from golden_flows.journal import Journal
from golden_flows.ledger import Ledger
from golden_flows.model.cloud import Profile
from golden_flows.model.discovery import Discovery, FlavorFound, NetworkFound
from golden_flows.model.evidence import EvidenceLevel
from golden_flows.reference_clouds import Offer

GIB = 1024**3


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """One cloud before a run. What is wrong with it is in ``troubles``: then no cell of it can begin."""

    name: str
    profile: Profile
    where: str
    """What answered, or that nobody was asked."""
    networks: tuple[NetworkFound, ...] | None = None
    """Of the NICs, primary first; None where they could not be read."""
    flavor: FlavorFound | None = None
    image: str = ""
    """What Anne starts from, where this cloud is a source."""
    image_bytes: int | None = None
    """The disk it needs; None: not known before a run."""
    discovery: Discovery | None = None
    """None: a reference cloud, which was not started."""
    troubles: tuple[InteropError, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def travelling_bytes(self) -> int | None:
        """The disk that leaves here: a snapshot is as large as the flavor's, where that has one of its own."""
        return (self.flavor.disk_gib if self.flavor else 0) * GIB or self.image_bytes

    @property
    def is_reference(self) -> bool:
        return self.discovery is None and not self.troubles


def of_offer(offer: Offer, image: str | None) -> Outlook:
    """A reference cloud by its own profile; it is not started. Raises ``UsageError`` for a profile that is wrong."""
    profile = read_profile(offer.name, offer.interop)
    if profile.evidence_level is EvidenceLevel.REAL_CLOUD:  # whatever it forgot to say, it is ours
        profile = replace(profile, evidence_level=EvidenceLevel.EMULATED)
    by_name = {one.name: one for one in offer.networks}
    return Outlook(
        name=offer.name,
        profile=replace(profile, image=image or profile.image),
        where="reference cloud, not started for a plan",
        networks=tuple(by_name[name] for name in profile.networks or tuple(by_name) if name in by_name),
        flavor=next((one for one in offer.flavors if one.name == profile.flavor), None),
        image=image or profile.image or "",
    )


@dataclass
class _Reading:
    """Everything that can be read, and every trouble instead of the first."""

    cloud: Cloud
    troubles: list[InteropError] = field(default_factory=list)

    def ask(self, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except InteropError as error:
            self.troubles.append(error)
            return None


def of_config(
    config: CloudConfig,
    *,
    as_source: bool,
    own_image_bytes: int | None,
    arrives_bytes: int | None = None,
    burst: int = 0,
    beside: int = 0,
) -> Outlook:
    """A cloud of clouds.yaml: connects, and reads only.

    ``as_source``: Anne starts from an image that this cloud has.
    ``own_image_bytes``: the disk of the user's file, where Anne starts from that. ``arrives_bytes``: the disk that
    comes here from a source, where that is known. ``burst``: so many servers are to fit in, with ``beside`` others.
    """
    with tempfile.TemporaryDirectory(prefix="golden-flows-plan-") as folder:
        journal = Journal(Path(folder))
        try:
            with connect(config, Ledger(journal, "plan"), journal) as cloud:
                seen = _read(cloud, as_source, own_image_bytes, arrives_bytes)
                return _with_room(cloud, seen, burst, beside) if burst and not seen.troubles else seen
        finally:
            journal.close()


def _read(cloud: Cloud, as_source: bool, own_image_bytes: int | None, arrives_bytes: int | None) -> Outlook:
    profile, reading = cloud.profile, _Reading(cloud)
    who = reading.ask(cloud.preflight)
    if who is None:
        return Outlook(name=cloud.name, profile=profile, where="does not answer", troubles=tuple(reading.troubles))
    discovery: Discovery = reading.ask(cloud.discover) or Discovery()
    image: ImageRef | None = None
    if as_source:
        image = reading.ask(cloud.source_image)
    if image is not None:
        profile = reading.ask(lambda: cloud.profile.running(image.properties)) or profile
    refs = reading.ask(lambda: cloud.find_networks(profile.networks)) or ()
    reading.ask(cloud.check_floating_network)
    reading.ask(lambda: require_way_in(profile.access))
    needs = max(arrives_bytes or 0, own_image_bytes or 0, image.disk_bytes_needed if image else 0)
    picked = reading.ask(lambda: cloud.pick_flavor(profile.flavor, needs, GUEST_RAM_MIB))
    networks = tuple(seen for ref in refs if (seen := discovery.network(ref.id)) is not None)
    return Outlook(
        name=cloud.name,
        profile=profile,
        where=who,
        networks=None if discovery.networks is None else networks,
        flavor=FlavorFound(name=picked.name, ram_mib=picked.ram_mib, disk_gib=picked.disk_bytes // GIB)
        if picked
        else None,
        image=image.name if image else "",
        image_bytes=image.disk_bytes_needed if image else own_image_bytes,
        discovery=discovery,
        troubles=tuple(reading.troubles),
        notes=tuple(_notes(profile, networks, discovery)),
    )


def _with_room(cloud: Cloud, seen: Outlook, burst: int, beside: int) -> Outlook:
    reading = _Reading(cloud)
    flavor = reading.ask(lambda: cloud.pick_flavor(seen.flavor.name if seen.flavor else None, 0, 0))
    limits = reading.ask(lambda: cloud.headroom(cloud.find_networks(seen.profile.networks), flavor)) or ()
    reading.ask(lambda: burst_room.require_in_project(cloud.name, limits, burst, beside=beside))
    return replace(seen, troubles=tuple(reading.troubles))


def _notes(profile: Profile, networks: tuple[NetworkFound, ...], discovery: Discovery) -> list[str]:
    """What a deployer may have forgotten to say."""
    notes: list[str] = []
    external = [one.name for one in discovery.networks or () if one.external]
    inner = networks[:1] and not networks[0].external
    if inner and external and profile.floating_network is None and profile.access is None:
        notes.append(
            f"fixed addresses of {networks[0].name} are reached from this machine as they are; if they cannot be, "
            f"write interop: floating_network: {external[0]}, or access: to name a way in"
        )
    if (
        networks
        and networks[0].is_static
        and not networks[0].has_dhcp
        and not set(profile.channels) - {"openstack-http", "ec2-http"}
    ):
        notes.append(
            f"{networks[0].name} has no DHCP and only metadata over HTTP is claimed: a guest without an address cannot "
            "ask for it"
        )
    return [*notes, *map(discovery.why_unread, discovery.unread)]
