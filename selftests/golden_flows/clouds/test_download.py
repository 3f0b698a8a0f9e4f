"""Images out of a reference cloud's Glance, by good ways and bad ones: in parts, cut, resumed, refused, changed."""

from __future__ import annotations

import hashlib
import io
import os
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
import requests
from urllib3 import HTTPResponse

from golden_flows.clouds import images, mover, parts
from golden_flows.clouds.download import Road
from golden_flows.clouds.records import Download
from golden_flows.clouds.session import ApiSession
from golden_flows.clouds.sparse import SparseWriter
from golden_flows.errors import InteropError, WaitTimeout
from golden_flows.model.finding import NotObserved
from golden_flows.model.transfer import RangeProbe, Resume
from golden_flows.waiting import Deadline
from selftests.golden_flows.checks.facts_builder import failing, said, with_export
from selftests.golden_flows.clouds.conftest import Drive, Driven, HastyClock

MIB = 1024 * 1024
CONTENT = os.urandom(3 * MIB) + bytes(4 * MIB) + os.urandom(4 * MIB + 700)
SLOWEST_S = 120


def soon() -> Deadline:
    return Deadline.after(SLOWEST_S)


def plant(driven: Driven, folder: Path, content: bytes = CONTENT) -> str:
    """An image with this content, as a cloud that converts nothing stores it."""
    file = folder / "planted.raw"
    file.write_bytes(content)
    planted = driven.cloud.import_image(name="planted", source=file, size_bytes=len(content), deadline=soon())
    assert planted.final_status == "active", planted.message
    return planted.image_id or ""


class Sink:
    def __init__(self) -> None:
        self.came = bytearray()

    def __call__(self, chunk: bytes) -> None:
        self.came += chunk


def read(driven: Driven, image_id: str, road: Road, deadline: Deadline | None = None) -> tuple[Download, bytes]:
    sink = Sink()
    got = driven.cloud.export_image(image_id, sink, deadline=deadline or soon(), road=road)
    return got, bytes(sink.came)


def probed(got: Download) -> RangeProbe:
    assert got.range_probe is not None
    return got.range_probe


def resumed(got: Download) -> Resume:
    assert got.resume is not None
    return got.resume


def probe_answered(body: io.IOBase) -> RangeProbe:
    """What our question for the first bytes finds where the store says that it answers just these."""

    class Api:
        def send(self, *_: object, **__: object) -> requests.Response:
            answer = requests.Response()
            answer.status_code = 206
            answer.headers["Content-Range"] = f"bytes 1-{parts.PROBE_BYTES}/{len(CONTENT)}"
            answer.raw = HTTPResponse(body, preload_content=False)
            return answer

    image = images.image_from({"id": "i", "size": len(CONTENT)})
    probed = parts.Parts(cast(ApiSession, Api()), image, at_once=1, deadline=soon()).probe()
    assert probed
    return probed[0]


class Reset(io.RawIOBase):
    """A connection that breaks off as soon as its body is read."""

    def read(self, size: int = -1) -> bytes:
        raise ConnectionResetError(104, os.strerror(104))


@pytest.mark.parametrize("off_by", [-1, 1])
def test_a_part_of_another_length_than_it_says_is_a_finding(off_by: int) -> None:
    probe = probe_answered(io.BytesIO(CONTENT[1 : 1 + parts.PROBE_BYTES + off_by]))
    assert probe.received_bytes == probe.asked_bytes + off_by
    assert failing(with_export(range_probe=replace(probe, is_right=True))) == {"TX-1"}


def test_a_connection_that_breaks_off_in_the_body_of_a_part_says_nothing_of_parts() -> None:
    probe = probe_answered(Reset())
    assert probe.status is None
    assert "Connection reset by peer" in probe.message
    assert isinstance(said("TX-1", with_export(range_probe=probe)), NotObserved)


@pytest.mark.parametrize("at_once", [1, 3])
def test_an_image_comes_whole_in_parts_or_in_one_stream_though_we_cut_it(
    drive: Drive, tmp_path: Path, at_once: int
) -> None:
    driven = drive("rawstore")
    got, came = read(driven, plant(driven, tmp_path), Road(parts_at_once=at_once, is_cut=True))
    assert came == CONTENT
    assert got.is_whole
    assert got.content_length == len(CONTENT)
    assert got.computed_md5 == hashlib.md5(CONTENT).hexdigest()
    assert (probed(got).status, probed(got).is_right, probed(got).content_md5_is_whole) == (206, True, True)
    assert resumed(got) == Resume(
        cut_at_bytes=len(CONTENT) * 37 // 100, by_us=True, cuts=1, continued_by="range", is_whole=True
    )
    assert got.wire_bytes <= len(CONTENT) + parts.PROBE_BYTES + 2 * MIB, (
        "what came before the cut is not asked for again"
    )


@pytest.mark.parametrize("behaviour", ["ignore", "refuse"])
def test_a_store_without_parts_sends_it_again_from_the_beginning(drive: Drive, tmp_path: Path, behaviour: str) -> None:
    driven = drive("rawstore", f"range={behaviour}")
    got, came = read(driven, plant(driven, tmp_path), Road(is_cut=True))
    assert came == CONTENT
    assert got.is_whole
    assert probed(got).status == {"ignore": 200, "refuse": 400}[behaviour]
    assert (resumed(got).continued_by, resumed(got).is_whole) == ("whole", True)
    assert got.wire_bytes > len(CONTENT) * 1.3


