"""How busy others are, seen from a benchmark: what it does itself does not count, what others do does."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from benchmarks import taking
from benchmarks.taking import Others, Taking, TooBusy

BURN = "import time\nwhile time.process_time() < 1: pass"


def test_what_a_child_uses_is_not_others() -> None:
    """As far as can be said on a machine that may be busy: its own second is not in it."""
    before = Others()
    own_s = time.process_time()
    done = subprocess.run([sys.executable, "-c", BURN], check=True)
    assert done.returncode == 0
    assert taking._used_s(psutil.Process()) > own_s + 0.5
    assert before.cpus() >= 0


def test_a_busy_machine_is_refused_where_quiet_was_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(taking, "_sampled", lambda: 1.5)
    take = Taking(5, tmp_path, lambda line: None, require_quiet=True)
    with pytest.raises(TooBusy, match=r"others use 1\.50 processors"), take.repetition("never"):
        pytest.fail("it was measured")


def test_a_busy_machine_is_recorded_otherwise(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(taking, "_sampled", lambda: 1.5)
    said: list[str] = []
    take = Taking(2, tmp_path, said.append)
    with take.repetition("one"):
        pass
    assert take.repetitions[0].others_cpus is not None
    assert said[-1].startswith("1/2 one: ")


def test_a_repetition_that_fails_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(taking, "_sampled", lambda: 0.0)
    take = Taking(2, tmp_path, lambda line: None)
    with pytest.raises(RuntimeError, match="it failed"), take.repetition("one"):
        raise RuntimeError("it failed")
    assert take.repetitions == []
