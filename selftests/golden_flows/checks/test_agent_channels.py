"""Whether agent and cloud have a channel in common, or a shim between them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from golden_flows.model.agent_channels import DID_NOT_RUN, PUSHED, AgentChannels
from golden_flows.model.check import given
from golden_flows.model.facts import Facts
from golden_flows.model.finding import Finding, NotApplicable, NotObserved, WithShim
from golden_flows.model.guest import Channel, GuestReport
from selftests.golden_flows.checks.facts_builder import healthy_facts, said, with_report

READS = AgentChannels(reads=("openstack-http",))
UNTOLD = (
    Channel(name="config-drive", present=False, reason="this image's agent does not read it"),
    Channel(name="openstack-http", present=False, reason="no answer"),
)


def facts(channels: AgentChannels, *seen: Channel) -> Facts:
    told = with_report(channels=seen)
    return replace(told, dst=replace(told.dst, channels=("config-drive",)), agent_channels=channels)


def driveless(cell: Facts) -> GuestReport:
    report = given(given(cell.boot).report)
    return replace(report, config_drive=None)


def finding(cell: Facts, check_id: str = "MD-16") -> Finding:
    found = said(check_id, cell)
    assert isinstance(found, tuple)
    (one,) = found
    return one


def test_a_channel_that_was_read_passes() -> None:
    assert said("MD-16", healthy_facts()) == ()


def test_what_a_shim_served_is_a_pass_that_names_it() -> None:
    served = replace(READS, shim="config-drive-to-metadata", serves="/dev/sr0 (iso9660)")
    found = said("MD-16", facts(served, Channel(name="config-drive", present=True, used=True)))
    assert isinstance(found, WithShim)
    assert found.name == "config-drive-to-metadata"
    assert "/dev/sr0" in found.reason


def test_an_agent_that_reads_nothing_that_the_cloud_has_does_not_work_there() -> None:
    refused = Channel(name="openstack-http", present=False, reason="no answer")
    found = finding(facts(READS, refused))
    assert found.expected == "one that the image's agent reads: openstack-http"
    assert "public has config-drive (openstack-http: no answer)" in found.actual


def test_a_shim_that_stepped_aside_is_named_with_its_reason() -> None:
    aside = replace(READS, shim="ec2-to-openstack", trouble="it stepped aside: nothing to read")
    found = finding(facts(aside, Channel(name="openstack-http", present=False)))
    assert "shim ec2-to-openstack: it stepped aside: nothing to read" in found.actual


def test_a_shim_that_could_not_be_asked_leaves_us_without_an_answer() -> None:
    unseen = replace(READS, shim="ec2-to-openstack", unseen="no SSH session")
    found = said("MD-16", facts(unseen, Channel(name="openstack-http", present=True, used=True)))
    assert isinstance(found, NotObserved)


@pytest.mark.parametrize("trouble", DID_NOT_RUN)
def test_a_shim_of_ours_that_did_not_run_is_not_the_cloud_s_fault(trouble: str) -> None:
    cell = facts(replace(READS, shim="config-drive-to-metadata", through="config-drive", trouble=trouble), *UNTOLD)
    for check_id in ("MD-16", "MD-9"):
        found = said(check_id, replace(cell, boot=replace(given(cell.boot), report=driveless(cell))))
        assert found == NotObserved(f"the shim config-drive-to-metadata: {trouble}")


def test_a_shim_that_found_no_drive_says_so_of_the_cloud() -> None:
    aside = replace(
        READS, shim="config-drive-to-metadata", through="config-drive", trouble="it stepped aside: no drive"
    )
    cell = facts(aside, *UNTOLD)
    for check_id in ("MD-16", "MD-9"):
        found = said(check_id, replace(cell, boot=replace(given(cell.boot), report=driveless(cell))))
        assert isinstance(found, tuple)
        assert found


@pytest.mark.parametrize("through", ["config-drive", "ec2-http"])
def test_a_channel_that_only_a_shim_reads_is_not_missing_because_the_shim_could_not_be_asked(through: str) -> None:
    unseen = replace(READS, shim="ours", through=through, unseen="no SSH session")
    cell = facts(unseen, *(replace(one, present=False, used=False) for one in UNTOLD))
    said_of_it = said("MD-10", replace(cell, dst=replace(cell.dst, channels=(through,))))
    assert said_of_it == NotObserved("the shim ours could not be asked: no SSH session")
    found = finding(replace(cell, dst=replace(cell.dst, channels=(through, "openstack-http"))), "MD-10")
    assert found.subject == "channel openstack-http", "which the agent reads itself"


@pytest.mark.parametrize("through", ["config-drive", "ec2-http", PUSHED])
@pytest.mark.parametrize("check_id", ["MD-1", "MD-2", "MD-9", "MD-10", "MD-11", "MD-16"])
def test_a_cloud_is_not_judged_by_a_shim_that_could_not_be_asked(check_id: str, through: str) -> None:
    """Whoever answered the agent, nobody knows that it was the cloud."""
    unseen = replace(READS, shim="ours", through=through, unseen="no SSH session")
    cell = facts(unseen, *UNTOLD[:1], Channel(name="openstack-http", present=True, used=True))
    cell = replace(cell, dst=replace(cell.dst, channels=(through,)))
    found = said(check_id, replace(cell, boot=replace(given(cell.boot), report=driveless(cell))))
    own = {"MD-9": "config-drive", "MD-11": "ec2-http"}.get(check_id, through)
    assert isinstance(found, NotObserved if own == through else NotApplicable)


@pytest.mark.parametrize("check_id", ["MD-9", "AU-8", "MD-11", "MD-10", "MD-1", "MD-2"])
def test_a_channel_that_the_agent_does_not_read_is_not_judged_by_it(check_id: str) -> None:
    """On a cloud that has them all, to an agent that reads xenstore alone."""
    told = with_report(channels=(Channel(name="xenstore", present=True, used=True),), requests=(), config_drive=None)
    told = replace(told, dst=replace(told.dst, channels=("config-drive", "openstack-http", "ec2-http", "xenstore")))
    found = said(check_id, replace(told, agent_channels=AgentChannels(reads=("xenstore",))))
    assert isinstance(found, NotApplicable)


def test_files_travel_to_nobody_who_does_not_read_them() -> None:
    found = said("UD-8", replace(healthy_facts(), agent_channels=READS))
    assert isinstance(found, NotApplicable)
    assert "reads openstack-http" in found.proof
