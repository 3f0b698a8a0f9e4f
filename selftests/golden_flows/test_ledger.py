"""The ledger outlives the run, and cleaning after a dead run touches only what it names."""

from __future__ import annotations

from pathlib import Path

import pytest

from golden_flows.errors import CloudError, InteropError
from golden_flows.journal import Journal
from golden_flows.ledger import CleanupReport, Ledger, clean_run, read_ledger
from golden_flows.model.facts import Leftover
from golden_flows.waiting import Deadline


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    journal = Journal(tmp_path)
    journal.write("run_started", run="r1")
    return journal


def test_what_is_not_ticked_off_is_read_back_oldest_first(journal: Journal) -> None:
    ledger = Ledger(journal, "r1")
    first = ledger.planned("a", "server", "interop-r1-one")
    second = ledger.planned("a", "image", "interop-r1-two")
    third = ledger.planned("b", "keypair", "interop-r1-three")
    ledger.created(first, "id-1")
    ledger.created(second, "id-2")
    ledger.gone(second)
    run, entries = read_ledger(journal.path)
    assert run == "r1"
    assert [(one.key, one.id) for one in entries] == [(first, "id-1"), (third, None)]
    assert ledger.open_entries("a") == entries[:1]
    assert ledger.made == 2


def test_a_resource_is_on_disk_before_it_is_made(journal: Journal) -> None:
    Ledger(journal, "r1").planned("a", "server", "interop-r1-one")
    assert b"interop-r1-one" in journal.path.read_bytes()


def test_a_name_without_the_prefix_is_refused(journal: Journal) -> None:
    with pytest.raises(ValueError, match="interop-r1-"):
        Ledger(journal, "r1").planned("a", "server", "production-database")


def test_a_journal_torn_by_a_kill_is_still_read(journal: Journal) -> None:
    Ledger(journal, "r1").planned("a", "server", "interop-r1-one")
    with journal.path.open("ab") as file:
        file.write(b'{"event": "resource_crea')
    assert len(read_ledger(journal.path)[1]) == 1


@pytest.mark.parametrize(
    "line", ['{"event": "resource_planned", "key": 5}', '{"event": "resource_created", "key": "none", "id": "x"}']
)
def test_a_senseless_event_is_named(journal: Journal, line: str) -> None:
    with journal.path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(InteropError, match="resource_"):
        read_ledger(journal.path)


def test_a_journal_of_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").write_text('{"event": "note", "text": "x"}\n')
    with pytest.raises(InteropError, match="which run"):
        read_ledger(tmp_path / "journal.jsonl")


class Sweeper:
    """Ticks everything of its cloud off, as a cloud would that really deletes."""

    def __init__(self, cloud: str, ledger: Ledger) -> None:
        self.cloud, self.ledger = cloud, ledger

    def cleanup(self, deadline: Deadline) -> CleanupReport:
        entries = self.ledger.open_entries(self.cloud)
        for entry in entries:
            self.ledger.gone(entry.key)
        return CleanupReport(
            tuple(Leftover(cloud=self.cloud, kind=one.kind, id=one.id or "", name=one.name) for one in entries)
        )

    def close(self) -> None:
        pass


def test_cleaning_a_dead_run_asks_each_cloud_once_and_ticks_off(journal: Journal) -> None:
    ledger = Ledger(journal, "r1")
    for cloud in ("a", "b"):
        ledger.created(ledger.planned(cloud, "server", "interop-r1-x"), f"id-{cloud}")
    reports = clean_run(journal.path, lambda cloud, ledger, _: Sweeper(cloud, ledger), Deadline.after(1))
    assert {cloud: len(report.removed) for cloud, report in reports.items()} == {"a": 1, "b": 1}
    assert read_ledger(journal.path)[1] == ()


def test_a_cloud_that_is_away_keeps_its_entries_and_does_not_stop_the_others(journal: Journal) -> None:
    ledger = Ledger(journal, "r1")
    for cloud in ("a", "b"):
        ledger.created(ledger.planned(cloud, "server", "interop-r1-x"), f"id-{cloud}")

    def connect(cloud: str, ledger: Ledger, _: Journal) -> Sweeper:
        if cloud == "a":
            raise CloudError("cloud 'a' does not answer")
        return Sweeper(cloud, ledger)

    reports = clean_run(journal.path, connect, Deadline.after(1))
    assert reports["a"].leftovers[0].id == "id-a"
    assert "does not answer" in reports["a"].failures[0]
    assert [one.cloud for one in read_ledger(journal.path)[1]] == ["a"]


def test_two_processes_of_a_run_give_different_names_and_take_over_each_others_rest(journal: Journal) -> None:
    first, second = Ledger(journal, "r1", part="gw0"), Ledger(journal, "r1", part="gw1")
    name = first.full_name("anne")
    assert (name, second.full_name("anne")) == ("interop-r1-gw0-anne", "interop-r1-gw1-anne")
    first.created(first.planned("a", "server", name), "id-1")
    assert second.is_foreign("a", "server", "id-1", name)
    second.adopt(read_ledger(journal.path)[1])
    assert [one.id for one in second.open_entries("a")] == ["id-1"]
    assert not second.is_foreign("a", "server", "id-1", name)


def test_other_peoples_things_are_not_foreign_runs(journal: Journal) -> None:
    assert not Ledger(journal, "r1").is_foreign("a", "server", "id-9", "production-database")
    assert Ledger(journal, "r1").is_foreign("a", "server", "id-9", "interop-r2-anne")
