from __future__ import annotations

from dataclasses import replace

import pytest

from golden_flows.guideline import load_checks
from golden_flows.model.facts import Facts
from golden_flows.model.finding import Finding, NotApplicable, NotObserved
from golden_flows.model.xen import HypervisorSeen
from selftests.golden_flows.checks.facts_builder import MAC1, MAC2, SERVER, failing, said, with_boot, with_report
from selftests.golden_flows.checks.xen_facts import (
    GATEWAY6,
    with_command,
    with_xen_auth,
    with_xen_boot,
    with_xen_report,
    with_xenstore,
    xen_boot,
    xen_facts,
    xen_report,
    xenstore,
)

ON_XEN = ("N2-11", "N2-12", "PV-4")
NOT_ON_XEN = {"N1-3", "PV-7", "AU-1", "AU-6", "AU-7", "AU-11", "BT-8", "CV-6", "MD-11", "N2-9", "N2-10"}
"""No key was asked for; PV guests have no SMBIOS; VHD; no EC2 tree; no host routes, no VLANs;
one processor."""


@pytest.mark.parametrize("check_id", sorted(load_checks()))
def test_a_healthy_xen_cell_passes_or_is_proved_not_applicable(check_id: str) -> None:
    found = said(check_id, xen_facts())
    assert isinstance(found, NotApplicable) if check_id in NOT_ON_XEN else found == ()


@pytest.mark.parametrize("check_id", sorted(load_checks()))
def test_a_check_declares_every_fact_it_reads_on_xen(check_id: str) -> None:
    full = xen_facts()
    bare = Facts(pair=full.pair, src=full.src, dst=full.dst)
    needed = {name: getattr(full, name) for name in load_checks()[check_id].needs}
    assert said(check_id, replace(bare, **needed)) == said(check_id, full)


@pytest.mark.parametrize("check_id", ON_XEN)
def test_off_xen_the_guest_s_own_word_is_the_proof(check_id: str) -> None:
    found = said(check_id, with_report(hypervisor=HypervisorSeen()))
    assert isinstance(found, NotApplicable)
    assert "type = none" in found.proof


@pytest.mark.parametrize("check_id", ON_XEN)
def test_a_guest_that_does_not_say_what_it_runs_on_earns_no_pass(check_id: str) -> None:
    assert isinstance(said(check_id, with_xen_report(hypervisor=None)), NotObserved)
    assert isinstance(said(check_id, with_xen_report(xenstore=None)), NotObserved)
    assert isinstance(said(check_id, with_boot(report=None)), NotObserved)


def test_a_guest_off_xen_on_a_cloud_that_says_xen_is_a_finding() -> None:
    assert "PV-4" in failing(with_xen_report(hypervisor=HypervisorSeen()))


def test_resetnetwork_that_fails_in_the_guest_is_a_finding_whatever_the_cloud_says() -> None:
    facts = with_command("resetnetwork", "500", "vm-data/networking is no JSON")
    assert failing(facts) == {"N2-11"}
    found = said("N2-11", facts)
    assert isinstance(found, tuple)
    assert "500: vm-data/networking is no JSON" in found[0].actual


def test_resetnetwork_that_only_says_it_worked_is_a_finding() -> None:
    nics = tuple(replace(one, ips=("192.168.200.99/24",)) if one.mac == MAC2 else one for one in xenstore().networking)
    found = said("N2-11", with_xenstore(networking=nics))
    assert isinstance(found, tuple)
    assert MAC2 in found[0].subject


def test_the_last_resetnetwork_counts() -> None:
    first = replace(xenstore().commands[1], returncode="500")
    assert said("N2-11", with_xenstore(commands=(first, *xenstore().commands))) == ()


def test_what_the_host_did_after_the_report_is_read_from_the_later_one() -> None:
    early = with_xenstore(commands=())
    assert isinstance(said("N2-11", early), NotObserved)
    late = with_xen_auth(late_report=xen_report())
    assert said("N2-11", replace(early, auth=late.auth)) == ()
    of_another_boot = with_xen_auth(late_report=replace(xen_report(), boot_id="boot-9"))
    assert isinstance(said("N2-11", replace(early, auth=of_another_boot.auth)), NotObserved)


def test_a_xen_cloud_that_claims_no_xenstore_channel_and_uses_none_is_not_judged() -> None:
    facts = with_xenstore(commands=xenstore().commands[:1], networking=())
    facts = replace(facts, dst=replace(facts.dst, channels=("openstack-http",)))
    assert isinstance(said("N2-11", facts), NotApplicable)


def test_resetnetwork_without_any_configuration_earns_no_pass() -> None:
    assert isinstance(said("N2-11", with_xenstore(networking=())), NotObserved)


def test_an_ipv6_gateway_under_no_known_key_is_a_finding() -> None:
    nics = tuple(replace(one, gateway6=None, gateway6_key=None) for one in xenstore().networking)
    facts = with_xen_report(xenstore=replace(xenstore(), networking=nics), routes=xen_report().routes[:-1])
    assert failing(facts) == {"N2-12"}
    found = said("N2-12", facts)
    assert isinstance(found, tuple)
    assert f"{GATEWAY6}, as gateway_v6 or gateway6" in found[0].expected


