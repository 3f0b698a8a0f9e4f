"""Memory while a 2 GiB image goes through export and import, with no guest anywhere near.

``python -m benchmarks.big_image FOLDER CLOUDS_YAML…`` is the suite's side of it: it imports the image into the private
cloud, exports it from there and imports it into the public one, exactly as the flow does. It runs in a process of its
own, so that its peak is the suite's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks import reference_cloud
from benchmarks.resident import Watch, peak_mib
from golden_flows.clouds import mover
from golden_flows.clouds.cloud import Cloud, connect
from golden_flows.clouds.config import load_clouds
from golden_flows.journal import Journal
from golden_flows.ledger import Ledger
from golden_flows.shims import export as shims
from golden_flows.waiting import Deadline

SIZE_MIB = 2048
DATA_MIB = 300
TIMEOUT_S = 900.0
RUN_ID = "bench-big-image"


@dataclass(frozen=True)
class BigImage:
    """Peaks in MiB by process, and how long export and import took."""

    peaks_mib: dict[str, float]
    seconds: float


def measure(folder: Path) -> BigImage:
    """Start both clouds, move the image, stop them. Raises ``CalledProcessError`` when the move fails."""
    folder.mkdir(parents=True)
    with (
        reference_cloud.up("private", folder / "private") as private,
        reference_cloud.up("public-lite", folder / "public-lite") as public,
    ):
        argv = [sys.executable, "-m", "benchmarks.big_image", str(folder)]
        argv += [str(private.clouds_yaml), str(public.clouds_yaml)]
        began_s = time.monotonic()
        with Watch(os.getpid()) as watch:
            told = json.loads(subprocess.run(argv, stdout=subprocess.PIPE, check=True).stdout)
        seconds = time.monotonic() - began_s
    clouds = {name: peak for name, peak in watch.peaks_mib.items() if name.startswith("cloud")}
    return BigImage({"suite": told["peak_mib"], **dict(sorted(clouds.items()))}, round(seconds, 1))


def main(arguments: list[str]) -> int:
    """Move the image; prints this process's peak."""
    folder = Path(arguments[0])
    image = folder / "big.raw"
    _write_image(image)
    journal = Journal(folder / "journal")
    configs = load_clouds(["private", "public-lite"], [Path(path) for path in arguments[1:]])
    deadline = Deadline.after(TIMEOUT_S)
    ledger = Ledger(journal, RUN_ID)
    with (
        connect(configs["private"], ledger, journal) as home,
        connect(configs["public-lite"], ledger, journal) as abroad,
    ):
        home.preflight()
        abroad.preflight()
        _move(home, abroad, image, folder / "spool.raw", deadline)
        for cloud in (home, abroad):
            cloud.cleanup(deadline)
    print(json.dumps({"peak_mib": peak_mib(os.getpid())}))
    return 0


def _move(home: Cloud, abroad: Cloud, image: Path, spool: Path, deadline: Deadline) -> None:
    size = image.stat().st_size
    planted = home.import_image(name="big", source=image, size_bytes=size, properties={}, deadline=deadline)
    if planted.image_id is None or planted.final_status != "active":
        raise RuntimeError(f"the private cloud did not take the image: {planted.message}")
    spooled = mover.export_to_spool(home, planted.image_id, spool, deadline=deadline)
    if make_raw := shims.find(spooled.facts):  # stored as qcow2, and no snapshot
        spooled = shims.to_raw(spooled, make_raw)
    transfer, imported = mover.import_from_spool(spooled, abroad, name="big-moved", deadline=deadline)
    spool.unlink()
    if imported.final_status != "active" or transfer.moved_bytes != size:
        raise RuntimeError(f"the public cloud did not take the image: {imported.message}")


def _write_image(path: Path) -> None:
    """Sparse, with random bytes spread over it."""
    step_mib = SIZE_MIB // DATA_MIB
    with path.open("wb") as file:
        file.truncate(SIZE_MIB << 20)
        for number in range(DATA_MIB):
            file.seek((number * step_mib) << 20)
            file.write(os.urandom(1 << 20))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
