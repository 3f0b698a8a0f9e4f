from __future__ import annotations

from dataclasses import replace

import pytest

from golden_flows.model.facts import Facts
from golden_flows.model.finding import NotApplicable, NotObserved
from golden_flows.model.guest import AgentPhase
from selftests.golden_flows.checks.facts_builder import (
    dst_profile,
    failing,
    healthy_facts,
    network_data,
    said,
    user_data,
    with_reboot,
)
from selftests.golden_flows.checks.nic_facts import MAC3, TOLD_LINK, later_port, with_hotplug

REFUSED = with_hotplug(refused="os-interface: HTTP 501 not supported", seconds_to_nic=None, seconds_to_address=None)
UNCONFIGURED = with_hotplug(seconds_to_address=None)


def test_a_nic_that_comes_with_its_address_passes() -> None:
    assert said("N2-5", healthy_facts()) == ()


def test_a_nic_that_never_comes_is_a_finding() -> None:
    facts = with_hotplug(seconds_to_nic=None, seconds_to_address=None)
    assert failing(facts) == {"N2-5"}


def test_a_nic_without_its_address_is_a_finding_that_says_what_the_metadata_tells() -> None:
    assert "network_data.json names it" in str(said("N2-5", UNCONFIGURED))
    assert "network_data.json does not name it" in str(said("N2-5", _told(UNCONFIGURED, {})))
    assert "network_data.json does not answer" in str(said("N2-5", _told(UNCONFIGURED, None)))


@pytest.mark.parametrize("check_id", ["N2-5", "N2-6"])
def test_a_cloud_that_attaches_nothing_is_not_judged_and_its_answer_is_the_proof(check_id: str) -> None:
    found = said(check_id, REFUSED)
    assert isinstance(found, NotApplicable)
    assert "HTTP 501" in found.proof


@pytest.mark.parametrize("check_id", ["N2-5", "N2-6"])
def test_what_could_not_be_watched_earns_no_pass(check_id: str) -> None:
    assert isinstance(said(check_id, with_hotplug(error="the connection broke")), NotObserved)


def test_an_agent_that_leaves_later_nics_alone_does_not_fail_a_cloud_that_did_its_part() -> None:
    lazy = with_hotplug(seconds_to_address=None, agent_follows=False)
    found = said("N2-5", lazy)
    assert isinstance(found, NotApplicable)
    assert "names it" in found.proof
    assert failing(_told(lazy, {})) == {"N2-5"}


def test_without_any_live_channel_nobody_could_tell_the_guest() -> None:
    alone = replace(dst_profile(), channels=("config-drive",))
    found = said("N2-5", replace(_told(UNCONFIGURED, None), dst=alone))
    assert isinstance(found, NotApplicable)
    assert "config-drive" in found.proof


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param(with_hotplug(seconds_to_gone=None), id="the guest keeps the NIC"),
        pytest.param(with_hotplug(still_attached=True), id="the API keeps the port"),
        pytest.param(with_hotplug(detach_refused="HTTP 501"), id="it does not come off"),
        pytest.param(with_hotplug(port_after=None), id="the port is gone"),
        pytest.param(
            with_hotplug(port_after=replace(later_port(), fixed_ips=("192.168.200.99",), server_id=None)),
            id="the port has another address",
        ),
        pytest.param(with_hotplug(port_after=later_port()), id="the port is bound still"),
        pytest.param(
            with_reboot(network_data={**network_data(), "links": [TOLD_LINK]}), id="the next boot is told of it"
        ),
        pytest.param(
            with_hotplug(network_data_after={**network_data(), "links": [TOLD_LINK]}), id="the metadata names it"
        ),
        pytest.param(
            with_reboot(phases=(AgentPhase(name="drivers", verdict="failed", began_s=5.0, ended_s=35.0),)),
            id="the next boot waits",
        ),
    ],
)
def test_a_nic_that_leaves_something_behind_is_a_finding(facts: Facts) -> None:
    assert failing(facts) == {"N2-6"}


def test_a_guest_that_does_not_come_back_is_not_observed() -> None:
    facts = replace(healthy_facts(), user_data=replace(user_data(), after_reboot=None))
    assert isinstance(said("N2-6", facts), NotObserved)


def test_the_finding_names_the_port() -> None:
    assert MAC3 in str(said("N2-5", with_hotplug(seconds_to_nic=None)))


def _told(facts: Facts, document: dict[str, object] | None) -> Facts:
    """The metadata service gave the guest this while the NIC was there."""
    if facts.hotplug is None:
        raise ValueError("a NIC that came was expected")
    seen = replace(facts.hotplug.inside, network_data=document)
    return replace(facts, hotplug=replace(facts.hotplug, inside=seen))
