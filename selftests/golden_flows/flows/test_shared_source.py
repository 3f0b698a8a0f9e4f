"""A source is exported once per run, whoever asks first; what it gave travels whole, and to nobody else."""

from __future__ import annotations

import stat
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from golden_flows.clouds.mover import Moved, Spooled
from golden_flows.errors import CloudError
from golden_flows.flows.account import AtHome
from golden_flows.flows.home import SourceImage
from golden_flows.flows.shared_source import SourceShelf, dumps, loads
from golden_flows.model.file_system import ExportedDisk
from golden_flows.waiting import Deadline
from selftests.golden_flows.checks.facts_builder import healthy_facts


def what_came_out(folder: Path) -> SourceImage:
    facts = healthy_facts()
    assert facts.export is not None
    spooled = Spooled(replace(facts.export, head=bytes(range(256))), folder / "a.raw", 1.5, 10, 20)
    account = AtHome(owner_fingerprint="SHA256:abc", password="pass-word")
    boot = facts.source_boot or facts.boot
    return SourceImage(spooled=spooled, boot=boot, profile=facts.src, payload_sha256="ab" * 32, account=account)


def went_straight_on(folder: Path) -> SourceImage:
    source, transfer = what_came_out(folder), healthy_facts().transfer
    assert source.spooled
    assert transfer
    return replace(source, moved=Moved(source.spooled.facts, transfer, ExportedDisk(), healthy_facts().imported))


def nobody_waits() -> None:
    pytest.fail("nobody else is at it")


def take(shelf: SourceShelf, source: SourceImage | Exception, calls: list[Path]) -> SourceImage:
    def make(spool: Path) -> SourceImage:
        calls.append(spool)
        if isinstance(source, Exception):
            raise source
        return source

    return shelf.take("a/b", make, nobody_waits, Deadline.after(5.0))


def test_facts_survive_the_way_to_another_process_unchanged(tmp_path: Path) -> None:
    source = what_came_out(tmp_path)
    assert loads(dumps(source)) == source


def test_the_second_process_gets_what_the_first_brought_out(tmp_path: Path) -> None:
    calls: list[Path] = []
    source = what_came_out(tmp_path)
    first, second = SourceShelf(tmp_path / "exports"), SourceShelf(tmp_path / "exports")
    assert take(first, source, calls) == source
    again = take(second, source, calls)
    assert len(calls) == 1
    assert (again.account.password, again.payload_sha256, again.boot) == ("pass-word", "ab" * 32, source.boot)
    assert again.spooled is not None
    assert again.spooled.rss_peak_bytes is None  # of another process's memory
    assert take(first, source, calls).spooled == again.spooled  # nor of another cell's


def test_the_password_of_home_is_readable_by_this_user_only(tmp_path: Path) -> None:
    take(SourceShelf(tmp_path / "exports"), what_came_out(tmp_path), [])
    assert stat.S_IMODE((tmp_path / "exports").stat().st_mode) == 0o700
    for path in (tmp_path / "exports").glob("*.json"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_source_that_gives_nothing_is_asked_once(tmp_path: Path) -> None:
    calls: list[Path] = []
    with pytest.raises(CloudError, match="never came up"):
        take(SourceShelf(tmp_path / "exports"), CloudError("never came up", "look at its console"), calls)
    with pytest.raises(CloudError, match="gave no image when the first cell asked for it: never came up") as told:
        take(SourceShelf(tmp_path / "exports"), what_came_out(tmp_path), calls)
    assert told.value.remedy == "look at its console"
    assert len(calls) == 1


def test_a_source_that_gave_nothing_is_asked_anew_once_it_is_forgotten(tmp_path: Path) -> None:
    calls: list[Path] = []
    shelf, other = SourceShelf(tmp_path / "exports"), SourceShelf(tmp_path / "exports")
    with pytest.raises(CloudError, match="never came up"):
        take(shelf, CloudError("never came up"), calls)
    with pytest.raises(CloudError, match="gave no image"):
        take(other, what_came_out(tmp_path), calls)
    shelf.forget("another")
    with pytest.raises(CloudError, match="gave no image"):
        take(shelf, what_came_out(tmp_path), calls)
    shelf.forget("a/b")
    assert take(other, what_came_out(tmp_path), calls) == what_came_out(tmp_path)
    shelf.forget("a/b")
    assert take(shelf, what_came_out(tmp_path), calls).spooled, "what came out stays"
    assert len(calls) == 2


def test_with_a_source_what_it_gave_to_a_shim_is_forgotten(tmp_path: Path) -> None:
    shelf = SourceShelf(tmp_path / "exports")

    def trouble(spool: Path) -> SourceImage:
        raise CloudError("never came up")

    for name in ("a+ec2", "ab"):
        with pytest.raises(CloudError, match="never came up"):
            shelf.take(name, trouble, nobody_waits, Deadline.after(5.0))
    shelf.forget("a")
    source = what_came_out(tmp_path)
    assert shelf.take("a+ec2", lambda spool: source, nobody_waits, Deadline.after(5.0)) == source
    with pytest.raises(CloudError, match="gave no image"):
        shelf.take("ab", lambda spool: source, nobody_waits, Deadline.after(5.0))


def test_what_went_straight_on_is_of_one_telling(tmp_path: Path) -> None:
    calls: list[Path] = []
    shelf, source = SourceShelf(tmp_path / "exports"), went_straight_on(tmp_path)
    for _ in range(2):
        assert take(shelf, source, calls) == source
    assert len(calls) == 2
    assert not list((tmp_path / "exports").glob("*.json"))


def test_the_spool_of_an_earlier_telling_is_not_written_over(tmp_path: Path) -> None:
    shelf, kept = SourceShelf(tmp_path / "exports"), tmp_path / "kept.raw"

    def make(spool: Path) -> SourceImage:
        spool.write_bytes(b"first" if not kept.exists() else b"second")
        if not kept.exists():
            kept.hardlink_to(spool)
            raise CloudError("it went wrong afterwards")
        return what_came_out(tmp_path)

    with pytest.raises(CloudError, match="it went wrong afterwards"):
        shelf.take("a", make, nobody_waits, Deadline.after(5.0))
    shelf.forget("a")
    shelf.take("a", make, nobody_waits, Deadline.after(5.0))
    assert kept.read_bytes() == b"first"


def test_whoever_comes_while_the_first_is_at_it_waits_and_says_so(tmp_path: Path) -> None:
    begun, may_end, waits = threading.Event(), threading.Event(), threading.Event()
    source = what_came_out(tmp_path)

    def slow(spool: Path) -> SourceImage:
        begun.set()
        may_end.wait(5.0)
        return source

    def take_slowly() -> None:
        SourceShelf(tmp_path / "exports").take("a", slow, nobody_waits, Deadline.after(5.0))

    first = threading.Thread(target=take_slowly)
    first.start()
    begun.wait(5.0)
    got: list[SourceImage] = []

    def take_too() -> None:
        got.append(SourceShelf(tmp_path / "exports").take("a", slow, waits.set, Deadline.after(5.0)))

    second = threading.Thread(target=take_too)
    second.start()
    assert waits.wait(5.0)
    may_end.set()
    first.join(5.0)
    second.join(5.0)
    assert got[0].payload_sha256 == source.payload_sha256
