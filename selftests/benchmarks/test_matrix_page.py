"""How soon the matrix page is shown: what is measured in Chromium, and what of it the aim is held against."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import matrix_page
from benchmarks.taking import Taking
from selftests.browser import find_chromium


def test_the_aim_is_for_all_of_the_page() -> None:
    openings = [{"painted_s": 0.2, "loaded_s": loaded_s, "pair_s": 1.5} for loaded_s in (0.9, 0.4, 0.6)]
    (found,) = matrix_page.figures({"openings": openings})
    assert (found.aim, found.value, found.repetitions) == ("opening", 0.6, 3)


def test_what_chromium_shows_is_timed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    find_chromium()
    monkeypatch.setattr(matrix_page, "CLOUDS", 3)
    take = Taking(2, tmp_path, lambda line: None)
    found = matrix_page.measure(take)
    assert found["pairs"] == 9
    assert len(found["openings"]) == len(take.repetitions) == 2
    assert all(seconds > 0 for one in found["openings"] for seconds in one.values())


def test_without_chromium_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match="Debian package chromium"):
        matrix_page.measure(Taking(1, tmp_path, lambda line: None))
