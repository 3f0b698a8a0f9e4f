"""The kill matrix counts no proof that was not given; on facts, every check is proved here and now."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from refclouds import profile
from refclouds.variants import Variants

from golden_flows.guideline import load_guideline
from selftests.golden_flows.test_guideline import PROVED_BY_FACTS_ALONE
from selftests.proof import page
from selftests.proof.__main__ import main
from selftests.proof.flows import FLOWS, Flow, fault
from selftests.proof.matrix import assemble, exit_code, name_of
from selftests.proof.on_facts import WITHOUT_FAULT, OnFacts, try_on_facts
from selftests.proof.record import Record, claims_of
from selftests.proof.running import shards, slug

FLOW = Flow((fault("public-lite:nd_empty", "N2-1", "N2-5"),), frozenset({"N2-4"}))
BENIGN = Flow(variants=("public-lite:nic_order",))

facts = cache(try_on_facts)


def record(flow: Flow = FLOW, **changes: Any) -> Record:
    """A run that is as claimed."""
    failed = {check: "fail" for one in flow.faults for check in one.must_fail}
    made = Record(
        run="r-1",
        started_at="2026-11-28T16:00:00+00:00",
        seconds=90.0,
        suite_version="0.1.0",
        commit="abc1234",
        host={},
        src=flow.src,
        dst=flow.dst,
        claims=claims_of(flow),
        blocked=tuple(flow.blocked),
        variants=flow.variants,
        exit_code=1 if failed else 0,
        judged=100,
        not_passed={**failed, **dict.fromkeys(flow.blocked, "blocked")},
    )
    return replace(made, **changes)


def matrix(records: Sequence[Record], flows: Sequence[Flow] = (FLOW,), on_facts: OnFacts | None = None) -> Any:
    return assemble(records, on_facts or facts(), commit="abc1234", host={}, suite_version="0.1.0", flows=flows)


def check(document: Any, check_id: str) -> Any:
    return next(one for one in document["checks"] if one["id"] == check_id)


def test_on_facts_every_check_is_proved_and_nothing_alarms_without_cause() -> None:
    summary = matrix([])["summary"]
    assert summary["unproven"] == []
    assert summary["missed_on_facts"] == []
    assert summary["false_alarms"] == []
    assert summary["proved_on_guests"] == 0
    assert exit_code(summary) == 3, "nothing was run on guests"


def test_checks_that_no_fault_of_a_cloud_reaches_have_their_facts_and_their_reason() -> None:
    assert set(WITHOUT_FAULT) == set(PROVED_BY_FACTS_ALONE)
    assert all(caught == (one,) for one, caught in facts().without_fault.items())


def test_a_run_as_claimed_proves_its_check_on_guests_and_no_other() -> None:
    document = matrix([record()])
    assert check(document, "N2-1")["proof"] == "guests"
    assert check(document, "N2-1")["on_guests"] == [{"fault": "public-lite:nd_empty", "run": "r-1"}]
    assert check(document, "N2-5")["proof"] == "facts", "a dependent proves nothing"
    assert document["summary"]["proved_on_guests"] == 1
    assert exit_code(document["summary"]) == 0


def test_the_newest_run_of_a_claim_counts_even_if_it_is_the_worse() -> None:
    later = record(run="r-2", started_at="2026-11-29T16:00:00+00:00", not_passed={"N2-4": "blocked"}, exit_code=0)
    document = matrix([later, record()])
    assert [one["run"] for one in document["runs"]] == ["r-2"]
    assert document["summary"]["missed_on_guests"] == ["public-lite:nd_empty"]
    assert check(document, "N2-1")["proof"] == "facts"
    assert exit_code(document["summary"]) == 1


def test_runs_that_never_began_are_each_told() -> None:
    other = Flow((fault("public-lite:md_slow", "MD-12"),))
    lost = [record(one, run="", not_passed={}, exit_code=-1, trouble="no results") for one in (FLOW, other)]
    summary = matrix(lost, [FLOW, other])["summary"]
    assert summary["missed_on_guests"] == ["public-lite:md_slow", "public-lite:nd_empty"]


def test_what_the_table_claims_no_more_is_history() -> None:
    other = Flow((fault("public-lite:nd_empty", "N2-1 N2-5"),))
    document = matrix([record()], [other])
    assert document["runs"] == []
    assert document["summary"]["not_yet_on_guests"] == ["public-lite:nd_empty"]


def test_a_false_alarm_is_never_lost() -> None:
    alarmed = record(not_passed={"N2-1": "fail", "AP-1": "fail", "N2-4": "blocked"})
    document = matrix([alarmed])
    assert document["summary"]["false_alarms"] == ["AP-1"]
    assert exit_code(document["summary"]) == 1


def test_a_check_whose_fault_no_longer_fails_it_on_facts_is_unproven() -> None:
    blind = OnFacts({name: () for name in facts().by_fault}, {})
    summary = matrix([], on_facts=blind)["summary"]
    assert set(summary["unproven"]) == {one.id for one in load_guideline().requirements}
    assert exit_code(summary) == 1


def test_benign_variants_are_listed_with_what_they_alarmed() -> None:
    assert matrix([], [BENIGN])["summary"]["not_yet_on_guests"] == ["public-lite:nic_order"]
    fine = matrix([record(BENIGN)], [BENIGN])
    assert fine["variants"][0]["runs"] == [{"run": "r-1", "false_alarms": [], "unexpected": []}]
    assert exit_code(fine["summary"]) == 0
    alarmed = matrix([record(BENIGN, not_passed={"PV-1": "fail"}, exit_code=1)], [BENIGN])
    assert alarmed["variants"][0]["runs"][0]["false_alarms"] == ["PV-1"]
    assert exit_code(alarmed["summary"]) == 1


def test_the_page_says_what_the_document_does_and_escapes_it() -> None:
    document = matrix([record(trouble="<script>", not_passed={}, exit_code=-1)])
    text = page.render(document)
    assert "<script>" not in text
    assert "no results: &lt;script&gt;" in text
    assert "not yet proved on guests" in text
    assert page.render(json.loads(page.as_text(document))) == text


@pytest.mark.parametrize("flow", FLOWS, ids=lambda one: one.id)
def test_every_fault_of_the_table_is_claimed_for_a_cloud_of_its_run(flow: Flow) -> None:
    assert flow.faults or flow.variants
    for one in (*(claim.spec for claim in flow.faults), *flow.variants):
        assert one.partition(":")[0] in (flow.src, flow.dst)
        assert name_of(one)


@pytest.mark.parametrize("flow", [one for one in FLOWS if one.variants], ids=lambda one: one.id)
def test_every_variant_of_a_run_changes_something_about_its_cloud(flow: Flow) -> None:
    for cloud, _, spec in (one.partition(":") for one in flow.variants):
        assert Variants.parse([spec], profile.find(cloud)).on


def test_every_run_has_a_name_of_its_own_and_shards_share_them_all_out() -> None:
    assert len({slug(one) for one in FLOWS}) == len(FLOWS)
    seconds = {one.id: float(at) for at, one in enumerate(FLOWS)}
    dealt = shards(FLOWS, seconds, 3)
    assert sorted(one.id for shard in dealt for one in shard) == sorted(one.id for one in FLOWS)
    totals = [sum(seconds[one.id] for one in shard) for shard in dealt]
    assert max(totals) - min(totals) <= max(seconds.values())
    assert shards(FLOWS, seconds, 3) == dealt


@pytest.mark.parametrize(
    "arguments",
    [["--shard", "4/3"], ["--shard", "x"], ["--shard", f"{len(FLOWS) + 1}/{len(FLOWS) + 1}"], ["--only", "no such"]],
    ids=["beyond", "no number", "empty", "nothing so called"],
)
def test_what_cannot_be_run_is_one_message_and_exit_2(arguments: list[str], tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["run", *arguments, "--out", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert "Error:" in done.output
    assert not (tmp_path / "out").exists()


def test_what_was_run_can_be_judged_by_the_table_as_it_is_now(tmp_path: Path) -> None:
    flow = next(one for one in FLOWS if one.id == "public-lite:nd_empty")
    kept = tmp_path / "records" / "one.json"
    kept.parent.mkdir()
    kept.write_text(json.dumps(record(flow, claims=record().claims, blocked=()).document()), "utf-8")
    done = CliRunner().invoke(main, ["again", str(tmp_path)])
    assert done.output.startswith("as claimed"), done.output
    assert Record.load(json.loads(kept.read_text("utf-8"))) == record(flow, blocked=tuple(sorted(flow.blocked)))


@pytest.mark.parametrize(
    ("failed", "waivers", "options", "taken"),
    [
        ({"N2-1", "N2-5"}, [], [], True),
        ({"N2-5"}, [], [], False),
        ({"N2-1", "N2-5"}, [{"id": "W-1"}], [], False),
        ({"N2-1", "N2-5"}, [], ["--image=another"], False),
        ({"N2-1", "N2-5"}, [], ["--return-trip"], False),
    ],
    ids=["as claimed", "not so", "with a waiver", "another image", "another flow"],
)
def test_a_run_made_otherwise_is_taken_for_the_one_of_the_table_if_it_shows_what_is_claimed(
    failed: set[str], waivers: list[dict[str, str]], options: list[str], taken: bool, tmp_path: Path
) -> None:
    flow = next(one for one in FLOWS if one.id == "public-lite:nd_empty")
    outcomes = {**dict.fromkeys(flow.blocked, "blocked"), **dict.fromkeys(failed, "fail"), "EX-1": "pass"}
    checks = [{"id": name, "outcome": how, "level": "required"} for name, how in outcomes.items()]
    document = {
        "run": "r-1",
        "started_at": "2026-11-28T16:00:00+00:00",
        "ended_at": "2026-11-28T16:01:30+00:00",
        "suite_version": "0.1.0",
        "host": {},
        "exit_code": 1,
        "waivers": waivers,
        "cells": [
            {
                "src": flow.src,
                "dst": flow.dst,
                "active_faults": ["public-lite: nd_empty"],
                "points": [{"stages": [{"checks": checks}]}],
            }
        ],
    }
    (tmp_path / "results.json").write_text(json.dumps(document), "utf-8")
    argv = ["golden-flows", f"--src={flow.src}", f"--dst={flow.dst}", *options]
    (tmp_path / "journal.jsonl").write_text(json.dumps({"event": "run_started", "argv": argv}) + "\n", "utf-8")
    done = CliRunner().invoke(main, ["take", str(tmp_path), "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    kept = list((tmp_path / "out" / "records").glob("*.json"))
    assert bool(kept) == taken
    if kept:
        record = Record.load(json.loads(kept[0].read_text("utf-8")))
        assert (record.commit, record.seconds) == ("commit not recorded", 90.0)


def test_shards_are_merged_to_one_matrix(tmp_path: Path) -> None:
    flow = next(one for one in FLOWS if one.id == "public-lite:nd_empty")
    folder = tmp_path / "shard" / "records"
    folder.mkdir(parents=True)
    (folder / "one.json").write_text(json.dumps(record(flow).document()), "utf-8")
    done = CliRunner().invoke(main, ["merge", str(tmp_path / "shard"), "--out", str(tmp_path / "out")])
    assert done.exit_code == 3, done.output
    kept = json.loads((tmp_path / "out" / "kill-matrix.json").read_text("utf-8"))
    assert kept["summary"]["proved_on_guests"] == len({check for one in flow.faults for check in one.must_fail})
    assert (tmp_path / "out" / "kill-matrix.html").read_text("utf-8") == page.render(kept)
