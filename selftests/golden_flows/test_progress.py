"""What is shown while a run works is text, whatever clouds and guests put into it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from golden_flows.progress import Progress

HOSTILE = "\x1b[2J\x1b]0;all is well\x07[red]not markup[/red]"
SEEN = "␛[2J␛]0;all is well␇[red]not markup[/red]"
CELL = {"src": "a", "dst": "b"}


@pytest.mark.parametrize("is_terminal", [False, True])
def test_control_characters_of_a_cloud_are_shown_and_do_nothing(is_terminal: bool, tmp_path: Path) -> None:
    screen = io.StringIO()
    progress = Progress(Console(file=screen, width=200, force_terminal=is_terminal, color_system=None))
    events = [
        {"event": "step", **CELL, "stage": "boot", "text": f"booting {HOSTILE}"},
        {"event": "stage_ended", **CELL, "stage": "boot", "outcome": "broken", "seconds": 1.0, "detail": HOSTILE},
    ]
    journal = tmp_path / "journal.jsonl"
    journal.write_text("".join(json.dumps(one) + "\n" for one in events), "utf-8")
    progress.say(HOSTILE)
    progress.follow(journal)
    progress.stop()
    told = screen.getvalue()
    assert "\x1b[2J" not in told
    assert "\x1b]0;" not in told
    assert "\x07" not in told
    assert told.count(SEEN) >= 2


@pytest.mark.parametrize(
    ("party", "words"), [("destination", "is: destination"), (None, "is: undecided: image or destination")]
)
def test_whose_it_is_is_shown_as_soon_as_it_is_known(party: str | None, words: str, tmp_path: Path) -> None:
    screen = io.StringIO()
    progress = Progress(Console(file=screen, width=200, color_system=None))
    event = {"event": "attribution", **CELL, "stage": "boot", "checks": ["BT-1"], "party": party}
    journal = tmp_path / "journal.jsonl"
    journal.write_text(json.dumps({**event, "suspects": ["image", "destination"], "reasons": []}) + "\n", "utf-8")
    progress.follow(journal)
    progress.stop()
    assert f"whose boot (BT-1) {words}" in screen.getvalue()
