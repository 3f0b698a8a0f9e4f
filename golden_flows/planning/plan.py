"""What a run would do: which cells, what it would make on each cloud, which checks would judge. Makes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from golden_flows import own_image, reference_clouds, room
from golden_flows.choosing import Choice, choose
from golden_flows.clouds.config import load_clouds
from golden_flows.flows import making
from golden_flows.flows.making import Making
from golden_flows.flows.setting import may_attack
from golden_flows.guideline import load_checks
from golden_flows.lending import guests_of, needed_mib
from golden_flows.model.cloud import Pair
from golden_flows.model.guideline import Guideline
from golden_flows.planning import outlook
from golden_flows.planning.expecting import Ahead, Expected, Prospect, expect
from golden_flows.planning.outlook import Outlook
from golden_flows.preparation import Asked, guideline_of, named_image, require_part
from golden_flows.reference_clouds import NOTHING, Told

CheckReference = Callable[[str, Told, bool, str | None], None]
"""(name, faults, whether missing programs may be installed, image): raises ``UsageError``."""


@dataclass(frozen=True)
class CellAhead:
    """One cell before its run."""

    pair: Pair
    checks: Mapping[str, Expected]
    """By id, in the order of the story. Empty where it cannot begin."""
    memory_mib: int
    """Of this machine, for reference clouds."""

    def of(self, ahead: Ahead) -> dict[str, str]:
        """Those checks, with the reason."""
        return {name: one.why for name, one in self.checks.items() if one.ahead is ahead}


@dataclass(frozen=True)
class PlanAhead:
    """All of it."""

    guideline: Guideline
    cells: tuple[CellAhead, ...]
    clouds: Mapping[str, Outlook]
    makes: Mapping[str, tuple[Making, ...]]
    """By cloud; without the ports that the compute service makes for servers."""
    own_image: str = ""
    """The user's file that Anne starts from."""
    shims: bool = True
    return_trip: bool = False
    notes: tuple[str, ...] = ()
    burst: int = 0
    """How many more servers at once abroad."""

    @property
    def can_begin(self) -> bool:
        return not any(one.troubles for one in self.clouds.values())

    def counts(self, cloud: str) -> dict[str, int]:
        """How many of each kind; ``snapshot`` apart from ``image``, and a ``port`` for each NIC of each server."""
        made = self.makes[cloud]
        counts = Counter("snapshot" if one.is_snapshot else one.kind for one in made)
        counts["port"] += counts["server"] * max(1, len(self.clouds[cloud].networks or ()))
        return dict(counts)

    def servers_at_once(self, cloud: str) -> int:
        """For one cell at a time."""
        return max(guests_of(one.pair, cloud, return_trip=self.return_trip, burst=self.burst) for one in self.cells)


def draw_up(asked: Asked, *, check: CheckReference = reference_clouds.check) -> PlanAhead:
    """The plan. Talks to the clouds of clouds.yaml, reading only, and starts no reference cloud.

    ``check``: asks whether a reference cloud could be started. Raises ``UsageError`` for names that nothing has, and
    where a reference cloud could not be; what is wrong with a cloud of clouds.yaml is among its ``troubles``.
    """
    guideline, checks = guideline_of(asked), load_checks()
    choice = choose(
        *(asked.src, asked.dst, asked.image, room.budget_mib(0)), return_trip=asked.return_trip, burst=asked.burst
    )
    require_part(asked.owned, choice.cells)
    glance = named_image(asked)
    for name in choice.reference:
        check(name, NOTHING, False, glance)
    file, file_bytes = _file(asked)
    clouds = _outlooks(choice, glance, bool(file), file_bytes, asked)
    cells = []
    for pair in choice.cells:
        src, dst = clouds[pair.src], clouds[pair.dst]
        cell = Prospect(src, dst, owned=dst.name in asked.owned, burst=asked.burst)
        begins = not src.troubles and not dst.troubles
        expected = {one.id: expect(checks[one.id], cell) for one in guideline.requirements if one.id in checks}
        offers = {name: choice.offers[name] for name in choice.reference}
        memory = needed_mib(pair, offers, return_trip=asked.return_trip, burst=asked.burst)
        cells.append(CellAhead(pair, expected if begins else {}, memory))
    return PlanAhead(
        guideline,
        tuple(cells),
        clouds,
        {name: _made_on(one, choice.cells, asked, bool(file)) for name, one in clouds.items()},
        file,
        asked.shims,
        asked.return_trip,
        choice.notes,
        asked.burst,
    )


