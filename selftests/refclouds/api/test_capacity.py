"""Several servers of one request, quotas, the memory of the host, and how many boot at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from refclouds.compute import scheduler
from refclouds.profile import GuestProfile, NetworkProfile, Profile, QuotaProfile

from selftests.refclouds.api.test_compute import act, boot, create, request_for, rest, show

Wait = Callable[[str, Callable[[], Any]], Any]
NO_VALID_HOST = "No valid host was found. There are not enough hosts available."


def with_guest(**fields: Any) -> Callable[[Profile], Profile]:
    def change(usual: Profile) -> Profile:
        guest: GuestProfile = replace(usual.guest, **fields)
        return replace(usual, guest=guest)

    return change


def with_quota(**fields: int) -> Callable[[Profile], Profile]:
    return lambda usual: replace(usual, quota=QuotaProfile(**fields))


def listed(cloud: Any, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cloud.call("GET", f"/compute/v2.1/servers/detail{query}").json()["servers"]
    return found


def is_gone(cloud: Any, server_id: str) -> bool:
    return server_id not in {server["id"] for server in listed(cloud)}


def refused(answer: Any) -> tuple[int, str]:
    body: dict[str, Any] = answer.json()
    [problem] = body.values()
    return answer.status_code, problem["message"]


# -- several at once -------------------------------------------------------------------------------------------------


def test_servers_of_one_request_are_numbered_and_found_by_their_reservation(private: Any, wait: Wait) -> None:
    answer = create(private, min_count=3, return_reservation_id=True)
    assert (answer.status_code, set(answer.json())) == (202, {"reservation_id"})
    create(private)
    query = f"?reservation_id={answer.json()['reservation_id']}"
    wait("all four to run", lambda: len(listed(private, "?status=ACTIVE")) == 4)
    assert sorted(server["name"] for server in listed(private, query)) == ["web-1", "web-2", "web-3"]
    told = {instance.hostname for instance in private.metadata.told.values()}
    assert told == {f"{name}.novalocal" for name in ("web", "web-1", "web-2", "web-3")}


def test_without_a_reservation_the_first_server_is_told(private: Any) -> None:
    answer = create(private, min_count=2)
    first = show(private, answer.json()["server"]["id"])
    assert first["name"] == "web-1"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"min_count": 3, "max_count": 2}, "min_count must be <= max_count"),
        ({"min_count": 0}, "Invalid input for field/attribute min_count. Value: 0."),
        ({"max_count": "two"}, "Invalid input for field/attribute max_count. Value: two."),
        ({"max_count": True}, "Invalid input for field/attribute max_count. Value: True."),
    ],
)
def test_counts_that_make_no_sense_are_400(private: Any, more: dict[str, Any], message: str) -> None:
    assert refused(create(private, **more)) == (400, message)


def test_one_port_or_one_address_is_not_for_several(private: Any) -> None:
    network = private.call("GET", "/network/v2.0/networks?name=private").json()["networks"][0]["id"]
    code, message = refused(create(private, max_count=2, networks=[{"uuid": network, "fixed_ip": "10.10.0.77"}]))
    assert (code, message.partition(":")[0]) == (400, "Failed to launch instances")
    port = private.call("POST", "/network/v2.0/ports", json={"port": {"network_id": network}}).json()["port"]["id"]
    code, message = refused(create(private, max_count=2, networks=[{"port": port}]))
    assert (code, message.partition(":")[0]) == (400, "Failed to launch instances")
    assert listed(private) == []


# -- quotas ----------------------------------------------------------------------------------------------------------


def test_of_a_range_as_many_are_made_as_the_quota_allows(start_cloud: Any) -> None:
    cloud = start_cloud(change=with_quota(instances=5))
    create(cloud)
    assert create(cloud, min_count=2, max_count=9).status_code == 202
    assert len(listed(cloud)) == 5


def test_one_of_a_range_of_which_one_fits_is_not_numbered(start_cloud: Any) -> None:
    cloud = start_cloud(change=with_quota(instances=1))
    assert create(cloud, max_count=4).status_code == 202
    assert [server["name"] for server in listed(cloud)] == ["web"]


@pytest.mark.parametrize(
    ("quota", "more", "message"),
    [
        (
            {"instances": 3},
            {"min_count": 4},
            "Quota exceeded for instances: Requested 4, but already used 1 of 3 instances",
        ),
        (
            {"instances": 3},
            {"min_count": 4, "max_count": 9},
            "Quota exceeded for instances: Requested 4-9, but already used 1 of 3 instances",
        ),
        ({"cores": 1}, {}, "Quota exceeded for cores: Requested 1, but already used 1 of 1 cores"),
        (
            {"ram_mib": 600, "cores": 2},
            {"min_count": 3},
            "Quota exceeded for cores, ram: Requested 3, 768, but already used 1, 256 of 2, 600 cores, ram",
        ),
    ],
)
def test_beyond_the_quota_is_403_in_novas_words(
    start_cloud: Any, quota: dict[str, int], more: dict[str, Any], message: str
) -> None:
    cloud = start_cloud(change=with_quota(**quota))
    assert create(cloud).status_code == 202
    assert refused(create(cloud, **more)) == (403, message)
    assert len(listed(cloud)) == 1


def test_an_unlimited_quota_limits_nothing(start_cloud: Any) -> None:
    cloud = start_cloud(change=with_quota(instances=-1, cores=-1, ram_mib=-1))
    assert create(cloud, min_count=45).status_code == 202
    assert len(listed(cloud)) == 45


def test_limits_and_quota_sets_tell_what_is_had_and_used(start_cloud: Any, wait: Wait) -> None:
    cloud = start_cloud(change=with_quota(instances=7, cores=8, ram_mib=4096))
    boot(cloud, wait, flavorRef="2")
    absolute = cloud.call("GET", "/compute/v2.1/limits").json()["limits"]["absolute"]
    limits = {"maxTotalInstances": 7, "maxTotalCores": 8, "maxTotalRAMSize": 4096}
    used = {"totalInstancesUsed": 1, "totalCoresUsed": 1, "totalRAMUsed": 512}
    assert {key: absolute[key] for key in (*limits, *used)} == limits | used
    project = cloud.connect().current_project_id
    path = f"/compute/v2.1/os-quota-sets/{project}"
    plain, detail = (cloud.call("GET", path + more).json()["quota_set"] for more in ("", "/detail"))
    assert (plain["instances"], plain["cores"], plain["ram"]) == (7, 8, 4096)
    assert detail["ram"] == {"limit": 4096, "in_use": 512, "reserved": 0}
    assert cloud.call("GET", path, user="bob").status_code == 403
    assert cloud.call("GET", path, user="admin").status_code == 200


def test_a_failed_server_counts_until_it_is_deleted(start_cloud: Any, wait: Wait) -> None:
    cloud = start_cloud(change=with_quota(instances=1))
    cloud.hypervisor.refuse_start = True
    server = boot(cloud, wait)
    assert server["status"] == "ERROR"
    assert create(cloud).status_code == 403
    cloud.call("DELETE", f"/compute/v2.1/servers/{server['id']}")
    wait("it to go", lambda: not listed(cloud))
    assert create(cloud).status_code == 202


# -- the host --------------------------------------------------------------------------------------------------------


def test_servers_of_one_request_are_placed_together_or_not_at_all(start_cloud: Any, wait: Wait) -> None:
    cloud = start_cloud(change=with_guest(memory_mib_max=1024))
    kept = boot(cloud, wait)
    assert create(cloud, min_count=4).status_code == 202
    wait("the others to fail", lambda: len(listed(cloud, "?status=ERROR")) == 4)
    faults = {(server["fault"]["code"], server["fault"]["message"]) for server in listed(cloud, "?status=ERROR")}
    assert faults == {(500, NO_VALID_HOST)}
    assert show(cloud, kept["id"])["status"] == "ACTIVE"
    # What has failed holds nothing.
    assert create(cloud, min_count=3).status_code == 202
    wait("three to run beside it", lambda: len(listed(cloud, "?status=ACTIVE")) == 4)


def test_what_the_machine_has_not_got_is_not_given_to_guests(
    start_cloud: Any, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = start_cloud()
    scarce = scheduler.Scheduler(cloud.cloud, available_mib=lambda: 3 * 320 + scheduler.RESERVED_MIB)
    docs = [
        {"id": str(number), "project_id": "p", "flavor": "1", "status": "BUILD", "_placed": False}
        for number in range(4)
    ]
    for doc in docs:
        cloud.cloud.store.put("server", str(doc["id"]), doc)
    assert not scarce.place(docs)
    assert scarce.place(docs[:3])
    assert not scarce.place(docs[3:])  # of the three, none has taken its memory yet
    for doc in docs[:3]:
        cloud.cloud.store.patch("server", str(doc["id"]), status="ACTIVE")
    assert scarce.place(docs[3:])
    assert scarce.used_mib() == 4 * 256


def test_a_single_server_is_not_refused_for_the_sake_of_the_machine(start_cloud: Any) -> None:
    """BT-1 would blame the cloud for a small machine."""
    cloud = start_cloud()
    small = scheduler.Scheduler(cloud.cloud, available_mib=lambda: 0)
    one, other = [
        {"id": name, "project_id": "p", "flavor": "1", "status": "BUILD", "_placed": False} for name in ("a", "b")
    ]
    for doc in (one, other):
        cloud.cloud.store.put("server", str(doc["id"]), doc)
    assert small.place([one])
    assert not small.place([other])  # beside one that is yet to take its memory
    cloud.cloud.store.patch("server", "a", status="ACTIVE")
    assert small.place([other])


def test_addresses_run_out_as_nova_and_neutron_say(start_cloud: Any, wait: Wait) -> None:
    def two_addresses(usual: Profile) -> Profile:
        network: NetworkProfile = replace(usual.networks[0], pool_start="10.10.0.10", pool_end="10.10.0.12")
        return replace(usual, networks=(network,))

    cloud = start_cloud(change=two_addresses)
    servers = [boot(cloud, wait) for _ in range(4)]
    free = [server for server in servers if server["status"] == "ACTIVE"]
    [failed] = [server for server in servers if server["status"] == "ERROR"]
    network = cloud.call("GET", "/network/v2.0/networks?name=private").json()["networks"][0]["id"]
    assert len(free) == 3
    assert failed["fault"]["code"] == 500
    assert failed["fault"]["message"] == (
        f"Build of instance {failed['id']} aborted: Failed to allocate the network(s) with error No fixed IP addresses "
        f"available for network: {network}, not rescheduling."
    )


def test_a_server_that_gets_no_second_address_gives_its_first_one_back(start_cloud: Any, wait: Wait) -> None:
    def no_second(usual: Profile) -> Profile:
        second = replace(usual.networks[1], pool_start="192.168.200.10", pool_end="192.168.200.10")
        return replace(usual, networks=(usual.networks[0], second))

    cloud = start_cloud("public-lite", change=no_second)
    found = cloud.call("GET", "/network/v2.0/networks").json()["networks"]
    ids = {item["name"]: item["id"] for item in found}
    wish = [{"uuid": ids["flat"]}, {"uuid": ids["multi"]}]
    first, second = (boot(cloud, wait, networks=wish) for _ in range(2))
    assert (first["status"], second["status"]) == ("ACTIVE", "ERROR")
    ports = cloud.call("GET", "/network/v2.0/ports").json()["ports"]
    assert {port["device_id"] for port in ports if port["device_owner"].startswith("compute:")} == {first["id"]}


# -- turns -----------------------------------------------------------------------------------------------------------


def test_no_more_guests_boot_at_once_than_the_profile_says(start_cloud: Any, wait: Wait) -> None:
    cloud = start_cloud(change=with_guest(boots_at_once=2))
    cloud.hypervisor.calm.clear()
    assert create(cloud, min_count=5).status_code == 202
    wait("two to run", lambda: len(listed(cloud, "?status=ACTIVE")) == 2)
    waiting = listed(cloud, "?status=BUILD")
    assert {(server["OS-EXT-STS:task_state"], server["hostId"]) for server in waiting} == {("scheduling", "")}
    assert len(cloud.hypervisor.started) == 2
    gone = waiting[0]["id"]
    cloud.call("DELETE", f"/compute/v2.1/servers/{gone}")  # one that waits may be deleted
    wait("it to go", lambda: gone not in {server["id"] for server in listed(cloud)})
    cloud.hypervisor.calm.set()
    wait("the rest to run", lambda: len(listed(cloud, "?status=ACTIVE")) == 4)
    assert gone not in {spec.id for spec in cloud.hypervisor.started}


def test_a_build_that_fails_gives_its_turn_back(start_cloud: Any, wait: Wait) -> None:
    cloud = start_cloud(change=with_guest(boots_at_once=1))
    cloud.hypervisor.refuse_start = True
    assert boot(cloud, wait)["status"] == "ERROR"
    cloud.hypervisor.refuse_start = False
    assert boot(cloud, wait)["status"] == "ACTIVE"


def test_a_request_that_names_nothing_makes_one(private: Any, wait: Wait) -> None:
    asked = request_for(private)
    answer = private.call("POST", "/compute/v2.1/servers", json={"server": asked})
    assert rest(private, wait, answer.json()["server"]["id"])["name"] == "web"
    assert len(listed(private)) == 1


# -- templates -------------------------------------------------------------------------------------------------------


def test_the_first_server_of_an_image_boots_and_the_others_may_start_from_a_template(
    start_cloud: Any, wait: Wait
) -> None:
    cloud = start_cloud(change=with_guest(boots_at_once=1, starts_from_template=True))
    assert create(cloud, min_count=6).status_code == 202
    wait("all to run", lambda: len(listed(cloud, "?status=ACTIVE")) == 6)
    first, *others = [spec.template for spec in cloud.hypervisor.started]
    assert first == ""
    assert len(set(others)) == 1
    assert others[0].startswith(show(cloud, cloud.hypervisor.started[0].id)["image"]["id"])
    # What has been used is no copy of anything: it boots.
    server_id = cloud.hypervisor.started[3].id
    assert act(cloud, server_id, {"os-stop": None}).status_code == 202
    rest(cloud, wait, server_id)
    assert act(cloud, server_id, {"os-start": None}).status_code == 202
    rest(cloud, wait, server_id)
    assert (cloud.hypervisor.started[-1].id, cloud.hypervisor.started[-1].template) == (server_id, "")
    for spec in cloud.hypervisor.started[:6]:
        assert not any(line.startswith("drop") for line in cloud.hypervisor.log)
        cloud.call("DELETE", f"/compute/v2.1/servers/{spec.id}")
        wait("it to go", partial(is_gone, cloud, spec.id))
    assert [line for line in cloud.hypervisor.log if line.startswith("drop")] == [f"drop {others[0]}"]


def test_where_the_first_server_of_an_image_fails_the_next_one_boots(start_cloud: Any, wait: Wait) -> None:
    cloud = start_cloud(change=with_guest(boots_at_once=1, starts_from_template=True))
    cloud.hypervisor.refuse_start = True
    assert boot(cloud, wait)["status"] == "ERROR"
    cloud.hypervisor.refuse_start = False
    assert create(cloud, min_count=5).status_code == 202
    wait("all to run", lambda: len(listed(cloud, "?status=ACTIVE")) == 5)
    first, second, *_ = [spec.template for spec in cloud.hypervisor.started]
    assert first == ""
    assert second != ""


def test_a_template_is_not_made_for_a_single_server_more(start_cloud: Any, wait: Wait) -> None:
    cloud = start_cloud(change=with_guest(starts_from_template=True))
    for _ in range(3):
        boot(cloud, wait)
    assert [spec.template for spec in cloud.hypervisor.started] == [""] * 3


def test_another_flavor_is_another_template(start_cloud: Any, wait: Wait) -> None:
    cloud = start_cloud(change=with_guest(boots_at_once=1, starts_from_template=True, memory_mib_max=8192))
    for flavor in ("1", "2"):
        assert create(cloud, min_count=5, flavorRef=flavor).status_code == 202
        wait("all to run", lambda: not listed(cloud, "?status=BUILD"))
    words = {spec.template for spec in cloud.hypervisor.started if spec.template}
    assert len(words) == 2


def test_without_the_setting_every_guest_boots(private: Any, wait: Wait) -> None:
    assert create(private, min_count=6).status_code == 202
    wait("all to run", lambda: len(listed(private, "?status=ACTIVE")) == 6)
    assert {spec.template for spec in private.hypervisor.started} == {""}
