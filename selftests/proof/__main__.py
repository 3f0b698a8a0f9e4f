"""``python -m selftests.proof``: runs faults against checks, and writes the kill matrix."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click

from benchmarks import host
from golden_flows.guideline import CURRENT
from selftests.proof import page
from selftests.proof.flows import FLOWS, Flow
from selftests.proof.matrix import JSON, assemble, exit_code
from selftests.proof.on_facts import try_on_facts
from selftests.proof.record import Record, judge
from selftests.proof.running import (
    is_run_of,
    judged_by,
    lasts_s,
    read_records,
    run_flow,
    shards,
    slug,
    taken,
    write_record,
)

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENT = ROOT / "docs" / "proof" / "kill-matrix.json"
SHARD_S = 1100.0
"""A shard is to end within 20 minutes."""
SHOWN = 8
"""Of a long list, at a terminal."""
JSON_NAME, HTML_NAME = "kill-matrix.json", "kill-matrix.html"
OUT = click.option("--out", type=click.Path(path_type=Path), default=Path("kill-matrix-results"), show_default=True)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """The kill matrix: which fault is caught by which check. Exit codes: 0 proved, 1 not so, 2 usage, 3 not all run."""


@main.command("list")
@click.option("--shards", "count", type=click.IntRange(1), help="how many (default: as many as keep 20 minutes)")
def list_flows(count: int | None) -> None:
    """Say which runs there are, what each takes by the last matrix, and how shards share them."""
    seconds = _seconds(FLOWS)
    count = count or _enough(FLOWS)
    for number, shard in enumerate(shards(FLOWS, seconds, count), 1):
        click.echo(f"shard {number}/{count}: {sum(seconds[one.id] for one in shard) / 60:.0f} min")
        for flow in shard:
            click.echo(f"  {seconds[flow.id]:5.0f} s  {flow.src} -> {flow.dst}  {flow.id}")


@main.command()
@click.option("--shard", metavar="I/N", help="only this part of all runs (default: all)")
@click.option("--only", metavar="TEXT", help="only runs with this text in their pair, faults or variants")
@click.option("-n", "workers", type=click.IntRange(1), default=1, help="how many runs at once")
@OUT
def run(shard: str | None, only: str | None, workers: int, out: Path) -> None:
    """Run faults between real guests, and write the matrix of what this showed."""
    flows = _chosen(shard, only)
    with ThreadPoolExecutor(workers) as pool:
        records = list(pool.map(lambda flow: _told(flow, out), flows))
    sys.exit(_write(records, out, flows))


@main.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
def again(folders: Sequence[Path]) -> None:
    """Judge what was run by the table as it is now, where the same clouds were told the same; boots nothing."""
    for path in (path for folder in folders for path in sorted((folder / "records").glob("*.json"))):
        record = Record.load(json.loads(path.read_text("utf-8")))
        flow = next((one for one in FLOWS if is_run_of(one, record)), None)
        if flow is None:
            click.echo(f"no run of the table: {path}")
            continue
        write_record(judged_by(flow, record), path)
        _tell(flow, judged_by(flow, record))


@main.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@OUT
def take(folders: Sequence[Path], out: Path) -> None:
    """Take runs of the table that were made otherwise (``tox -e golden``, by hand), from their folders of reports.

    Only those that show what is claimed: of the others nobody knows here how their clouds or suite were changed.
    """
    for folder in folders:
        found = taken(folder, FLOWS)
        if found is not None:
            flow, record = found
            _tell(flow, record)
            if not judge(record).troubles:
                write_record(record, out / "records" / f"{slug(flow)}.json")


@main.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@OUT
def merge(folders: Sequence[Path], out: Path) -> None:
    """Make one matrix of what several shards left in their folders."""
    sys.exit(_write(list(read_records(folders)), out, FLOWS))


@main.command()
@click.argument("folders", nargs=-1, type=click.Path(exists=True, path_type=Path))
def document(folders: Sequence[Path]) -> None:
    """Add what was run to the matrix that is kept in docs/proof, and say its digest to the guideline."""
    known = _known()
    code = _write([*known, *read_records(folders)], DOCUMENT.parent, FLOWS)
    digest = hashlib.sha256(DOCUMENT.read_bytes()).hexdigest()
    kept = json.loads(DOCUMENT.read_text("utf-8"))
    summary = {key: kept["summary"][key] for key in ("checks", "proved_on_guests")}
    told = {"sha256": digest, "made_at": kept["made_at"], "suite_version": kept["suite_version"], **summary}
    target = ROOT / "golden_flows" / "guidelines" / f"{CURRENT}.proof.json"
    target.write_text(json.dumps(told, indent=1) + "\n", "utf-8")
    sys.exit(code)


def _chosen(shard: str | None, only: str | None) -> list[Flow]:
    flows = [one for one in FLOWS if only is None or only in f"{one.src}-{one.dst} {one.id}"]
    if not flows:
        raise click.UsageError(f"no run has {only!r} in it; `list` shows them all")
    if shard is None:
        return flows
    number, slash, count = shard.partition("/")
    if not (slash and number.isdigit() and count.isdigit() and 1 <= int(number) <= int(count)):
        raise click.UsageError(f"--shard {shard!r} is not I/N, such as 1/3")
    chosen = shards(flows, _seconds(flows), int(count))[int(number) - 1]
    if not chosen:
        raise click.UsageError(f"--shard {shard} is empty: there are only {len(flows)} runs")
    return chosen


def _told(flow: Flow, out: Path) -> Record:
    record = run_flow(flow, out)
    _tell(flow, record)
    return record


def _tell(flow: Flow, record: Record) -> None:
    troubles = judge(record).troubles
    click.echo(
        f"{'as claimed' if not troubles else 'NOT SO   '}  {record.seconds:5.0f} s  {flow.src} -> {flow.dst}  {flow.id}"
    )
    for one in troubles:
        click.echo(f"            {one}")


def _write(records: Sequence[Record], out: Path, flows: Sequence[Flow]) -> int:
    about = host.describe()
    version = importlib.metadata.version("golden-flows")
    made = assemble(records, try_on_facts(), commit=about.pop("commit"), host=about, suite_version=version, flows=flows)
    out.mkdir(parents=True, exist_ok=True)
    (out / JSON_NAME).write_text(page.as_text(made), "utf-8")
    (out / HTML_NAME).write_text(page.render(made), "utf-8")
    for line in _summary_lines(made["summary"]):
        click.echo(line)
    click.echo(f"written: {out / JSON_NAME}, {out / HTML_NAME}")
    return exit_code(made["summary"])


def _summary_lines(summary: JSON) -> Iterable[str]:
    yield (
        f"{summary['checks']} checks: {summary['proved_on_guests']} proved on guests, "
        f"{len(summary['proved_on_facts_only'])} on facts only, {len(summary['unproven'])} unproven"
    )
    yield (
        f"{summary['faults']} faults, {summary['faults_tried_on_guests']} of them tried on guests; "
        f"{summary['variants_tried']} of {summary['variants']} benign variants tried"
    )
    for name in ("unproven", "missed_on_facts", "missed_on_guests", "false_alarms", "unexpected", "not_yet_on_guests"):
        if summary[name]:
            more = f" and {len(summary[name]) - SHOWN} more" if len(summary[name]) > SHOWN else ""
            yield f"{name.replace('_', ' ')}: {', '.join(summary[name][:SHOWN])}{more}"


def _known() -> list[Record]:
    if not DOCUMENT.is_file():
        return []
    return [Record.load(one) for one in json.loads(DOCUMENT.read_text("utf-8"))["runs"]]


def _seconds(flows: Iterable[Flow]) -> dict[str, float]:
    known = _known()
    return {one.id: lasts_s(one, known) for one in flows}


def _enough(flows: Sequence[Flow]) -> int:
    seconds = _seconds(flows)
    for count in range(1, len(flows)):
        if all(sum(seconds[one.id] for one in shard) <= SHARD_S for shard in shards(flows, seconds, count)):
            return count
    return len(flows)


if __name__ == "__main__":
    main()