def _file(asked: Asked) -> tuple[str, int | None]:
    """(the user's file in words, bytes of its disk); nothing where there is none."""
    if not asked.image or own_image.is_glance_name(asked.image):
        return "", None
    return own_image.shown(asked.image), own_image.look(asked.image, asked.image_format)


def _outlooks(
    choice: Choice, glance: str | None, own_file: bool, file_bytes: int | None, asked: Asked
) -> dict[str, Outlook]:
    """Sources first: what leaves them must fit where it arrives."""
    names = dict.fromkeys((*(one.src for one in choice.cells), *(one.dst for one in choice.cells)))
    own = load_clouds([name for name in names if name not in choice.reference])
    sources = {one.src for one in choice.cells}
    found: dict[str, Outlook] = {}
    for name in names:
        if name in choice.reference:
            found[name] = outlook.of_offer(choice.offers[name], glance if name in sources else None)
            continue
        config = own[name].starting_from(glance) if glance and name in sources else own[name]
        arriving = [
            found[one.src].travelling_bytes or 0 for one in choice.cells if one.dst == name and one.src in found
        ]
        found[name] = outlook.of_config(
            config,
            as_source=name in sources and not own_file,
            own_image_bytes=file_bytes,
            arrives_bytes=max(arriving, default=0),
            burst=asked.burst if any(one.dst == name for one in choice.cells) else 0,
            beside=max(
                (guests_of(one, name, return_trip=asked.return_trip) for one in choice.cells if one.dst == name),
                default=0,
            ),
        )
    return found


def _made_on(cloud: Outlook, cells: tuple[Pair, ...], asked: Asked, own_file: bool) -> tuple[Making, ...]:
    """At home once, however many cells rest on it; abroad, and at home again, for each cell."""
    leaving = sum(one.src == cloud.name for one in cells)
    arriving = sum(one.dst == cloud.name for one in cells)
    made = making.at_home(cloud.profile, own_image=own_file) if leaving else ()
    hostile = may_attack(cloud.profile, owned=cloud.name in asked.owned)
    methods = cloud.discovery.import_methods or () if cloud.discovery else cloud.profile.import_methods
    made += making.abroad(cloud.profile, hostile=hostile, methods=methods) * arriving
    if asked.burst:
        made += making.in_a_burst(cloud.profile, asked.burst) * arriving
    if asked.return_trip:
        made += making.sent_home() * arriving + making.home_again(cloud.profile) * leaving
    return made


def as_document(plan: PlanAhead) -> dict[str, Any]:
    """For ``--json``."""
    return {
        "guideline": plan.guideline.version,
        "can_begin": plan.can_begin,
        "notes": list(plan.notes),
        "own_image": plan.own_image,
        "clouds": {name: _cloud(plan, one) for name, one in plan.clouds.items()},
        "cells": [
            {
                "src": one.pair.src,
                "dst": one.pair.dst,
                "memory_mib": one.memory_mib,
                "checks": {name: {"ahead": said.ahead.value, "why": said.why} for name, said in one.checks.items()},
            }
            for one in plan.cells
        ],
    }


def _cloud(plan: PlanAhead, cloud: Outlook) -> dict[str, Any]:
    flavor, found = cloud.flavor, cloud.discovery
    return {
        "where": cloud.where,
        "evidence_level": cloud.profile.evidence_level.value,
        "networks": None if cloud.networks is None else [str(one) for one in cloud.networks],
        "flavor": None
        if flavor is None
        else {"name": flavor.name, "ram_mib": flavor.ram_mib, "disk_gib": flavor.disk_gib},
        "image": cloud.image or None,
        "image_bytes": cloud.image_bytes,
        "makes": plan.counts(cloud.name),
        "servers_at_once": plan.servers_at_once(cloud.name),
        "import_methods": None if found is None or found.import_methods is None else list(found.import_methods),
        "troubles": [{"what": one.what, "remedy": one.remedy} for one in cloud.troubles],
        "notes": list(cloud.notes),
    }
