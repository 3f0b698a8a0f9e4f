"""Facts of the burst: many instances of the image that travelled, all at work together on the destination."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from golden_flows.model.guest import Link

DEFAULT_COUNT = 36
"""Several dozen."""
NONE_LEFT = "not asked for: the cloud had no room for one before it"
_CAPACITY = re.compile(
    r"quota|over ?limit|HTTP 413|no valid host|not enough hosts|insufficient compute resources|no more (ip|fixed|free)"
    r"|no (free|available) (ip|address)|IpAddressGenerationFailure|limit ?exceeded|HTTP 429|too many requests|"
    + re.escape(NONE_LEFT),
    re.IGNORECASE,
)
"""How OpenStack says that there is no more of something: nova/exception.py (``NoValidHost``, ``OverQuota``,
``TooManyInstances``, ``PortLimitExceeded``, ``NoMoreFixedIps``), neutron_lib/exceptions.
"Exceeded maximum number of retries" is none: there builds failed, for whatever reason."""


def is_capacity(message: str) -> bool:
    """Whether a refusal, or the fault of a server, says that there is no room: nobody's defect."""
    return bool(_CAPACITY.search(message))


@dataclass(frozen=True, kw_only=True)
class BurstNic:
    """A port of one of them, by the API."""

    network: str
    mac: str
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a guest was told of itself, by its report."""

    uuid: str | None = None
    hostname: str | None = None
    ec2_instance_id: str | None = None
    user_data_sha256: str | None = None
    """None where there is none, or the agent does not say."""
    user_data_ran: bool = False
    boot_id: str = ""
    links: tuple[Link, ...] = ()
    host_keys: tuple[str, ...] = ()
    """``SHA256:…``"""


@dataclass(frozen=True, kw_only=True)
class BurstServer:
    """One of them. What could not be found out is None; ``error`` says why."""

    name: str
    """``burst-7``."""
    full_name: str = ""
    """On the cloud, with the run's prefix."""
    id: str = ""
    """Empty: it was never made."""
    status: str = ""
    fault: str = ""
    """Of a server in ERROR; or why the API did not take it."""
    untaken: str = ""
    """Why it has no address that anybody could ask, though it is there: an address pool that is empty, or ours."""
    nics: tuple[BurstNic, ...] = ()
    active_s: float | None = None
    """From the request to the first look at which it was ACTIVE."""
    up_s: float | None = None
    """To the app's first answer with the nonce of this burst."""
    answer: str | None = None
    """What the app answered last; None when nothing did."""
    lost: str = ""
    """How it answered when all had come up, where that was not as before."""
    told: Told | None = None
    host_key: str | None = None
    """That SSH showed."""
    machine_id: str | None = None
    """sha256; empty where there is none."""
    error: str = ""

    @property
    def is_up(self) -> bool:
        return self.up_s is not None and not self.lost and self.status == "ACTIVE"

    @property
    def is_refused_for_room(self) -> bool:
        """Whether it is missing because the cloud has no more room."""
        return not self.is_up and (is_capacity(self.fault) or is_capacity(self.untaken))

    @property
    def is_unasked(self) -> bool:
        """Whether it may well be up, and nobody could ask."""
        return not self.is_up and self.status == "ACTIVE" and bool(self.untaken) and not self.is_refused_for_room

    @property
    def words(self) -> tuple[str, str, str]:
        """Nonce, host name and fresh random of the app's answer; empty where it says nothing of the kind."""
        parts = (self.answer or "").split()
        return (parts[0], parts[1], parts[2]) if len(parts) == 3 else ("", "", "")


@dataclass(frozen=True, kw_only=True)
class BurstFacts:
    """All of it. ``error``: what kept us from looking further."""

    asked: int
    way: str = ""
    """How they were asked for: ``one request``, ``single requests``."""
    servers: tuple[BurstServer, ...] = ()
    nonce: str = ""
    """What the app's answer begins with. Empty: nothing that the cloud carries could bring it there."""
    sent_sha256: str = ""
    """Of the user data that all of them share; empty where none was sent."""
    waited_s: float = 0.0
    deleted: int = 0
    leftovers: tuple[str, ...] = ()
    """What of them was still there after it was deleted: ``server burst-7``."""
    deletion_errors: tuple[str, ...] = ()
    error: str = ""

    @property
    def up(self) -> tuple[BurstServer, ...]:
        return tuple(one for one in self.servers if one.is_up)

    @property
    def missing(self) -> tuple[BurstServer, ...]:
        return tuple(one for one in self.servers if not one.is_up)

    @property
    def failed(self) -> tuple[BurstServer, ...]:
        """Those that are missing, and neither for want of room nor for ours."""
        return tuple(one for one in self.missing if not one.is_refused_for_room and not one.is_unasked)

    @property
    def lacks_room(self) -> bool:
        """Whether room alone is what those that are missing lack."""
        return bool(self.missing) and all(one.is_refused_for_room for one in self.missing)


@dataclass(frozen=True, kw_only=True)
class Ramp:
    """How the burst came up, for reports: seconds since the request, sorted."""

    asked: int
    way: str = ""
    active_s: tuple[float, ...] = field(default=())
    """When each was first seen ACTIVE."""
    up_s: tuple[float, ...] = field(default=())
    """When the app of each answered first."""
    lacking: tuple[str, ...] = ()
    """``burst-7: No valid host was found`` of each that did not come up."""

    @property
    def first_s(self) -> float | None:
        return self.up_s[0] if self.up_s else None

    @property
    def median_s(self) -> float | None:
        return median(self.up_s) if self.up_s else None

    @property
    def last_s(self) -> float | None:
        return self.up_s[-1] if self.up_s else None


def duration(seconds: float) -> str:
    """``0.4 s``, ``12 s``, ``2 min 05 s``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds + 0.5), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def ramp_of(facts: BurstFacts) -> Ramp:
    def sorted_s(moments: Sequence[float | None]) -> tuple[float, ...]:
        return tuple(sorted(round(one, 1) for one in moments if one is not None))

    return Ramp(
        asked=facts.asked,
        way=facts.way,
        active_s=sorted_s([one.active_s for one in facts.servers]),
        up_s=sorted_s([one.up_s for one in facts.up]),
        lacking=tuple(
            f"{one.name}: {why_missing(one)}{f' ({one.error})' if one.error else ''}" for one in facts.missing
        ),
    )


def why_missing(one: BurstServer) -> str:
    """In a few words, for whoever reads of it: of the cloud, of the app, or ours."""
    if not one.id:
        return one.fault or "never made, and nobody says why"
    if one.status != "ACTIVE":
        return f"{one.status}{f': {one.fault}' if one.fault else ''}"
    if one.untaken:
        return f"ACTIVE, and nobody could ask it: {one.untaken}"
    if one.lost:
        return f"came up, and when all had: {one.lost}"
    if one.answer is not None:
        return f"ACTIVE; its app answers {one.answer[:80]!r}"
    return "ACTIVE, and its app does not answer"
