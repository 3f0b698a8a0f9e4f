"""How cells are dealt out to shards."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden_flows.errors import UsageError
from golden_flows.model.cloud import Pair
from golden_flows.sharding import Shard

CELLS = tuple(Pair(src, dst) for src in "abc" for dst in "uvwx")


@given(st.integers(1, 60), st.data())
def test_every_cell_is_in_exactly_one_shard_in_the_order_of_sources(cells: int, data: st.DataObject) -> None:
    shards = data.draw(st.integers(1, cells))
    whole = tuple(Pair(f"s{number // 7}", f"d{number % 7}") for number in range(cells))
    shares = [Shard(number, shards).share(whole) for number in range(1, shards + 1)]
    assert tuple(cell for share in shares for cell in share) == whole
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_shard_is_known_by_its_number_and_how_many_there_are() -> None:
    assert Shard.parse("2/3") == Shard(2, 3)
    assert str(Shard(2, 3)) == "2/3"
    assert Shard(2, 3).share(CELLS) == tuple(Pair("b", dst) for dst in "uvwx")


@pytest.mark.parametrize("text", ["", "2", "0/3", "4/3", "1/0", "-1/3", "a/b", "1/3/5", " 1/3", "1.5/3", "1/99999"])
def test_what_is_no_shard_is_refused_with_the_form(text: str) -> None:
    with pytest.raises(UsageError, match="NUMBER/OF") as caught:
        Shard.parse(text)
    assert "--shard 2/4" in caught.value.remedy


def test_more_shards_than_cells_are_refused() -> None:
    with pytest.raises(UsageError, match="12 cells"):
        Shard(13, 13).share(CELLS)
