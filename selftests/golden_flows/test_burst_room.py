"""A burst that is too large is told before anything is made, with the largest that fits."""

from __future__ import annotations

import pytest

from golden_flows.burst_room import read_count, require_here, require_in_project
from golden_flows.errors import UsageError
from golden_flows.lending import guests_of, needed_mib
from golden_flows.model.cloud import Pair
from golden_flows.model.headroom import Limit
from golden_flows.reference_clouds import Offer

PAIR = Pair("a", "b")
OFFERS = {
    "a": Offer("a", memory_mib=100, guest_mib=50, guests_max=8),
    "b": Offer("b", memory_mib=100, guest_mib=50, guests_max=40),
}


def test_a_count_is_a_number_of_instances() -> None:
    assert [read_count(text) for text in (None, "1", "36")] == [0, 1, 36]
    for text in ("0", "-1", "many", "1001", "1.5", ""):
        with pytest.raises(UsageError, match="no number of instances"):
            read_count(text)


def test_the_destination_runs_all_of_them_beside_the_story_s_own() -> None:
    def guests(pair: Pair, name: str) -> int:
        return guests_of(pair, name, return_trip=False, burst=36)

    assert (guests(PAIR, "a"), guests(PAIR, "b"), guests(Pair("a", "a"), "a")) == (1, 38, 39)
    assert guests_of(Pair("a", "a"), "a", return_trip=True, burst=36) == 40
    assert needed_mib(PAIR, OFFERS, return_trip=False, burst=36) == 100 + 100 + 36 * 50


def test_what_a_reference_cloud_runs_at_once_is_a_limit() -> None:
    require_here(PAIR, OFFERS, 10_000, 38)
    with pytest.raises(UsageError, match="runs 40 guests at once") as caught:
        require_here(PAIR, OFFERS, 10_000, 39)
    assert caught.value.remedy == "the largest that fits: --burst 38"


def test_this_machine_s_memory_is_a_limit() -> None:
    require_here(PAIR, OFFERS, 300, 2)
    with pytest.raises(UsageError, match="needs 700 MiB of memory, 320 MiB are to be had") as caught:
        require_here(PAIR, OFFERS, 320, 10)
    assert caught.value.remedy == "the largest that fits: --burst 2"
    with pytest.raises(UsageError) as caught:
        require_here(PAIR, OFFERS, 200, 10)
    assert "not even --burst 1" in caught.value.remedy
    require_here(PAIR, {}, 0, 10)  # a cloud of the user's takes none of it
    require_here(PAIR, OFFERS, 0, 0)


def test_the_project_s_tightest_limit_is_named() -> None:
    limits = (Limit("quota of instances", 50, 1), Limit("quota of memory in MiB", 10240, 256, 256))
    require_in_project("c", limits, 37, beside=2)
    with pytest.raises(UsageError, match="quota of memory in MiB: 10240, 256 in use, 256 for each server") as caught:
        require_in_project("c", limits, 38, beside=2)
    assert "2 more of the story" in caught.value.what
    assert caught.value.remedy == "the largest that fits: --burst 37"
    require_in_project("c", (), 1000, beside=2)
