"""``python -m benchmarks mover``: our mover beside the stock client, on images of several kinds and sizes.

Two reference clouds that store RAW as it comes; no guest is booted. The ways take turns (ABAB …); after each, the
stored image's hash is compared with the original's, and a run whose hash differs has no figure. Everything is on this
machine, so that figures say what a way costs, never what a network gives.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import yaml

from benchmarks import host, nbd, reference_cloud, unavoidable
from benchmarks.movers import HERE, OUR_WAYS, RUN_ID, STOCK_WAYS, THERE, TIMEOUT_S, Cost, MoveFailed, run
from golden_flows.clouds.cloud import Cloud, connect
from golden_flows.clouds.config import load_clouds
from golden_flows.clouds.sparse import read_sparse
from golden_flows.journal import Journal
from golden_flows.ledger import Ledger
from golden_flows.waiting import Deadline

PROFILE = "rawstore"
MIB = 1 << 20
SIZES_MIB = (256, 1024, 8192)
ALLOCATED = 0.1
EXTENT_BYTES = MIB
SEED = 20261128
AIMS = {"random": 0.7, "sparse": 0.2}
"""Our seconds over the stock client's at default flags."""


@dataclass(frozen=True)
class Image:
    """One image under test."""

    kind: str
    size_bytes: int
    data_bytes: int
    sha512: str


@dataclass
class Taken:
    """What one way took for one image, repetition by repetition."""

    kind: str
    size_bytes: int
    way: str
    costs: list[Cost] = field(default_factory=list)
    clouds_cpu_s: list[float] = field(default_factory=list)
    """Of both clouds' processes, meanwhile."""
    loads: list[float] = field(default_factory=list)

    @property
    def median_s(self) -> float:
        return statistics.median(one.seconds for one in self.costs)


def main(arguments: Sequence[str]) -> int:
    """Exit codes: 0 measured, 3 something that was to be measured failed."""
    asked = _arguments(arguments)
    scratch = Path(tempfile.mkdtemp(prefix="golden-flows-bench-mover-", dir=asked.scratch))
    try:
        document = _measure(asked, scratch)
    except (MoveFailed, RuntimeError, subprocess.CalledProcessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    asked.output.mkdir(parents=True, exist_ok=True)
    target = asked.output / f"{document['date']}-mover.json"
    target.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    print(to_markdown(document))
    print(f"written to {target}", file=sys.stderr)
    return 0


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks mover", description=__doc__)
    parser.add_argument("--repeat", type=int, default=5, metavar="N", help="repetitions (default 5)")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES_MIB, metavar="MIB", help="of the made images")
    parser.add_argument(
        "--kinds", nargs="+", default=["random", "sparse", "real"], choices=["random", "sparse", "real"]
    )
    parser.add_argument("--random-max", type=int, default=4096, metavar="MIB", help="largest image without holes")
    parser.add_argument("--ways", nargs="+", default=[*STOCK_WAYS, *OUR_WAYS], choices=[*STOCK_WAYS, *OUR_WAYS])
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--scratch", type=Path, default=None, help="where images and clouds lie meanwhile")
    return parser.parse_args(arguments)


