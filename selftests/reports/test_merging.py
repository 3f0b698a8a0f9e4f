"""Runs put together: what a merged run says, and what cannot be one run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from golden_flows.errors import InteropError, UsageError
from golden_flows.journal import Journal
from golden_flows.merging import merge
from golden_flows.model.cloud import Pair
from golden_flows.model.outcome import ExitCode
from golden_flows.model.plan import Plan
from golden_flows.model.stage import Stage
from reports.formats import results_json
from reports.read import read_run
from selftests.reports.conftest import JournalBuilder, load_guideline

HERE, THERE = ("private", "public"), ("private", "vlan")
WHOLE = [list(HERE), list(THERE)]


def part(tmp_path: Path, run: str, pair: tuple[str, str], **fields: Any) -> JournalBuilder:
    """A run of one cell that went well and has not ended."""
    journal = JournalBuilder(tmp_path / run, run)
    journal.start(pair, **fields)
    journal.evidence(Stage.BOOT, "console.txt", f"console of {run}".encode(), src=pair[0], dst=pair[1])
    return journal.all_pass(src=pair[0], dst=pair[1])


def both(tmp_path: Path, **fields: Any) -> list[Path]:
    first = part(tmp_path, "run-1", HERE, **fields)
    second = part(tmp_path, "run-2", THERE, **fields)
    return [one.say("run_ended", exit_code=0, reason="").folder for one in (first, second)]


def merged(tmp_path: Path, folders: list[Path]) -> Path:
    return merge(folders, tmp_path / "results")


def test_two_runs_are_one_with_the_cells_and_the_evidence_of_both(tmp_path: Path) -> None:
    folder = merged(tmp_path, both(tmp_path))
    run = read_run(folder, load=load_guideline)
    assert [one.pair for one in run.cells] == [Pair(*HERE), Pair(*THERE)]
    assert run.exit_code is ExitCode.CERTIFIED
    assert {one.read_bytes() for one in (folder / "evidence").iterdir()} == {b"console of run-1", b"console of run-2"}
    assert any("run run-2: 1 pairs" in note for note in run.notes)
    assert [path.name for path in (tmp_path / "results").iterdir()] == [folder.name]


def test_merged_shards_say_of_every_cell_what_one_unsharded_run_says(tmp_path: Path) -> None:
    """Times, notes and the plan's hash apart, which say where it ran."""
    one = JournalBuilder(tmp_path / "whole", "whole").start(HERE, THERE)
    for number, pair in enumerate((HERE, THERE), 1):
        one.evidence(Stage.BOOT, "console.txt", f"console of run-{number}".encode(), src=pair[0], dst=pair[1])
        one.all_pass(src=pair[0], dst=pair[1])
    whole = read_run(one.say("run_ended", exit_code=0, reason="").folder, load=load_guideline)
    parts = both(tmp_path, shard="1/2", whole=WHOLE)
    put_together = read_run(merged(tmp_path, parts), load=load_guideline)
    assert _timeless(results_json.document(put_together)["cells"]) == _timeless(results_json.document(whole)["cells"])


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(one) for key, one in value.items() if key not in ("started_at", "captured_at")}
    return [_timeless(one) for one in value] if isinstance(value, list) else value


def test_a_missing_shard_is_seen_and_nothing_is_certified(tmp_path: Path) -> None:
    three = [*WHOLE, ["private", "ipv6"]]
    run = read_run(merged(tmp_path, both(tmp_path, shard="1/3", whole=three)), load=load_guideline)
    assert [str(one.pair) for one in run.cells] == ["private → public", "private → vlan", "private → ipv6"]
    assert run.exit_code is ExitCode.INCOMPLETE
    assert "a shard is missing: nobody ran private → ipv6" in run.notes


def test_a_merged_run_can_be_merged_with_one_that_was_asked_the_same(tmp_path: Path) -> None:
    argv = ["golden-flows", "--no-shims"]
    early = merged(tmp_path, both(tmp_path, argv=argv))
    late = part(tmp_path, "run-3", ("vlan", "public"), argv=argv).end().folder
    assert len(read_run(merged(tmp_path, [early, late]), load=load_guideline).cells) == 3
    other = part(tmp_path, "run-4", ("vlan", "public")).end().folder
    with pytest.raises(UsageError, match="no options and --no-shims"):
        merged(tmp_path, [early, other])


