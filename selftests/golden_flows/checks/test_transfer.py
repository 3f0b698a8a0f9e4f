from __future__ import annotations

from dataclasses import replace

from golden_flows.checks.transfer import ALLOWANCE_BYTES
from golden_flows.model.facts import Facts, TransferFacts
from golden_flows.model.finding import NotApplicable, NotObserved
from selftests.golden_flows.checks.facts_builder import MIB, SIZE_BYTES, failing, healthy_facts, said


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
