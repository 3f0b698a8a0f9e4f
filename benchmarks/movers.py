"""The ways of moving an image that are compared, each in a process of its own, as a user would run it.

``python -m benchmarks.movers WAY CLOUDS_YAML IMAGE_ID NAME FOLDER`` is our mover's side of it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from golden_flows.clouds import mover
from golden_flows.clouds.cloud import Cloud, connect
from golden_flows.clouds.config import load_clouds
from golden_flows.clouds.download import Road
from golden_flows.journal import Journal
from golden_flows.ledger import Ledger
from golden_flows.model.transfer import TransferFacts
from golden_flows.waiting import Deadline

HERE, THERE = "here", "there"
TIMEOUT_S = 3600.0
RUN_ID = "bench-mover"
OUR_WAYS: Mapping[str, tuple[str, Road]] = {
    "mover": ("straight on, in parts, with the image's own hash", Road(hashes=())),
    "mover, one stream": ("straight on, by one GET, with the image's own hash", Road(hashes=(), parts_at_once=1)),
    "mover, as the flow": ("straight on, cut once, with MD5 and SHA-256 as well", mover.ROAD),
    "mover, spooled": ("by way of a sparse file, as for several destinations", Road(hashes=("sha256",))),
}
STOCK_WAYS: Mapping[str, Sequence[str]] = {
    "stock": (),
    "stock, best flags": ("--chunk-size", str(1 << 20)),
}
"""Of ``openstack image save``; ``image create`` has no flag that is about speed."""


@dataclass(frozen=True)
class Cost:
    """What one way of moving one image took."""

    seconds: float
    cpu_s: float
    """Of the client's processes, user and system."""
    peak_mib: float
    """Of the largest of them."""
    wire_bytes: int | None
    """Bodies, out and in; None where the tool does not say and nothing can be inferred."""


class MoveFailed(RuntimeError):
    """A tool did not do it; the message is its own."""


def run(way: str, clouds: Path, image_id: str, size_bytes: int, name: str, folder: Path) -> Cost:
    """Move the image from ``here`` to ``there`` under this name. Raises ``MoveFailed``."""
    if way in STOCK_WAYS:
        file = folder / "saved.raw"
        save = ["image", "save", *STOCK_WAYS[way], "--file", str(file), image_id]
        create = ["image", "create", "--disk-format", "raw", "--container-format", "bare", "--file", str(file), name]
        try:
            parts = [
                _measured([_beside("openstack"), "--os-cloud", cloud, *argv], clouds, folder)
                for cloud, argv in ((HERE, save), (THERE, create))
            ]
        finally:
            file.unlink(missing_ok=True)
        return Cost(
            seconds=sum(one.seconds for one in parts),
            cpu_s=sum(one.cpu_s for one in parts),
            peak_mib=max(one.peak_mib for one in parts),
            wire_bytes=2 * size_bytes,
        )
    told = folder / "transfer.json"
    argv = [sys.executable, "-m", "benchmarks.movers", way, str(clouds), image_id, name, str(folder)]
    cost = _measured(argv, clouds, folder)
    transfer = json.loads(told.read_text("utf-8"))
    wire = (transfer["received_wire_bytes"] or 0) + transfer["sent_wire_bytes"]
    return Cost(cost.seconds, cost.cpu_s, cost.peak_mib, wire)


def _measured(argv: Sequence[str], clouds: Path, folder: Path) -> Cost:
    environment = {**os.environ, "OS_CLIENT_CONFIG_FILE": str(clouds)}
    began_s = time.monotonic()
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - began_s
    if process.returncode:
        told = (folder / "output").read_text("utf-8", "replace").strip().splitlines()
        raise MoveFailed(f"{argv[0]} {argv[1]}: exit code {process.returncode}: {told[-1] if told else 'no message'}")
    return Cost(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, None)


def _beside(program: str) -> str:
    return str(Path(sys.executable).with_name(program))


# -- our side


def main(arguments: Sequence[str]) -> int:
    """Move one image our way; what it was like goes to ``transfer.json``."""
    way, clouds, image_id, name, folder = arguments
    configs = load_clouds([HERE, THERE], [Path(clouds)])
    journal = Journal(Path(folder) / f"journal-{time.time_ns()}")
    ledger = Ledger(journal, RUN_ID)
    with connect(configs[HERE], ledger, journal) as source, connect(configs[THERE], ledger, journal) as destination:
        transfer, status = _WORK[way == "mover, spooled"](
            source, image_id, destination, name, Path(folder), OUR_WAYS[way][1]
        )
    if status != "active":
        print(f"the image ended as {status}", file=sys.stderr)
        return 1
    (Path(folder) / "transfer.json").write_text(json.dumps(asdict(transfer)), "utf-8")
    return 0


Work = Callable[[Cloud, str, Cloud, str, Path, Road], tuple[TransferFacts, str | None]]


def _straight(
    source: Cloud, image_id: str, destination: Cloud, name: str, folder: Path, road: Road
) -> tuple[TransferFacts, str | None]:
    deadline = Deadline.after(TIMEOUT_S)
    moved = mover.move(source, image_id, destination, name=name, deadline=deadline, road=road)
    return moved.transfer, moved.imported.final_status if moved.imported else "damaged"


def _spooled(
    source: Cloud, image_id: str, destination: Cloud, name: str, folder: Path, road: Road
) -> tuple[TransferFacts, str | None]:
    deadline, spool = Deadline.after(TIMEOUT_S), folder / "spool.raw"
    try:
        spooled = mover.export_to_spool(source, image_id, spool, deadline=deadline, road=road)
        transfer, imported = mover.import_from_spool(spooled, destination, name=name, deadline=deadline)
    finally:
        spool.unlink(missing_ok=True)
    return transfer, imported.final_status


_WORK: Mapping[bool, Work] = {False: _straight, True: _spooled}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
