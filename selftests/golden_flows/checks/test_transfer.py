from __future__ import annotations

from dataclasses import replace
from typing import Any

from golden_flows.checks.transfer import ALLOWANCE_BYTES
from golden_flows.model.facts import Facts
from golden_flows.model.finding import NotApplicable, NotObserved
from golden_flows.model.image_facts import TransferFacts
from selftests.golden_flows.checks.facts_builder import MIB, SIZE_BYTES, failing, healthy_facts, said, token_death


def _moved(*, moved_bytes: int = SIZE_BYTES, before: int | None = 60 * MIB, peak: int | None) -> Facts:
    transfer = TransferFacts(
        moved_bytes=moved_bytes, seconds=1.0, chunk_bytes=MIB, workers=2, rss_before_bytes=before, rss_peak_bytes=peak
    )
    return replace(healthy_facts(), transfer=transfer)


def test_a_mover_that_holds_the_image_is_a_finding() -> None:
    assert failing(_moved(peak=60 * MIB + SIZE_BYTES)) == {"TX-6"}


def test_the_bound_itself_is_kept() -> None:
    bound = 2 * MIB * 4 + ALLOWANCE_BYTES
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
