"""A reference cloud that is not ready in time is asked to end before it is made to: it may have work to take away."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from golden_flows.errors import CloudError
from golden_flows.reference_clouds import ReferenceCloud, _wait_until_ready

CLEARS_UP = "import pathlib, sys; sys.stdin.read(); pathlib.Path(sys.argv[1]).rmdir()"


def test_a_cloud_that_is_late_clears_up_and_is_told_to_be_late(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    pipe = subprocess.PIPE
    argv = [sys.executable, "-c", CLEARS_UP, str(work)]
    cloud = ReferenceCloud("slow", subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, text=True))
    with pytest.raises(CloudError, match="'slow' did not start: it was not ready within 0 s"):
        _wait_until_ready(cloud, say=lambda line: None, limit_s=0.2)
    assert not work.exists()
    assert cloud.process.returncode == 0
