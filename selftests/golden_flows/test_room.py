"""A machine without room is told so before anything starts, with both figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from golden_flows.errors import InteropError
from golden_flows.room import MIB, available_memory_mib, memory_problem, require_disk


def test_too_little_memory_is_said_with_both_figures() -> None:
    problem = memory_problem(500, 2)
    assert problem == "not enough memory: 500 MiB are available, 2 reference clouds with a guest each need 800 MiB"


def test_enough_memory_or_no_reference_cloud_is_no_problem() -> None:
    assert memory_problem(800, 2) is None
    assert memory_problem(0, 0) is None


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
