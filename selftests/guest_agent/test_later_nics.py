"""NICs that come and go after the boot, and what leaves by which: without a NIC of this machine being touched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from guest_agent import hotplug, network, policy, sysfs

MAC1, MAC2, MAC3 = (f"fa:16:3e:00:00:0{number}" for number in (1, 2, 3))


def nics(*macs: str) -> list[network.Nic]:
    return [network.Nic(mac, None) for mac in macs]


@pytest.fixture
def present(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    there = {MAC1: "eth0"}
    monkeypatch.setattr(sysfs, "nic_macs", lambda: there)
    return there


def macs_after(planned: list[network.Nic], live: list[network.Nic]) -> list[str]:
    return [nic.mac for nic in network.brought_up_to_date(planned, live)]


def test_a_nic_that_is_neither_there_nor_told_of_any_more_is_forgotten(present: dict[str, str]) -> None:
    assert macs_after(nics(MAC1, MAC2), nics(MAC1)) == [MAC1]


def test_a_nic_that_is_told_of_and_not_there_still_waits_for_its_driver(present: dict[str, str]) -> None:
    assert macs_after(nics(MAC1, MAC2), nics(MAC1, MAC2)) == [MAC1, MAC2]


def test_a_nic_that_only_the_service_of_today_knows_is_taken_from_there(present: dict[str, str]) -> None:
    present[MAC3] = "eth1"
    assert macs_after(nics(MAC1), nics(MAC1, MAC3)) == [MAC1, MAC3]


def test_a_service_that_tells_of_no_nic_says_nothing(present: dict[str, str]) -> None:
    assert macs_after(nics(MAC1, MAC2), []) == [MAC1, MAC2]


def test_the_nics_of_the_boot_are_noted_and_nothing_is_done_before_they_are(tmp_path: Path) -> None:
    path = tmp_path / "nics.json"
    assert hotplug.known(str(path)) is None
    hotplug.remember({MAC1: "eth0"}, str(path))
    assert hotplug.known(str(path)) == {MAC1: "eth0"}
    path.write_text("[]")
    assert hotplug.known(str(path)) is None


class Client:
    """A metadata service that knows of a NIC only at the second question."""

    def __init__(self, *documents: dict[str, Any]) -> None:
        self.documents = list(documents)
        self.asked = 0

    def get(self, path: str) -> Client:
        assert path == "/openstack/latest/network_data.json"
        return self

    def json(self) -> Any:
        self.asked += 1
        return self.documents[min(self.asked, len(self.documents)) - 1]


def served(*macs: str) -> dict[str, Any]:
    return {"links": [{"id": mac, "ethernet_mac_address": mac} for mac in macs], "networks": []}


def test_a_service_that_does_not_know_a_nic_yet_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hotplug, "TOLD_PAUSE_S", 0.0)
    client: Any = Client(served(MAC1), served(MAC1, MAC2))
    found, document = hotplug.told({MAC2}, client, limit_s=5.0)
    assert list(found) == [MAC2]
    assert (document, client.asked) == (served(MAC1, MAC2), 2)


def test_a_nic_that_nobody_ever_tells_of_is_given_up() -> None:
    client: Any = Client(served(MAC1))
    found, _ = hotplug.told({MAC2}, client, limit_s=0.0)
    assert found == {}


def test_a_nic_s_own_table_has_its_networks_and_what_is_told_once_each() -> None:
    told = [("default", "10.0.0.1"), ("10.9.0.0/16", "10.0.0.2"), ("10.0.0.0/24", "10.0.0.1"), ("::/0", "fd00::1")]
    assert policy.routes_of(["10.0.0.5/24"], [*told, ("10.8.0.0/16", "0.0.0.0")]) == [
        ("10.0.0.0/24", None),
        ("default", "10.0.0.1"),
        ("10.9.0.0/16", "10.0.0.2"),
        ("10.8.0.0/16", None),
    ]


@pytest.mark.parametrize(
    ("address", "expected"),
    [("10.0.0.5/24", "10.0.0.0/24"), ("10.0.0.5/32", "10.0.0.5/32"), ("10.0.0.5/0", "0.0.0.0/0")],
)
def test_the_network_of_an_address(address: str, expected: str) -> None:
    assert policy.network_of(address) == expected
