"""Where a story is told, and what it may take."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from golden_flows.clouds.cloud import Cloud
from golden_flows.clouds.records import ImageRef
from golden_flows.flows.instance import Request
from golden_flows.flows.story import UserData
from golden_flows.guests.ssh import KeyPair
from golden_flows.journal import Journal
from golden_flows.model.cloud import Profile
from golden_flows.model.evidence import EvidenceLevel
from golden_flows.own_image import OwnImage

TRANSFER_TIMEOUT_S = 3600.0
CLEANUP_TIMEOUT_S = 120.0
CONTROLS_TIMEOUT_S = 1800.0
"""For all controls of a cell; none is begun after that. Each ends by itself, as the story's own boots do."""
SHELL_TIMEOUT_S = 40.0
LIMITS_TIMEOUT_S = 120.0
"""For a handful of servers that are deleted as soon as they are accepted."""
STALLED_S = 30.0
"""For a body on its way: an emulated guest may pause, on a busy machine for more than 15 s; a path that swallows large
packets goes on for ever."""
BODY_TIMEOUT_S = 120.0
"""For all of a large body: a guest of an emulated Xen takes some 300 KiB a second where the machine is busy."""
APP_TIMEOUT_S = 20.0
"""From the agent's report to the first answer of Anne's app."""


@dataclass(frozen=True)
class Setting:
    """Two clouds (perhaps the same one twice) and the run that brings them together."""

    src: Cloud
    dst: Cloud
    journal: Journal
    scratch: Path
    run_id: str
    shims: bool = True
    """Whether a shim of ours may supply what a cloud lacks."""
    return_trip: bool = False
    """Whether Anne's instance is to come home again."""
    burst: int = 0
    """How many instances of the imported image are to be at work at once in the end; 0: no burst."""
    own_image: OwnImage | None = None
    """The user's own image that Anne starts from; None: the one that the source's profile names."""
    owned: frozenset[str] = frozenset()
    """Clouds that somebody called their own (``--i-own-this-cloud``)."""

    straight: bool = False
    """Whether the export goes into the destination as it comes, and never lies on this machine's disk."""
    exports: Path | None = None
    """Where to keep what the source gave; None: it goes with the run."""

    def may_attack(self, cloud: Cloud) -> bool:
        """Whether hostile checks may be tried there."""
        return may_attack(cloud.profile, owned=cloud.name in self.owned)

    @property
    def clouds(self) -> tuple[Cloud, ...]:
        """Each cloud once."""
        return (self.src,) if self.src is self.dst else (self.src, self.dst)


def may_attack(profile: Profile, *, owned: bool) -> bool:
    """Whether hostile checks may be tried on a cloud: where somebody called it their own; reference clouds are ours."""
    return owned or profile.evidence_level is not EvidenceLevel.REAL_CLOUD


def request(
    cloud: Cloud,
    image: ImageRef,
    name: str,
    user_data: UserData,
    key: KeyPair,
    files: tuple[tuple[str, bytes], ...] = (),
) -> Request:
    """An instance on the networks that the cloud's profile names."""
    networks = cloud.find_networks(cloud.profile.networks)
    return Request(name=name, image=image, networks=networks, user_data=user_data, key=key, files=files)
