"""Images that go straight from one reference cloud to another, and what becomes of them when something goes wrong."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from golden_flows.clouds import mover
from golden_flows.clouds.cloud import Cloud
from golden_flows.clouds.download import Road, settled
from golden_flows.clouds.images import MOVING
from golden_flows.clouds.mover import Moved
from golden_flows.clouds.records import Download
from golden_flows.clouds.sample_images import gpt_disk
from golden_flows.clouds.upload import Damaged, Stream
from golden_flows.errors import CloudError, Unreachable
from golden_flows.model.file_system import ExportedDisk
from golden_flows.waiting import wait_for
from selftests.golden_flows.clouds.conftest import Drive, Driven
from selftests.golden_flows.clouds.test_download import CONTENT, plant, soon


def move(source: Driven, destination: Driven, folder: Path) -> Moved:
    image_id = plant(source, folder)
    return mover.move(source.cloud, image_id, destination.cloud, name="anne", deadline=soon())


def stored(destination: Driven) -> dict[str, tuple[str, int | None]]:
    """Everything of Anne's there, once nothing happens to it any more: id → (status, size)."""

    def look() -> dict[str, tuple[str, int | None]]:
        shown = destination.reference.call("GET", "/image/v2/images").json()["images"]
        return {one["id"]: (one["status"], one["size"]) for one in shown if one["name"].endswith("anne")}

    def is_settled(seen: dict[str, tuple[str, int | None]]) -> bool:
        return not any(status in MOVING for status, _ in seen.values())

    return wait_for("the destination to notice what was cut", look, until=is_settled, deadline=soon())


def test_an_image_goes_straight_on_and_is_hashed_on_its_way(drive: Drive, tmp_path: Path) -> None:
    source, destination = drive("rawstore"), drive("rawstore")
    moved = move(source, destination, tmp_path)
    assert moved.imported
    assert moved.imported.final_status == "active"
    assert moved.imported.sent_sha512 == moved.imported.stored_hash_value == hashlib.sha512(CONTENT).hexdigest()
    assert moved.export.computed_hash == moved.export.os_hash_value
    transfer = moved.transfer
    assert (transfer.moved_bytes, transfer.sent_wire_bytes, transfer.spooled) == (len(CONTENT), len(CONTENT), False)
    assert transfer.data
    assert 7 << 20 <= transfer.data.data_bytes < 8 << 20, "4 MiB of it are zero"
    assert transfer.received_wire_bytes
    assert list(tmp_path.rglob("*.raw")) == [tmp_path / "planted.raw", *tmp_path.glob("*/golden.raw")]


def test_what_is_on_the_disk_is_seen_as_it_passes(drive: Drive, tmp_path: Path) -> None:
    source, destination = drive("rawstore"), drive("rawstore", "put_forbidden", "import_closed")
    for image_id, to in (
        (plant(source, tmp_path, gpt_disk()), source),
        (plant(source, tmp_path, gpt_disk()), destination),
    ):
        moved = mover.move(source.cloud, image_id, to.cloud, name="anne", deadline=soon())
        assert moved.disk == ExportedDisk(partitions=1), "wherever it goes, and where nobody takes it"


def test_one_image_is_made_though_its_parts_had_to_be_sent_twice(drive: Drive, tmp_path: Path) -> None:
    source, destination = drive("rawstore", "range=shifted"), drive("rawstore")
    moved = move(source, destination, tmp_path)
    assert list(stored(destination).values()) == [("active", len(CONTENT))]
    assert moved.imported
    assert moved.imported.sent_sha512 == moved.imported.stored_hash_value == hashlib.sha512(CONTENT).hexdigest()
    assert moved.export.resume
    assert moved.export.resume.is_whole is False
    assert moved.transfer.sent_wire_bytes > len(CONTENT) * 1.5


def stream(source: Driven, image_id: str) -> Stream:
    def read(way: Road, sink: Callable[[bytes], None]) -> Download:
        return source.cloud.export_image(image_id, sink, deadline=soon(), road=way)

    return Stream(read, len(CONTENT), Road(is_cut=True))


def test_what_a_destination_has_sent_again_was_no_poor_reading_for_that(drive: Drive, tmp_path: Path) -> None:
    source = drive("rawstore")
    body = stream(source, plant(source, tmp_path))
    for _ in range(2):
        assert b"".join(body) == CONTENT
    tries, _ = body.finish()
    got = settled(tries)
    assert got.resume
    assert got.resume.is_whole is True
    assert got.wire_bytes > 2 * len(CONTENT)


def test_what_came_of_a_reading_that_was_given_up_counts_on_the_wire(drive: Drive, tmp_path: Path) -> None:
    source = drive("rawstore")
    body = stream(source, plant(source, tmp_path))
    first = next(iter(body))
    assert b"".join(body) == CONTENT
    tries, _ = body.finish()
    assert len(tries) == 1
    assert len(first) < body.lost_bytes < len(CONTENT)


