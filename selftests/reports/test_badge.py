"""The badge says the worst of a run, in words, and how real it was."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from golden_flows.model.guideline import Guideline
from reports.formats import badge
from reports.read import read_run

if TYPE_CHECKING:
    from selftests.reports.conftest import JournalBuilder

Load = Callable[[str], Guideline]


def words(folder: Path, load: Load) -> list[str]:
    """What stands on it, from left to right."""
    root = ET.fromstring(badge.badge(read_run(folder, load=load)))
    assert root.get("aria-label")
    return [str(one.text) for one in root.iter("{http://www.w3.org/2000/svg}text")]


def test_a_healthy_pair(healthy: Path, load: Load) -> None:
    assert words(healthy, load) == ["golden-flows 2026.11", "compatible", "reference cloud, emulated"]


def test_a_failure_on_a_cloud_that_was_told_to_misbehave(failing: Path, load: Load) -> None:
    assert words(failing, load) == ["golden-flows 2026.11", "not compatible", "told to misbehave"]


def test_a_run_that_was_killed_is_not_judged(killed: Path, load: Load) -> None:
    assert words(killed, load)[1] == "could not be judged"


def test_many_pairs_are_counted(crowd: Path, load: Load) -> None:
    assert words(crowd, load)[1] == "3 of 5 pairs compatible"


def test_the_least_real_cloud_speaks(journal: JournalBuilder, load: Load) -> None:
    journal.start().cloud("private", evidence_level="real cloud").all_pass().end()
    assert words(journal.folder, load)[2] == "reference cloud, emulated"


def test_a_run_without_pairs_has_a_badge(journal: JournalBuilder, load: Load) -> None:
    journal.say("run_started", run="r", suite_version="0", guideline="2026.11", plan=[], plan_sha256="", cells=[])
    assert words(journal.end().folder, load)[1:] == ["could not be judged", "clouds unknown"]


def test_each_outcome_has_a_shape_of_its_own() -> None:
    assert len(set(badge._SHAPES.values())) == len(badge._SHAPES)


def test_hostile_names_stay_text(hostile: Path, load: Load) -> None:
    assert "<script" not in badge.badge(read_run(hostile, load=load))
