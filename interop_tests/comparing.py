"""``golden-flows compare``: what changed from run to run."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from golden_flows.progress import plain_console
from reports.comparison import compare as comparing
from reports.comparison import document, page, text


@click.command()
@click.argument("folders", metavar="RUN RUN…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--html", type=click.Path(path_type=Path), help="write the comparison there as a page, too")
@click.option("--json", "as_json", type=click.Path(path_type=Path), help="write it there for machines, too")
def compare(folders: Sequence[Path], html: Path | None, as_json: Path | None) -> None:
    """Put two or more runs side by side: what got better, worse, flaky, what is new and what is gone.

    The last run, by the time at which it began, is held against what was known before it. Exit 0 when nothing that is
    required got worse, 1 when a required check that held fails now, 3 when what was known could not be found out now,
    is gone, or the last run never ended.
    """
    found = comparing.compare(comparing.read_runs(folders))
    text.render(found, plain_console(sys.stdout))
    for written in (page.write(found, html) if html else None, document.write(found, as_json) if as_json else None):
        if written:
            click.echo(written)
    sys.exit(found.exit_code.value)
