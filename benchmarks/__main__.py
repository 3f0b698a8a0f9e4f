"""``python -m benchmarks``: what the suite, its mover and its reference clouds cost, beside what cannot be avoided."""

from __future__ import annotations

import functools
import importlib
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import click

from benchmarks import page, record
from benchmarks.host import describe
from benchmarks.record import Run
from benchmarks.taking import Taking, TooBusy
from benchmarks.told import Benchmark

MODULES: Mapping[str, str] = {
    "flow": "golden_flow",
    "burst": "burst",
    "matrix": "matrix",
    "mover": "mover",
    "cells": "cells",
    "api": "api",
    "opening": "matrix_page",
    "xen": "xen",
}
"""By the name on the command line, in the order of the page."""
Command = Callable[..., None]


def benchmarks() -> dict[str, Benchmark]:
    """Every benchmark there is."""
    return {name: cast(Benchmark, importlib.import_module(f"benchmarks.{module}")) for name, module in MODULES.items()}


def _say(began_s: float, line: str) -> None:
    print(f"[{time.monotonic() - began_s:6.1f} s] {line}", file=sys.stderr, flush=True)


def _common(command: Command) -> Command:
    """The options that all of them have."""
    options = (
        click.option("--repeat", type=click.IntRange(1), default=5, show_default=True, help="Repetitions."),
        click.option(
            "--output", type=click.Path(path_type=Path), default=record.RESULTS, help="Folder of the results."
        ),
        click.option("--scratch", type=click.Path(path_type=Path, exists=True), help="Where files lie meanwhile."),
        click.option(
            "--quiet-wait",
            type=float,
            default=60.0,
            show_default=True,
            metavar="S",
            help="Wait for others, at most, before each repetition.",
        ),
        click.option(
            "--require-quiet", is_flag=True, help="Refuse to measure while others work; otherwise the result says so."
        ),
        click.option("--small", is_flag=True, help="Only show that it works: tiny, one repetition, kept off the page."),
    )
    return functools.reduce(lambda one, option: option(one), reversed(options), command)


def _measure(
    name: str,
    *,
    repeat: int,
    output: Path,
    scratch: Path | None,
    quiet_wait: float,
    require_quiet: bool,
    small: bool,
    **options: Any,
) -> None:
    """Exit codes: 0 measured, 3 something that was to be measured failed, or the machine was too busy."""
    folder = Path(tempfile.mkdtemp(prefix=f"golden-flows-bench-{name}-", dir=scratch))
    say = functools.partial(_say, time.monotonic())
    began_at = datetime.now(UTC).isoformat(timespec="seconds").removesuffix("+00:00")
    host = describe()
    take = Taking(1 if small else repeat, folder, say, small, quiet_wait, require_quiet)
    try:
        measured = benchmarks()[name].measure(
            take, **{key: value for key, value in options.items() if value not in (None, ())}
        )
    except TooBusy as error:
        shutil.rmtree(folder, ignore_errors=True)
        print(f"refused: {error}", file=sys.stderr)
        sys.exit(3)
    except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
        print(f"error: {error}\nwhat it left is in {folder}", file=sys.stderr)
        sys.exit(3)
    shutil.rmtree(folder, ignore_errors=True)
    run = Run(name, began_at, _command(sys.argv[1:]), host, take.repeat, small, take.repetitions, measured)
    _tell(name, run)
    say(f"written to {record.add(output, run)}; `python -m benchmarks page` makes the page of it")


def _command(arguments: Sequence[str]) -> str:
    """As somebody else would give it, without the folders of this machine."""
    kept, words = ["python", "-m", "benchmarks"], iter(arguments)
    for word in words:
        if word in ("--scratch", "--output"):
            next(words, None)
        elif not word.startswith(("--scratch=", "--output=")):
            kept.append(word)
    return shlex.join(kept)


def _tell(name: str, run: Run) -> None:
    (section,) = page.sections({name: benchmarks()[name]}, {name: run})
    for held in section.held:
        detail = f": {held.figure.detail}" if held.figure else ""
        print(f"{held.verdict:>12}  {held.aim.what}: {held.value} (aim {held.aim.told}){detail}")
    if run.small:
        print("Beware: small sizes show that it works, and nothing about an aim")
    if run.busy:
        print(f"Beware: {run.busy}")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
