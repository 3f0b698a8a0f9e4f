"""``golden-flows``: what stands beside the pytest options.

Exit codes: 0 certified or done, 1 nonconformance, 2 usage, 3 incomplete or broken.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import click
import pytest

from golden_flows import burst_room, cleaning, cloud_listing, merging, reference_clouds, standing_clouds
from golden_flows.errors import InteropError, UsageError
from golden_flows.guideline import CURRENT
from golden_flows.model.burst import DEFAULT_COUNT
from golden_flows.model.outcome import ExitCode
from golden_flows.planning.plan import as_document, draw_up
from golden_flows.planning.text import render
from golden_flows.preparation import Asked, split_names
from golden_flows.printable import printable
from golden_flows.progress import plain_console
from interop_tests import certificates, comparing
from interop_tests.run import one_message
from reports.certificate.earning import evidence_troubles
from reports.formats import terminal
from reports.read import read_run
from reports.write import write_all


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="golden-flows")
def cli() -> None:
    """Will this workload, taken from cloud A, really run on cloud B, and if not, whose fault is it?"""


@cli.command(context_settings={"ignore_unknown_options": True})
@click.argument("pytest_arguments", nargs=-1, type=click.UNPROCESSED)
def run(pytest_arguments: Sequence[str]) -> None:
    """Run the golden flow: golden-flows run --src A --dst B [pytest options]."""
    code = int(pytest.main(["--pyargs", "interop_tests.test_golden_flow", *pytest_arguments]))
    sys.exit(_OURS.get(code, code))


_OURS = {
    int(pytest.ExitCode.USAGE_ERROR): ExitCode.USAGE.value,
    int(pytest.ExitCode.NO_TESTS_COLLECTED): ExitCode.INCOMPLETE.value,
}
"""Pytest's own words for an end that came before a run, in ours."""


@cli.command()
def doctor() -> None:
    """Say what this host has and lacks. Exit 0 when a run between reference clouds can begin."""
    listing = subprocess.run(reference_clouds.program("doctor", "--json"), capture_output=True, text=True, check=False)
    try:
        rows = json.loads(listing.stdout)
    except ValueError as error:
        raise InteropError("the reference clouds are not installed", "pip install 'golden-flows[refclouds]'") from error
    console = plain_console(sys.stdout)
    for row in rows:
        mark = "[green]ok  [/green]" if row["ok"] else ("[red]lack[/red]" if row.get("required", True) else "note")
        console.print(f"{mark}  {row['what']}: {row['detail']}")
        if not row["ok"] and row.get("remedy"):
            console.print(f"      {row['remedy']}", style="bold")
    sys.exit(0 if all(row["ok"] or not row.get("required", True) for row in rows) else ExitCode.USAGE.value)


@cli.group()
def clouds() -> None:
    """Reference clouds that stay up between runs."""


@clouds.command("list")
@click.option("--json", "as_json", is_flag=True, help="the same as a JSON list")
def clouds_list(as_json: bool) -> None:
    """Say which reference clouds exist, what each of them is, and which are up."""
    entries = cloud_listing.entries()
    click.echo(json.dumps(entries, indent=1) if as_json else cloud_listing.told(entries, _columns()), nl=as_json)


@clouds.command("up")
@click.argument("names", nargs=-1, required=True)
@click.option("--fault", "faults", multiple=True, metavar="FAULT[=VALUE]", help="a defect that they are to have")
@click.option("--variant", "variants", multiple=True, metavar="VARIANT[=VALUE]", help="what they are to be like")
def clouds_up(names: Sequence[str], faults: Sequence[str], variants: Sequence[str]) -> None:
    """Start reference clouds and leave them up."""
    for name in names:
        started = standing_clouds.up(name, faults, variants, click.echo)
        click.echo(f"{name} is up: {started.api_url} ({started.evidence})")
    click.echo(f"export OS_CLIENT_CONFIG_FILE={standing_clouds.clouds_yaml()}")


@clouds.command("down")
@click.argument("names", nargs=-1)
def clouds_down(names: Sequence[str]) -> None:
    """Stop standing reference clouds (all of them when none is named) and forget their state."""
    for name in names or [one.name for one in standing_clouds.standing()]:
        standing_clouds.down(name)
        click.echo(f"{name} is down")


@cli.command()
@click.option("--run", "run_id", metavar="ID", help="only this run (default: every run that was killed)")
@click.option("--results", default="interop-results", type=click.Path(path_type=Path), help="where run folders are")
def clean(run_id: str | None, results: Path) -> None:
    """Delete what killed runs left on clouds and on this machine, and only that."""
    report = cleaning.clean(results, run_id, lambda text: click.echo(printable(text)))
    for line in report.failures:
        click.echo(printable(f"not removed: {line}"), err=True)
    click.echo(f"{report.removed} resources removed, {report.scratch_removed} scratch folders removed")
    sys.exit(ExitCode.INCOMPLETE.value if report.failures else 0)


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path("interop-results/latest"))
def report(folder: Path) -> None:
    """Write all reports of a run again from its journal, and show its matrix."""
    if not (folder / "journal.jsonl").is_file():
        raise UsageError(
            f"{folder} holds no journal.jsonl", "give the folder of a run, for example interop-results/latest"
        )
    _show(folder.resolve())


