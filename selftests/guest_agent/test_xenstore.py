"""The guest's end of xenstore: the wire, vm-data as a channel, and the addresses of NICs."""

from __future__ import annotations

import json
import os
import time
from typing import Any

import pytest
from guest_agent import dhcp, network, sysfs, xenstore, xenstore_channel
from guest_agent.channels import Channel
from guest_agent.xenstore import XenStore, XenStoreError

from selftests.xenstored import Tree

HOME = "/local/domain/1"
RECORD: dict[str, Any] = {
    "label": "flat",
    "mac": "fa:16:3e:00:00:01",
    "gateway": "192.168.1.1",
    "broadcast": "192.168.1.255",
    "ips": [{"ip": "192.168.1.100", "enabled": "1", "netmask": "255.255.255.0", "gateway": "192.168.1.1"}],
    "gateway_v6": "fd00::1",
    "ip6s": [{"ip": "fd00::100", "enabled": "1", "netmask": 64, "gateway": "fd00::1"}],
    "routes": [{"route": "10.9.0.0", "netmask": "255.255.0.0", "gateway": "192.168.1.2"}],
    "dns": ["192.168.1.3"],
}


def parse(**changes: Any) -> xenstore_channel.Record:
    record = {key: value for key, value in {**RECORD, **changes}.items() if value is not ...}
    return xenstore_channel.parse("fa163e000001", json.dumps(record))


# the wire


def test_a_value_comes_back_as_it_was_written(store: XenStore, tree: Tree) -> None:
    store.write("data/x", "é\n")
    assert (store.read("data/x"), tree.text(f"{HOME}/data/x")) == ("é\n", "é\n")


def test_what_is_not_there_is_none_and_empty(store: XenStore) -> None:
    assert store.read("vm-data/hostname") is None
    assert store.names("vm-data") == []
    store.remove("data/nothing")


def test_a_folder_is_listed_whole(store: XenStore) -> None:
    for name in ("a", "b/c"):
        store.write(f"data/{name}", "1")
    assert sorted(store.names("data")) == ["a", "b"]
    store.remove("data/b")
    assert store.names("data") == ["a"]


def test_a_refusal_has_the_protocols_word(store: XenStore) -> None:
    with pytest.raises(XenStoreError, match="EACCES") as caught:
        store.write("vm-data/hostname", "mine")
    assert caught.value.code == "EACCES"


def test_a_message_too_long_for_the_kernel_is_refused_before_it_is_sent(store: XenStore) -> None:
    with pytest.raises(XenStoreError, match="E2BIG"):
        store.write("data/x", "x" * 4096)
    assert store.names("data") == []


def test_a_watch_reports_once_at_first_and_then_each_change(store: XenStore, tree: Tree) -> None:
    store.watch("data/host")
    assert store.wait(1) == "data/host"
    assert store.wait(0.05) is None
    tree.write(f"{HOME}/data/host/1", "request")
    assert store.wait(1) == "data/host/1"


def test_events_between_request_and_answer_are_kept(store: XenStore, tree: Tree) -> None:
    store.watch("data/host")
    tree.write(f"{HOME}/data/host/1", "request")
    assert store.read("data/host/1") == "request"
    assert [store.wait(1), store.wait(1)] == ["data/host", "data/host/1"]


def test_a_message_in_pieces_is_put_together() -> None:
    reading, writing = os.pipe()
    store = XenStore(reading)
    message = xenstore.HEADER.pack(xenstore.WATCH_EVENT, 0, 0, 7) + b"a/b\0tok"
    for piece in (message[:5], message[5:20], message[20:]):
        os.write(writing, piece)
    assert store.wait(1) == "a/b"
    os.close(writing)
    with pytest.raises(OSError, match="closed"):
        store.wait(1)
    store.close()


def test_a_machine_without_the_device_has_no_store() -> None:
    assert xenstore.connect(("/no/such/device",)) is None


def test_a_silent_store_ends_in_an_error_not_in_a_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xenstore, "REPLY_LIMIT_S", 0.05)
    left, right = os.openpty()
    store, began = XenStore(right), time.monotonic()
    with pytest.raises(XenStoreError, match="ETIMEDOUT"):
        store.read("x")
    assert time.monotonic() - began < 5
    os.close(left)
    store.close()


# one NIC's record


def test_a_record_gives_addresses_routes_and_dns() -> None:
    nic = parse().to_nic()
    assert (nic.mac, nic.addresses) == ("fa:16:3e:00:00:01", ["192.168.1.100/24", "fd00::100/64"])
    assert nic.routes == [("default", "192.168.1.1"), ("default", "fd00::1"), ("10.9.0.0/16", "192.168.1.2")]
    assert (nic.dns, nic.problems) == (["192.168.1.3"], [])


