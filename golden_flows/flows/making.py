"""What the golden flow makes on a cloud, thing by thing, so that it can be told before anything is made.

Kinds and names are those of the ledger. Flow tests compare the two: whoever makes something more says so here.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from golden_flows.flows import import_probes, limits
from golden_flows.model import vhd
from golden_flows.model.cloud import INJECTION, Profile

FOR_SERVER = "for-SERVER"
"""What a floating IP is called: after the server's id, which nobody knows yet."""


@dataclass(frozen=True)
class Making:
    """One resource that the flow makes, if it gets that far."""

    kind: str
    """The ledger's word: ``server``, ``port``, ``keypair``, ``security_group``, ``floating_ip``, ``image``."""
    name: str
    """Without the run's prefix."""
    why: str
    at_once: bool = False
    """Whether it is deleted again as soon as the cloud has answered."""
    is_snapshot: bool = False


def at_home(profile: Profile, *, own_image: bool) -> tuple[Making, ...]:
    """On a source: once for all its cells. ``own_image``: Anne starts from a file of the user's."""
    brought = (Making("image", "anne-own", "the image that Anne starts from"),) if own_image else ()
    return (
        *brought,
        *_instance(profile, "anne-home", "Anne's instance at home"),
        Making("image", "anne-export", "its snapshot, which is exported", is_snapshot=True),
    )


def abroad(profile: Profile, *, hostile: bool, methods: Collection[str] = ()) -> tuple[Making, ...]:
    """On a destination, for each cell.

    ``hostile``: whether hostile images may be tried on it. ``methods``: import methods that it offers.
    """
    probes = [
        Making("image", "put-probe", "1 MiB by the legacy upload (IM-5)", at_once=True),
        Making("image", "token-probe", "1 MiB whose token is revoked half-way (TX-5)", at_once=True),
    ]
    for name, words in import_probes.names(hostile=hostile, methods=methods).items():
        probes.append(Making("image", name, f"some KiB: {words}", at_once=True))
    if profile.image_format in vhd.NAMES:
        for name in ("size-probe", "size-control"):
            probes.append(Making("image", name, "200 KiB that say how large a disk is (CV-7)", at_once=True))
    later = [Making("port", "hotplug", "attached while the server runs, and detached (N2-5)")] if profile.auth else []
    asked = 2 + (len(limits.HOSTILE_PATHS) if INJECTION in profile.channels else 0)
    return (
        Making("image", "anne", "Anne's image, imported"),
        *probes,
        *_instance(profile, "anne", "Anne's instance abroad", pushed=not profile.channels),
        *later,
        *(Making("server", "limits", "asked for at a limit, or to be refused", at_once=True),) * asked,
        Making("image", "anne-twin-image", "a snapshot for a twin", is_snapshot=True),
        *_instance(profile, "anne-twin", "the twin, beside Anne's instance", pushed=not profile.channels),
    )


def sent_home() -> tuple[Making, ...]:
    """On a destination, for each cell of which the instance is to come home again."""
    return (Making("image", "anne-back-export", "a snapshot of it, to come home", is_snapshot=True),)


def home_again(profile: Profile) -> tuple[Making, ...]:
    """On a source, for each cell of which the instance is to come home again."""
    return (
        Making("image", "anne-back", "what comes home, imported"),
        *_instance(profile, "anne-back", "Anne's instance at home again"),
    )


def in_a_burst(profile: Profile, count: int) -> tuple[Making, ...]:
    """On a destination, for each cell with a burst."""
    why = f"a burst of {count} at once"
    beside = [
        one
        for one in _instance(profile, "burst", why, pushed=not profile.channels)
        if one.kind in ("keypair", "security_group")
    ]
    servers = (Making("server", f"burst-{number}", why) for number in range(1, count + 1))
    floating = (Making("floating_ip", FOR_SERVER, f"for {why}"),) * (count if profile.floating_network else 0)
    return (*beside, *servers, *floating)


def _instance(profile: Profile, name: str, why: str, *, pushed: bool = False) -> tuple[Making, ...]:
    """``pushed``: whether Anne may have to tell it herself what its cloud does not."""
    key = (Making("keypair", name, f"for {why}"),) if "key" in profile.auth else ()
    floating = (Making("floating_ip", FOR_SERVER, f"for {why}"),) if profile.floating_network else ()
    return (
        *key,
        Making(
            "security_group",
            name,
            f"opens SSH, 8080 and ICMP{', and 8775 where Anne pushes metadata' if pushed else ''}",
        ),
        Making("server", name, why),
        *floating,
    )
