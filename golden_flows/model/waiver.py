"""Waivers: a failure that somebody answers for, until a day. It stays to be seen in every report."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase

from golden_flows.model.cloud import Pair

ARROW = "->"


@dataclass(frozen=True, kw_only=True)
class Waiver:
    """One entry of a waivers file."""

    id: str
    check: str
    cells: tuple[str, ...]
    """``SRC->DST``; ``*`` stands for any name, or part of one."""
    reason: str
    owner: str
    until: date
    """The last day on which it holds, by UTC."""

    @property
    def flag(self) -> str:
        return f"waiver={self.id} until {self.until.isoformat()}"

    def covers(self, pair: Pair) -> bool:
        """Whether it is for this cell."""
        return any(
            fnmatchcase(pair.src, src.strip()) and fnmatchcase(pair.dst, dst.strip())
            for src, _, dst in (one.partition(ARROW) for one in self.cells)
        )

    def __str__(self) -> str:
        cells = ", ".join(self.cells)
        return f"{self.id}: {self.check} in {cells} until {self.until.isoformat()} ({self.owner}): {self.reason}"
