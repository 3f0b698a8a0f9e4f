"""What the watch sees is in every report, once, whatever the checks say."""

from __future__ import annotations

from pathlib import Path

from golden_flows.flows import watch
from golden_flows.flows.record import Record
from golden_flows.journal import Journal, read_events
from golden_flows.model.cloud import Pair
from golden_flows.model.platform_seen import PlatformSeen
from golden_flows.model.stage import Stage
from selftests.golden_flows.clouds.conftest import Drive, drive, golden

__all__ = ["drive", "golden"]


def notes(journal: Journal) -> list[str]:
    return [str(one["text"]) for one in read_events(journal.path) if one["event"] == "note"]


def test_a_sign_is_told_once_with_its_guest_and_its_line(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    record = Record(journal, Pair("private", "public"))
    record.stage = Stage.BOOT
    for _ in range(2):
        watch.console(record, "public", "anne", "[ 3.0] Out of memory: Killed process 1 (init)\n")
    (told,) = notes(journal)
    line = "'Out of memory: Killed process 1 (init)'"
    assert told == f"private → public, boot: out of memory on the console of anne on public: {line}"
    journal.close()


def test_a_clock_beside_the_api_s_is_told_before_it_is_a_failure(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    record = Record(journal, Pair("private", "public"))
    watch.clock(record, "public", PlatformSeen(clock_offset_s=0.5, clock_uncertainty_s=1.1))
    watch.clock(record, "public", PlatformSeen())
    assert notes(journal) == []
    watch.clock(record, "public", PlatformSeen(clock_offset_s=-4.0, clock_uncertainty_s=1.1))
    assert notes(journal) == [
        "private → public, export RAW: clock of the guest on public: -4.0 s beside the API's Date"
    ]
    journal.close()


def test_every_server_of_the_run_is_looked_at_before_it_goes(drive: Drive) -> None:
    driven = drive("private")
    driven.boot("anne")
    assert [name for name, _ in driven.cloud.own_consoles()] == ["anne"]
    driven.reference.hypervisor.says = b"[ 9.0] Kernel panic - not syncing: Attempted to kill init!\n"
    watch.consoles(Record(driven.journal, Pair("private", "private")), driven.cloud)
    assert "Kernel panic" in notes(driven.journal)[-1]