def test_a_shard_that_comes_late_is_merged_with_all_others_again(tmp_path: Path) -> None:
    first, late = both(tmp_path, shard="1/2", whole=WHOLE)
    early = merged(tmp_path, [first, part(tmp_path, "run-3", ("vlan", "public")).end().folder])
    with pytest.raises(UsageError) as caught:
        merged(tmp_path, [early, late])
    assert "merge all shards of a plan at once" in caught.value.remedy


def test_the_image_of_a_run_replaces_that_of_its_sources_only(tmp_path: Path) -> None:
    """In one run ``public`` is where the image goes, in the other where it comes from."""
    argv = ["golden-flows", "--src=private,public", "--dst=public,private", "--image=app"]
    there = part(tmp_path, "run-1", HERE, argv=argv).cloud("private", image="app").cloud("public", image="golden")
    back = part(tmp_path, "run-2", HERE[::-1], argv=argv).cloud("private", image="golden").cloud("public", image="app")
    run = read_run(merged(tmp_path, [there.end().folder, back.end().folder]), load=load_guideline)
    assert run.exit_code is ExitCode.CERTIFIED


def test_a_run_without_an_end_leaves_the_whole_without_one(tmp_path: Path) -> None:
    folders = [both(tmp_path)[0], part(tmp_path, "run-3", ("vlan", "private")).folder]
    run = read_run(merged(tmp_path, folders), load=load_guideline)
    assert run.ended_at is None
    assert run.exit_code is ExitCode.INCOMPLETE
    assert "never ended: run-3" in run.notes


def test_trouble_of_one_run_is_trouble_of_the_whole(tmp_path: Path) -> None:
    good = both(tmp_path)[0]
    bad = part(tmp_path, "run-3", ("vlan", "private")).say("run_ended", exit_code=3, reason="interrupted").folder
    run = read_run(merged(tmp_path, [good, bad]), load=load_guideline)
    assert run.exit_code is ExitCode.INCOMPLETE
    assert any("run-3: interrupted" in note for note in run.notes)


def _again(tmp_path: Path) -> None:
    part(tmp_path, "other", HERE)


def _other_guideline(tmp_path: Path) -> None:
    checks = tuple(one.id for one in load_guideline("2026.11").requirements)
    plan = Plan((Pair("vlan", "public"),), checks, "2025.06")
    path = part(tmp_path, "other", ("vlan", "public")).path
    _rewrite(path, guideline=plan.guideline, plan_sha256=plan.sha256)


def _other_checks(tmp_path: Path) -> None:
    part(tmp_path, "other", ("vlan", "public"), plan=["EX-1"])


def _less_planned(tmp_path: Path) -> None:
    """Somebody took a check out of the plan, which the merged run would hash anew."""
    _rewrite(part(tmp_path, "other", ("vlan", "public")).path, cells=[["vlan", "public"], ["vlan", "vlan"]])


def _other_image(tmp_path: Path) -> None:
    _rewrite(part(tmp_path, "other", ("vlan", "public")).path, argv=["golden-flows", "--src=vlan", "--image=app"])


def _other_suite(tmp_path: Path) -> None:
    _rewrite(part(tmp_path, "other", ("vlan", "public")).path, suite_version="9.9")


def _changed_suite(tmp_path: Path) -> None:
    _rewrite(part(tmp_path, "other", ("vlan", "public")).path, suite_sha256="cd" * 32)


def _otherwise_proved(tmp_path: Path) -> None:
    _rewrite(part(tmp_path, "other", ("vlan", "public")).path, kill_matrix={"sha256": "cd" * 32})


def _other_shards(tmp_path: Path) -> None:
    part(tmp_path, "other", ("vlan", "public"), shard="1/2", whole=[["vlan", "public"], ["a", "b"]])


