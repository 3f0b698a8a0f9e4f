"""Many servers at once, against the real API of a reference cloud: asked for, listed, and gone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import requests

from golden_flows.clouds import servers
from golden_flows.clouds.cloud import connect
from golden_flows.clouds.config import load_clouds
from golden_flows.clouds.fleet import ONE_REQUEST, SINGLE_REQUESTS, Fleet
from golden_flows.clouds.records import ServerRequest
from golden_flows.clouds.session import ApiSession
from golden_flows.ledger import clean_run, read_ledger
from golden_flows.model.burst import NONE_LEFT, is_capacity
from golden_flows.model.headroom import Limit, tightest
from golden_flows.waiting import Deadline, wait_for
from selftests.golden_flows.clouds.conftest import Drive, Driven


def soon() -> Deadline:
    return Deadline.after(20)


def wanted(driven: Driven) -> ServerRequest:
    cloud = driven.cloud
    image = cloud.find_image("golden-pocket")
    return ServerRequest(
        name="burst",
        image_id=image.id,
        flavor=cloud.pick_flavor("pocket", image.disk_bytes_needed, 128),
        networks=cloud.find_networks(["private"]),
        admin_password="secret-of-all",
    )


def kinds(driven: Driven) -> Mapping[str, int]:
    return {kind: len(ids) for kind, ids in driven.cloud.inventory().items()}


def all_active(fleet: Fleet, count: int) -> None:
    wait_for(
        "all ACTIVE",
        lambda: [one.status for one in fleet.look()],
        until=lambda seen: seen == ["ACTIVE"] * count,
        deadline=soon(),
    )


def without_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cloud that takes neither ``min_count`` nor ``max_count``."""
    real = servers.ask_create

    def ask(api: ApiSession, body: Mapping[str, Any]) -> requests.Response:
        if "max_count" not in body:
            return real(api, body)
        refusal = requests.Response()
        refusal.status_code = 400
        refusal._content = b'{"badRequest": {"message": "Additional properties are not allowed (\'max_count\')"}}'
        return refusal

    monkeypatch.setattr(servers, "ask_create", ask)


def test_one_request_makes_them_all_and_all_of_them_go(drive: Drive) -> None:
    driven = drive()
    before, fleet = kinds(driven), driven.cloud.fleet("burst", 3)
    answer = fleet.ask(wanted(driven))
    assert (answer.way, answer.refused, answer.admin_password) == (ONE_REQUEST, {}, "secret-of-all")
    all_active(fleet, 3)
    assert sorted(one.name for one in fleet.look()) == ["burst-1", "burst-2", "burst-3"]
    assert kinds(driven)["server"] == before["server"] + 3
    report = fleet.delete(soon())
    assert (len(report.removed), report.leftovers, report.failures) == (3, (), ())
    assert kinds(driven) == before
    assert read_ledger(driven.journal.path)[1] == ()


def test_a_single_one_has_a_name_like_the_others(drive: Drive) -> None:
    driven = drive()
    fleet = driven.cloud.fleet("burst", 1)
    assert fleet.ask(wanted(driven)).way == SINGLE_REQUESTS
    assert [one.name for one in fleet.look()] == ["burst-1"]
    assert fleet.delete(soon()).failures == ()


def test_where_no_counts_are_taken_they_are_asked_for_one_by_one(drive: Drive, monkeypatch: pytest.MonkeyPatch) -> None:
    driven = drive()
    without_counts(monkeypatch)
    fleet = driven.cloud.fleet("burst", 5)
    answer = fleet.ask(wanted(driven))
    assert (answer.way, answer.refused) == (SINGLE_REQUESTS, {})
    assert sorted(one.name for one in fleet.look()) == [f"burst-{number}" for number in range(1, 6)]
    assert len(fleet.delete(soon()).removed) == 5


def test_a_quota_refuses_all_of_one_request_and_leaves_nothing(drive: Drive) -> None:
    driven = drive()
    fleet = driven.cloud.fleet("burst", 500)
    answer = fleet.ask(wanted(driven))
    assert len(answer.refused) == 500
    assert all(is_capacity(why) for why in answer.refused.values())
    assert answer.refused["burst-1"].startswith("HTTP 403 Quota exceeded")
    assert fleet.look() == ()
    assert read_ledger(driven.journal.path)[1] == ()


def test_after_the_first_that_has_no_room_nobody_is_asked_for(drive: Drive, monkeypatch: pytest.MonkeyPatch) -> None:
    driven = drive()
    without_counts(monkeypatch)
    fleet = driven.cloud.fleet("burst", 60)
    answer = fleet.ask(wanted(driven))
    made = fleet.look()
    assert made
    assert len(made) + len(answer.refused) == 60
    assert all(is_capacity(why) for why in answer.refused.values())
    assert NONE_LEFT in answer.refused.values()
    assert len(fleet.delete(soon()).removed) == len(made)


def test_a_cloud_that_makes_fewer_leaves_no_entry_open(drive: Drive) -> None:
    driven = drive("private", "burst_short=2")
    fleet = driven.cloud.fleet("burst", 4)
    assert fleet.ask(wanted(driven)).refused == {}
    assert [one.name for one in sorted(fleet.look(), key=lambda one: one.name)] == ["burst-1", "burst-2"]
    assert len(fleet.delete(soon()).removed) == 2
    assert read_ledger(driven.journal.path)[1] == ()


def test_whoever_is_killed_before_the_answer_leaves_names_by_which_all_are_found(drive: Drive) -> None:
    """The ledger has names and no ids yet."""
    driven = drive()
    before = kinds(driven)
    driven.cloud.fleet("burst", 3).ask(wanted(driven))
    _, entries = read_ledger(driven.journal.path)
    assert [one.id for one in entries if one.kind == "server"] == [None] * 3
    config = load_clouds(["private"], [driven.file])["private"]
    reports = clean_run(driven.journal.path, lambda name, ledger, journal: connect(config, ledger, journal), soon())
    (report,) = reports.values()
    assert len(report.removed) == 3
    assert kinds(driven) == before


def test_a_refusal_of_another_kind_is_told_as_it_is(drive: Drive) -> None:
    driven = drive()
    fleet = driven.cloud.fleet("burst", 2)
    answer = fleet.ask(replace(wanted(driven), image_id="00000000-0000-4000-8000-000000000000"))
    assert set(answer.refused) == {"burst-1", "burst-2"}
    assert not any(is_capacity(why) for why in answer.refused.values())


# -- room for them


def test_a_tenant_reads_what_bounds_it(drive: Drive) -> None:
    driven = drive("public-lite")
    cloud = driven.cloud
    driven.boot()
    networks, flavor = cloud.find_networks(["flat", "multi"]), cloud.pick_flavor("pocket", 0, 0)
    limits = {one.what: one for one in cloud.headroom(networks, flavor)}
    assert limits["quota of instances"].used == 1
    assert limits["quota of memory in MiB"].each == 256
    assert (limits["addresses on flat"].total, limits["addresses on flat"].each) == (191, 1)
    assert limits["addresses on flat"].used >= 1
    assert limits["addresses on multi"].used == 0


def test_the_tightest_limit_counts_what_is_there_beside() -> None:
    ram, instances = Limit("memory", 10240, 256, 256), Limit("instances", 50, 1)
    assert (ram.fits(0), ram.fits(2), instances.fits(2)) == (39, 37, 47)
    assert tightest((ram, instances), 2) is ram
    assert Limit("instances", 3, 9).fits(0) == 0
    assert tightest((), 2) is None
