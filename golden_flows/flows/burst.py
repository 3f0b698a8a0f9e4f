"""The burst: more load than home can take, so many instances of the image that travelled go up on the destination.

They are asked for together, come up as the cloud can, and are judged each by one look over SSH while others still come
up. A few threads ask and look; the story itself, in one thread, takes note. In the end all of them are deleted.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

from golden_flows.clouds.fleet import Fleet, FleetAnswer, Member
from golden_flows.clouds.records import ImageRef, ServerRef, ServerRequest, ServerState
from golden_flows.errors import CloudError, InteropError, RecordError, WaitTimeout
from golden_flows.flows import burst_end, files
from golden_flows.flows.burst_look import look_at, nics_of, text_of
from golden_flows.flows.instance import Instance, Login
from golden_flows.flows.record import Record
from golden_flows.flows.setting import Setting, request
from golden_flows.flows.story import APP_PORT, NONCE_PATH, UserData, user_data_of_burst
from golden_flows.guests.jump import WayInBroken
from golden_flows.guests.ssh import generate_key
from golden_flows.guests.tcp import HttpAnswer, http_get, url_of
from golden_flows.model.burst import BurstFacts, BurstServer, duration
from golden_flows.model.facts import BootFacts
from golden_flows.waiting import Clock, Deadline, wait_for

NAME = "burst"
LOOK_S = 1.0
ASK_EVERY_S = 2.0
ASK_TIMEOUT_S = 6.0
"""For one small answer; an address where no guest is yet costs three seconds of it."""
ASKED_AT_ONCE = 32
LOOKED_AT_ONCE = 4
"""Sessions over SSH: each costs an emulated guest seconds of the processor that the others boot with."""
SAY_EVERY_S = 5.0
AGAIN_S = 30.0
"""For the answer of one that has answered before."""
ANSWER_BYTES = 200
LISTED_AFTER_S = 30.0
_ENDED = ("ERROR", "DELETED")
MISSES_MAX = 5
"""So many looks in a row may fail before the burst is given up."""


@dataclass
class _One:
    """One of them, as the story follows it."""

    instance: Instance
    seen: BurstServer
    boot: BootFacts | None = None
    asking: Future[tuple[BootFacts, HttpAnswer, float]] | None = None
    looking: Future[BurstServer] | None = None
    next_s: float = 0.0


def burst(at: Setting, origin: Instance, image: ImageRef, record: Record) -> BurstFacts:
    """The whole of it. ``origin``: Anne's instance, of the same image. What goes wrong on our side is in ``error``.

    Raises ``RecordError`` only. Whatever interrupts it finds every server in the ledger.
    """
    facts, before = BurstFacts(asked=at.burst), None
    fleet = origin.cloud.fleet(NAME, at.burst)
    try:
        before = origin.cloud.inventory()
        story = _Burst(at, origin, fleet, record)
        try:
            facts = story.tell(image)
        finally:
            story.end()
    except RecordError:
        raise
    except InteropError as trouble:
        facts = replace(facts, error=str(trouble))
    return burst_end.delete(fleet, origin.cloud, facts, before, record)


class _Burst:
    def __init__(self, at: Setting, origin: Instance, fleet: Fleet, record: Record) -> None:
        self._at, self._origin, self._fleet, self._record = at, origin, fleet, record
        self._cloud, self._timeout_s = origin.cloud, origin.profile.boot_timeout_s
        self._ended = threading.Event()
        # Once it has ended, time is up for every wait of every thread.
        self._clock = Clock(self._now_s, self._sleep)
        self._askers = ThreadPoolExecutor(min(at.burst, ASKED_AT_ONCE), "burst-ask")
        self._lookers = ThreadPoolExecutor(min(at.burst, LOOKED_AT_ONCE), "burst-look")
        self._ones: dict[str, _One] = {}
        self._nonce = ""
        self._error = ""
        self._expected = at.burst
        self._began_s = self._moved_s = self._said_s = 0.0
        self._said = ""

    def tell(self, image: ImageRef) -> BurstFacts:
        pattern = self._instance()
        user_data = pattern.fitting(user_data_of_burst())
        carries = pattern.profile.carries_user_data
        by_file = () if carries else _nonce_file(pattern, user_data)
        self._nonce = user_data.nonce if carries or by_file else ""
        key = generate_key(pattern.profile.key_kind)
        asked, login = pattern.prepare(request(self._cloud, image, NAME, user_data, key, by_file))
        self._record.say(f"{NAME}: asking for {self._at.burst} instances")
        self._began_s = self._moved_s = time.monotonic()
        answer = self._fleet.ask(asked)
        if answer.refused:
            self._record.say(f"{NAME}: {len(answer.refused)} of {self._at.burst} refused: {_any(answer)}")
        if len(answer.refused) < self._at.burst:
            if login.password:
                login = replace(login, password=answer.admin_password or login.password)
            self._expected = self._at.burst - len(answer.refused)
            self._follow(asked, login)
        servers = [one.seen for one in self._ones.values()]
        servers += [
            BurstServer(name=name, fault=answer.refused.get(name, "")) for name in _unmade(self._fleet.names, servers)
        ]
        facts = BurstFacts(
            asked=self._at.burst,
            way=answer.way,
            servers=tuple(sorted(servers, key=lambda one: (len(one.name), one.name))),
            nonce=self._nonce,
            sent_sha256=hashlib.sha256(asked.user_data).hexdigest() if asked.user_data else "",
            waited_s=round(time.monotonic() - self._began_s, 1),
            error=self._error,
        )
        burst_end.keep(facts, {one.seen.id: one.instance for one in self._ones.values()}, self._record)
        return facts

    def end(self) -> None:
        """No thread of it does anything any more."""
        self._ended.set()
        for pool in (self._askers, self._lookers):
            pool.shutdown(cancel_futures=True)

    def _instance(self) -> Instance:
        origin = self._origin
        return Instance(
            *(self._cloud, self._at.journal, self._at.run_id, lambda text: None),
            properties=origin.properties,
            push_key=origin.push_key,
        )

    def _now_s(self) -> float:
        return math.inf if self._ended.is_set() else time.monotonic()

    def _sleep(self, seconds: float) -> None:
        self._ended.wait(seconds)

    # -- while they come up

    def _follow(self, asked: ServerRequest, login: Login) -> None:
        misses = 0

        def step() -> bool:
            nonlocal misses
            try:
                self._take_in(self._fleet.look())
                misses = 0
            except CloudError:
                misses += 1
                if misses == MISSES_MAX:
                    raise
            for one in self._ones.values():
                self._attend(one, asked, login)
            self._tell_progress()
            idle_s = time.monotonic() - self._moved_s
            # As long as anything moves there is hope; a cloud may well bring up a few at a time.
            return self._all_over() or (idle_s > self._timeout_s and not self._is_looking())

        deadline = Deadline.after((self._at.burst + 2) * self._timeout_s, self._clock)
        try:
            wait_for("the burst", step, deadline=deadline, every_s=LOOK_S)
            self._ask_once_more()
            self._take_in(self._fleet.look())  # ACTIVE still, too
            self._tell_progress(last=True)
        except RecordError:
            raise
        except InteropError as trouble:  # what is known of them by then stays known
            self._error = str(trouble)

    def _take_in(self, members: tuple[Member, ...]) -> None:
        now_s = time.monotonic()
        there = {one.id: one for one in members}
        for id, member in there.items():
            if id not in self._ones:
                seen = BurstServer(name=member.name, full_name=member.full_name, id=id)
                self._ones[id] = _One(self._instance(), seen)
        for id, one in self._ones.items():
            status = there[id].status if id in there else "DELETED"
            if status != one.seen.status:
                self._moved_s = now_s
            fault = there[id].fault if id in there else ""
            active_s = one.seen.active_s
            if status == "ACTIVE" and active_s is None:
                active_s = now_s - self._began_s
            one.seen = replace(one.seen, status=status, fault=fault, active_s=active_s)

    def _attend(self, one: _One, asked: ServerRequest, login: Login) -> None:
        """Take note of what the threads have found out of it, and send them again where that is not all."""
        if one.asking is not None and one.asking.done():
            self._heard(one, one.asking)
            one.asking = None
        if one.looking is not None and one.looking.done():
            one.seen, one.looking = replace(one.looking.result(), status=one.seen.status, fault=one.seen.fault), None
        if one.seen.up_s is not None or one.seen.status != "ACTIVE" or _is_given_up(one.seen):
            return
        if one.asking or time.monotonic() < one.next_s:
            return
        server = ServerRef(one.seen.id, one.seen.full_name, login.password)
        one.asking = self._askers.submit(self._ask, one, server, asked, login)

    def _ask(
        self, one: _One, server: ServerRef, asked: ServerRequest, login: Login
    ) -> tuple[BootFacts, HttpAnswer, float]:
        """In a thread: its address, where that is not known yet, and what the app answers there."""
        boot = one.boot or one.instance.take_up(server, asked, login, ServerState("ACTIVE", ("ACTIVE",), "", None))
        one.boot = boot
        one.instance.offer_metadata()
        return boot, self._get(one.instance), time.monotonic()

    def _get(self, instance: Instance) -> HttpAnswer:
        url = url_of(instance.address, APP_PORT, "nonce")
        return http_get(url, self._cloud.profile.access, timeout_s=ASK_TIMEOUT_S, limit_bytes=ANSWER_BYTES)

    def _heard(self, one: _One, asking: Future[tuple[BootFacts, HttpAnswer, float]]) -> None:
        one.next_s = time.monotonic() + ASK_EVERY_S
        try:
            boot, answer, at_s = asking.result()
        except RecordError:
            raise
        except WayInBroken as trouble:
            self._error = str(trouble)  # until somebody gets through again
            return
        except InteropError as trouble:
            one.seen = replace(one.seen, error=trouble.what, untaken="" if one.boot else trouble.what)
            return
        self._error = ""
        one.seen = replace(one.seen, untaken="")
        text = text_of(answer)
        one.seen = replace(one.seen, answer=text, error=answer.error, nics=nics_of(boot))
        if text is not None and text.startswith(self._nonce):
            self._moved_s = time.monotonic()
            one.seen = replace(one.seen, up_s=at_s - self._began_s)
            one.looking = self._lookers.submit(self._look_at, one, boot)

    def _look_at(self, one: _One, boot: BootFacts) -> BurstServer:
        """In a thread."""
        return look_at(one.instance, boot, one.seen, Deadline.after(self._timeout_s, self._clock))

    def _is_looking(self) -> bool:
        return any(one.looking is not None for one in self._ones.values())

    def _is_waiting(self) -> bool:
        """Whether one of them may yet come up."""
        return any(one.seen.up_s is None and not _is_given_up(one.seen) for one in self._ones.values())

    def _all_over(self) -> bool:
        """Whether nothing more is to be expected of any of them."""
        ones = self._ones.values()
        # All of them are there when the API answers; what is not by then never comes.
        all_known = len(ones) >= self._expected or time.monotonic() - self._began_s > LISTED_AFTER_S
        return all_known and not self._is_looking() and not self._is_waiting()

    def _tell_progress(self, *, last: bool = False) -> None:
        ones = [one.seen for one in self._ones.values()]
        failed = sum(_is_given_up(one) for one in ones)
        text = f"{NAME}: {sum(one.is_up for one in ones)} of {self._at.burst} up"
        text += f", {failed} failed" if failed else ""
        if (looking := sum(one.looking is not None for one in self._ones.values())) and not self._is_waiting():
            text += f", {looking} still to be looked at"
        now_s = time.monotonic()
        if text != self._said and (last or now_s - self._said_s >= SAY_EVERY_S):
            self._record.say(f"{text}, {duration(now_s - self._began_s)}")
            self._said, self._said_s = text, now_s

    def _ask_once_more(self) -> None:
        """All at work together: whoever came up early has to answer still, and as before."""
        up = [one for one in self._ones.values() if one.seen.is_up]
        for one, answer in zip(up, self._askers.map(self._get_again, up), strict=True):
            text = text_of(answer)
            if text != one.seen.answer:
                told = repr(text) if text is not None else f"no answer ({answer.error or f'HTTP {answer.status}'})"
                one.seen = replace(one.seen, lost=told)

    def _get_again(self, one: _One) -> HttpAnswer:
        """In a thread; patiently: all of them are asked at once, on a host that has much to do."""
        last: list[HttpAnswer] = []

        def probe() -> bool:
            last[:] = [self._get(one.instance)]
            return text_of(last[0]) == one.seen.answer

        with contextlib.suppress(WaitTimeout):
            wait_for("the app's answer", probe, deadline=Deadline.after(AGAIN_S, self._clock), every_s=LOOK_S)
        return last[0]


def _nonce_file(pattern: Instance, user_data: UserData) -> tuple[files.File, ...]:
    """Where no channel carries user data, a file may carry the nonce."""
    can = files.carriers(pattern.cloud) and pattern.cloud.files_allowed() > 0
    return ((NONCE_PATH, user_data.nonce.encode()),) if can else ()


def _unmade(names: tuple[str, ...], servers: Sequence[BurstServer]) -> list[str]:
    """By their names; where a cloud calls its servers otherwise, at least as many names as are missing."""
    known = {one.name for one in servers}
    return [name for name in names if name not in known][: max(0, len(names) - len(servers))]


def _is_given_up(one: BurstServer) -> bool:
    """Whether it is asked for nothing more: it has ended, or there is no address left for it."""
    return one.status in _ENDED or one.is_refused_for_room


def _any(answer: FleetAnswer) -> str:
    return next(iter(answer.refused.values()))