def test_what_came_poor_in_pieces_is_never_asked_for_in_pieces_again(drive: Drive, tmp_path: Path) -> None:
    source = drive("rawstore", "range=shifted")
    body = stream(source, plant(source, tmp_path))
    with pytest.raises(Damaged):
        b"".join(body)
    for _ in range(2):
        assert b"".join(body) == CONTENT
    tries, _ = body.finish()
    assert [one.is_whole for one in tries] == [False, True, True]
    resume = settled(tries).resume
    assert resume
    assert resume.is_whole is False


@pytest.mark.parametrize("fault", ["flip_bit_at=9000000", "truncate_tail=512", "extra_tail=512"])
def test_what_is_not_what_the_source_shows_never_becomes_an_image(drive: Drive, tmp_path: Path, fault: str) -> None:
    source, destination = drive("rawstore", fault), drive("rawstore")
    moved = move(source, destination, tmp_path)
    assert moved.imported is None
    assert {status for status, _ in stored(destination).values()} == {"queued"}
    assert moved.export.downloaded_bytes != len(CONTENT) or moved.export.computed_hash != moved.export.os_hash_value


@pytest.mark.parametrize("fault", ["upload_cut=0", "upload_cut=50", "upload_cut=99"])
def test_a_destination_that_closes_half_way_keeps_nothing_and_the_export_is_judged_all_the_same(
    drive: Drive, tmp_path: Path, fault: str
) -> None:
    source, destination = drive("rawstore"), drive("rawstore", fault)
    moved = move(source, destination, tmp_path)
    assert moved.imported
    assert moved.imported.final_status != "active"
    assert moved.imported.message
    assert "active" not in {status for status, _ in stored(destination).values()}
    assert moved.export.computed_hash == moved.export.os_hash_value


def test_the_legacy_way_leaves_no_empty_image_behind(drive: Drive, tmp_path: Path) -> None:
    source, destination = drive("rawstore"), drive("rawstore", "import_closed", "upload_cut=50")
    moved = move(source, destination, tmp_path)
    assert moved.imported
    assert moved.imported.method_used is None
    assert moved.imported.final_status in ("queued", "deleted")
    assert "active" not in {status for status, _ in stored(destination).values()}


def test_trouble_with_the_destination_leaves_the_export_to_be_judged(drive: Drive, tmp_path: Path) -> None:
    source, destination = drive("rawstore"), drive("rawstore")
    image_id = plant(source, tmp_path)
    destination.reference.stop()
    moved = mover.move(source.cloud, image_id, destination.cloud, name="anne", deadline=soon())
    assert moved.imported is None
    assert isinstance(moved.trouble, Unreachable)
    assert moved.export.computed_hash == moved.export.os_hash_value


def test_an_interrupt_lets_go_of_the_source(drive: Drive, tmp_path: Path) -> None:
    class Interrupted:
        def import_body(self, *, body: Stream, **_: object) -> None:
            next(iter(body))
            raise KeyboardInterrupt

    source = drive("rawstore")
    image_id = plant(source, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        mover.move(source.cloud, image_id, cast(Cloud, Interrupted()), name="anne", deadline=soon())
    assert "download" not in {one.name for one in threading.enumerate()}


@pytest.mark.parametrize("lacks", ["its end", "all of it"])
def test_a_copy_of_ours_that_is_not_whole_is_not_the_destinations_trouble(
    drive: Drive, tmp_path: Path, lacks: str
) -> None:
    destination, spool = drive("rawstore"), tmp_path / "spool"
    if lacks == "its end":
        spool.write_bytes(CONTENT[:-1])
    with pytest.raises(Damaged, match=str(spool)):
        destination.cloud.import_image(name="anne", source=spool, size_bytes=len(CONTENT), deadline=soon())
    assert {status for status, _ in stored(destination).values()} == {"queued"}


def test_a_disk_error_while_downloading_is_not_the_destinations_trouble(drive: Drive) -> None:
    destination = drive("rawstore")

    def read(way: Road, sink: Callable[[bytes], None]) -> Download:
        sink(CONTENT[:100_000])
        raise OSError(5, os.strerror(5))

    body = Stream(read, len(CONTENT), Road())
    with pytest.raises(Damaged, match="the download: OSError"):
        destination.cloud.import_body(name="anne", body=body, deadline=soon())
    with pytest.raises(OSError, match="Input/output error"):
        body.finish()


def test_a_source_that_goes_away_is_the_sources_trouble(drive: Drive, tmp_path: Path) -> None:
    source, destination = drive("rawstore"), drive("rawstore")
    image_id = plant(source, tmp_path)

    def stop(done: int, total: int | None) -> None:
        source.reference.stop()
        raise CloudError("cloud 'rawstore' is gone")

    with pytest.raises(CloudError, match=r"is gone|connection refused"):
        mover.move(source.cloud, image_id, destination.cloud, name="anne", deadline=soon(), progress=stop)
    assert {status for status, _ in stored(destination).values()} == {"queued"}
