"""How much of their time workers worked, read from a journal."""

from __future__ import annotations

from benchmarks.matrix import from_journal

Event = dict[str, object]


def event(second: int, dst: str, kind: str = "result", text: str = "") -> Event:
    at = f"2026-11-28T10:00:{second:02}+00:00"
    return {"at": at, "event": kind, "src": "a", "dst": dst, "stage": "export", "text": text}


def test_workers_that_wait_for_each_other_s_export_do_not_work_meanwhile() -> None:
    events = [
        event(0, "b", "stage_started"),
        event(0, "c", "stage_started"),
        event(0, "c", "step", "waiting for the export of a, which another cell makes"),
        event(1, "b", "step", "exporting from a"),
        event(4, "c", "step", "importing into c"),
        event(10, "b"),
        event(10, "c"),
    ]
    found = from_journal(events, 2, 12.0)
    assert (found.cells, found.exports, found.seconds) == (2, 1, 10.0)
    assert found.used == 0.8  # 10 s and 6 s of 20


def test_a_worker_that_has_no_story_left_does_not_work() -> None:
    found = from_journal([event(0, "b"), event(0, "c"), event(5, "c"), event(10, "b")], 2, 12.0)
    assert found.used == 0.75
