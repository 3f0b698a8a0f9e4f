"""All checks of a pair go to one pytest-xdist worker, whatever the names of clouds look like."""

from __future__ import annotations

from typing import Any

import pytest

from golden_flows.model.cloud import Pair
from golden_flows.model.plan import Plan
from interop_tests.scheduling import PairScheduling


@pytest.mark.parametrize(
    ("nodeid", "unit"),
    [
        ("test_golden_flow.py::test_golden_flow[a-b-EX-1]", "a-b"),
        ("test_golden_flow.py::test_golden_flow[a-b-EX-2]", "a-b"),
        ("test_golden_flow.py::test_golden_flow[a-b-EX-EX-1]", "a-b-EX"),
        ("test_other.py::test_else", "test_other.py::test_else"),
    ],
)
def test_a_pair_is_one_unit_of_work(pytestconfig: pytest.Config, nodeid: str, unit: str) -> None:
    plan = Plan((Pair("a", "b"), Pair("a", "b-EX")), ("EX-1", "EX-2"), "2026.11")
    config: Any = _Distributed(pytestconfig)
    assert PairScheduling(config, None, plan)._split_scope(nodeid) == unit


class _Distributed:
    """What a scheduler asks of pytest's configuration before there is any worker."""

    def __init__(self, config: pytest.Config) -> None:
        self.option = config.option

    def getvalue(self, name: str) -> object:
        return ["popen"] if name == "tx" else None
