"""Keystone as it answers: who gets in, for how long, and what a 401 looks like at each service."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import openstack
import pytest
import requests


def test_versions_are_300_and_200(private: Any) -> None:
    answers = [requests.get(private.url + path, timeout=5) for path in ("/identity", "/identity/", "/identity/v3")]
    assert [answer.status_code for answer in answers] == [300, 300, 200]


def test_the_catalogue_has_openstacks_shape(private: Any) -> None:
    headers = {"X-Subject-Token": private.token()}
    token = private.call("GET", "/identity/v3/auth/tokens", headers=headers).json()["token"]
    urls = {item["type"]: item["endpoints"][0]["url"].removeprefix(private.url) for item in token["catalog"]}
    assert urls == {
        "identity": "/identity/v3",
        "image": "/image",
        "compute": "/compute/v2.1",
        "network": "/network",
    }
    assert all({"region", "region_id"} <= set(item["endpoints"][0]) for item in token["catalog"])
    assert {role["name"] for role in token["roles"]} == {"member", "reader"}


def test_a_wrong_password_is_401_with_a_challenge(private: Any) -> None:
    auth = private.auth("anne")["auth"] | {"password": "wrong"}
    with pytest.raises(openstack.exceptions.SDKException, match="HTTP 401"):
        openstack.connect(load_yaml_config=False, load_envvars=False, auth=auth).authorize()
    account = {"name": "anne", "domain": {"id": "default"}, "password": "wrong"}
    body = {"auth": {"identity": {"methods": ["password"], "password": {"user": account}}}}
    answer = requests.post(f"{private.url}/identity/v3/auth/tokens", json=body, timeout=5)
    assert (answer.status_code, answer.json()["error"]["title"]) == (401, "Unauthorized")
    assert answer.headers["WWW-Authenticate"].startswith('Keystone uri="')


@pytest.mark.parametrize("path", ["/compute/v2.1/servers", "/network/v2.0/networks", "/image/v2/images"])
def test_a_bad_token_is_401_in_the_services_own_form(private: Any, path: str) -> None:
    answer = requests.get(private.url + path, headers={"X-Auth-Token": "junk"}, timeout=5)
    assert answer.status_code == 401
    assert "WWW-Authenticate" in answer.headers
    assert answer.headers["Content-Type"].startswith("text/html" if "image" in path else "application/json")


def test_a_token_ends_when_it_is_revoked_or_expires(private: Any) -> None:
    token = private.token()

    def status() -> int:
        answer = requests.get(f"{private.url}/image/v2/images", headers={"X-Auth-Token": token}, timeout=5)
        return answer.status_code

    assert status() == 200
    private.call("DELETE", "/identity/v3/auth/tokens", headers={"X-Subject-Token": token})
    assert status() == 401
    token = private.token()
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    for doc in private.cloud.store.list("token"):
        private.cloud.store.patch("token", doc["id"], expires_at=past)
    assert status() == 401


def test_no_token_and_no_password_is_in_the_state_folder(private: Any) -> None:
    token = private.token()
    private.call("GET", "/compute/v2.1/servers")
    content = b"".join(path.read_bytes() for path in private.state_dir.glob("cloud.db*"))
    assert token.encode() not in content
    assert b"correct horse" not in content


def test_an_application_credential_of_a_plain_member_works(private: Any) -> None:
    anne = private.connect()
    made = anne.identity.create_application_credential(anne.current_user_id, "ci")
    auth = {
        "auth_url": f"{private.url}/identity/v3",
        "application_credential_id": made.id,
        "application_credential_secret": made.secret,
    }
    robot = openstack.connect(
        load_yaml_config=False, load_envvars=False, auth_type="v3applicationcredential", auth=auth
    )
    assert [image.name for image in robot.image.images()] == ["golden-pocket"]
    anne.identity.delete_application_credential(anne.current_user_id, made.id)
    with pytest.raises(openstack.exceptions.SDKException, match="HTTP 401"):
        openstack.connect(
            load_yaml_config=False, load_envvars=False, auth_type="v3applicationcredential", auth=auth
        ).authorize()


def test_only_administrators_list_users(private: Any) -> None:
    assert private.call("GET", "/identity/v3/users").status_code == 403
    assert private.call("GET", "/identity/v3/users", user="admin").status_code == 200