def test_addresses_that_only_xenstore_knows_need_a_way_out_on_the_primary_nic_alone() -> None:
    ports = tuple(replace(one, fixed_ip6=None, gateway6_ip=None) for one in xen_boot().ports)
    first, second = xenstore().networking
    second = replace(second, ip6s=("fd00:c8::20/64",))
    told = replace(xenstore(), networking=(first, second))
    assert said("N2-12", with_xen_boot(ports=ports, report=replace(xen_report(), xenstore=told))) == ()
    lost = replace(told, networking=(replace(first, gateway6=None, gateway6_key=None), second))
    found = said("N2-12", with_xen_boot(ports=ports, report=replace(xen_report(), xenstore=lost)))
    assert isinstance(found, tuple)
    assert [one.subject for one in found] == [f"IPv6 gateway of NIC {MAC1} in xenstore"]
    assert found[0].expected == "a gateway, as gateway_v6 or gateway6"


def test_an_ipv6_gateway_that_becomes_no_route_is_a_finding() -> None:
    found = said("N2-12", with_xen_report(routes=xen_report().routes[:-1]))
    assert isinstance(found, tuple)
    assert "gateway_v6" in found[0].remedy


@pytest.mark.parametrize("key", ["gateway_v6", "gateway6"])
def test_either_spelling_of_the_ipv6_gateway_passes(key: str) -> None:
    nics = tuple(replace(one, gateway6_key=key) if one.ip6s else one for one in xenstore().networking)
    assert said("N2-12", with_xenstore(networking=nics)) == ()


def test_another_ipv6_gateway_than_the_subnet_s_is_a_finding() -> None:
    nics = tuple(replace(one, gateway6="fd00:64::fe") if one.ip6s else one for one in xenstore().networking)
    assert isinstance(said("N2-12", with_xenstore(networking=nics)), tuple)
    assert said("N2-12", with_xenstore(networking=nics)) != ()


def test_an_ipv6_address_of_the_api_that_xenstore_forgets_is_a_finding() -> None:
    nics = tuple(replace(one, ip6s=(), gateway6=None) for one in xenstore().networking)
    found = said("N2-12", with_xenstore(networking=nics))
    assert isinstance(found, tuple)
    assert MAC1 in found[0].subject


def test_without_ipv6_there_is_nothing_to_route() -> None:
    nics = tuple(replace(one, ip6s=(), gateway6=None) for one in xenstore().networking)
    ports = tuple(replace(one, fixed_ip6=None, gateway6_ip=None) for one in xen_boot().ports)
    report = replace(xen_report(), xenstore=replace(xenstore(), networking=nics))
    assert isinstance(said("N2-12", with_xen_boot(report=report, ports=ports)), NotApplicable)


@pytest.mark.parametrize("lost", ["Installed", "MajorVersion", "MinorVersion", "MicroVersion", "BuildVersion"])
def test_a_host_that_lacks_a_word_of_the_tools_is_a_finding(lost: str) -> None:
    kept = {name: value for name, value in xenstore().pvaddons.items() if name != lost}
    facts = with_xenstore(pvaddons=kept)
    assert failing(facts) == {"PV-4"}
    found = said("PV-4", facts)
    assert isinstance(found, tuple)
    assert lost in found[0].actual


def test_tools_that_failed_are_told_with_their_reason() -> None:
    tools = replace(
        xen_report().tools or pytest.fail("no tools"), verdict="failed", reason="wrong sha256", running=False
    )
    found = said("PV-4", with_xen_report(tools=tools, xenstore=replace(xenstore(), pvaddons={})))
    assert isinstance(found, tuple)
    assert "wrong sha256" in found[0].actual


@pytest.mark.parametrize("vifs", [{"0": "4"}, {}, {"0": "4", "1": "2"}])
def test_a_nic_that_is_not_connected_is_a_finding(vifs: dict[str, str]) -> None:
    assert failing(with_xenstore(vifs=vifs)) == {"PV-4"}


def test_pv_guests_without_smbios_are_told_by_their_domain() -> None:
    found = said("BT-8", xen_facts())
    assert isinstance(found, NotApplicable)
    assert "guest_type = PV" in found.proof
    other = HypervisorSeen(type="xen", guest_type="PV", uuid=SERVER.replace("abcd", "ffff"))
    assert failing(with_xen_report(hypervisor=other)) == {"BT-8"}
    mute = HypervisorSeen(type="xen", guest_type="PV")
    assert isinstance(said("BT-8", with_xen_report(hypervisor=mute)), NotObserved)


def test_an_hvm_guest_has_an_smbios_to_be_judged() -> None:
    hvm = HypervisorSeen(type="xen", guest_type="HVM", uuid=SERVER)
    assert isinstance(said("BT-8", with_xen_report(hypervisor=hvm)), NotObserved)
    identity = replace(xen_report().identity, smbios_product="HVM domU", smbios_uuid=SERVER)
    found = said("BT-8", with_xen_report(hypervisor=hvm, identity=identity))
    assert isinstance(found, tuple)
    assert isinstance(found[0], Finding)
