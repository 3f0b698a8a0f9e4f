"""A burst on a reference cloud's real API whose guests are nothing but an app: who comes up, and what is left."""

from __future__ import annotations

import re
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from golden_flows.clouds.fleet import Fleet, FleetAnswer
from golden_flows.clouds.records import ServerRequest
from golden_flows.errors import CloudError
from golden_flows.flows import burst as flow
from golden_flows.flows.instance import Instance
from golden_flows.flows.record import Record
from golden_flows.flows.setting import Setting
from golden_flows.journal import read_events
from golden_flows.ledger import read_ledger
from golden_flows.model.burst import BurstFacts
from golden_flows.model.cloud import Pair
from golden_flows.waiting import Deadline
from selftests.golden_flows.clouds.conftest import Drive, Driven, drive, golden
from selftests.golden_flows.guests.conftest import serve

__all__ = ["drive", "golden"]

TIMEOUT_S = 4.0


@dataclass
class Apps:
    """A SOCKS proxy behind which every address is a guest with Anne's app, as far as its user data ran there."""

    driven: list[Driven] = field(default_factory=list)
    url: str = ""
    answer: Callable[[str, int], bool] = lambda name, times: True
    """Whether the app of the server of this name answers when it is asked for the so-manieth time."""
    asked: dict[str, int] = field(default_factory=dict)

    def body(self, address: str) -> bytes | None:
        for server in self.driven[0].reference.metadata.told.values():
            if address in server.fixed_ips and (found := re.search(rb"%s' ([0-9a-f]{32}) ", server.user_data or b"")):
                times = self.asked[server.name] = self.asked.get(server.name, 0) + 1
                if not self.answer(server.name, times):
                    return None
                return found.group(1) + f" {server.hostname} random-of-{server.name}".encode()
        return None


@pytest.fixture
def apps() -> Iterator[Apps]:
    mine = Apps()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            client: socket.socket = self.request
            client.recv(client.recv(2)[1])
            client.sendall(b"\5\0")
            _, _, _, kind = client.recv(4)
            name = client.recv(client.recv(1)[0]).decode() if kind == 3 else socket.inet_ntoa(client.recv(4))
            port = int.from_bytes(client.recv(2), "big")
            body = mine.body(name) if port == 8080 else None
            if body is None:
                client.sendall(b"\5\4\0\1\0\0\0\0\0\0")
                return
            client.sendall(b"\5\0\0\1\0\0\0\0\0\0")
            client.recv(4096)
            client.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    server, port = serve(Handler)
    mine.url = f"socks5h://127.0.0.1:{port}"
    yield mine
    server.shutdown()
    server.server_close()


@pytest.fixture
def tell(drive: Drive, apps: Apps, tmp_path: Path) -> Callable[..., BurstFacts]:
    """Has a burst of that many on a cloud with these faults."""

    def told(count: int, *faults: str) -> BurstFacts:
        driven = drive("private", *faults)
        apps.driven.append(driven)
        cloud, journal = driven.cloud, driven.journal
        channels = ("openstack-http",)
        cloud.profile = replace(
            cloud.profile, networks=("private",), auth=(), channels=channels, access=apps.url, boot_timeout_s=TIMEOUT_S
        )
        record = Record(journal, Pair("private", "private"))
        at = Setting(cloud, cloud, journal, tmp_path, driven.ledger.run, burst=count)
        origin = Instance(cloud, journal, driven.ledger.run, record.say)
        return flow.burst(at, origin, cloud.find_image("golden-pocket"), record)

    return told


def said(apps: Apps) -> list[str]:
    return [one["text"] for one in read_events(apps.driven[0].journal.path) if one["event"] == "step"]


def open_servers(apps: Apps) -> list[str]:
    return [one.name for one in read_ledger(apps.driven[0].journal.path)[1] if one.kind == "server"]


