"""Journals of any form are read or refused, and merged or refused; what was bent is never better than what was."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden_flows.errors import InteropError
from golden_flows.journal import read_events
from golden_flows.merging import merge
from golden_flows.model.matrix import Run
from golden_flows.model.outcome import ExitCode, Outcome
from golden_flows.model.stage import Stage
from reports.read import read_run
from selftests.reports.conftest import JournalBuilder, finding, load_guideline

Events = list[dict[str, Any]]
DEEP = "[" * 5000
RUBBISH: st.SearchStrategy[object] = st.one_of(
    st.sampled_from(
        (None, True, -1, 10**30, float("nan"), float("inf"), "", "pass", [], {}, [[]], "0001-01-01T00:00:00+23:59")
    ),
    st.text(max_size=5),
)
OUTCOMES = st.sampled_from(Outcome)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("journals")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Events:
    """Every kind of event that there is, of a run that certifies."""
    journal = JournalBuilder(tmp_path_factory.mktemp("whole"))
    waiver = {"id": "W-1", "check": "N2-1", "cells": ["*->*"], "reason": "r", "owner": "o", "until": "2026-12-31"}
    kill_matrix = {"sha256": "0" * 64, "made_at": "x", "suite_version": "0", "checks": 1, "proved_on_guests": 1}
    journal.start(waivers=[waiver], kill_matrix=kill_matrix).all_pass(but=("N2-1",))
    journal.evidence(Stage.BOOT, "a.txt", b"a")
    journal.result("N2-1", "fail", findings=[finding()])
    journal.say("burst", src="private", dst="public", asked=1, way="x", active_s=[1.0], up_s=[1.0], lacking=[])
    journal.say("resource_planned", cloud="public", kind="server", name="n", key="k")
    journal.say("resource_gone", cloud="public", kind="server", key="k", id="i").end()
    events = [json.loads(line) for line in journal.path.read_text("utf-8").splitlines()]
    return [{**one, "by": "w", "n": number} for number, one in enumerate(events, 1)]


def write(folder: Path, events: Events) -> Run:
    folder.mkdir(exist_ok=True)
    (folder / "journal.jsonl").write_text("".join(json.dumps(one) + "\n" for one in events), "utf-8")
    return read_run(folder, load=load_guideline)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """(container, key) of everything in it."""
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from places(value[key])


def test_the_run_that_is_bent_here_certifies(folder: Path, whole: Events) -> None:
    assert write(folder / "sound", whole).exit_code is ExitCode.CERTIFIED


@given(st.data(), RUBBISH, st.booleans())
def test_a_journal_with_one_thing_bent_is_read_or_refused(
    folder: Path, whole: Events, data: st.DataObject, rubbish: object, gone: bool
) -> None:
    events = json.loads(json.dumps(whole))
    container, key = data.draw(st.sampled_from(list(places(events))))
    if gone:
        del container[key]
    else:
        container[key] = rubbish
    events = [one for one in events if isinstance(one, dict)]
    with contextlib.suppress(InteropError):
        write(folder / "bent", events)
    with contextlib.suppress(InteropError):
        write(folder / "other", [{**one, "src": "a", "dst": "b"} if "src" in one else one for one in whole])
        merge([folder / "bent", folder / "other"], folder / "merged")


@given(
    st.binary(max_size=400)
    | st.lists(st.sampled_from((b"{", b'{"event": "result"}', b"\n", b"\r", b"[" * 3000))).map(b"".join)
)
def test_a_journal_of_rubbish_certifies_nothing(folder: Path, content: bytes) -> None:
    path = folder / "journal.jsonl"
    path.write_bytes(content)
    with contextlib.suppress(InteropError):
        assert all(isinstance(one["event"], str) for one in read_events(path))
    with pytest.raises(InteropError):
        read_run(folder, load=load_guideline)


@pytest.mark.parametrize("line", [DEEP, '{"event": "note", "text": "", "by": "w", "n": "x"}', '{"event": ["note"]}'])
def test_a_line_that_nobody_wrote_is_damage_and_is_missed(folder: Path, whole: Events, line: str) -> None:
    (folder / "journal.jsonl").write_text(
        "".join((line if at == 5 else json.dumps(one)) + "\n" for at, one in enumerate(whole)), "utf-8"
    )
    run = read_run(folder, load=load_guideline)
    assert run.exit_code is ExitCode.INCOMPLETE


@given(st.dictionaries(st.sampled_from(("EX-1", "N2-1", "AP-1", "BT-1")), OUTCOMES, min_size=1))
def test_a_run_certifies_only_where_each_check_passed_or_was_waived(
    folder: Path, whole: Events, said: dict[str, Outcome]
) -> None:
    events = [{**one, "outcome": said[one["check"]].value} if one.get("check") in said else one for one in whole]
    run = write(folder / "outcomes", events)
    fine = all(one.certifies or (name == "N2-1" and one is Outcome.FAIL) for name, one in said.items())
    assert (run.exit_code is ExitCode.CERTIFIED) == fine
    flags = run.cells[0].result("N2-1").flags
    assert bool(flags) == (said.get("N2-1", Outcome.FAIL) is Outcome.FAIL), "what is waived stays to be seen"
    worse = write(
        folder / "outcomes",
        [
            *events[:-1],
            {
                **events[-2],
                "event": "result",
                "src": "private",
                "dst": "public",
                "check": "AU-1",
                "outcome": "fail",
                "n": len(events),
            },
            {**events[-1], "n": len(events) + 1},
        ],
    )
    assert worse.exit_code is ExitCode.NONCONFORMANCE, "no further failure makes a run better"


@given(st.data(), st.lists(st.tuples(OUTCOMES, OUTCOMES), min_size=1, max_size=4))
def test_it_does_not_matter_which_cell_s_line_comes_first(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, said: list[tuple[Outcome, Outcome]]
) -> None:
    """Workers write side by side; each keeps the order of its own."""
    pairs, runs = [("a", "b"), ("b", "a")], []
    names = ("EX-1", "N2-1", "AP-1", "BT-1")
    queues = [[(pair, names[at], two[which]) for at, two in enumerate(said)] for which, pair in enumerate(pairs)]
    turns = data.draw(st.permutations([0, 1] * len(said)))
    for order in (sorted(turns), turns):
        journal = JournalBuilder(tmp_path_factory.mktemp("order"))
        journal.start(*pairs)
        waiting = [iter(one) for one in queues]
        for turn in order:
            (src, dst), check, outcome = next(waiting[turn])
            journal.result(check, outcome.value, src=src, dst=dst)
        runs.append(read_run(journal.end().folder, load=load_guideline))
    told = [
        [{name: (one.outcome, one.flags) for name, one in cell.results.items()} for cell in run.cells] for run in runs
    ]
    assert told[0] == told[1]
    assert runs[0].exit_code is runs[1].exit_code
