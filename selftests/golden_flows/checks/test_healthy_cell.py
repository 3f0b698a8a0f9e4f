"""A cell without a defect: every check passes or proves that there is nothing to judge; and no fact, no pass."""

from __future__ import annotations

from dataclasses import replace

import pytest

from golden_flows.errors import InteropError
from golden_flows.guideline import load_checks
from golden_flows.model.cloud import Pair, Profile
from golden_flows.model.facts import Facts
from golden_flows.model.finding import NotApplicable, NotObserved
from selftests.golden_flows.checks.facts_builder import SILENT, boot, healthy_facts, said, user_data, with_boot

CHECKS = load_checks()
NOT_APPLICABLE = {
    "N1-3",
    "AU-1",  # the public cloud's server is launched with a password, not with a key
    "CV-6",  # it stores VHD
    "MD-11",  # it has no EC2 tree
    "AU-6",
    "AU-7",  # nor is its guest to post one
    "AU-11",
    "AU-9",  # its hypervisor has no way to set another
    "N1-8",  # it has no IPv6
    "MD-8",
    "N2-9",  # nor has it a VLAN
    "N2-10",  # its subnets have no host routes
    "N2-11",
    "N2-12",
    "PV-3",  # the image has no tools of any platform
    "PV-4",
    "PV-7",  # nothing asks for several queues
}
"""The emulated public cloud; a Xen cloud is in test_xenstore.py."""
READ_THE_REPORT = {
    "BT-11",
    "AU-3",
    "BT-3",
    "BT-8",
    "N1-1",
    "N1-4",
    "N1-8",
    "MD-8",
    "MD-1",
    "MD-2",
    "MD-3",
    "MD-9",
    "MD-10",
    "MD-11",
    "MD-13",
    "MD-15",
    "MD-16",
    "AU-8",
    "N2-1",
    "N2-2",
    "N2-4",
    "N2-7",
    "N2-10",
    "N2-11",
    "N2-12",
    "PV-1",
    "PV-2",
    "PV-3",
    "PV-4",
}


@pytest.mark.parametrize("check_id", sorted(CHECKS))
def test_healthy_facts_pass_or_are_proved_not_applicable(check_id: str) -> None:
    found = said(check_id, healthy_facts())
    if check_id in NOT_APPLICABLE:
        assert isinstance(found, NotApplicable)
        assert found.proof
    else:
        assert found == ()


@pytest.mark.parametrize("check_id", sorted(CHECKS))
def test_a_check_declares_every_fact_it_reads(check_id: str) -> None:
    full = healthy_facts()
    bare = Facts(pair=full.pair, src=full.src, dst=full.dst)
    needed = {name: getattr(full, name) for name in CHECKS[check_id].needs}
    assert said(check_id, replace(bare, **needed)) == said(check_id, full)


@pytest.mark.parametrize("check_id", sorted(CHECKS))
def test_a_check_run_without_its_facts_is_our_error(check_id: str) -> None:
    bare = Facts(pair=Pair("private", "public"), src=Profile(cloud="private"), dst=Profile(cloud="public"))
    with pytest.raises(InteropError, match="without a fact"):
        said(check_id, bare)


@pytest.mark.parametrize("check_id", sorted(READ_THE_REPORT))
def test_a_guest_that_never_reports_is_not_observed(check_id: str) -> None:
    assert isinstance(said(check_id, with_boot(report=None)), NotObserved)


@pytest.mark.parametrize(
    "check_id",
    sorted(READ_THE_REPORT - {"BT-11", "PV-1", "N2-10", "N1-1", "N1-4", "N1-8", "MD-8", "MD-10", "MD-11", "MD-13"}),
)
def test_a_report_that_says_nothing_earns_no_pass(check_id: str) -> None:
    found = said(check_id, with_boot(report=SILENT))
    assert isinstance(found, NotObserved)
    assert found.reason


@pytest.mark.parametrize("check_id", sorted(READ_THE_REPORT))
def test_a_server_without_ports_earns_no_pass_on_networking(check_id: str) -> None:
    if check_id.startswith(("N1", "N2")):
        assert isinstance(said(check_id, with_boot(ports=())), (NotObserved, NotApplicable))


@pytest.mark.parametrize("check_id", ["UD-1", "UD-2", "UD-3"])
def test_user_data_of_a_silent_guest_is_not_observed(check_id: str) -> None:
    silent = replace(healthy_facts(), user_data=replace(user_data(), first=None))
    assert isinstance(said(check_id, silent), NotObserved)


def test_the_healthy_guest_reports() -> None:
    assert boot().report is not None