def test_all_come_up_and_nothing_of_them_stays(tell: Callable[..., BurstFacts], apps: Apps) -> None:
    seen = tell(3)
    assert (len(seen.up), seen.missing, seen.error, seen.way) == (3, (), "", "one request")
    assert [one.name for one in seen.servers] == ["burst-1", "burst-2", "burst-3"]
    assert [one.words[1] for one in seen.servers] == [f"{one.full_name}.novalocal" for one in seen.servers]
    assert len({address for one in seen.servers for nic in one.nics for address in nic.addresses}) == 3
    assert (seen.deleted, seen.leftovers, seen.deletion_errors) == (3, (), ())
    assert open_servers(apps) == []
    (ramp,) = [one for one in read_events(apps.driven[0].journal.path) if one["event"] == "burst"]
    assert len(ramp["up_s"]) == len(ramp["active_s"]) == ramp["asked"] == 3
    assert said(apps)[0] == "burst: asking for 3 instances"
    assert any(re.fullmatch(r"burst: 3 of 3 up, [\d.]+ s", one) for one in said(apps))
    assert said(apps)[-1] == "burst: deleting all of it"


def test_who_does_not_answer_is_waited_for_as_long_as_one_boot_may_take(
    tell: Callable[..., BurstFacts], apps: Apps
) -> None:
    apps.answer = lambda name, times: not name.endswith("-2")
    seen = tell(3)
    assert [one.name for one in seen.missing] == ["burst-2"]
    assert TIMEOUT_S <= seen.waited_s < 4 * TIMEOUT_S
    assert (seen.deleted, seen.leftovers) == (3, ())
    kept = {one["name"] for one in read_events(apps.driven[0].journal.path) if one["event"] == "evidence"}
    assert kept == {"burst.json", "private.burst-2.console.log"}


def test_who_answers_and_then_no_more_is_not_at_work(
    tell: Callable[..., BurstFacts], apps: Apps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "AGAIN_S", 1.0)
    apps.answer = lambda name, times: times == 1 or not name.endswith("-1")
    seen = tell(2)
    assert [bool(one.lost) for one in seen.servers] == [True, False]
    assert len(seen.up) == 1


def test_a_cloud_that_makes_fewer_is_seen_through(
    tell: Callable[..., BurstFacts], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "LISTED_AFTER_S", 2.0)
    seen = tell(3, "burst_short=1")
    assert [(one.name, one.id != "") for one in seen.servers] == [
        ("burst-1", True),
        ("burst-2", True),
        ("burst-3", False),
    ]
    assert not seen.lacks_room
    assert seen.deleted == 2


def test_a_quota_ends_it_at_once(tell: Callable[..., BurstFacts], apps: Apps) -> None:
    seen = tell(500)
    assert seen.lacks_room
    assert len(seen.servers) == 500
    assert (seen.deleted, open_servers(apps)) == (0, [])


def test_a_server_in_error_is_not_waited_for(
    tell: Callable[..., BurstFacts], apps: Apps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No guest starts on this cloud."""
    real = Fleet.ask

    def ask(self: Fleet, asked: ServerRequest) -> FleetAnswer:
        apps.driven[0].reference.hypervisor.refuse_start = True
        return real(self, asked)

    monkeypatch.setattr(Fleet, "ask", ask)
    seen = tell(2)
    assert [one.status for one in seen.servers] == ["ERROR", "ERROR"]
    assert all("did not start" in one.fault for one in seen.servers)
    assert seen.waited_s < TIMEOUT_S
    assert (seen.lacks_room, seen.deleted) == (False, 2)


def test_whatever_interrupts_it_ends_its_threads_and_leaves_all_in_the_ledger(
    tell: Callable[..., BurstFacts], apps: Apps, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    apps.answer = lambda name, times: False
    monkeypatch.setattr(flow._Burst, "_tell_progress", interrupt)
    with pytest.raises(KeyboardInterrupt):
        tell(3)
    assert not [one.name for one in threading.enumerate() if one.name.startswith("burst-")]
    assert len(open_servers(apps)) == 3
    report = apps.driven[0].cloud.cleanup(Deadline.after(20))
    assert report.failures == ()
    assert apps.driven[0].cloud.inventory()["server"] == {}


def test_an_api_that_fails_for_a_while_ends_nothing_and_one_that_stays_away_is_told(
    tell: Callable[..., BurstFacts], apps: Apps, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, looks = Fleet.look, [0]

    def look(self: Fleet) -> object:
        looks[0] += 1
        if looks[0] in (1, 2) or looks[0] > 10_000:
            raise CloudError("the list of servers: HTTP 503")
        return real(self)

    monkeypatch.setattr(Fleet, "look", look)
    assert len(tell(2).up) == 2
    looks[0] = 10_000
    apps.driven.clear()
    seen = tell(2)
    assert "HTTP 503" in seen.error
    assert (seen.deleted, seen.leftovers) == (2, ())
