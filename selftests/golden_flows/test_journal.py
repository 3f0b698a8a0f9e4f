from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from golden_flows.errors import InteropError
from golden_flows.journal import REDACTED, Journal, read_events
from golden_flows.model.cloud import Pair
from golden_flows.model.outcome import Outcome
from golden_flows.model.stage import Stage

PAIR = Pair("private", "public")
SECRET = "correct-horse"


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(tmp_path / "run")
    yield opened
    opened.close()


def test_events_come_back_in_order_and_as_plain_json(journal: Journal) -> None:
    @dataclass(frozen=True)
    class Thing:
        outcome: Outcome
        parts: tuple[bytes, ...]

    journal.write("note", text="héllo")
    journal.write("result", thing=Thing(Outcome.PASS, (b"\xff",)), cells=[PAIR])
    first, second = read_events(journal.path)
    assert (first["event"], first["text"]) == ("note", "héllo")
    assert second["thing"] == {"outcome": "pass", "parts": ["ff"]}
    assert second["cells"] == [{"src": "private", "dst": "public"}]
    assert first["at"].endswith("+00:00")


def test_nobody_else_reads_the_journal(journal: Journal) -> None:
    assert stat.S_IMODE(journal.path.stat().st_mode) == 0o600


def test_a_torn_last_line_ends_quietly(journal: Journal) -> None:
    journal.write("note", text="whole")
    whole = journal.path.read_bytes()
    with journal.path.open("ab") as file:
        file.write(whole[: len(whole) // 2])
    assert [one["event"] for one in read_events(journal.path)] == ["note"]


def test_every_torn_end_keeps_what_came_before(journal: Journal) -> None:
    journal.write("note", text="one")
    kept = len(journal.path.read_bytes())
    journal.write("note", text="two")
    content = journal.path.read_bytes()
    for length in range(kept, len(content) - 1):
        journal.path.write_bytes(content[:length])
        assert [one["text"] for one in read_events(journal.path)] == ["one"]


@pytest.mark.parametrize("damage", [b"{\n", b"[]\n", b"{}\n", b'{"event"\n', b"\xff\xfe\n"])
def test_damage_in_the_middle_is_told_and_hides_nothing_after_it(journal: Journal, damage: bytes) -> None:
    journal.write("note", text="before")
    with journal.path.open("ab") as file:
        file.write(damage)
    journal.write("note", text="after")
    events = list(read_events(journal.path))
    assert [one["event"] for one in events] == ["note", "damaged", "note"]
    assert events[1]["line"] == 2


def test_a_file_that_is_no_journal_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "journal.jsonl"
    file.write_text("not JSON\n")
    with pytest.raises(InteropError, match="line 1"):
        list(read_events(file))
    with pytest.raises(InteropError, match="cannot read"):
        list(read_events(tmp_path / "absent"))


@pytest.mark.parametrize("secret", [SECRET, 'quo"ted\\and\nline', "pässwörd", "\u2028separator"])
def test_a_secret_is_in_no_line_whatever_it_is_made_of(journal: Journal, secret: str) -> None:
    heard: list[object] = []
    journal.subscribe(heard.append)
    journal.hide(secret)
    journal.write("note", text=f"login with {secret} failed", deep=[{"argv": ("-p", secret)}])
    (event,) = read_events(journal.path)
    assert event["text"] == f"login with {REDACTED} failed"
    assert event["deep"] == [{"argv": ["-p", REDACTED]}]
    assert heard == [event]


def test_evidence_is_redacted_before_it_is_hashed(journal: Journal) -> None:
    journal.hide(SECRET)
    kept = journal.evidence(PAIR, Stage.BOOT, "console", f"pw {SECRET}".encode(), source="test")
    content = (journal.folder / "evidence" / kept.sha256).read_bytes()
    assert content == f"pw {REDACTED}".encode()
    assert hashlib.sha256(content).hexdigest() == kept.sha256
    assert kept.size_bytes == len(content)
    (event,) = read_events(journal.path)
    assert event["sha256"] == kept.sha256
    assert event["stage"] == "boot"


def test_nothing_and_short_words_are_no_secrets(journal: Journal) -> None:
    journal.hide(None)
    journal.hide("")
    journal.hide("a")
    journal.write("note", text="a banana")
    assert next(read_events(journal.path))["text"] == "a banana"


def test_lone_surrogates_of_a_guest_are_kept_as_json(journal: Journal) -> None:
    journal.write("note", text="console \ud800 end")
    assert next(read_events(journal.path))["text"] == "console \ud800 end"


def test_a_results_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InteropError, match="cannot write results"):
        Journal(tmp_path / "file" / "run")


def _journal_on(tmp_path: Path, device: str) -> Journal:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "journal.jsonl").symlink_to(device)
    return Journal(folder)


def test_a_full_disk_is_an_error_and_never_silence(tmp_path: Path) -> None:
    journal = _journal_on(tmp_path, "/dev/full")
    heard: list[object] = []
    journal.subscribe(heard.append)
    with pytest.raises(InteropError, match="No space left"):
        journal.write("note", text="lost")
    assert heard == []
    journal.close()


def test_a_line_that_was_written_in_part_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    os.mkfifo(folder / "journal.jsonl")
    reader = os.open(folder / "journal.jsonl", os.O_RDONLY | os.O_NONBLOCK)
    journal = Journal(folder)
    os.set_blocking(journal._descriptor, False)  # a pipe that is full takes a part of a long line, as a full disk does
    with pytest.raises(InteropError, match="cannot write the journal"):
        journal.write("note", text="x" * (1 << 20))
    journal.close()
    os.close(reader)


def test_evidence_that_cannot_be_kept_leaves_no_half_file(journal: Journal) -> None:
    folder = journal.folder / "evidence"
    digest = hashlib.sha256(b"bytes").hexdigest()
    (folder / digest).mkdir()  # rename onto a folder fails, for root as well
    with pytest.raises(InteropError, match="cannot keep evidence"):
        journal.evidence(PAIR, Stage.BOOT, "console", b"bytes", source="test")
    assert [one.name for one in folder.iterdir()] == [digest]
    assert list(read_events(journal.path)) == []


def _write_many(folder: str, worker: int) -> None:
    journal = Journal(Path(folder))
    for number in range(200):
        journal.write("note", worker=worker, number=number, text="x" * 500)
    journal.close()


def test_processes_share_a_journal_without_mixing_lines(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_write_many, args=(str(tmp_path), worker)) for worker in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    events = list(read_events(tmp_path / "journal.jsonl"))
    assert sorted((one["worker"], one["number"]) for one in events) == [(w, n) for w in range(3) for n in range(200)]
    assert all(json.dumps(one) for one in events)
