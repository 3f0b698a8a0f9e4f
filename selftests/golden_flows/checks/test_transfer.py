from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from golden_flows.checks.transfer import ALLOWANCE_BYTES, COPIES_PER_CHUNK
from golden_flows.model.facts import Facts
from golden_flows.model.finding import NotApplicable, NotObserved
from golden_flows.model.transfer import DataMap, TransferFacts
from selftests.golden_flows.checks.facts_builder import (
    MIB,
    SIZE_BYTES,
    conversion,
    failing,
    healthy_facts,
    range_probe,
    resume,
    said,
    token_death,
    with_export,
)


def _moved(*, moved_bytes: int = SIZE_BYTES, before: int | None = 60 * MIB, peak: int | None) -> Facts:
    transfer = TransferFacts(
        moved_bytes=moved_bytes, seconds=1.0, chunk_bytes=MIB, workers=2, rss_before_bytes=before, rss_peak_bytes=peak
    )
    return replace(healthy_facts(), transfer=transfer)


def test_a_mover_that_holds_the_image_is_a_finding() -> None:
    assert failing(_moved(peak=60 * MIB + SIZE_BYTES)) == {"TX-6"}


def test_the_bound_itself_is_kept() -> None:
    bound = 2 * MIB * COPIES_PER_CHUNK + ALLOWANCE_BYTES
    assert said("TX-6", _moved(peak=60 * MIB + bound)) == ()
    assert failing(_moved(peak=60 * MIB + bound + 1)) == {"TX-6"}


def test_an_unknown_peak_earns_no_pass() -> None:
    assert isinstance(said("TX-6", _moved(peak=None)), NotObserved)
    assert isinstance(said("TX-6", _moved(before=None, peak=MIB)), NotObserved)


def test_a_small_image_proves_nothing() -> None:
    assert isinstance(said("TX-6", _moved(moved_bytes=MIB, peak=61 * MIB)), NotApplicable)


def _died(**changes: Any) -> Facts:
    return replace(healthy_facts(), token_death=replace(token_death(), **changes))


def test_an_upload_whose_token_died_may_be_refused_or_whole_but_never_half_an_image() -> None:
    assert said("TX-5", _died(upload_status=401, image_status="queued", size_bytes=None)) == ()
    assert said("TX-5", _died(upload_status=None, image_status="saving", size_bytes=None)) == ()
    assert failing(_died(size_bytes=MIB // 2)) == {"TX-5"}
    assert failing(_died(size_bytes=0, upload_status=401)) == {"TX-5"}


def test_of_a_converted_image_the_disk_in_it_counts() -> None:
    whole = _died(way="PUT /stage", disk_format="vhd", size_bytes=5, virtual_size_bytes=MIB)
    assert said("TX-5", whole) == ()
    assert failing(_died(disk_format="vhd", size_bytes=5, virtual_size_bytes=MIB // 2)) == {"TX-5"}
    assert isinstance(said("TX-5", _died(disk_format="vhd", virtual_size_bytes=None)), NotObserved)


def test_a_token_that_nobody_may_revoke_proves_nothing() -> None:
    assert said("TX-5", _died(skipped="HTTP 403")) == NotApplicable("HTTP 403")
    assert isinstance(said("TX-5", _died(image_status=None)), NotObserved)


def _probed(**changes: Any) -> Facts:
    return with_export(range_probe=range_probe(**changes))


def test_a_part_is_served_or_refused_with_400() -> None:
    assert said("TX-1", healthy_facts()) == ()
    assert said("TX-1", _probed(status=400, content_range="", is_right=None)) == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"status": 200, "content_range": "", "is_right": None},
        {"status": 416, "content_range": "bytes */9", "is_right": None},
        {"content_range": "bytes 0-65535/268435456"},
        {"is_right": False},
        {"received_bytes": 64 * 1024 - 1},
        {"received_bytes": 64 * 1024 + 1},
        {"received_bytes": 0, "is_right": None},
    ],
    ids=["the whole", "not satisfiable", "another part", "other bytes", "fewer bytes", "more bytes", "none"],
)
def test_what_is_neither_that_part_nor_a_refusal_is_a_finding(changes: dict[str, Any]) -> None:
    assert failing(_probed(**changes)) == {"TX-1"}


def test_the_whole_images_md5_on_a_part_is_no_finding() -> None:
    assert said("TX-1", _probed(content_md5_is_whole=True)) == ()
    assert said("TX-1", _probed(content_md5_is_whole=None)) == ()


def test_a_part_that_nobody_could_ask_for_or_compare_earns_no_pass() -> None:
    assert isinstance(said("TX-1", _probed(status=None)), NotObserved)
    assert isinstance(said("TX-1", _probed(status=503)), NotObserved)
    assert isinstance(said("TX-1", _probed(is_right=None)), NotObserved)
    assert isinstance(said("TX-1", with_export(range_probe=None)), NotApplicable)


def test_a_cut_is_judged_by_the_hash_in_the_end() -> None:
    assert said("TX-3", with_export(resume=resume(by_us=False, cuts=3, continued_by="whole"))) == ()
    assert failing(with_export(resume=resume(is_whole=False))) == {"TX-3"}
    assert failing(with_export(resume=resume(is_whole=False, error="broke off for good"))) == {"TX-3"}
    assert isinstance(said("TX-3", with_export(resume=resume(is_whole=None))), NotObserved)


def test_what_was_not_cut_proves_nothing_of_cuts_unless_it_is_tiny() -> None:
    assert isinstance(said("TX-3", with_export(resume=None)), NotObserved)
    assert isinstance(said("TX-3", with_export(resume=None, downloaded_bytes=0)), NotObserved)
    assert isinstance(said("TX-3", with_export(resume=None, size_bytes=None)), NotObserved)
    assert isinstance(said("TX-3", with_export(resume=None, size_bytes=3)), NotObserved)
    assert said("TX-3", with_export(resume=None, size_bytes=2)) == NotApplicable("2 bytes are too few to be cut")


def test_a_stored_image_may_be_as_large_as_the_blocks_that_hold_data_and_no_larger() -> None:
    data = DataMap(data_bytes=2 * MIB, blocks_bytes=20 * MIB)
    sparse = replace(healthy_facts(), transfer=replace(_transfer(), data=data))

    def stored(size_bytes: int, disk_format: str | None = "vhd") -> Facts:
        told = replace(conversion(), downloaded_bytes=size_bytes, disk_format=disk_format)
        return replace(sparse, conversion=told)

    assert said("TX-4", stored(26 * MIB)) == ()
    assert "13.5 times the data" in str(said("TX-4", stored(27 * MIB)))
    assert isinstance(said("TX-4", stored(SIZE_BYTES, "raw")), NotApplicable)
    assert isinstance(said("TX-4", stored(MIB, None)), NotObserved)
    assert isinstance(said("TX-4", replace(healthy_facts(), transfer=replace(_transfer(), data=None))), NotObserved)


def _transfer() -> TransferFacts:
    transfer = healthy_facts().transfer
    assert transfer is not None
    return transfer
