"""What the page says of a burst of which not all came up."""

from __future__ import annotations

import pytest

from benchmarks import burst
from benchmarks.aims import AIMS


def came(way: str, count: int, last_s: float) -> dict[str, object]:
    return {"way": way, "count": 36, "up_s": [last_s] * count}


@pytest.mark.parametrize(("up", "met"), [((36, 36), True), ((36, 35), False)])
def test_one_instance_that_stays_away_once_misses_the_aim(up: tuple[int, int], met: bool) -> None:
    runs = [came(burst.BURST, n, 240.0) for n in up] + [came(burst.TEMPLATE, 36, 200.0)] * 2
    found = {one.aim: one for one in burst.figures({"came": runs})}
    assert AIMS["burst up"].is_met(found["burst up"].value) is met
    assert found["burst"].value == 1.2
