"""Charts as SVG for the page, by matplotlib. The same values make the same bytes, with the same matplotlib."""

from __future__ import annotations

import io
import statistics
from collections.abc import Sequence
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from benchmarks.told import Bar, Chart

_COLOURS = ("#3b6fb6", "#b0b7c3", "#5a9f68", "#c98a2b", "#8f63a8", "#4aa3a2")
_RC: Any = {
    "svg.hashsalt": "golden-flows",  # ids in the SVG are random otherwise
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
_WIDTH_IN, _BAR_IN = 7.6, 0.24


def draw(chart: Chart) -> str:
    """An ``<svg>`` element."""
    with matplotlib.rc_context(_RC):
        groups = list(dict.fromkeys(bar.group for bar in chart.bars))
        names = list(dict.fromkeys(bar.name for bar in chart.bars))
        height_in = 1.1 + _BAR_IN * (len(chart.bars) + len(groups))
        figure = Figure(figsize=(_WIDTH_IN, height_in), layout="constrained")
        axes = figure.subplots()
        ticks = []
        at = 0.0
        for group in groups:
            bars = [bar for bar in chart.bars if bar.group == group]
            ticks.append(at + (len(bars) - 1) / 2)
            for bar in bars:
                _bar(axes, bar, at, _COLOURS[names.index(bar.name) % len(_COLOURS)])
                at += 1
            at += 0.8
        axes.set_yticks(ticks, groups)
        axes.invert_yaxis()
        axes.set_xlabel(chart.unit)
        axes.set_title(chart.title, loc="left", fontweight="bold")
        if chart.log:
            axes.set_xscale("log")
        if chart.aim is not None:
            axes.axvline(chart.aim, color="#c0392b", linestyle="--", linewidth=1, label=f"aim {chart.aim:g}")
        axes.margins(x=0.12)
        _legend(figure, axes)
        return _svg(figure)


def _bar(axes: matplotlib.axes.Axes, bar: Bar, at: float, colour: str) -> None:
    middle = statistics.median(bar.values)
    reach = [[middle - min(bar.values)], [max(bar.values) - middle]]
    axes.barh(at, middle, height=0.86, color=colour, xerr=reach, ecolor="#555555", capsize=2, label=bar.name)
    axes.annotate(_short(middle), (max(bar.values), at), xytext=(4, 0), textcoords="offset points", va="center")


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _legend(figure: Figure, axes: matplotlib.axes.Axes) -> None:
    """Each name once."""
    handles, labels = axes.get_legend_handles_labels()
    once: dict[str, Any] = dict(zip(reversed(labels), reversed(handles), strict=True))
    ordered: Sequence[str] = [label for label in dict.fromkeys(labels) if label in once]
    figure.legend([once[label] for label in ordered], ordered, loc="outside lower left", ncols=4, frameon=False)


def _svg(figure: Figure) -> str:
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    text = file.getvalue()
    return text[text.index("<svg") :].rstrip()
