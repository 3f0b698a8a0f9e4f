from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from golden_flows.model.facts import Leftover
from golden_flows.model.finding import NotObserved
from selftests.golden_flows.checks.facts_builder import (
    failing,
    lifecycle,
    port,
    report,
    said,
    with_lifecycle,
    with_power,
    with_reboot,
)

SERVER = Leftover(cloud="public", kind="server", id="s-1", name="anne")
ONE_MORE = {**lifecycle().after, "public": {"server": 1, "image": 0}}


def test_a_server_that_is_still_there_is_one_finding() -> None:
    facts = with_lifecycle(leftovers=(SERVER,), after=ONE_MORE)
    assert failing(facts) == {"LC-2"}
    found = said("LC-2", facts)
    assert isinstance(found, tuple)
    assert len(found) == 1


def test_a_leftover_counts_though_something_could_not_be_listed() -> None:
    assert failing(with_lifecycle(leftovers=(SERVER,), errors=("cannot list ports",), made=0)) == {"LC-2"}


def test_more_than_before_is_a_finding_without_a_leftover() -> None:
    assert failing(with_lifecycle(after=ONE_MORE)) == {"LC-2"}


def test_less_than_before_is_a_finding() -> None:
    assert failing(with_lifecycle(after={**lifecycle().after, "private": {"server": 0, "image": 2}})) == {"LC-2"}


def test_a_run_that_made_nothing_earns_no_pass() -> None:
    assert isinstance(said("LC-2", with_lifecycle(made=0)), NotObserved)


def test_what_could_not_be_listed_earns_no_pass() -> None:
    assert isinstance(said("LC-2", with_lifecycle(errors=("cannot list ports",))), NotObserved)
    assert isinstance(said("LC-2", with_lifecycle(before={}, after={})), NotObserved)


@pytest.mark.parametrize(
    "changes",
    [
        {"mac": "fa:16:3e:00:00:77"},
        {"fixed_ip": "192.168.100.21"},
        {"port_id": "port-9"},
    ],
    ids=["MAC", "address", "port"],
)
def test_a_port_that_is_another_after_the_reboot_is_a_finding(changes: dict[str, Any]) -> None:
    assert "LC-1" in failing(with_power(ports=(replace(port(0), **changes), port(1))))


def test_a_nic_that_is_gone_after_the_reboot_is_a_finding() -> None:
    assert failing(with_reboot(links=report().links[:1])) == {"LC-1"}


def test_metadata_that_is_another_after_the_reboot_is_a_finding() -> None:
    first, *others = report().channels
    renamed = replace(first, keys={**first.keys, "hostname": "0" * 64})
    assert failing(with_reboot(channels=(renamed, *others))) == {"LC-1"}
    changed = replace(first, keys={**first.keys, "meta": "0" * 64})
    assert failing(with_reboot(channels=(changed, *others))) == set()
