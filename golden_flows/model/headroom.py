"""How many servers a cloud has room for, as a tenant can read it: quotas and addresses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Limit:
    """One thing that there is only so much of."""

    what: str
    """``quota of instances``, ``addresses on net-b``."""
    total: int
    used: int
    each: int = 1
    """What one server takes of it."""

    def fits(self, beside: int) -> int:
        """How many servers, when ``beside`` others of the same kind are there as well."""
        return max(0, (self.total - self.used) // self.each - beside)

    def __str__(self) -> str:
        unit = f", {self.each} for each server" if self.each > 1 else ""
        return f"{self.what}: {self.total}, {self.used} in use{unit}"


def tightest(limits: Iterable[Limit], beside: int) -> Limit | None:
    """The one that lets fewest servers in; None where nothing is limited."""
    return min(limits, key=lambda one: one.fits(beside), default=None)