@pytest.mark.parametrize(
    ("changes", "gateway", "key"),
    [
        ({}, "fd00::1", "gateway_v6"),
        ({"gateway_v6": ..., "gateway6": "fd00::2"}, "fd00::2", "gateway6"),
        ({"gateway_v6": ...}, "fd00::1", "ip6s.gateway"),
        (
            {"gateway_v6": ..., "gateway-v6": "fd00::1", "ip6s": [{"ip": "fd00::100", "netmask": 64}]},
            None,
            None,
        ),
    ],
    ids=["as nova writes it", "as agents read it", "of the address", "as nobody reads it"],
)
def test_the_ipv6_gateway_in_every_spelling(changes: dict[str, Any], gateway: str | None, key: str | None) -> None:
    record = parse(**changes)
    assert (record.gateway6, record.gateway6_key) == (gateway, key)


def test_an_ipv6_address_under_its_other_name_is_read_and_a_disabled_one_is_not() -> None:
    record = parse(ip6s=[{"address": "fd00::7", "netmask": "64"}, {"ip": "fd00::8", "enabled": "0", "netmask": 64}])
    assert record.ip6s == ["fd00::7/64"]


@pytest.mark.parametrize(
    "changes",
    [
        {"ips": [{"ip": "192.168.1.999", "enabled": "1", "netmask": "255.255.255.0"}]},
        {"ips": [{"ip": "192.168.1.9", "enabled": "1", "netmask": "255.0.255.0"}]},
        {"ips": [{"ip": "192.168.1.9"}]},
        {"gateway": "nowhere"},
        {"routes": [{"route": "10.0.0.0"}]},
    ],
    ids=["address", "netmask", "no netmask", "gateway", "route"],
)
def test_a_bad_part_is_a_problem_and_the_rest_is_kept(changes: dict[str, Any]) -> None:
    record = parse(**changes)
    assert len(record.problems) == 1
    assert record.ip6s == ["fd00::100/64"]


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"', "[" * 100_000])
def test_a_record_that_is_no_object_still_names_its_nic(text: str) -> None:
    record = xenstore_channel.parse("FA163E000001", text)
    assert (record.mac, len(record.problems)) == ("fa:16:3e:00:00:01", 1)
    assert record.to_nic().addresses == []


def test_a_nic_without_addresses_is_a_problem_of_its_own() -> None:
    assert "no address" in parse(ips=[], ip6s=[]).to_nic().problems[0]


# the channel


def fill(tree: Tree) -> None:
    second = {**RECORD, "mac": "fa:16:3e:00:00:02", "label": "multi", "gateway": None, "gateway_v6": None, "ip6s": []}
    second["ips"] = [{"ip": "192.168.2.7", "enabled": "1", "netmask": "255.255.255.0", "gateway": None}]
    tree.write(f"{HOME}/vm-data/hostname", "anne")
    tree.write(f"{HOME}/vm-data/user-metadata/interop_run", '"run-7"')
    tree.write(f"{HOME}/vm-data/networking/fa163e000001", json.dumps(RECORD))
    tree.write(f"{HOME}/vm-data/networking/fa163e000002", json.dumps(second))


def test_two_nics_come_from_xenstore_alone(store: XenStore, tree: Tree) -> None:
    fill(tree)
    channel, records = xenstore_channel.read(store)
    assert (channel.is_present, channel.meta) == (
        True,
        {
            "hostname": "anne",
            "meta": {"interop_run": "run-7"},
            "macs": ["fa:16:3e:00:00:01", "fa:16:3e:00:00:02"],
        },
    )
    first, second = (record.to_nic() for record in records)
    assert first.has_default_route
    assert (second.addresses, second.has_default_route) == (["192.168.2.7/24"], False)


def test_nothing_below_vm_data_is_an_absent_channel(store: XenStore) -> None:
    channel, records = xenstore_channel.read(store)
    assert (channel.is_present, records, "nothing" in channel.reason) == (False, [], True)


def test_a_machine_without_xenstore_has_an_absent_channel() -> None:
    channel, _ = xenstore_channel.read(None)
    assert (channel.is_present, channel.to_report(used=False)["digest"]) == (False, None)
    assert xenstore_channel.describe(None, []) is None


def make_openstack(**changes: Any) -> Channel:
    channel = Channel("openstack-http")
    channel.meta = {"uuid": "u", "hostname": "anne.novalocal", "meta": {"interop_run": "run-7"}}
    links = [{"ethernet_mac_address": mac} for mac in ("FA:16:3E:00:00:02", "fa:16:3e:00:00:01")]
    channel.network_data = {"links": links}
    channel.meta.update(changes)
    return channel


def common(left: Channel, right: Channel) -> dict[str, bool]:
    ours, theirs = left.key_digests(), right.key_digests()
    return {key: ours[key] == theirs[key] for key in set(ours) & set(theirs)}


def test_xenstore_and_http_agree_over_what_both_tell(store: XenStore, tree: Tree) -> None:
    fill(tree)
    told, _ = xenstore_channel.read(store)
    assert common(make_openstack(), told) == {"short_hostname": True, "xenstore_meta": True, "macs": True}


def test_another_hostname_is_a_disagreement(store: XenStore, tree: Tree) -> None:
    fill(tree)
    told, _ = xenstore_channel.read(store)
    assert common(make_openstack(hostname="stale.novalocal"), told)["short_hostname"] is False


def test_network_data_that_tells_of_no_nic_says_nothing_of_macs(store: XenStore, tree: Tree) -> None:
    fill(tree)
    told, _ = xenstore_channel.read(store)
    channel = make_openstack()
    channel.network_data = {}
    assert "macs" not in common(channel, told)


def test_the_status_shows_vifs_tools_and_networking(store: XenStore, tree: Tree) -> None:
    fill(tree)
    tree.write(f"{HOME}/device/vif/0/state", "4")
    tree.write(f"{HOME}/attr/PVAddons/MajorVersion", "1")
    status = xenstore_channel.describe(store, [{"name": "version"}])
    assert status is not None
    assert (status["vifs"], status["pvaddons"]) == ({"0": "4"}, {"MajorVersion": "1"})
    assert status["commands"] == [{"name": "version"}]
    assert status["networking"][0] == {
        "mac": "fa:16:3e:00:00:01",
        "label": "flat",
        "ips": ["192.168.1.100/24"],
        "ip6s": ["fd00::100/64"],
        "gateway": "192.168.1.1",
        "gateway6": "fd00::1",
        "gateway6_key": "gateway_v6",
    }


# what is done with it


class Machine:
    """NICs, and what was done to them with ip."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **addresses: list[str]) -> None:
        self.done: list[str] = []
        macs = {"fa:16:3e:00:00:01": "eth0", "fa:16:3e:00:00:02": "eth1"}
        monkeypatch.setattr(sysfs, "nic_macs", lambda: {m: n for m, n in macs.items() if n in addresses})
        monkeypatch.setattr(sysfs, "addresses", lambda name: addresses[name])
        monkeypatch.setattr(sysfs, "routes", list)
        monkeypatch.setattr(dhcp, "lease", lambda name: None)
        monkeypatch.setattr(dhcp, "stop_client", lambda name: self.done.append(f"stop {name}"))
        monkeypatch.setattr(network, "_write_resolv_conf", lambda servers: None)
        monkeypatch.setattr(network, "_ip", self.ip)

    def ip(self, *words: str) -> str:
        self.done.append(" ".join(words))
        return ""


def test_addresses_that_are_there_are_not_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, eth0=["192.168.1.100/24"])
    (verdict,) = network.reset([parse().to_nic()])
    assert verdict["verdict"] == "ok"
    assert machine.done == [
        "addr add fd00::100/64 dev eth0",
        "route add default via 192.168.1.1 dev eth0 onlink",
        "-6 route add default via fd00::1 dev eth0",
    ]


def test_a_nic_that_is_not_there_does_not_cost_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, eth0=[])
    absent = parse(mac="fa:16:3e:00:00:09").to_nic()
    verdicts = network.reset([absent, parse().to_nic()])
    assert [one["verdict"] for one in verdicts] == ["failed", "ok"]
    assert "addr add 192.168.1.100/24 dev eth0" in machine.done


def test_two_gateways_leave_one_default_route_and_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, eth0=[], eth1=[])
    second = parse(mac="fa:16:3e:00:00:02").to_nic()
    verdicts = network.reset([parse().to_nic(), second])
    assert [one["verdict"] for one in verdicts] == ["ok", "ok"]
    assert [line for line in machine.done if "default" in line and "eth1" in line] == []


def test_a_record_that_cannot_be_read_fails_its_nic(monkeypatch: pytest.MonkeyPatch) -> None:
    Machine(monkeypatch, eth0=[])
    (verdict,) = network.reset([xenstore_channel.parse("fa163e000001", "{").to_nic()])
    assert verdict["verdict"] == "failed"
    assert "not a JSON object" in verdict["reason"]
