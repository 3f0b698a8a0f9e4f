"""What the figures are held against. One table: the page lists all of it, measured or not."""

from __future__ import annotations

from dataclasses import dataclass

REPETITIONS = 5
"""A median of fewer is shown, and called so."""


@dataclass(frozen=True)
class Aim:
    """One bound. ``at_most``: the figure is to be no larger; otherwise no smaller."""

    benchmark: str
    what: str
    bound: float
    at_most: bool = True
    unit: str = ""

    def is_met(self, value: float) -> bool:
        return value <= self.bound if self.at_most else value >= self.bound

    @property
    def told(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {self.bound:g}{self.unit}"


AIMS = {
    "flow": Aim("flow", "the golden flow, of the work that it cannot avoid", 1.25),
    "flow memory": Aim("flow", "peak memory of the suite and of each cloud, in the flow", 150, unit=" MiB"),
    "mover random": Aim("mover", "the mover, of the stock client's time: random bytes", 0.7),
    "mover sparse": Aim("mover", "the mover, of the stock client's time: a disk of which a tenth is data", 0.2),
    "mover memory": Aim("mover", "peak memory of the mover, whatever the size", 100, unit=" MB"),
    "collection": Aim("cells", "collection, of plain pytest's with as many empty tests", 1.3),
    "api memory": Aim("api", "peak memory of a reference cloud whose APIs are under load", 150, unit=" MiB"),
    "opening": Aim("opening", "all of the page of ten clouds by ten, in Chromium", 1, unit=" s"),
    "burst": Aim("burst", "a burst, of as many bare clones", 1.2),
    "burst up": Aim("burst", "instances of 36 that come up and are judged", 36, at_most=False),
    "exports": Aim("matrix", "exports of 4 clouds in 12 pairs", 4),
    "workers used": Aim("matrix", "share of the time in which workers work", 0.9, at_most=False),
}
