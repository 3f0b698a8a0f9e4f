"""Which clouds and cells a run gets from what the user asked for, and whether this machine has room for them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from golden_flows import burst_room, reference_clouds
from golden_flows.clouds.config import known_cloud_names, load_clouds, read_profile
from golden_flows.errors import InteropError, UsageError
from golden_flows.lending import guests_of, needed_mib
from golden_flows.model.cloud import Pair
from golden_flows.reference_clouds import Offer
from golden_flows.sharding import Shard

ALL = "all"


@dataclass(frozen=True)
class Choice:
    """What a run is about."""

    cells: tuple[Pair, ...]
    reference: tuple[str, ...]
    """Clouds of the cells that are reference clouds of the run."""
    offers: Mapping[str, Offer]
    """Every reference cloud there is."""
    budget_mib: int
    notes: tuple[str, ...] = ()
    """What ``all`` leaves out, and why."""

    def shared(self, shard: Shard) -> Choice:
        """What this is for one shard of it. Raises ``UsageError`` where there are fewer cells than shards."""
        cells = shard.share(self.cells)
        names = {name for cell in cells for name in (cell.src, cell.dst)}
        return replace(self, cells=cells, reference=tuple(one for one in self.reference if one in names))


@dataclass(frozen=True)
class _Everything:
    """What ``all`` stands for, and what it leaves out."""

    names: tuple[str, ...]
    notes: tuple[str, ...] = ()


def choose(
    src: Sequence[str],
    dst: Sequence[str],
    image: str | None,
    budget_mib: int,
    *,
    return_trip: bool = False,
    burst: int = 0,
) -> Choice:
    """The cells of this run.

    ``all`` are the clouds of the user's clouds.yaml, or, where there is none, the reference clouds that fit into
    ``budget_mib``. ``burst``: how many guests more each destination runs.
    Raises ``UsageError`` for a name that nothing has, for a profile that cannot be read, and for a burst that is too
    large; ``InteropError`` for a reference cloud that was named and does not fit.
    """
    own, offers = known_cloud_names(), reference_clouds.known_profiles()
    notes: list[str] = []
    sources = _resolve(src, own, offers, notes, image, budget_mib, as_source=True)
    destinations = _resolve(dst, own, offers, notes, image, budget_mib, as_source=False)
    mine = {name: one for name, one in offers.items() if name not in own}
    cells: list[Pair] = []
    is_free = ALL in (*src, *dst)
    for pair in (Pair(one, other) for one in sources for other in destinations):
        needed = needed_mib(pair, mine, return_trip=return_trip)
        if needed <= budget_mib:
            burst_room.require_here(pair, mine, budget_mib, burst, return_trip=return_trip)
            cells.append(pair)
        elif is_free:
            notes.append(f"{pair} is left out: it needs {needed} MiB of memory, {budget_mib} MiB are to be had")
        else:
            raise _too_large(pair, mine, needed, budget_mib, return_trip)
    if not cells:
        raise InteropError("no pair of clouds is left that fits this machine", "; ".join(dict.fromkeys(notes)))
    names = dict.fromkeys(name for cell in cells for name in (cell.src, cell.dst))
    reference = tuple(name for name in names if name in mine)
    return Choice(tuple(cells), reference, offers, budget_mib, tuple(dict.fromkeys(notes)))


def _resolve(
    asked: Sequence[str],
    own: Sequence[str],
    offers: Mapping[str, Offer],
    notes: list[str],
    image: str | None,
    budget_mib: int,
    *,
    as_source: bool,
) -> tuple[str, ...]:
    names: list[str] = []
    for name in asked:
        if name == ALL:
            everything = _own(own, image, as_source) if own else _fitting(offers, budget_mib)
            notes += everything.notes
            names += everything.names
        elif name in own:
            names.append(name)
        elif name in offers:
            _require_readable(offers[name])
            names.append(name)
        else:
            raise UsageError(f"no cloud is called {name!r}", _which_exist(name, own, offers))
    return tuple(dict.fromkeys(names))


def _own(names: Sequence[str], image: str | None, as_source: bool) -> _Everything:
    """The user's clouds; as sources those that say which image Anne starts from."""
    profiles = {name: config.profile for name, config in load_clouds(names).items()}
    wanted = [name for name, profile in profiles.items() if profile.in_all]
    if not as_source or image:
        return _Everything(tuple(wanted))
    without = [name for name in wanted if not profiles[name].image]
    notes = [f"{name} is left out as a source: it does not say 'interop: image:'" for name in without]
    return _Everything(tuple(name for name in wanted if name not in without), tuple(notes))


def _fitting(offers: Mapping[str, Offer], budget_mib: int) -> _Everything:
    fitting, notes = [], []
    for one in offers.values():
        _require_readable(one)
        if one.not_in_all:
            notes.append(f"{one.name} is left out: {one.not_in_all}; name it to have it: all,{one.name}")
        elif one.memory_mib <= budget_mib:
            fitting.append(one.name)
        else:
            notes.append(
                f"{one.name} is left out: it needs {one.memory_mib} MiB of memory, {budget_mib} MiB are to be had"
            )
    return _Everything(tuple(fitting), tuple(notes))


def _require_readable(offer: Offer) -> None:
    """Before it is started: afterwards its clouds.yaml would say the same wrong thing."""
    if offer.trouble:
        raise UsageError(f"reference cloud {offer.name!r}: {offer.trouble}", offer.remedy)
    read_profile(offer.name, offer.interop)


def _too_large(
    pair: Pair, offers: Mapping[str, Offer], needed: int, budget_mib: int, return_trip: bool
) -> InteropError:
    """Both figures, and the smaller clouds that would do, where there are any."""
    mine = [offers[name] for name in dict.fromkeys((pair.src, pair.dst)) if name in offers]
    guests = {one.name: guests_of(pair, one.name, return_trip=return_trip) for one in mine}
    each = ", ".join(f"{one.name} {one.memory_with(guests[one.name])}" for one in mine)
    smaller = [f"{one.smaller} instead of {one.name}" for one in mine if one.smaller and one.smaller in offers]
    advice = f"take {' and '.join(smaller)}" if smaller else "end something that takes memory"
    return InteropError(
        f"not enough memory for {pair}: {needed} MiB are needed ({each}), {budget_mib} MiB are to be had", advice
    )


def _which_exist(name: str, own: Sequence[str], offers: Iterable[str]) -> str:
    offers = tuple(offers)
    near = difflib.get_close_matches(name, (*own, *offers), n=1)
    parts = [f"did you mean {near[0]!r}?"] if near else []
    parts.append(f"in your clouds.yaml: {', '.join(own) or 'none'}")
    parts.append(f"reference clouds: {', '.join(offers) or 'none (install the refclouds extra)'}")
    return "; ".join(parts)
