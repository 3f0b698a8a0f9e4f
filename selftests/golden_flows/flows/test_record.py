from __future__ import annotations

from pathlib import Path

from golden_flows.flows import transfer_record
from golden_flows.flows.record import Record
from golden_flows.journal import Journal, read_events
from golden_flows.model.cloud import Pair
from golden_flows.model.stage import Stage
from golden_flows.waiting import Clock
from selftests.golden_flows.checks.facts_builder import healthy_facts

MIB = 1 << 20


def test_a_transfer_tells_its_rate_and_the_time_left_now_and_then(tmp_path: Path) -> None:
    now = [100.0]
    journal = Journal(tmp_path)
    record = Record(journal, Pair("a", "b"), Clock(lambda: now[0], lambda left_s: None))
    tell = record.progress("moved")
    for seconds, done in (
        (1, 100 * MIB),
        (2, 600 * MIB),
        (3, 700 * MIB),
        (14, 800 * MIB),
        (15, 10 * MIB),
        (16, 20 * MIB),
    ):
        now[0] = 100.0 + seconds
        tell(done, 1000 * MIB)
    journal.close()
    said = [one["text"] for one in read_events(journal.path) if one["event"] == "step"]
    assert said == ["moved 600 of 1000 MiB, 300 MiB/s, 1 s left", "moved 800 of 1000 MiB, 57 MiB/s, 4 s left"]


def test_bytes_on_the_wire_are_told_apart_from_bytes_of_the_disk() -> None:
    facts = healthy_facts()
    assert facts.export is not None
    assert facts.transfer is not None
    assert (
        transfer_record.in_words(facts.transfer)
        == "moved a disk of 256 MiB, 80 MiB of it not zero, in 2.0 s; on the wire: 256 MiB out, 256 MiB in"
    )
    told = transfer_record.as_json(facts.export, facts.transfer)
    assert '"disk_over_data": 3.2' in told
    assert '"continued_by": "range"' in told


def test_evidence_lies_with_the_checks_that_rest_on_it(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    record = Record(journal, Pair("a", "b"))
    record.stage = Stage.AUTH
    record.keep("auth.txt", "seen", "a test")
    record.keep("network.json", "{}", "a test", stages=(Stage.PRIMARY_NIC, Stage.SECONDARY_NIC))
    journal.close()
    kept = [(one["name"], one["stage"]) for one in read_events(journal.path) if one["event"] == "evidence"]
    assert kept == [("auth.txt", "auth"), ("network.json", "primary_nic"), ("network.json", "secondary_nic")]
