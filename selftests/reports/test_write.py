"""All reports at once, and the link to the newest run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from golden_flows.errors import InteropError
from golden_flows.model.guideline import Guideline
from reports.write import formats, write_all

if TYPE_CHECKING:
    from selftests.reports.conftest import JournalBuilder

Load = Callable[[str], Guideline]


def test_every_format_is_written(failing: Path, load: Load) -> None:
    written = write_all(failing, load=load)
    assert set(written) == set(formats())
    names = {
        "results.json",
        "junit.xml",
        "allure-results",
        "matrix.md",
        "matrix.html",
        "matrix.txt",
        "badge.svg",
        "results.subunit",
    }
    assert set(written) == names
    assert all(path.exists() for path in written.values())


def test_latest_points_at_the_run(failing: Path, load: Load) -> None:
    write_all(failing, load=load)
    link = failing.parent / "latest"
    assert link.is_symlink()
    assert link.readlink() == Path("run-1")


def test_run_can_be_named_by_way_of_latest(failing: Path, load: Load) -> None:
    write_all(failing, load=load)
    written = write_all(failing.parent / "latest", load=load)
    assert written["results.json"] == failing / "results.json"
    assert (failing.parent / "latest").readlink() == Path("run-1")


def test_report_of_an_old_run_leaves_latest_at_the_newest(journal: JournalBuilder, healthy: Path, load: Load) -> None:
    newer = type(journal)(healthy.parent / "run-2", "run-2", journal.now + timedelta(hours=1)).start().end().folder
    write_all(newer, load=load)
    write_all(healthy, load=load)
    assert (healthy.parent / "latest").readlink() == Path("run-2")


def test_link_to_a_run_that_is_gone_is_replaced(healthy: Path, load: Load) -> None:
    (healthy.parent / "latest").symlink_to("run-0")
    write_all(healthy, load=load)
    assert (healthy.parent / "latest").readlink() == Path("run-1")


def test_folder_called_latest_is_left_alone(healthy: Path, load: Load) -> None:
    (healthy.parent / "latest").mkdir()
    write_all(healthy, load=load)
    assert (healthy.parent / "latest").is_dir()
    assert not (healthy.parent / "latest").is_symlink()


def test_one_report_that_cannot_be_written_does_not_cost_the_others(healthy: Path, load: Load) -> None:
    (healthy / "matrix.md").mkdir()
    with pytest.raises(InteropError, match=r"matrix\.md"):
        write_all(healthy, load=load)
    assert (healthy / "results.json").exists()
    assert (healthy / "matrix.txt").exists()
