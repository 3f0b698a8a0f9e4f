"""How a burst came up: in words, in a few figures, and as a picture of steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from golden_flows.model.burst import Ramp, duration

WIDTH, HEIGHT = 600.0, 150.0
"""Of the plot, in units of the picture."""
_TICKS_MAX = 6
_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)


def words(ramp: Ramp) -> str:
    """One line for whoever reads of it."""
    text = f"{len(ramp.up_s)} of {ramp.asked} up"
    text += f", asked for in {ramp.way}" if ramp.way else ""
    if ramp.first_s is None or ramp.median_s is None or ramp.last_s is None:
        return text
    moments = (("the first", ramp.first_s), ("median", ramp.median_s), ("the last", ramp.last_s))
    return f"{text}; {', '.join(f'{what} after {duration(moment)}' for what, moment in moments)}"


def quarters(ramp: Ramp) -> tuple[tuple[int, float], ...]:
    """(how many were up, after how many seconds): the first, each quarter of those asked for, and the last."""
    marks = {1, *(round(ramp.asked * part / 4) for part in (1, 2, 3, 4)), len(ramp.up_s)}
    return tuple((count, ramp.up_s[count - 1]) for count in sorted(marks) if 0 < count <= len(ramp.up_s))


@dataclass(frozen=True)
class Picture:
    """Instances over time; y grows downwards, as SVG has it."""

    active: str
    """A polyline's points: instances that were ACTIVE."""
    up: str
    """As well: those whose app answered."""
    ticks: tuple[tuple[float, str], ...]
    """(x, words) of the time axis."""
    asked: int


def picture(ramp: Ramp) -> Picture | None:
    """None where nothing came up that could be drawn."""
    moments = (*ramp.active_s, *ramp.up_s)
    if not moments or max(moments) <= 0:
        return None
    span_s = max(moments) * 1.04
    step_s = next((one for one in _STEPS_S if span_s / one <= _TICKS_MAX), round(span_s / _TICKS_MAX))
    ticks = tuple(
        (round(WIDTH * at / span_s, 1), duration(at) if at else "0") for at in range(0, int(span_s) + 1, step_s)
    )
    return Picture(_steps(ramp.active_s, ramp.asked, span_s), _steps(ramp.up_s, ramp.asked, span_s), ticks, ramp.asked)


def _steps(moments_s: Sequence[float], asked: int, span_s: float) -> str:
    """Flat until the next one comes, then up."""
    points = [(0.0, HEIGHT)]
    for count, moment_s in enumerate(moments_s, 1):
        x = WIDTH * moment_s / span_s
        points += [(x, points[-1][1]), (x, HEIGHT * (1 - min(count, asked) / max(1, asked)))]
    points.append((WIDTH, points[-1][1]))
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
