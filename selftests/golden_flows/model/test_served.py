"""What a guest was told of its NICs, held against the API of the cloud that told it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from golden_flows.model.guest import Channel
from golden_flows.model.served import told_otherwise
from selftests.golden_flows.checks.facts_builder import MAC1, healthy_facts, network_data

BOOT = healthy_facts().boot
DEFAULT = {"network": "0.0.0.0", "netmask": "0.0.0.0", "gateway": "10.9.9.9"}


def otherwise(document: dict[str, object], channels: tuple[Channel, ...] | None = None) -> str:
    assert BOOT is not None
    assert BOOT.report is not None
    report = replace(BOOT.report, network_data=document, channels=channels or BOOT.report.channels)
    return told_otherwise(report, BOOT.ports)


def test_a_healthy_cloud_says_the_same_twice() -> None:
    assert otherwise(network_data()) == ""


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({}, "tells of no port"),
        (network_data(mac="fa:16:3e:00:00:99"), "tells of no port"),
        (network_data(mac=MAC1), "no address"),
        ({**network_data(), "networks": []}, "no address"),
        (network_data(routes=(DEFAULT,)), "a default route by 10.9.9.9"),
        (
            {**network_data(), "links": [*network_data()["links"], {"id": "v", "type": "vlan", "vlan_id": 42}]},  # type: ignore[misc]  # a list
            "VLAN 42",
        ),
    ],
)
def test_what_it_says_otherwise_is_told(document: dict[str, object], words: str) -> None:
    assert words in otherwise(document)


def test_a_guest_that_no_such_channel_reached_was_told_nothing_wrong() -> None:
    assert otherwise({}, (Channel(name="ec2-http", present=True),)) == ""
