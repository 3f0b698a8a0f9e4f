"""``personality`` and ``rebuild``, as nova answers them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import pytest
from refclouds.compute.requests import USER_DATA_CHARS_MAX

from selftests.refclouds.api.test_compute import KEY, Wait, act, boot, create, networks, request_for, rest, show


def file(path: str = "/srv/file", content: bytes = b"\0\xff") -> dict[str, str]:
    return {"path": path, "contents": base64.b64encode(content).decode()}


def encoded(text: bytes) -> str:
    return base64.b64encode(text).decode()


def modern(version: str = "2.57") -> dict[str, str]:
    return {"OpenStack_API_Version": f"compute {version}"}


@pytest.mark.parametrize(
    ("files", "status", "message"),
    [
        ([file()] * 6, 403, "Personality file limit exceeded"),
        ([file(content=bytes(10 * 1024 + 1))], 403, "content exceeds maximum 10240"),
        ([file("/" + "p" * 255)], 403, "path exceeds maximum 255"),
        ([{"path": "/srv/file", "contents": "A"}], 400, "base64"),
        ([{"path": "/srv/file"}], 400, "personality"),
        ("/srv/file", 400, "personality"),
    ],
    ids=["six files", "too long", "long path", "no base64", "no contents", "no list"],
)
def test_files_beyond_the_quota_are_403_and_of_another_form_400(
    private: Any, files: object, status: int, message: str
) -> None:
    answer = create(private, personality=files)
    assert answer.status_code == status, answer.text
    assert message in answer.text


def test_files_of_exactly_the_quota_are_taken_and_end_with_microversion_2_57(private: Any) -> None:
    files = [file(f"/srv/{n}", bytes(10 * 1024)) for n in range(5)]
    assert create(private, personality=files).status_code == 202
    wanted = networks(private, "private")
    assert create(private, "2.56", personality=files, networks=wanted).status_code == 202
    refused = create(private, "2.57", personality=files, networks=wanted)
    assert refused.status_code == 400
    assert "'personality' was unexpected" in refused.text


def test_the_limits_tell_of_files_until_2_56(private: Any) -> None:
    def absolute(version: str) -> Any:
        headers = {"OpenStack-API-Version": f"compute {version}"}
        return private.call("GET", "/compute/v2.1/limits", headers=headers).json()["limits"]["absolute"]

    assert (absolute("2.1")["maxPersonality"], absolute("2.56")["maxPersonalitySize"]) == (5, 10240)
    assert "maxPersonality" not in absolute("2.57")


def test_files_are_told_to_no_metadata_service(private: Any, wait: Wait) -> None:
    server = boot(private, wait, personality=[file()])
    assert private.metadata.told[server["id"]].files == ()


def test_a_rebuilt_server_has_a_fresh_disk_other_user_data_and_its_addresses(private: Any, wait: Wait) -> None:
    server = boot(private, wait, user_data=encoded(b"old"))
    image = request_for(private)["imageRef"]
    asked = {"imageRef": image, "user_data": encoded(b"new"), "name": "web2", "metadata": {"a": "b"}}
    answer = act(private, server["id"], {"rebuild": asked}, **modern())
    assert answer.status_code == 202, answer.text
    begun = answer.json()["server"]
    assert (begun["status"], begun["OS-EXT-STS:task_state"], begun["id"]) == ("REBUILD", "rebuilding", server["id"])
    assert begun["adminPass"]
    assert begun["user_data"] == encoded(b"new")
    assert answer.headers["Location"].endswith(server["id"])

    def active() -> Any:
        seen = show(private, server["id"])
        return seen if seen["status"] == "ACTIVE" else None

    done = wait("the rebuild", active)
    assert (done["name"], done["metadata"], done["addresses"]) == ("web2", {"a": "b"}, server["addresses"])
    assert private.metadata.told[server["id"]].user_data == b"new"
    assert len(private.hypervisor.images) == 2


@pytest.mark.parametrize(
    ("asked", "version", "message"),
    [
        ({"user_data": encoded(b"new")}, "2.56", "'user_data' was unexpected"),
        ({"personality": [file()]}, "2.57", "'personality' was unexpected"),
        ({"key_name": "k"}, "2.53", "'key_name' was unexpected"),
        ({"imageRef": None}, "2.57", "'imageRef' is a required property"),
        ({"user_data": "A" * (USER_DATA_CHARS_MAX + 1)}, "2.57", "user_data"),
        ({"key_name": "nobody's"}, "2.57", "Invalid key_name"),
    ],
    ids=["user data", "files", "key", "no image", "too long", "unknown key"],
)
def test_a_rebuild_is_refused_as_nova_refuses_it(
    private: Any, wait: Wait, asked: Mapping[str, Any], version: str, message: str
) -> None:
    server = boot(private, wait)
    body = {"imageRef": request_for(private)["imageRef"], **asked}
    answer = act(private, server["id"], {"rebuild": body}, **modern(version))
    assert answer.status_code == 400, answer.text
    assert message in answer.text
    assert show(private, server["id"])["status"] == "ACTIVE"


def test_a_rebuild_keeps_what_it_is_not_told_to_change(private: Any, wait: Wait) -> None:
    private.call("POST", "/compute/v2.1/os-keypairs", json={"keypair": {"name": "k", "public_key": KEY}})
    server = boot(private, wait, user_data=encoded(b"old"), key_name="k", metadata={"a": "b"})
    body = {"rebuild": {"imageRef": request_for(private)["imageRef"]}}
    assert act(private, server["id"], body).status_code == 202
    wait("the rebuild", lambda: show(private, server["id"])["status"] == "ACTIVE")
    told = private.metadata.told[server["id"]]
    assert (told.user_data, told.meta, list(told.keys)) == (b"old", {"a": "b"}, ["k"])


def test_only_a_server_at_rest_is_rebuilt(private: Any, wait: Wait) -> None:
    server = boot(private, wait)
    body = {"rebuild": {"imageRef": request_for(private)["imageRef"]}}
    act(private, server["id"], {"pause": None})
    rest(private, wait, server["id"])
    assert act(private, server["id"], body).status_code == 409


def test_a_stopped_server_is_off_again_after_its_rebuild(private: Any, wait: Wait) -> None:
    server = boot(private, wait)
    act(private, server["id"], {"os-stop": None})
    wait("the stop", lambda: show(private, server["id"])["status"] == "SHUTOFF")
    answer = act(private, server["id"], {"rebuild": {"imageRef": request_for(private)["imageRef"]}})
    assert answer.status_code == 202
    wait("the rebuild", lambda: show(private, server["id"])["status"] == "SHUTOFF")
    assert len(private.hypervisor.started) == 2


def test_with_rebuild_stale_old_user_data_stays(start_cloud: Any, wait: Wait) -> None:
    cloud = start_cloud(faults=["rebuild_stale"])
    server = boot(cloud, wait, user_data=encoded(b"old"))
    body = {"rebuild": {"imageRef": request_for(cloud)["imageRef"], "user_data": encoded(b"new")}}
    assert act(cloud, server["id"], body, **modern()).status_code == 202
    wait("the rebuild", lambda: show(cloud, server["id"])["status"] == "ACTIVE")
    assert cloud.metadata.told[server["id"]].user_data == b"old"


def test_with_ud_trunc_user_data_that_is_too_long_is_cut_and_taken(start_cloud: Any, wait: Wait) -> None:
    cloud = start_cloud(faults=["ud_trunc"])
    server = boot(cloud, wait, user_data="A" * (USER_DATA_CHARS_MAX + 1))
    assert server["status"] == "ACTIVE"


def test_with_iid_same_a_server_of_a_snapshot_is_told_its_origin_s_uuid(start_cloud: Any, wait: Wait) -> None:
    cloud = start_cloud(faults=["iid_same"])
    first = boot(cloud, wait)
    headers = {"OpenStack_API_Version": "compute 2.45"}
    image = act(cloud, first["id"], {"createImage": {"name": "s"}}, **headers).json()["image_id"]
    wait("the snapshot", lambda: cloud.call("GET", f"/image/v2/images/{image}").json()["status"] == "active")
    second = boot(cloud, wait, imageRef=image)
    assert cloud.metadata.told[second["id"]].uuid == first["id"]
    assert cloud.metadata.told[first["id"]].uuid == first["id"]
