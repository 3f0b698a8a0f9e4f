"""Several at once, all at work, and gone; the defects that only many show are in the table of ``proof/flows.py``."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from golden_flows.ledger import read_ledger
from selftests.flows.foretold import require_foretold
from selftests.flows.interop import run_interop
from selftests.flows.openstack_clouds import clouds_up, command
from selftests.flows.test_ending import Running, golden_flows

pytestmark = [pytest.mark.qemu, pytest.mark.nightly]

BURST = {"BU-1", "BU-2", "BU-3", "BU-4", "BU-5"}
OPTIONS = ["--burst", "4"]
LIMIT_S = 1200


def test_a_burst_of_four_is_certified(tmp_path: Path) -> None:
    result = run_interop("private", "public-lite", tmp_path, options=OPTIONS, limit_s=LIMIT_S)
    assert result.exit_code == 0, result.explain()
    assert result.by_outcome("pass") >= BURST, result.explain()
    require_foretold(result, "private", "public-lite", burst=4, whole=True)
    (cell,) = result.document["cells"]
    assert (cell["burst"]["asked"], cell["burst"]["up"], cell["burst"]["way"]) == (4, 4, "one request")
    assert "<svg" in (result.folder / "matrix.html").read_text("utf-8")


def test_a_burst_killed_in_the_middle_leaves_nothing_that_clean_does_not_find(tmp_path: Path) -> None:
    """On clouds that stay up; not told where they are: the journal knows."""
    with clouds_up(tmp_path / "state", "private", "public-lite") as env:
        run = Running(tmp_path / "results", env, *OPTIONS)
        run.until("burst: 0 of 4 up")
        run.process.kill()
        run.end()
        left = Counter(one.kind for one in read_ledger(run.journal)[1])
        assert left["server"] == 7, "Anne's at home, hers abroad, its twin, and four"
        cleaned = golden_flows("clean", "--run", run.id, "--results", str(run.results), environment=env)
        assert cleaned.returncode == 0, cleaned.stderr
        assert read_ledger(run.journal)[1] == ()
        listed = command("openstack", "--os-cloud", "public-lite", "server", "list", "-f", "value", env=env)
        assert listed.strip() == ""


def test_a_burst_that_does_not_fit_is_told_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="the largest that fits: --burst"):
        run_interop("private", "public-lite", tmp_path, options=["--burst", "1000"])
    assert not [path for path in tmp_path.iterdir() if path.name != "latest"]
