"""Ways into a guest that no reference cloud has of its own: each is an `interop:` table of somebody's clouds.yaml.

RSA and ed25519, key and password at once, a key that encrypts nothing where a password is to be posted, and no way in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from selftests.flows.interop import InteropResult, run_interop
from selftests.flows.openstack_clouds import clouds_up

pytestmark = [pytest.mark.qemu, pytest.mark.nightly]

Interop = Mapping[str, Any]
LOOKED_AT_INSIDE = {"AU-10", "AP-2", "N2-3", "N2-5", "N2-8", "PV-2", "PV-5", "MD-4", "MD-5", "MD-6", "MD-12", "MD-14"}


def claimed(env: Mapping[str, str], folder: Path, claims: Mapping[str, Interop]) -> dict[str, str]:
    """The environment in which these clouds claim that of themselves."""
    document = yaml.safe_load(Path(env["OS_CLIENT_CONFIG_FILE"]).read_text("utf-8"))
    for name, interop in claims.items():
        document["clouds"][name]["interop"].update(interop)
    own = folder / "clouds.yaml"
    own.touch(0o600)
    own.write_text(yaml.safe_dump(document), "utf-8")
    return {**env, "OS_CLIENT_CONFIG_FILE": str(own)}


def run_between(
    src: str, dst: str, tmp_path: Path, claims: Mapping[str, Interop], faults: Sequence[str] = ()
) -> InteropResult:
    with clouds_up(tmp_path / "state", src, dst, faults=faults) as env:
        return run_interop(src, dst, tmp_path / "results", env=claimed(env, tmp_path, claims))


def outcomes(result: InteropResult, *ids: str) -> dict[str, str]:
    return {one["id"]: one["outcome"] for one in result.checks() if one["id"] in ids}


def certified(result: InteropResult) -> bool:
    return result.exit_code == 0 and len(result.by_outcome("pass") | result.by_outcome("not-applicable")) == len(
        result.checks()
    )


def test_key_and_password_at_once_and_rsa_at_both_ends(tmp_path: Path) -> None:
    claims: dict[str, Interop] = {
        "private": {"auth": ["key"], "key_type": "rsa"},
        "public-lite": {"auth": ["key", "password"], "key_type": "rsa"},
    }
    result = run_between("private", "public-lite", tmp_path, claims)
    assert certified(result), result.explain()
    wanted = ("AU-1", "AU-2", "AU-5", "AU-11")
    assert outcomes(result, *wanted) == dict.fromkeys(wanted, "pass"), result.explain()


def test_no_way_in_at_either_end_is_judged_by_console_and_application(tmp_path: Path) -> None:
    claims: dict[str, Interop] = {"public-lite": {"auth": []}, "private": {"auth": []}}
    result = run_between("public-lite", "private", tmp_path, claims)
    assert certified(result), result.explain()
    wanted = ("BT-1", "BT-2", "AU-2", "AU-3", "AP-1", "AP-5", "UD-1", "UD-2", "UD-3", "N1-1")
    assert outcomes(result, *wanted) == dict.fromkeys(wanted, "pass"), result.explain()
    assert result.by_outcome("not-applicable") >= {"AU-1", *LOOKED_AT_INSIDE}, result.explain()


@pytest.mark.parametrize(
    ("faults", "outcome"),
    [((), "pass"), (("pw_foreign",), "fail")],
    ids=["told", "pw_foreign"],
)
def test_a_guest_with_an_ed25519_key_says_that_it_cannot_post(
    tmp_path: Path, faults: Sequence[str], outcome: str
) -> None:
    claims: dict[str, Interop] = {"posted-password": {"key_type": "ed25519"}}
    result = run_between("private", "posted-password", tmp_path, claims, faults)
    assert outcomes(result, "AU-1", "AU-6", "AU-7") == {"AU-1": "pass", "AU-6": "not-applicable", "AU-7": outcome}
    assert result.by_outcome("fail") == ({"AU-7"} if outcome == "fail" else set()), result.explain()
    # Advisory: it judges the guest's agent, too.
    assert result.exit_code == 0, result.explain()
