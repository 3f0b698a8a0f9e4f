"""Private, public, and private again."""

from __future__ import annotations

from pathlib import Path

import pytest

from selftests.flows.foretold import require_foretold
from selftests.flows.interop import run_interop

pytestmark = [pytest.mark.qemu, pytest.mark.nightly]

RETURN = {"RT-1", "RT-2", "RT-3"}


def test_what_went_abroad_comes_home_with_what_it_gained_as_a_machine_of_its_own(tmp_path: Path) -> None:
    result = run_interop("private", "public-lite", tmp_path, options=["--return-trip"])
    assert result.exit_code == 0, result.explain()
    assert result.by_outcome("pass") >= RETURN, result.explain()
    require_foretold(result, "private", "public-lite", return_trip=True, whole=True)