def _other_cloud(tmp_path: Path) -> None:
    part(tmp_path, "other", ("vlan", "public")).cloud("public", active_faults=["nd_empty"])


def _other_image_in_its_profile(tmp_path: Path) -> None:
    part(tmp_path, "other", ("vlan", "public")).cloud("public", image="golden")


def _newer(tmp_path: Path) -> None:
    part(tmp_path, "other", ("vlan", "public"), schema=99)


def _no_run(tmp_path: Path) -> None:
    JournalBuilder(tmp_path / "other").say("note", text="nothing began")


def _no_journal(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()


def _rewrite(path: Path, **fields: Any) -> None:
    lines = path.read_text("utf-8").splitlines()
    path.write_text("\n".join([json.dumps({**json.loads(lines[0]), **fields}), *lines[1:]]) + "\n", "utf-8")


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (_again, "private → public is in run-1 and in other"),
        (_other_guideline, "not the same guideline"),
        (_other_checks, "not the same checks"),
        (_less_planned, "is not the one that was hashed when the run began"),
        (_other_image, "--image=app and no options"),
        (_other_suite, "not the same version of the suite"),
        (_changed_suite, "not the same sources of the suite"),
        (_otherwise_proved, "not the same kill matrix"),
        (_other_shards, "shards of different plans"),
        (_other_cloud, "public was not the same cloud in run-1 and in other: active_faults"),
        (_other_image_in_its_profile, "public was not the same cloud in run-1 and in other: image"),
        (_newer, "schema 99 is newer"),
        (_no_run, "holds no run"),
        (_no_journal, "holds no journal.jsonl"),
    ],
)
def test_what_cannot_be_one_run_is_refused_and_leaves_nothing(
    tmp_path: Path, other: Callable[[Path], None], told: str
) -> None:
    first = both(tmp_path, shard="1/2", whole=WHOLE)
    other(tmp_path)
    with pytest.raises(UsageError, match=told) as caught:
        merged(tmp_path, [*first, tmp_path / "other"])
    assert caught.value.remedy
    assert not (tmp_path / "results").exists()


def test_a_run_at_work_is_not_merged(tmp_path: Path) -> None:
    first, second = both(tmp_path)
    at_work = Journal(second)
    try:
        with pytest.raises(UsageError, match="still at work"):
            merged(tmp_path, [first, second])
    finally:
        at_work.close()


def test_one_run_named_twice_is_one_run(tmp_path: Path) -> None:
    first = both(tmp_path)[0]
    with pytest.raises(UsageError, match="whole as it is"):
        merged(tmp_path, [first, first])


def test_evidence_that_was_altered_since_is_named_and_nothing_half_made_stays(tmp_path: Path) -> None:
    folders = both(tmp_path)
    altered = next((folders[1] / "evidence").iterdir())
    altered.write_bytes(b"another console")
    with pytest.raises(InteropError, match=rf"evidence {altered.name[:12]}… of run run-2 was altered"):
        merged(tmp_path, folders)
    assert list((tmp_path / "results").iterdir()) == []


def test_a_line_taken_out_of_the_merged_journal_is_missed(tmp_path: Path) -> None:
    folder = merged(tmp_path, both(tmp_path))
    lines = (folder / "journal.jsonl").read_text("utf-8").splitlines()
    for taken in (1, len(lines) // 2):
        (folder / "journal.jsonl").write_text("\n".join([*lines[:taken], *lines[taken + 1 :]]) + "\n", "utf-8")
        run = read_run(folder, load=load_guideline)
        assert run.exit_code is ExitCode.INCOMPLETE
        assert "1 lines of the journal are missing" in run.doubts


def test_a_torn_line_is_told_with_the_run_it_is_of(tmp_path: Path) -> None:
    folders = both(tmp_path)
    lines = (folders[0] / "journal.jsonl").read_text("utf-8").splitlines()
    (folders[0] / "journal.jsonl").write_text("\n".join([*lines[:3], lines[3][:20], *lines[4:]]) + "\n", "utf-8")
    run = read_run(merged(tmp_path, folders), load=load_guideline)
    assert "line 4 of run-1's journal is torn" in run.notes
