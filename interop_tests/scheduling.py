"""Shares a plan out among pytest-xdist workers: all checks of a pair go to one, because they share one story.

Not by ``--dist loadgroup``: pytest-xdist 3.8 marks an item's group by writing to ``_nodeid``, which pytest 9.2 no
longer reads, so that every item is a group of its own.
"""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from golden_flows.model.plan import Plan


class PairScheduling(LoadScopeScheduling):  # type: ignore[misc]  # a hook of xdist asks for a scheduler of its kind
    """One unit of work per pair; pairs whose source another worker is just exporting come later."""

    def __init__(self, config: pytest.Config, log: Any, plan: Plan) -> None:
        super().__init__(config, log)
        self._sources = {cell.id: cell.src for cell in plan.cells}
        self._cells = {f"[{cell.id}-{check}]": cell.id for cell in plan.cells for check in plan.checks}

    def _split_scope(self, nodeid: str) -> str:
        bracket = nodeid.rfind("[")
        return self._cells.get(nodeid[bracket:], nodeid)

    def _assign_work_unit(self, node: Any) -> None:
        exporting = self._exporting()
        chosen = min(self.workqueue, key=lambda unit: self._sources.get(unit) in exporting)  # the first of equals
        self.workqueue.move_to_end(chosen, last=False)
        super()._assign_work_unit(node)

    def _exporting(self) -> set[str]:
        """Sources that somebody has been asked to export, and of which no check has been judged yet."""
        units = [pair for work in self.assigned_work.values() for pair in work.items() if pair[0] in self._sources]
        begun = {self._sources[name] for name, _ in units}
        return begun - {self._sources[name] for name, items in units if any(items.values())}
