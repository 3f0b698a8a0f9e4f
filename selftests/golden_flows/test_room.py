"""A machine without room is told so before anything starts, with both figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from golden_flows.errors import InteropError
from golden_flows.room import MIB, available_memory_mib, budget_mib, require_disk


def test_every_worker_takes_of_what_reference_clouds_may_have() -> None:
    alone, with_two = budget_mib(0), budget_mib(2)
    assert 0 <= with_two <= alone <= available_memory_mib() + 1024


def test_a_folder_without_room_is_named(tmp_path: Path) -> None:
    with pytest.raises(InteropError, match="MiB are free, a run needs") as refused:
        require_disk(tmp_path, 10**9)
    assert str(tmp_path) in refused.value.what


def test_a_containers_limit_counts_and_its_page_cache_does_not(tmp_path: Path) -> None:
    group = tmp_path / "system" / "run"
    group.mkdir(parents=True)
    (tmp_path / "own").write_text("0::/system/run\n")
    (group / "memory.max").write_text("max\n")
    (group.parent / "memory.max").write_text(f"{100 * MIB}\n")
    (group.parent / "memory.current").write_text(f"{90 * MIB}\n")
    (group.parent / "memory.stat").write_text(f"anon 5\ninactive_file {20 * MIB}\n")
    assert available_memory_mib(tmp_path / "own", tmp_path) == 30


def test_without_control_groups_the_kernels_word_counts(tmp_path: Path) -> None:
    assert available_memory_mib(tmp_path / "none", tmp_path) > 0
