"""The page: every aim with its figure, and what was measured, from the results on disk and from nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
from markupsafe import Markup

from benchmarks import record
from benchmarks.aims import AIMS, REPETITIONS, Aim
from benchmarks.record import Run
from benchmarks.told import Benchmark, Chart, Figure, Table

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.html"
MET, MISSED, OPEN = "met", "missed", "not measured"
Draw = Callable[[Chart], str]


@dataclass(frozen=True)
class Held:
    """An aim, and what was found."""

    aim: Aim
    figure: Figure | None
    run: Run | None

    @property
    def verdict(self) -> str:
        """Always from the figure itself: no result can say of itself that it is good."""
        if self.figure is None:
            return OPEN
        return MET if self.aim.is_met(self.figure.value) else MISSED

    @property
    def value(self) -> str:
        """Rounded so that it stays on its side of the bound."""
        if self.figure is None:
            return "–"
        digits = 2
        while self.aim.is_met(round(self.figure.value, digits)) is not self.aim.is_met(self.figure.value):
            digits += 1
        return f"{self.figure.value:.{digits}f}{self.aim.unit}"

    @property
    def doubts(self) -> tuple[str, ...]:
        """What a reader must know who believes the figure."""
        if self.figure is None or self.run is None:
            return ()
        few = self.figure.repetitions
        told = [f"{few} of {REPETITIONS} repetitions"] if few < REPETITIONS else []
        return (*told, *filter(None, [self.run.busy]))


@dataclass(frozen=True)
class Section:
    """One benchmark on the page."""

    name: str
    title: str
    about: str
    run: Run | None
    charts: Sequence[Chart]
    tables: Sequence[Table]
    held: Sequence[Held]


def sections(benchmarks: Mapping[str, Benchmark], runs: Mapping[str, Run]) -> list[Section]:
    """All benchmarks, measured or not."""
    found = []
    for name, benchmark in benchmarks.items():
        run = runs.get(name)
        figures = {one.aim: one for one in benchmark.figures(run.measured)} if run else {}
        if unknown := figures.keys() - AIMS.keys():
            raise KeyError(f"{name} tells of no aim that there is: {sorted(unknown)}")
        held = [Held(aim, figures.get(key), run) for key, aim in AIMS.items() if aim.benchmark == name]
        charts, tables = (
            (list(benchmark.charts(run.measured)), list(benchmark.tables(run.measured))) if run else ([], [])
        )
        found.append(Section(name, benchmark.TITLE, benchmark.ABOUT, run, charts, tables, held))
    return found


def render(benchmarks: Mapping[str, Benchmark], runs: Mapping[str, Run], draw: Draw) -> str:
    """The whole page, one file."""
    found = sections(benchmarks, runs)
    held = [one for section in found for one in section.held]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("page.html.j2").render(
        sections=found,
        held=held,
        counts={verdict: sum(one.verdict == verdict for one in held) for verdict in (MET, MISSED, OPEN)},
        draw=lambda chart: Markup(draw(chart)),  # noqa: S704  # matplotlib's own SVG
        digest=digest,
    )


def digest(chart: Chart) -> str:
    """Of what a chart shows. The page names it: the drawing itself differs between versions of matplotlib."""
    return hashlib.sha256(repr(chart).encode()).hexdigest()[:16]


def write(benchmarks: Mapping[str, Benchmark], draw: Draw, results: Path = record.RESULTS, page: Path = PAGE) -> None:
    page.write_text(render(benchmarks, record.newest(results), draw), "utf-8")
