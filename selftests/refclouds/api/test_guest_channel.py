"""Nova over a hypervisor with a way into its guests: what is told, when a server is ACTIVE, and changed passwords."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from metadata_shims import xenstore
from metadata_shims.instance import Instance
from refclouds.node import GuestSetup

from selftests.refclouds.api.conftest import StartCloud
from selftests.refclouds.api.test_compute import KEY, act, boot, networks, show

Wait = Callable[[str, Callable[[], Any]], Any]
PASSWORD = "canary-password"


class RecordingChannel:
    """Remembers what was asked of it."""

    def __init__(self) -> None:
        self.told: dict[str, Instance] = {}
        self.renewed: list[Instance] = []
        self.setups: list[GuestSetup] = []
        self.passwords: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    def tell(self, guest_id: str, instance: Instance) -> None:
        self.told[guest_id] = instance

    async def renew(self, guest_id: str, instance: Instance) -> None:
        self.renewed.append(instance)

    async def configure(self, guest_id: str, setup: GuestSetup) -> None:
        await self.gate.wait()
        self.setups.append(setup)

    async def set_password(self, guest_id: str, password: str) -> None:
        self.passwords.append(password)

    def faults(self, guest_id: str) -> list[str]:
        return []


@pytest.fixture
def channel() -> RecordingChannel:
    return RecordingChannel()


@pytest.fixture
def cloud(start_cloud: StartCloud, channel: RecordingChannel) -> Any:
    return start_cloud("public-lite", channel=channel)


def test_a_guest_is_told_every_address_also_those_of_dhcp(cloud: Any, wait: Wait, channel: RecordingChannel) -> None:
    server = boot(cloud, wait, networks=networks(cloud, "flat", "multi"), metadata={"interop_run": "run-7"})
    first, second = channel.told[server["id"]].vifs
    assert (first.label, first.cidr, first.gateway) == ("flat", "192.168.100.0/24", "192.168.100.1")
    assert (second.label, second.gateway) == ("multi", None)
    addresses = [item["addr"] for held in server["addresses"].values() for item in held]
    assert sorted(addresses) == sorted([*first.ips, *second.ips])
    tree = xenstore.tree(channel.told[server["id"]])
    assert tree["user-metadata/interop_run"] == '"run-7"'


def test_a_server_is_active_once_its_agent_had_its_chance(cloud: Any, wait: Wait, channel: RecordingChannel) -> None:
    channel.gate.clear()
    asked = {
        "name": "web",
        "flavorRef": "1",
        "imageRef": cloud.call("GET", "/image/v2/images").json()["images"][0]["id"],
    }
    body = {"server": {**asked, "adminPass": PASSWORD, "networks": networks(cloud, "flat")}}
    server_id = cloud.call("POST", "/compute/v2.1/servers", json=body).json()["server"]["id"]
    wait("the guest to be started", lambda: cloud.hypervisor.started)
    assert show(cloud, server_id)["status"] == "BUILD"
    channel.gate._loop.call_soon_threadsafe(channel.gate.set)  # type: ignore[attr-defined]  # the cloud has its own thread
    wait("the server to be active", lambda: show(cloud, server_id)["status"] == "ACTIVE")
    assert channel.setups == [GuestSetup(password=PASSWORD)]


def test_keys_go_through_the_channel(cloud: Any, wait: Wait, channel: RecordingChannel) -> None:
    keypair = {"keypair": {"name": "anne", "public_key": KEY}}
    cloud.call("POST", "/compute/v2.1/os-keypairs", json=keypair)
    boot(cloud, wait, key_name="anne", networks=networks(cloud, "flat"))
    assert channel.setups[0].keys == (KEY,)


def test_changed_metadata_is_told_to_a_running_guest(cloud: Any, wait: Wait, channel: RecordingChannel) -> None:
    server = boot(cloud, wait, networks=networks(cloud, "flat"))
    cloud.call("POST", f"/compute/v2.1/servers/{server['id']}/metadata", json={"metadata": {"a": "b"}})
    wait("the channel to be told", lambda: channel.renewed)
    assert channel.renewed[-1].meta == {"a": "b"}


def test_a_password_is_changed_through_the_channel(cloud: Any, wait: Wait, channel: RecordingChannel) -> None:
    server = boot(cloud, wait, networks=networks(cloud, "flat"))
    answer = act(cloud, server["id"], {"changePassword": {"adminPass": PASSWORD}})
    assert (answer.status_code, channel.passwords) == (202, [PASSWORD])
    assert show(cloud, server["id"])["OS-EXT-STS:task_state"] is None


@pytest.mark.parametrize("argument", [None, {}, {"adminPass": ""}, {"adminPass": 7}])
def test_a_password_that_is_none_is_refused(cloud: Any, wait: Wait, channel: RecordingChannel, argument: Any) -> None:
    server = boot(cloud, wait, networks=networks(cloud, "flat"))
    assert act(cloud, server["id"], {"changePassword": argument}).status_code == 400
    assert channel.passwords == []


def test_a_server_that_is_off_is_a_conflict(cloud: Any, wait: Wait, channel: RecordingChannel) -> None:
    server = boot(cloud, wait, networks=networks(cloud, "flat"))
    act(cloud, server["id"], {"os-stop": None})
    wait("the server to be off", lambda: show(cloud, server["id"])["status"] == "SHUTOFF")
    assert act(cloud, server["id"], {"changePassword": {"adminPass": PASSWORD}}).status_code == 409


def test_a_hypervisor_without_a_way_in_says_so(private: Any, wait: Wait) -> None:
    server = boot(private, wait)
    answer = act(private, server["id"], {"changePassword": {"adminPass": PASSWORD}})
    assert (answer.status_code, "no agent in the guest" in answer.text) == (501, True)
