"""The terminal gets the matrix in whatever it can show."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from golden_flows.model.guideline import Guideline
from reports.formats.terminal import render
from reports.read import read_run

Load = Callable[[str], Guideline]


def _shown(folder: Path, load: Load, *, encoding: str = "utf-8", terminal: bool = False, width: int = 100) -> str:
    page = io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)
    console = Console(file=page, force_terminal=terminal, width=width, color_system="standard" if terminal else None)
    render(read_run(folder, load=load), console, {"results.json": folder / "results.json"})
    page.seek(0)
    return page.read()


def test_pipe_gets_no_escape_sequences(failing: Path, load: Load) -> None:
    assert "\x1b" not in _shown(failing, load)


def test_terminal_gets_colour(failing: Path, load: Load) -> None:
    assert "\x1b[" in _shown(failing, load, terminal=True)


def test_no_color_is_honoured(failing: Path, load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in _shown(failing, load, terminal=True)


def test_ascii_terminal_gets_ascii(hostile: Path, load: Load) -> None:
    page = _shown(hostile, load, encoding="ascii")
    assert page.isascii()
    assert "x private -> public: not compatible" in page


def test_guest_cannot_drive_the_terminal(hostile: Path, load: Load) -> None:
    page = _shown(hostile, load)
    assert "\x1b" not in page
    assert "\x07" not in page
    assert "\x9b" not in page


@pytest.mark.parametrize("width", [40, 80, 200])
def test_check_and_its_word_stay_on_one_line(failing: Path, load: Load, width: int) -> None:
    assert "? AU-1 not run" in _shown(failing, load, width=width)


def test_paths_are_not_broken_into_pieces(failing: Path, load: Load) -> None:
    assert str(failing / "results.json") in _shown(failing, load, width=40)
