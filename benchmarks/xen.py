"""``python -m benchmarks.xen``: the reference cloud's Xen host and guest beside bare ones, in one run.

Bare: QEMU boots Xen and dom0, ``xl create`` makes one paravirtual guest by hand. Ours: the ``xen`` hypervisor of the
reference clouds does the same, first from a cold start (boots a host and saves it), then from the saved host.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import asdict
from pathlib import Path

from golden_images.manifest import HostImage, read_host_manifest
from refclouds.hypervisors import HypervisorSetup
from refclouds.hypervisors.xen import Xen
from refclouds.node import GuestSpec
from refclouds.xen.host import XenHost

from benchmarks import bare_xen, host, metadata, summary
from benchmarks.machine import Form

RESULTS = Path(__file__).parent / "results"
COLUMNS = {
    "bare": "bare: QEMU and xl by hand",
    "cold": "ours, cold: boots a host and saves it",
    "saved": "ours, from the saved host",
}


def main() -> int:
    """Exit codes: 0 measured, 3 something that was to be measured failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.xen", description=__doc__)
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="repetitions (default 3)")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the result")
    asked = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="golden-flows-bench-"))
    found: list[dict[str, bare_xen.Times]] = []
    loads: list[float] = []
    try:
        image, golden = read_host_manifest(_built("xen-host").parent), _built("pocket")
        for number in range(1, asked.repeat + 1):
            loads.append(host.load())
            found.append(_repetition(image, golden, scratch / str(number)))
            said = ", ".join(f"{name} {t.host_ready_s:.1f} + {t.guest_ready_s:.1f} s" for name, t in found[-1].items())
            print(f"{number}/{asked.repeat}: {said}", file=sys.stderr, flush=True)
    except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
        print(f"error: {error}\nwhat it left is in {scratch}", file=sys.stderr)
        return 3
    shutil.rmtree(scratch)
    page = _page(found, loads)
    asked.output.mkdir(parents=True, exist_ok=True)
    stem = asked.output / f"{time.strftime('%Y-%m-%d', time.gmtime())}-xen"
    document = {"host": host.describe(), "loads": loads, "repetitions": [_plain(one) for one in found]}
    stem.with_suffix(".json").write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    stem.with_suffix(".md").write_text(page, "utf-8")
    print(page)
    return 0


def _plain(times: dict[str, bare_xen.Times]) -> dict[str, dict[str, float]]:
    return {name: asdict(one) for name, one in times.items()}


def _built(name: str) -> Path:
    """The golden image, or the host's Xen; built unless it is cached."""
    argv = [sys.executable, "-m", "golden_images", "build", name, "--json"]
    built = json.loads(subprocess.run(argv, stdout=subprocess.PIPE, check=True).stdout)
    return Path(built["xen" if name == "xen-host" else "image"])


def _repetition(image: HostImage, golden: Path, folder: Path) -> dict[str, bare_xen.Times]:
    times = {}
    for name in COLUMNS:
        share = folder / name
        (share / "consoles").mkdir(parents=True)
        disk, drive = share / "disk.vhd", share / "config.iso"
        options = ("-O", "vpc", "-o", "subformat=dynamic,force_size=on")
        subprocess.run(["qemu-img", "convert", "-q", "-f", "raw", *options, str(golden), str(disk)], check=True)
        # No NIC: what DHCP costs is the network's, and the flow's benchmark has it.
        files = metadata.documents(Form("xen", "xen", (), True, False), str(uuid.uuid4()), "", None)
        files["network_data.json"] = b'{"links": [], "networks": [], "services": []}'
        metadata.write_config_drive(files, drive)
        if name == "bare":
            parts = bare_xen.Parts(image.xen, image.kernel, image.initramfs)
            times[name] = bare_xen.measure(parts, share, disk, drive)
        else:
            times[name] = asyncio.run(_ours(image, share, disk, drive, folder / "saved"))
    return times


async def _ours(image: HostImage, share: Path, disk: Path, drive: Path, saves: Path) -> bare_xen.Times:
    setup = HypervisorSetup(share / "consoles", _no_nic, share=share, host_image=image)
    began_s = time.monotonic()
    xen_host = XenHost(image, setup.folder, share=share, guest_memory_mib=bare_xen.GUEST_MIB, saves=saves)
    xen = Xen(setup, xen_host)
    try:
        await xen_host.ensure()
        ready_s = time.monotonic() - began_s
        guest_id = str(uuid.uuid4())
        spec = GuestSpec(guest_id, "bench", bare_xen.GUEST_MIB, 1, disk, "vpc", "xen", (), drive, "pv")
        began_s = time.monotonic()
        await xen.start(spec)
        await asyncio.to_thread(bare_xen.await_line, share / "consoles" / f"guest-{guest_id}.log", began_s)
        return bare_xen.Times(round(ready_s, 2), round(time.monotonic() - began_s, 2))
    finally:
        await xen.close()


def _no_nic(port_id: str) -> tuple[str, int]:
    raise RuntimeError(f"this guest has no NIC, not {port_id}")


def _page(found: list[dict[str, bare_xen.Times]], loads: list[float]) -> str:
    rows = []
    for name, title in COLUMNS.items():
        ready, guest = ([getattr(one[name], key) for one in found] for key in ("host_ready_s", "guest_ready_s"))
        totals = [a + b for a, b in zip(ready, guest, strict=True)]
        bare = [one["bare"].host_ready_s + one["bare"].guest_ready_s for one in found]
        ratio = statistics.median(a / b for a, b in zip(totals, bare, strict=True))
        rows.append((title, summary.span(ready), summary.span(guest), summary.span(totals), f"{ratio:.2f}"))
    head = ("", "host ready, s", "guest ready, s", "both, s", "ratio to bare")
    lines = ["# A Xen host and its first paravirtual guest, beside bare ones", ""]
    lines += [f"- {name}: {value}" for name, value in host.describe().items()]
    lines += [f"- repetitions: {len(found)}, interleaved; medians, with the range in brackets"]
    lines += [f"- load average before each: {', '.join(f'{load:.2f}' for load in loads)}"]
    return "\n".join([*lines, *summary.table(head, rows)]) + "\n"


if __name__ == "__main__":
    sys.exit(main())