def main() -> None:
    """Measure what golden-flows costs; `all` runs every benchmark, which takes hours, and makes the page.

    Figures go to benchmarks/results/DATE.json. Each repetition records how much of the processors others used.
    """


@main.command("all")
@_common
def all_of_them(**asked: Any) -> None:
    """Every benchmark by its defaults, then the page."""
    failed = []
    for name in MODULES:
        print(f"== {name}", file=sys.stderr, flush=True)
        try:
            _measure(name, **asked)
        except SystemExit:
            failed.append(name)
    if asked["output"] == record.RESULTS and not asked["small"]:
        _write_page(record.RESULTS)
    if failed:
        print(f"not measured: {', '.join(failed)}", file=sys.stderr)
        sys.exit(3)


@main.command()
@_common
@click.option("--memory/--no-memory", default=True, help="With the 2 GiB image.")
@click.option("--profile/--no-profile", default=True, help="With sampled boots.")
def flow(**asked: Any) -> None:
    """The golden flow beside bare boots, qemu-img and a copy.

    Boots guests; some 4 minutes a repetition.
    """
    _measure("flow", **asked)


@main.command()
@_common
@click.option(
    "--count", "counts", type=click.IntRange(1), multiple=True, help="How many instances (repeatable; 8, 24, 36)."
)
def burst(**asked: Any) -> None:
    """A burst beside as many bare clones, templated and cold.

    Boots guests; some 25 minutes a repetition of 8, 24 and 36.
    """
    _measure("burst", **asked)


@main.command()
@_common
def matrix(**asked: Any) -> None:
    """4 clouds in 12 pairs with one worker and with two.

    Boots guests; some 25 minutes a repetition.
    """
    _measure("matrix", **asked)


@main.command()
@_common
@click.option(
    "--size", "sizes", type=int, multiple=True, metavar="MIB", help="Of made images (repeatable; 256, 1024, 8192)."
)
@click.option(
    "--kind",
    "kinds",
    type=click.Choice(["random", "sparse", "real"]),
    multiple=True,
    help="Of images (repeatable; all).",
)
@click.option("--way", "ways", multiple=True, help="Of moving (repeatable; all): stock, 'stock, best flags', mover, …")
@click.option("--random-max", type=int, metavar="MIB", help="Largest image without holes (4096).")
def mover(**asked: Any) -> None:
    """The mover beside the stock client and nbdcopy.

    No guests; hours, or minutes with --size 256.
    """
    _measure("mover", **asked)


@main.command()
@_common
@click.option(
    "--count",
    "counts",
    type=click.Choice(["1", "10", "100", "1000"]),
    multiple=True,
    help="How many cells (repeatable; 10, 100, 1000).",
)
def cells(counts: tuple[str, ...], **asked: Any) -> None:
    """Collecting and judging cells beside plain pytest.

    No guests; a minute a repetition of 100 cells, ten of 1000.
    """
    _measure("cells", counts=tuple(map(int, counts)), **asked)


@main.command()
@_common
@click.option("--cloud", "clouds", multiple=True, help="Reference clouds (repeatable; private, public-lite, rawstore).")
def api(**asked: Any) -> None:
    """How fast reference clouds answer, by wrk, and their memory.

    No guests; some 3 minutes a repetition.
    """
    _measure("api", **asked)


@main.command()
@_common
def opening(**asked: Any) -> None:
    """The matrix page of ten clouds by ten, in Chromium.

    No guests; a minute.
    """
    _measure("opening", **asked)


@main.command()
@_common
def xen(**asked: Any) -> None:
    """A Xen host and its first guest beside bare ones.

    Boots guests; a minute a repetition.
    """
    _measure("xen", **asked)


@main.command("page")
@click.option("--output", type=click.Path(path_type=Path), default=record.RESULTS, help="Folder of the results.")
def write_page(output: Path) -> None:
    """Make docs/benchmarks.html of the newest results."""
    _write_page(output)


def _write_page(results: Path) -> None:
    from benchmarks.charts import (
        draw,
    )  # only here: matplotlib takes a second to import, and measuring has no use for it

    page.write(benchmarks(), draw, results)
    print(f"written: {page.PAGE}")


if __name__ == "__main__":
    main()