def _show(folder: Path) -> NoReturn:
    """Write the reports, show the matrix, and end with the run's exit code."""
    files = write_all(folder)
    finished = read_run(folder)
    terminal.render(finished, plain_console(sys.stdout))
    for name, path in sorted(files.items()):
        click.echo(f"{name:<12} {path}")
    if gone := [one for cell in finished.cells for one in evidence_troubles(cell, folder)]:
        number = "1 evidence file is" if len(gone) == 1 else f"{len(gone)} evidence files are"
        click.echo(printable(f"note: {number} not as the run left it: {gone[0]}"), err=True)
    sys.exit(finished.exit_code.value)


@cli.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--results", default="interop-results", type=click.Path(path_type=Path), help="where the merged run's folder goes"
)
def merge(folders: Sequence[Path], results: Path) -> None:
    """Put runs together to one matrix: the shards of a plan (--shard), or runs of different pairs.

    The exit code is the merged run's: incomplete (3) while a shard is missing, or one of them never ended.
    """
    _show(merging.merge(folders, results))


@cli.command()
@click.option("--src", required=True, metavar="A[,B]", help="as for a run")
@click.option("--dst", required=True, metavar="C[,D]", help="as for a run")
@click.option("--image", metavar="NAME|FILE|URL", help="as for a run")
@click.option("--image-format", metavar="FORMAT", help="as for a run")
@click.option("--no-shims", is_flag=True, help="as for a run")
@click.option("--return-trip", is_flag=True, help="as for a run")
@click.option("--burst", is_flag=False, flag_value=str(DEFAULT_COUNT), metavar="[N]", help="as for a run")
@click.option("--i-own-this-cloud", "owned", multiple=True, metavar="CLOUD", help="as for a run")
@click.option("--guideline", default=CURRENT, metavar="DATE", help="as for a run")
@click.option("--json", "as_json", is_flag=True, help="the plan as one JSON object")
def plan(
    src: str,
    dst: str,
    image: str | None,
    image_format: str | None,
    no_shims: bool,
    return_trip: bool,
    burst: str | None,
    owned: Sequence[str],
    guideline: str,
    as_json: bool,
) -> None:
    """Say what a run would make, how many, and which checks would judge; make nothing.

    Clouds of clouds.yaml are asked, reading only; no reference cloud is started. Exit 2 when the run could not begin.
    """
    asked = Asked(
        split_names(src),
        split_names(dst),
        image=image,
        image_format=image_format,
        shims=not no_shims,
        return_trip=return_trip,
        burst=burst_room.read_count(burst),
        guideline=guideline,
        owned=tuple(dict.fromkeys(owned)),
    )
    drawn = draw_up(asked)
    click.echo(json.dumps(as_document(drawn), indent=1) if as_json else render(drawn, _columns()), nl=as_json)
    sys.exit(0 if drawn.can_begin else ExitCode.USAGE.value)


def _columns() -> int:
    """Long lines are hard to read, whatever the terminal's width."""
    return min(max(60, shutil.get_terminal_size().columns), 110)


@cli.command()
def faults() -> None:
    """List the named defects that reference clouds can be told to have (--fault CLOUD:FAULT)."""
    subprocess.run(reference_clouds.program("faults"), check=False)


@cli.command()
def variants() -> None:
    """List the benign variants that reference clouds can be told to be (--variant CLOUD:VARIANT)."""
    subprocess.run(reference_clouds.program("variants"), check=False)


for _command in (certificates.certify, certificates.verify, certificates.bundle, comparing.compare):
    cli.add_command(_command)


def main() -> None:
    """Entry point: every error is one message that names the thing and the remedy, and its own exit code."""
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("interrupted", err=True)
        sys.exit(ExitCode.INCOMPLETE.value)
    except click.ClickException as error:
        error.show()
        sys.exit(ExitCode.USAGE.value)
    except UsageError as error:
        _fail(error, ExitCode.USAGE)
    except InteropError as error:
        _fail(error, ExitCode.INCOMPLETE)
    except Exception:  # a mistake of ours is not a finding about a cloud, which Python's own exit code 1 would say
        traceback.print_exc()
        sys.exit(ExitCode.INCOMPLETE.value)


def _fail(error: InteropError, code: ExitCode) -> None:
    click.echo(one_message(error), err=True)
    sys.exit(code.value)
