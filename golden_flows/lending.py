"""Reference clouds, lent to the cells of a run.

A cloud is started when the first cell needs it and stopped when no cell of the plan needs it any more; never more run
at once than this machine has memory for, and no cloud gets more guests than it can run. A cell gets all its clouds at
once or waits, so that two cells never wait for one another. A cloud that nobody uses right now, though a later cell
needs it, makes room for one that is needed now, and is started anew in its turn: what it gave is on our side already.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Protocol

from golden_flows.errors import CloudError, InteropError
from golden_flows.model.cloud import Pair
from golden_flows.reference_clouds import Offer, ReferenceCloud, stop_all

LOOK_AGAIN_S = 1.0
LEAVING_TIMEOUT_S = 60.0
"""For clouds that are being stopped anyway when the run ends."""


class Lending(Protocol):
    """What a process of the run needs of it."""

    def borrow(self, pair: Pair) -> Mapping[str, Path]:
        """The clouds.yaml of each reference cloud of this pair, once all are up. Raises ``InteropError``."""
        ...

    def give_back(self, pair: Pair) -> None:
        """This cell is over: it needs its clouds no more."""
        ...


class _State(Enum):
    DOWN = "down"
    STARTING = "starting"
    UP = "up"
    STOPPING = "stopping"


@dataclass
class _Lent:
    offer: Offer
    left: set[Pair]
    """Cells that still need it."""
    return_trip: bool
    """Whether Anne's instance comes home again, in every cell."""
    burst: int
    """How many guests more each cell runs abroad."""
    state: _State = _State.DOWN
    users: list[Pair] = field(default_factory=list)
    """Cells that have it now."""
    cloud: ReferenceCloud | None = None
    trouble: InteropError | None = None
    """Why it cannot be had. It is not tried again."""

    @property
    def guests(self) -> int:
        return sum(map(self.guests_of, self.users))

    def guests_of(self, pair: Pair) -> int:
        return guests_of(pair, self.offer.name, return_trip=self.return_trip, burst=self.burst)

    def memory_mib(self, guests: int) -> int:
        return self.offer.memory_with(guests)


def guests_of(pair: Pair, name: str, *, return_trip: bool, burst: int = 0) -> int:
    """How many guests a cell runs at once on this cloud.

    At home Anne's, and beside it what comes home again; abroad hers, rebuilt, beside its twin, and those of a burst.
    """
    return (pair.src == name) * (1 + return_trip) + (2 + burst) * (pair.dst == name)


def needed_mib(pair: Pair, offers: Mapping[str, Offer], *, return_trip: bool, burst: int = 0) -> int:
    """Memory of the reference clouds of one cell."""
    mine = [name for name in {pair.src, pair.dst} if name in offers]
    return sum(offers[name].memory_with(guests_of(pair, name, return_trip=return_trip, burst=burst)) for name in mine)