@pytest.mark.parametrize("percent", [0, 1, 37, 99])
def test_a_cut_by_the_cloud_at_any_byte_is_gone_on_from(drive: Drive, tmp_path: Path, percent: int) -> None:
    driven = drive("rawstore", f"cut_once={percent}")
    got, came = read(driven, plant(driven, tmp_path), Road(parts_at_once=1))
    assert came == CONTENT
    assert (resumed(got).by_us, resumed(got).is_whole) == (False, True)
    assert resumed(got).cut_at_bytes <= len(CONTENT) * percent // 100


def test_what_lies_beyond_a_place_that_cannot_be_read_ends_the_download_with_its_place(
    drive: Drive, tmp_path: Path, hasty: HastyClock
) -> None:
    driven = drive("rawstore", "cut_after=37")
    got, came = read(driven, plant(driven, tmp_path), Road(), hasty.deadline(3600))
    assert CONTENT.startswith(came)
    assert not got.is_whole
    assert f"at byte {len(CONTENT) * 37 // 100}" in got.error
    assert (resumed(got).by_us, resumed(got).is_whole) == (False, False)


def test_parts_from_elsewhere_are_seen_and_the_image_comes_in_one_piece(drive: Drive, tmp_path: Path) -> None:
    driven = drive("rawstore", "range=shifted")
    spooled = mover.export_to_spool(driven.cloud, plant(driven, tmp_path), tmp_path / "spool", deadline=soon())
    assert spooled.path.read_bytes() == CONTENT
    assert spooled.facts.computed_hash == spooled.facts.os_hash_value
    assert spooled.facts.range_probe
    assert spooled.facts.range_probe.is_right is False
    assert spooled.facts.resume
    assert spooled.facts.resume.is_whole is False
    assert spooled.facts.wire_bytes > 2 * len(CONTENT)


def test_an_image_that_grows_is_not_read_for_ever(drive: Drive, tmp_path: Path) -> None:
    driven = drive("rawstore", f"extra_tail={3 * MIB}")
    got, came = read(driven, plant(driven, tmp_path), Road())
    assert len(CONTENT) < len(came) <= len(CONTENT) + MIB
    assert "grown while it was read" in got.error
    assert probed(got).content_range != probed(got).expected_content_range


def test_an_image_that_is_shorter_than_glance_says_is_not_whole(drive: Drive, tmp_path: Path) -> None:
    driven = drive("rawstore", "truncate_tail=512")
    spooled = mover.export_to_spool(driven.cloud, plant(driven, tmp_path), tmp_path / "spool", deadline=soon())
    assert spooled.facts.downloaded_bytes == len(CONTENT) - 512
    assert spooled.facts.resume
    assert spooled.facts.resume.is_whole is None, "in one piece it is no better: nothing of the cut's is to blame"


def test_a_beginning_that_changes_between_two_readings_is_noticed(drive: Drive, tmp_path: Path) -> None:
    driven = drive("rawstore", "range=ignore")
    image_id = plant(driven, tmp_path)
    stored = driven.reference.cloud.paths
    (file,) = [one for one in stored.images.rglob("*") if one.is_file() and one.stat().st_size == len(CONTENT)]
    sink = Sink()

    def spoil(chunk: bytes) -> None:
        sink(chunk)
        if len(sink.came) == len(chunk):
            with file.open("r+b") as handle:
                handle.write(b"another")

    got = driven.cloud.export_image(image_id, spoil, deadline=soon(), road=Road(is_cut=True))
    assert "its beginning is another now" in got.error
    assert not got.is_whole


def test_a_full_disk_is_one_message_and_leaves_nothing(
    drive: Drive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driven = drive("rawstore")
    image_id = plant(driven, tmp_path)

    def full(writer: SparseWriter, block: bytes) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(SparseWriter, "_write_all", full)
    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises(InteropError, match="No space left on device") as raised:
        mover.export_to_spool(driven.cloud, image_id, folder / "spool", deadline=soon())
    assert "free some space" in raised.value.remedy
    assert not list(folder.iterdir())


def test_a_deadline_is_our_trouble_and_not_the_clouds(drive: Drive, tmp_path: Path) -> None:
    driven = drive("rawstore")
    image_id = plant(driven, tmp_path)
    with pytest.raises(WaitTimeout, match="the download of image"):
        read(driven, image_id, Road(), Deadline.after(0))


def test_a_token_that_dies_between_two_parts_is_replaced(drive: Drive, tmp_path: Path) -> None:
    driven = drive("rawstore", variants=["token_ttl=1"])
    image_id = plant(driven, tmp_path)
    slow = HastyClock(rate=1.0)
    sink = Sink()

    def dawdle(chunk: bytes) -> None:
        sink(chunk)
        slow.deadline(9).clock.sleep(0.2)

    got = driven.cloud.export_image(image_id, dawdle, deadline=soon(), road=Road(parts_at_once=2))
    assert bytes(sink.came) == CONTENT
    assert got.is_whole