def _say(line: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {line}", file=sys.stderr, flush=True)


def _measure(asked: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    taken: list[Taken] = []
    limits: dict[str, Any] = {}
    with _clouds(scratch) as (file, processes), _driver(file, scratch) as (here, there, ledger):
        for kind, size_mib in _wanted(asked):
            path = scratch / "image.raw"
            image = _make(kind, size_mib, path)
            _say(f"{kind}, {image.size_bytes // MIB} MiB, {image.data_bytes // MIB} MiB of it not zero")
            limits[f"{kind} {image.size_bytes // MIB}"] = nbd.copy(path, scratch)
            image_id = _plant(here, path, image)
            path.unlink()
            rows = {way: Taken(kind, image.size_bytes, way) for way in asked.ways}
            for number in range(asked.repeat):
                for way in asked.ways:
                    _once(way, rows[way], file, image_id, image, there, ledger, processes, scratch)
                told = ", ".join(f"{way} {row.costs[-1].seconds:.1f} s" for way, row in rows.items())
                _say(f"{number + 1}/{asked.repeat}: {told}")
            taken += rows.values()
            here.cleanup(Deadline.after(TIMEOUT_S))
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "host": host.describe(),
        "label": "loopback: what a way costs in protocol and processor, never what a network gives",
        "seed": SEED,
        "aims": AIMS,
        "nbdcopy_seconds": limits,
        "taken": [asdict(one) | {"median_s": round(one.median_s, 2)} for one in taken],
    }


def _wanted(asked: argparse.Namespace) -> Iterator[tuple[str, int]]:
    for kind in asked.kinds:
        if kind == "real":
            yield kind, 0
        else:
            yield from ((kind, size) for size in asked.sizes if kind == "sparse" or size <= asked.random_max)


def _once(
    way: str,
    row: Taken,
    file: Path,
    image_id: str,
    image: Image,
    there: Cloud,
    ledger: Ledger,
    processes: Sequence[psutil.Process],
    scratch: Path,
) -> None:
    folder = Path(tempfile.mkdtemp(dir=scratch))
    name = f"interop-{RUN_ID}-{folder.name}"
    row.loads.append(host.load())
    before_s = _cpu_s(processes)
    row.costs.append(run(way, file, image_id, image.size_bytes, name, folder))
    row.clouds_cpu_s.append(round(_cpu_s(processes) - before_s, 2))
    stored = there.find_image(name)
    if stored.os_hash_value != image.sha512:
        raise MoveFailed(f"{way}: what is stored is not what was sent: {stored.os_hash_value}")
    # It was made by another process, or by another tool: this one takes charge of it, to delete it.
    ledger.created(ledger.planned(THERE, "image", name), stored.id)
    there.delete_image(stored.id, Deadline.after(60))
    shutil.rmtree(folder)


def _cpu_s(processes: Sequence[psutil.Process]) -> float:
    return sum(one.cpu_times().user + one.cpu_times().system for one in processes)


def _make(kind: str, size_mib: int, path: Path) -> Image:
    """Seeded, so that anybody can make the same."""
    dice = random.Random(SEED)  # noqa: S311  # bytes that do not compress, not secrets
    if kind == "real":
        shutil.copyfile(unavoidable.find_golden().image, path)
    else:
        size = size_mib * MIB
        extents = range(size // EXTENT_BYTES)
        chosen = extents if kind == "random" else sorted(dice.sample(extents, int(len(extents) * ALLOCATED)))
        with path.open("wb") as file:
            file.truncate(size)
            for number in chosen:
                file.seek(number * EXTENT_BYTES)
                file.write(dice.randbytes(EXTENT_BYTES))
    digest, size, data = hashlib.sha512(), path.stat().st_size, 0
    for chunk in read_sparse(path, size):
        digest.update(chunk)
        data += len(chunk) if chunk.strip(b"\0") else 0
    return Image(kind, size, data, digest.hexdigest())


def _plant(here: Cloud, path: Path, image: Image) -> str:
    planted = here.import_image(
        name="planted", source=path, size_bytes=image.size_bytes, deadline=Deadline.after(TIMEOUT_S)
    )
    if planted.image_id is None or planted.final_status != "active":
        raise MoveFailed(f"the source did not take the image: {planted.message}")
    return planted.image_id


@contextlib.contextmanager
def _driver(file: Path, scratch: Path) -> Iterator[tuple[Cloud, Cloud, Ledger]]:
    configs = load_clouds([HERE, THERE], [file])
    journal = Journal(scratch / "journal")
    ledger = Ledger(journal, RUN_ID)
    with connect(configs[HERE], ledger, journal) as here, connect(configs[THERE], ledger, journal) as there:
        yield here, there, ledger


@contextlib.contextmanager
def _clouds(scratch: Path) -> Iterator[tuple[Path, list[psutil.Process]]]:
    """Both clouds, in one clouds.yaml under their own names, and the processes that serve them."""
    with contextlib.ExitStack() as stack:
        entries: dict[str, Any] = {}
        launchers = []
        for name in (HERE, THERE):
            cloud = stack.enter_context(reference_cloud.up(PROFILE, scratch / name))
            document = yaml.safe_load(cloud.clouds_yaml.read_text("utf-8"))
            entries[name] = document["clouds"][PROFILE]
            launchers.append(psutil.Process(cloud.launcher_pid))
        file = scratch / "clouds.yaml"
        file.touch(mode=0o600)
        file.write_text(yaml.safe_dump({"clouds": entries}), "utf-8")
        serving = [child for one in launchers for child in one.children(recursive=True) if "serve" in child.cmdline()]
        yield file, serving


def to_markdown(document: Mapping[str, Any]) -> str:
    """The table that the JSON holds, with every way's ratio to the stock client at its default flags."""
    lines = [f"# The mover beside the stock client, {document['date']}", "", f"{document['label']}.", ""]
    lines += [f"- {name}: {value}" for name, value in document["host"].items()]
    lines += [
        "",
        "| image | MiB | way | seconds (range) | of stock | client CPU s | clouds CPU s | peak MiB | wire MiB | load |",
    ]
    lines += ["| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]
    stock = {(one["kind"], one["size_bytes"]): one["median_s"] for one in document["taken"] if one["way"] == "stock"}
    for one in document["taken"]:
        costs = one["costs"]
        seconds = [cost["seconds"] for cost in costs]
        reference = stock.get((one["kind"], one["size_bytes"]))
        cells = (
            one["kind"],
            str(one["size_bytes"] // MIB),
            one["way"],
            f"{one['median_s']:.2f} ({min(seconds):.2f}-{max(seconds):.2f})",
            f"{one['median_s'] / reference:.2f}" if reference else "",
            f"{statistics.median(cost['cpu_s'] for cost in costs):.2f}",
            f"{statistics.median(one['clouds_cpu_s']):.2f}",
            f"{max(cost['peak_mib'] for cost in costs):.0f}",
            f"{(costs[-1]['wire_bytes'] or 0) // MIB}",
            f"{statistics.median(one['loads']):.1f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    for name, seconds in document["nbdcopy_seconds"].items():
        told = seconds if isinstance(seconds, str) else f"{seconds:.2f} s"
        lines.append(f"\nnbdcopy, file to file over NBD, without API or hash, {name} MiB: {told}")
    return "\n".join(lines) + "\n"
