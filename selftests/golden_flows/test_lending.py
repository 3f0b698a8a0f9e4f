"""Reference clouds are lent: started when needed, never too many at once, stopped when no cell needs them any more."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from golden_flows.errors import CloudError, InteropError, UsageError
from golden_flows.lending import Lender, guests_of, needed_mib
from golden_flows.lending_desk import LendingDesk, RemoteLender
from golden_flows.model.cloud import Pair
from golden_flows.reference_clouds import Offer, ReferenceCloud

AB, AC, BC, AA = Pair("a", "b"), Pair("a", "c"), Pair("b", "c"), Pair("a", "a")
SOON_S = 5.0


class House:
    """Starts clouds that are nothing but names, and writes down when they came and went."""

    def __init__(self, cells: tuple[Pair, ...], budget_mib: int, *, return_trip: bool = False, **offers: Offer) -> None:
        self.log: list[str] = []
        self.said: list[str] = []
        self.broken: set[str] = set()
        self.started = threading.Event()
        self.may_start = threading.Event()
        self.may_start.set()
        known = {name: Offer(name, memory_mib=100) for name in "abc"} | offers
        self.lender = Lender(
            known,
            cells,
            budget_mib=budget_mib,
            return_trip=return_trip,
            start=self.start,
            say=self.said.append,
            leaves=lambda cloud: self.log.append(f"-{cloud.name}"),
            stop=lambda clouds: None,
        )

    def start(self, name: str, spawned: Callable[[ReferenceCloud], None]) -> ReferenceCloud:
        process: Any = None
        cloud = ReferenceCloud(name, process, Path(f"/{name}.yaml"))
        spawned(cloud)
        self.started.set()
        if name in self.broken:
            raise CloudError(f"{name} did not start", "mend it")
        self.may_start.wait(SOON_S)
        self.log.append(f"+{name}")
        return cloud

    def until(self, condition: Callable[[], bool]) -> None:
        until_s = time.monotonic() + SOON_S
        while not condition():
            assert time.monotonic() < until_s, (self.log, self.said)
            time.sleep(0.01)


def aside(act: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    return thread


def test_a_cloud_starts_when_first_needed_and_stops_after_its_last_cell() -> None:
    house = House((AB, AC), 1000)
    assert house.log == []
    assert dict(house.lender.borrow(AB)) == {"a": Path("/a.yaml"), "b": Path("/b.yaml")}
    assert sorted(house.log) == ["+a", "+b"]
    house.lender.give_back(AB)
    house.until(lambda: "-b" in house.log)
    assert "-a" not in house.log
    house.lender.borrow(AC)
    assert house.log.count("+a") == 1
    house.lender.give_back(AC)
    house.until(lambda: {"-a", "-c"} <= set(house.log))


def test_a_cell_waits_with_a_message_until_another_has_given_its_memory_back() -> None:
    house = House((AA, BC), 250)
    house.lender.borrow(AA)
    waiting = aside(lambda: house.lender.borrow(BC))
    house.until(lambda: bool(house.said))
    assert house.said == ["b → c: waiting for room: 200 MiB are needed, 100 of 250 MiB are in use"]
    assert waiting.is_alive()
    house.lender.give_back(AA)
    waiting.join(SOON_S)
    assert not waiting.is_alive()
    assert house.log.index("-a") < min(house.log.index("+b"), house.log.index("+c"))


def test_an_idle_cloud_that_is_needed_later_makes_room_and_comes_again() -> None:
    house = House((AA, BC, AB), 250)
    house.lender.borrow(AA)
    house.lender.give_back(AA)
    assert "-a" not in house.log
    house.lender.borrow(BC)
    assert "stopping a for now, to make room for b → c" in house.said
    house.lender.give_back(BC)
    house.lender.borrow(AB)
    assert house.log.count("+a") == 2


def test_guests_beyond_what_a_cloud_runs_wait() -> None:
    house = House((AB, AC), 1000, a=Offer("a", memory_mib=100, guests_max=1))
    house.lender.borrow(AB)
    waiting = aside(lambda: house.lender.borrow(AC))
    house.until(lambda: "a → c: waiting for room: a runs 1 guests at once" in house.said)
    house.lender.give_back(AB)
    waiting.join(SOON_S)
    assert not waiting.is_alive()


def test_a_cloud_that_cannot_start_breaks_its_cells_at_once_and_no_others() -> None:
    house = House((AB, AC, BC), 1000)
    house.broken.add("b")
    for _ in range(2):
        with pytest.raises(CloudError, match="b did not start"):
            house.lender.borrow(AB)
        house.lender.give_back(AB)
    with pytest.raises(CloudError, match="b did not start"):
        house.lender.borrow(BC)
    house.lender.give_back(BC)
    assert set(house.lender.borrow(AC)) == {"a", "c"}


def test_the_end_of_the_run_ends_waiting_and_starting() -> None:
    house = House((AB,), 1000)
    house.may_start.clear()
    troubles: list[InteropError] = []

    def borrow() -> None:
        try:
            house.lender.borrow(AB)
        except InteropError as error:
            troubles.append(error)

    waiting = aside(borrow)
    house.started.wait(SOON_S)
    house.lender.close()
    house.may_start.set()
    waiting.join(SOON_S)
    assert "the run is ending" in troubles[0].what


def test_a_cloud_of_the_users_own_takes_none_of_this_machines_memory() -> None:
    assert needed_mib(Pair("mine", "a"), {"a": Offer("a", memory_mib=100)}, return_trip=True) == 100


def test_a_cell_of_one_cloud_has_three_guests_there_at_once() -> None:
    """At home, and abroad a twin beside the rebuilt one."""
    assert [guests_of(pair, "a", return_trip=False) for pair in (AB, Pair("b", "a"), AA, BC)] == [1, 2, 3, 0]
    offers = {name: Offer(name, memory_mib=100, guest_mib=30) for name in "ab"}
    assert [needed_mib(pair, offers, return_trip=False) for pair in (AB, AA)] == [200, 130]


def test_what_comes_home_again_is_a_second_guest_at_home_while_the_first_is_there() -> None:
    assert [guests_of(pair, "a", return_trip=True) for pair in (AB, Pair("b", "a"), AA, BC)] == [2, 2, 4, 0]
    offers = {name: Offer(name, memory_mib=100, guest_mib=30) for name in "ab"}
    assert [needed_mib(pair, offers, return_trip=True) for pair in (AB, AA)] == [200, 160]


def test_cells_with_a_return_trip_share_a_source_only_where_it_runs_both_guests_of_each() -> None:
    for return_trip, waits in ((False, False), (True, True)):
        house = House((AB, AC), 1000, return_trip=return_trip, a=Offer("a", memory_mib=100, guests_max=3))
        house.lender.borrow(AB)
        second = aside(lambda house=house: house.lender.borrow(AC))  # type: ignore[misc]  # bound now
        if waits:
            house.until(lambda house=house: "a → c: waiting for room: a runs 3 guests at once" in house.said)  # type: ignore[misc]  # bound now
            house.lender.give_back(AB)
        second.join(SOON_S)
        assert not second.is_alive()
        assert bool(house.said) is waits


@pytest.fixture
def desk() -> Iterator[tuple[House, LendingDesk]]:
    house = House((AB, AC, BC), 1000)
    one = LendingDesk(house.lender)
    yield house, one
    one.close()


def test_another_process_borrows_over_the_desk(desk: tuple[House, LendingDesk]) -> None:
    house, open_desk = desk
    house.broken.add("c")
    remote = RemoteLender(open_desk.ticket)
    assert dict(remote.borrow(AB)) == {"a": Path("/a.yaml"), "b": Path("/b.yaml")}
    with pytest.raises(CloudError, match="c did not start"):
        remote.borrow(BC)
    remote.close()


def test_a_worker_that_dies_gives_back_what_it_had(desk: tuple[House, LendingDesk]) -> None:
    house, open_desk = desk
    remote = RemoteLender(open_desk.ticket)
    remote.borrow(BC)
    remote.close()
    house.until(lambda: not any(one.users for one in house.lender._lent.values()))


def test_a_stranger_without_the_key_gets_nothing(desk: tuple[House, LendingDesk]) -> None:
    house, open_desk = desk
    address = open_desk.ticket.partition(",")[0]
    with pytest.raises(CloudError):
        RemoteLender(f'{address}, "{"00" * 32}"]').borrow(AB)
    assert house.log == []


def test_nobody_serves_after_the_end(desk: tuple[House, LendingDesk]) -> None:
    desk[1].close()
    with pytest.raises((CloudError, UsageError)):
        RemoteLender(desk[1].ticket).borrow(AB)