class Lender:
    """Holds the reference clouds of a run. Thread-safe; close it in the end."""

    def __init__(
        self,
        offers: Mapping[str, Offer],
        cells: Iterable[Pair],
        *,
        budget_mib: int,
        return_trip: bool,
        start: Callable[[str, Callable[[ReferenceCloud], None]], ReferenceCloud],
        say: Callable[[str], None],
        came: Callable[[ReferenceCloud], None] = lambda cloud: None,
        leaves: Callable[[ReferenceCloud], None] = lambda cloud: None,
        stop: Callable[[Collection[ReferenceCloud]], None] = stop_all,
        burst: int = 0,
    ) -> None:
        """``offers``: the clouds that may be started, by name. ``start`` blocks until the cloud is ready, and tells its
        second argument of the process before. ``came`` hears of every cloud that is up, ``leaves`` of each that is
        about to be stopped before the end of the run.
        """
        plan = tuple(cells)
        self._lent = {
            name: _Lent(offer, {pair for pair in plan if name in (pair.src, pair.dst)}, return_trip, burst)
            for name, offer in offers.items()
        }
        self._budget_mib = budget_mib
        self._start, self._stop, self._say, self._came, self._leaves = start, stop, say, came, leaves
        self._changed = threading.Condition()
        self._processes: list[ReferenceCloud] = []
        """Everything that was started and is not known to have ended."""
        self._closed = False

    def borrow(self, pair: Pair) -> Mapping[str, Path]:
        """As ``Lending`` says; waits, with a message, until there is room."""
        mine = [self._lent[name] for name in dict.fromkeys((pair.src, pair.dst)) if name in self._lent]
        with self._changed:
            self._wait_for_room(pair, mine)
            for one in mine:
                one.users.append(pair)
                if one.state is _State.DOWN:
                    one.state = _State.STARTING
                    threading.Thread(target=self._bring_up, args=(one,), daemon=True).start()
            try:
                while any(one.state is _State.STARTING for one in mine):
                    self._changed.wait(LOOK_AGAIN_S)
                self._require_well(mine)
                return {one.offer.name: one.cloud.clouds_yaml for one in mine if one.cloud is not None}
            except BaseException:
                for one in mine:
                    one.users.remove(pair)
                self._changed.notify_all()
                raise

    def give_back(self, pair: Pair) -> None:
        """As ``Lending`` says. Clouds that no cell needs any more are stopped."""
        with self._changed:
            for one in self._lent.values():
                if pair in one.users:
                    one.users.remove(pair)
                one.left.discard(pair)
                if not one.left and not one.users and one.state is _State.UP:
                    self._take_down(one)
            self._changed.notify_all()

    def close(self) -> None:
        """Stop every cloud, and those that are just starting. Nothing is lent any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            self._changed.wait_for(
                lambda: not any(one.state is _State.STOPPING for one in self._lent.values()), LEAVING_TIMEOUT_S
            )
            processes = list(self._processes)
        self._stop(processes)

    def _wait_for_room(self, pair: Pair, mine: list[_Lent]) -> None:
        told = ""
        while True:
            self._require_well(mine)
            problem = self._problem(pair, mine)
            if not problem:
                return
            if problem != told:
                told = problem
                self._say(f"{pair}: waiting for room: {problem}")
            self._changed.wait(LOOK_AGAIN_S)

    def _require_well(self, mine: list[_Lent]) -> None:
        if self._closed:
            raise InteropError("the run is ending: no cloud is lent any more")
        for one in mine:
            if one.trouble is not None:
                raise one.trouble

    def _problem(self, pair: Pair, mine: list[_Lent]) -> str:
        """Why this cell must wait; empty when it need not. Idle clouds are told to leave where that helps."""
        if any(one.state is _State.STOPPING for one in mine):
            return "a cloud of it is just being stopped"
        for one in mine:
            guests = one.guests + one.guests_of(pair)
            if one.users and guests > one.offer.guests_max:
                return f"{one.offer.name} runs {one.offer.guests_max} guests at once"
        mine_mib = sum(one.memory_mib(one.guests + one.guests_of(pair)) for one in mine)
        others = [one for one in self._lent.values() if one not in mine and one.state is not _State.DOWN]
        used_mib = sum(one.memory_mib(one.guests) for one in others)
        missing_mib = used_mib + mine_mib - self._budget_mib
        if missing_mib <= 0 or not others:  # alone it may run in any case: whether it fits was asked before the run
            return ""
        idle = sorted(
            (one for one in others if one.state is _State.UP and not one.users), key=lambda one: len(one.left)
        )
        for one in idle:
            if missing_mib <= 0:
                break
            self._say(f"stopping {one.offer.name} for now, to make room for {pair}")
            self._take_down(one)
            missing_mib -= one.memory_mib(0)
        return f"{mine_mib} MiB are needed, {used_mib} of {self._budget_mib} MiB are in use"

    def _bring_up(self, one: _Lent) -> None:
        cloud: ReferenceCloud | None = None
        try:
            cloud = self._start(one.offer.name, self._note_process)
            self._came(cloud)
        except Exception as error:  # whatever it was, it is this cloud's, and its cells must hear of it
            trouble = error if isinstance(error, InteropError) else CloudError(f"{one.offer.name}: {error!r}")
            if cloud is not None:
                self._end(cloud)
            with self._changed:
                one.trouble, one.state = trouble, _State.DOWN
                self._changed.notify_all()
            return
        with self._changed:
            one.cloud, one.state = cloud, _State.UP
            self._changed.notify_all()

    def _note_process(self, cloud: ReferenceCloud) -> None:
        with self._changed:
            self._processes.append(cloud)
            if self._closed:
                raise InteropError("the run is ending: no cloud is started any more")

    def _take_down(self, one: _Lent) -> None:
        cloud, one.cloud, one.state = one.cloud, None, _State.STOPPING
        threading.Thread(target=self._bring_down, args=(one, cloud), daemon=True).start()

    def _bring_down(self, one: _Lent, cloud: ReferenceCloud | None) -> None:
        try:
            if cloud is not None:
                self._leaves(cloud)
        except InteropError as error:
            self._say(f"{one.offer.name}: {error.what}")
        finally:
            if cloud is not None:
                self._end(cloud)
            with self._changed:
                one.state = _State.DOWN
                self._changed.notify_all()

    def _end(self, cloud: ReferenceCloud) -> None:
        self._stop([cloud])
        with self._changed:
            if cloud in self._processes:
                self._processes.remove(cloud)
