"""Shares a plan out among pytest-xdist workers: all checks of a pair go to one, because they share one story.

Not by ``--dist loadgroup``: pytest-xdist 3.8 marks an item's group by writing to ``_nodeid``, which pytest 9.2 no
longer reads, so that every item is a group of its own.
"""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from golden_flows.session import Plan


class PairScheduling(LoadScopeScheduling):  # type: ignore[misc]  # a hook of xdist asks for a scheduler of its kind
    """One unit of work per pair."""

    def __init__(self, config: pytest.Config, log: Any, plan: Plan) -> None:
        super().__init__(config, log)
        self._cells = {f"[{cell.id}-{check}]": cell.id for cell in plan.cells for check in plan.checks}

    def _split_scope(self, nodeid: str) -> str:
        bracket = nodeid.rfind("[")
        return self._cells.get(nodeid[bracket:], nodeid)
