"""Our mover beside the stock client, on images of several kinds and sizes.

Two reference clouds that store RAW as it comes; no guest is booted. The ways take turns (ABAB …); after each, the
stored image's hash is compared with the original's, and a run whose hash differs has no figure. Everything is on this
machine, so that figures say what a way costs, never what a network gives.
"""

from __future__ import annotations

import contextlib
import hashlib
import random
import shutil
import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cattrs
import psutil
import yaml

from benchmarks import host, nbd, reference_cloud, unavoidable
from benchmarks.movers import HERE, OUR_WAYS, RUN_ID, STOCK_WAYS, THERE, TIMEOUT_S, Cost, MoveFailed, run
from benchmarks.taking import Taking
from benchmarks.told import Bar, Chart, Figure, Table, ratios, span
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
KINDS = ("random", "sparse", "real")
RANDOM_MAX_MIB = 4096
STOCK, OURS = "stock", "mover"
WAYS = (*STOCK_WAYS, *OUR_WAYS)
TITLE = "The mover"
ABOUT = (
    "Images from one reference cloud to another, RAW as it comes: the stock client (openstack image save, then "
    "image create) at its default flags and at its best, and our mover in several ways: straight on in parts, "
    "by one stream, as the flow does it (cut once on purpose, with two more hashes), and by way of a sparse "
    "file. A run counts only when the stored image has the original's hash. nbdcopy shows what the bytes alone "
    "cost. The limit for sparse disks: Glance takes and gives no extents, so every zero is sent, received and "
    "hashed, by both clouds and by the client. Profiled with 256 MiB: 1.9 s of processor for our client and 2.7 s "
    "for both clouds, side by side on two processors, beside 8.9 s for the stock client and the same clouds, mostly "
    "one after the other: 0.26 at best. The decision 0012-mover has the parts."
)


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


def measure(
    take: Taking,
    *,
    sizes: Sequence[int] = SIZES_MIB,
    kinds: Sequence[str] = KINDS,
    ways: Sequence[str] = WAYS,
    random_max: int = RANDOM_MAX_MIB,
) -> dict[str, Any]:
    """Sizes in MiB; ``random_max``: of images without holes. Raises ``MoveFailed``."""
    wanted = [("sparse", 16)] if take.small else list(_wanted(kinds, sizes, random_max))
    take.total = take.repeat * len(wanted)
    taken: list[Taken] = []
    limits: dict[str, Any] = {}
    scratch = take.scratch
    with _clouds(scratch) as (file, processes), _driver(file, scratch) as (here, there, ledger):
        for kind, size_mib in wanted:
            path = scratch / "image.raw"
            image = _make(kind, size_mib, path)
            take.say(f"{kind}, {image.size_bytes // MIB} MiB, {image.data_bytes // MIB} MiB of it not zero")
            limits[f"{kind} {image.size_bytes // MIB}"] = nbd.copy(path, scratch)
            image_id = _plant(here, path, image)
            path.unlink()
            rows = {way: Taken(kind, image.size_bytes, way) for way in ways}
            for _ in range(take.repeat):
                with take.repetition(f"{kind} {image.size_bytes // MIB} MiB"):
                    for way in ways:
                        _once(way, rows[way], file, image_id, image, there, ledger, processes, scratch)
                take.say(", ".join(f"{way} {row.costs[-1].seconds:.1f} s" for way, row in rows.items()))
            taken += rows.values()
            here.cleanup(Deadline.after(TIMEOUT_S))
    return {"seed": SEED, "nbdcopy_seconds": limits, "taken": [cattrs.unstructure(one) for one in taken]}


def _wanted(kinds: Sequence[str], sizes: Sequence[int], random_max: int) -> Iterator[tuple[str, int]]:
    for kind in kinds:
        if kind == "real":
            yield kind, 0
        else:
            yield from ((kind, size) for size in sizes if kind == "sparse" or size <= random_max)


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


# -- the page


def _read(measured: Mapping[str, Any]) -> dict[tuple[str, int], dict[str, Taken]]:
    """By image, and then by way."""
    images: dict[tuple[str, int], dict[str, Taken]] = {}
    for one in cattrs.structure(measured["taken"], list[Taken]):
        images.setdefault((one.kind, one.size_bytes), {})[one.way] = one
    return images


def _of_stock(ways: Mapping[str, Taken], way: str) -> tuple[float, ...]:
    """Empty where the stock client, or this way, did not move this image."""
    if not {way, STOCK} <= ways.keys():
        return ()
    ours, stock = ([cost.seconds for cost in ways[one].costs] for one in (way, STOCK))
    return ratios(ours, stock)


def figures(measured: Mapping[str, Any]) -> Iterator[Figure]:
    images = _read(measured)
    for kind in ("random", "sparse"):
        found = {size: _of_stock(ways, OURS) for (of, size), ways in images.items() if of == kind}
        found = {size: values for size, values in found.items() if values}
        if found:
            told = ", ".join(f"{size // MIB} MiB {span(values)}" for size, values in found.items())
            worst = max(found, key=lambda size: statistics.median(found[size]))
            yield Figure(f"mover {kind}", statistics.median(found[worst]), told, min(map(len, found.values())))
    ours = [one for ways in images.values() for name, one in ways.items() if name not in STOCK_WAYS]
    if ours:
        peaks: dict[int, float] = {}
        for one in ours:
            peak_mb = max(cost.peak_mib for cost in one.costs) * MIB / 1e6
            peaks[one.size_bytes] = max(peak_mb, peaks.get(one.size_bytes, 0.0))
        told = ", ".join(f"{size // MIB} MiB: {peak:.1f} MB" for size, peak in sorted(peaks.items()))
        yield Figure("mover memory", max(peaks.values()), told, min(len(one.costs) for one in ours))


def charts(measured: Mapping[str, Any]) -> Iterator[Chart]:
    images = _read(measured)
    shares = [
        Bar(f"{kind}, {size // MIB} MiB", way, values)
        for (kind, size), ways in images.items()
        for way in ways
        if way != STOCK and (values := _of_stock(ways, way))
    ]
    if shares:
        yield Chart("Wall time to active, of the stock client's", "ratio", tuple(shares))
    processor = [
        Bar(f"{kind}, {size // MIB} MiB", way, tuple(cost.cpu_s for cost in one.costs))
        for (kind, size), ways in images.items()
        for way, one in ways.items()
    ]
    yield Chart("Processor time of the client", "seconds", tuple(processor), log=True)


def tables(measured: Mapping[str, Any]) -> Iterator[Table]:
    rows = []
    for (kind, size), ways in _read(measured).items():
        for way, one in ways.items():
            values = _of_stock(ways, way)
            rows.append(
                (
                    f"{kind}, {size // MIB} MiB: {way}",
                    span([cost.seconds for cost in one.costs]),
                    span(values) if values else "",
                    span([cost.cpu_s for cost in one.costs]),
                    span(one.clouds_cpu_s),
                    f"{max(cost.peak_mib for cost in one.costs):.0f}",
                    f"{(one.costs[-1].wire_bytes or 0) // MIB}",
                    f"{statistics.median(one.loads):.1f}",
                )
            )
    head = ("", "seconds", "of stock", "client CPU s", "clouds CPU s", "peak MiB", "wire MiB", "load")
    yield Table("Medians with their range", head, rows)
    bare = [
        (f"{name} MiB", seconds if isinstance(seconds, str) else f"{seconds:.2f}")
        for name, seconds in measured["nbdcopy_seconds"].items()
    ]
    yield Table("nbdcopy, file to file over NBD, without API or hash", ("", "seconds"), bare)
