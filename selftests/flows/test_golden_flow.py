"""The main job on real guests: whole, as a baseline, and with each fault that it must catch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from selftests.flows.interop import run_interop

pytestmark = pytest.mark.qemu


def test_private_to_public_is_certified(tmp_path: Path) -> None:
    result = run_interop("private", "public", tmp_path)
    assert result.exit_code == 0, result.explain()
    assert result.by_outcome("pass") | result.by_outcome("not-applicable") == {one["id"] for one in result.checks()}
    assert result.by_outcome("not-applicable") <= {"AU-1"}, result.explain()
    for name in ("junit.xml", "matrix.html", "matrix.md", "allure-results"):
        assert (result.folder / name).exists()


@dataclass(frozen=True)
class FaultCase:
    """A fault, the pair it shows on, what must fail, and what else fails because it depends on that."""

    fault: str
    must_fail: frozenset[str]
    dependents: frozenset[str] = frozenset()
    src: str = "private"
    dst: str = "public"

    @property
    def id(self) -> str:
        return self.fault


def case(fault: str, must_fail: str, dependents: str = "", dst: str = "public") -> FaultCase:
    return FaultCase(fault, frozenset(must_fail.split()), frozenset(dependents.split()), dst=dst)


CASES = (
    # A short download has another hash, too.
    case("private:truncate_tail=4096", "EX-2", "EX-3"),
    case("public:put_forbidden", "IM-5"),
    case("public:flip_bit_conv", "CV-2"),
    # An unbootable disk also says so on the console.
    case("public:no_boot", "BT-1", "BT-2 BT-4"),
    case("public:dhcp_wrong_gw", "N1-1"),
    # Two channels cannot agree on an identity that only one of them swaps.
    case("public:swap_identity", "MD-3", "MD-10"),
    # Without network_data nobody knows of the second NIC, so its driver is never fetched either.
    case("public:nd_empty", "N2-1", "N2-4 PV-1 PV-2"),
    case("private:bus=ide", "PV-1", dst="private"),
    case("public:pw_ignored", "AU-5"),
    # A new instance id is a new first boot: user data runs again, and the identity has changed.
    case("public:iid_changes", "UD-3"),
    case("public:wrong_target", "AP-1", "AP-5"),
    case("public:delete_202_noop", "LC-2"),
)


@pytest.mark.parametrize("case", CASES, ids=lambda one: one.id)
def test_a_fault_is_caught_by_its_check_and_by_no_other(case: FaultCase, tmp_path: Path) -> None:
    result = run_interop(case.src, case.dst, tmp_path, [case.fault])
    failed = result.by_outcome("fail")
    assert case.must_fail <= failed, result.explain()
    assert failed <= case.must_fail | case.dependents, result.explain()
    assert not result.by_outcome("broken"), result.explain()
    assert not result.by_outcome("not-run"), result.explain()
    assert result.exit_code == 1
