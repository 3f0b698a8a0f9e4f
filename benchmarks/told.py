"""What a benchmark tells the page: figures for aims, charts, tables. Plain values; nothing is drawn here."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from benchmarks.taking import Taking


@dataclass(frozen=True)
class Figure:
    """The value that an aim is held against; where there are several, the worst. ``aim`` is a key of ``AIMS``."""

    aim: str
    value: float
    detail: str
    repetitions: int


@dataclass(frozen=True)
class Bar:
    """A median with its range, in a group of such."""

    group: str
    name: str
    values: tuple[float, ...]


@dataclass(frozen=True)
class Chart:
    """Horizontal bars; ``aim`` is drawn as a line across them."""

    title: str
    unit: str
    bars: tuple[Bar, ...]
    aim: float | None = None
    log: bool = False


@dataclass(frozen=True)
class Table:
    """The first column names the row, the others are right aligned."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


class Benchmark(Protocol):
    """What a module under ``BENCHMARKS`` has."""

    TITLE: str
    ABOUT: str

    def measure(self, take: Taking, **options: Any) -> dict[str, Any]:
        """Plain values for JSON. Raises ``RuntimeError`` or ``CalledProcessError``."""

    def figures(self, measured: Mapping[str, Any]) -> Iterable[Figure]: ...

    def charts(self, measured: Mapping[str, Any]) -> Iterable[Chart]: ...

    def tables(self, measured: Mapping[str, Any]) -> Iterable[Table]: ...


def span(values: Sequence[float], digits: int = 2) -> str:
    """Median and range: ``12.30 (12.10-12.90)``."""
    middle = f"{statistics.median(values):.{digits}f}"
    return middle if len(values) == 1 else f"{middle} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def ratios(ours: Sequence[float], others: Sequence[float]) -> tuple[float, ...]:
    """Repetition by repetition, so that what disturbs a repetition disturbs both."""
    return tuple(round(a / b, 4) for a, b in zip(ours, others, strict=True))
