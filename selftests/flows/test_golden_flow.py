"""The main job on real guests: whole, as a baseline, and with each fault that it must catch."""

from __future__ import annotations

from pathlib import Path

import pytest
from refclouds import profile
from refclouds.variants import Variants

from selftests.flows.foretold import require_foretold
from selftests.flows.interop import golden_image_as_qcow2, run_interop
from selftests.proof.flows import FLOWS, Flow
from selftests.proof.record import judge, record_of
from selftests.proof.running import between_guests

pytestmark = pytest.mark.qemu


NOT_IN_LITE = {
    "AU-1",
    "AU-6",
    "AU-7",
    "AU-9",
    "AU-11",
    "BT-7",
    "CV-6",
    "IM-12",
    "MD-8",
    "MD-11",
    "MD-13",
    "N1-8",
    "N2-9",
    "N2-10",
    "N2-11",
    "N2-12",
    "PV-3",
    "PV-4",
    "PV-6",
    "PV-7",
}
"""An emulated cloud with passwords: no key is launched, no hypervisor has a channel of its own, and there is neither
IPv6 nor an EC2 tree nor vendor data of a service."""


def test_private_to_public_lite_is_certified(tmp_path: Path) -> None:
    result = run_interop("private", "public-lite", tmp_path)
    assert result.exit_code == 0, result.explain()
    assert result.by_outcome("pass") | result.by_outcome("not-applicable") == {one["id"] for one in result.checks()}
    assert result.by_outcome("not-applicable") <= NOT_IN_LITE, result.explain()
    require_foretold(result, "private", "public-lite", whole=True)
    for name in ("junit.xml", "matrix.html", "matrix.md", "allure-results"):
        assert (result.folder / name).exists()
    kept = b"".join(path.read_bytes() for path in result.folder.rglob("*") if path.is_file())
    for secret in (b"PRIVATE KEY", b"mkdir -p /srv/anne", b'"admin_pass":', b"gAAAA"):
        assert secret not in kept, "user data, keys and tokens stay out of results"


NOT_AT_HOME = {
    "IM-8",
    "BT-6",
    "BT-7",
    "EX-5",
    "IM-12",
    "PV-7",
    "AU-5",
    "AU-6",
    "AU-7",
    "AU-8",
    "AU-9",
    "MD-7",
    "MD-8",
    "MD-9",
    "CV-4",
    "CV-7",
    "EX-4",
    "N1-8",
    "N1-9",
    "N2-1",
    "N2-2",
    "N2-4",
    "N2-7",
    "N2-9",
    "N2-10",
    "N2-11",
    "N2-12",
    "PV-3",
    "PV-4",
    "UD-8",
}
"""The private cloud: one NIC, keys, qcow2, no IPv6, no way for files; and an archive is no RAW export."""


def test_the_way_back_is_certified_and_names_the_shim_that_it_needs(tmp_path: Path) -> None:
    """VHDs that leave as XenServer packs them end as qcow2, with what the guest had written, and open to a key.

    The story begins with a file of the user's: the golden image, as somebody keeps it.
    """
    own = golden_image_as_qcow2("pocket", tmp_path / "app.qcow2")
    packed = ("--variant", "public-lite:export_tgz", "--image-property", "hw_qemu_guest_agent=yes")
    result = run_interop("public-lite", "private", tmp_path / "results", image=str(own), options=packed)
    assert result.exit_code == 0, result.explain()
    assert result.by_outcome("pass") | result.by_outcome("not-applicable") == {one["id"] for one in result.checks()}
    assert result.by_outcome("not-applicable") <= NOT_AT_HOME, result.explain()
    require_foretold(result, "public-lite", "private", image=str(own), whole=True)
    assert {one["id"]: one["flags"] for one in result.checks() if one["flags"]} == {"EX-1": ["shim=tgz-vhd-to-raw"]}
    assert f"Anne starts from {own} (qcow2)" in (result.folder / "journal.jsonl").read_text("utf-8")


@pytest.mark.nightly
def test_two_networks_on_one_nic_are_certified_there_and_back(tmp_path: Path) -> None:
    """The second network has its VLAN from the metadata alone; back at home nothing of it is left."""
    result = run_interop("private", "vlan", tmp_path / "there")
    assert result.exit_code == 0, result.explain()
    assert {"N2-1", "N2-4", "N2-9"} <= result.by_outcome("pass"), result.explain()
    back = run_interop("vlan", "private", tmp_path / "back")
    assert back.exit_code == 0, back.explain()
    assert "N2-13" in back.by_outcome("pass"), back.explain()


def is_as_usual(flow: Flow) -> bool:
    """Whether its clouds are what a plan takes them for: no variant makes another profile of theirs."""
    told = (one.partition(":") for one in flow.variants)
    usual = {cloud: profile.find(cloud) for cloud in (flow.src, flow.dst)}
    return all(Variants.parse([spec]).shaped(usual[cloud]) == usual[cloud] for cloud, _, spec in told)


@pytest.mark.parametrize(
    "flow",
    [pytest.param(one, id=one.id, marks=[pytest.mark.nightly] if one.is_nightly else []) for one in FLOWS],
)
def test_a_fault_is_caught_by_its_check_and_by_no_other(flow: Flow, tmp_path: Path) -> None:
    result = between_guests(flow, tmp_path)
    record = record_of(flow, result.folder, result.document, commit="", seconds=0)
    assert judge(record).troubles == (), result.explain()
    if is_as_usual(flow):
        trip = "--return-trip" in flow.options
        require_foretold(result, flow.src, flow.dst, image=flow.image, return_trip=trip, burst=flow.burst, whole=False)
