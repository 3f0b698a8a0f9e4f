"""The reference cloud's Xen host and guest beside bare ones, in one run.

Bare: QEMU boots Xen and dom0, ``xl create`` makes one paravirtual guest by hand. Ours: the ``xen`` hypervisor of the
reference clouds does the same, first from a cold start (boots a host and saves it), then from the saved host.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cattrs
from golden_images.manifest import HostImage, read_host_manifest
from refclouds.hypervisors import HypervisorSetup
from refclouds.hypervisors.xen import Xen
from refclouds.node import GuestSpec
from refclouds.xen.host import XenHost

from benchmarks import bare_xen, metadata
from benchmarks.machine import Form
from benchmarks.taking import Taking
from benchmarks.told import Bar, Chart, Figure, Table, ratios, span

TITLE = "Xen"
ABOUT = (
    "Bare: QEMU boots Xen and dom0, xl create makes one paravirtual guest by hand. Ours: the Xen host of the "
    "reference clouds does the same, cold (boots a host and saves it), and from the saved host, as every start "
    "but a machine's first goes. Without a NIC: DHCP and the metadata service belong to the flow. No aim was "
    "set."
)
COLUMNS = {
    "bare": "bare: QEMU and xl by hand",
    "cold": "ours, cold: boots a host and saves it",
    "saved": "ours, from the saved host",
}


def measure(take: Taking) -> dict[str, Any]:
    """Raises ``RuntimeError``, ``OSError`` or ``CalledProcessError``."""
    image, golden = read_host_manifest(_built("xen-host").parent), _built("pocket")
    found = []
    for number in range(take.repeat):
        with take.repetition("Xen host and guest"):
            found.append(_repetition(image, golden, take.scratch / str(number)))
        told = ", ".join(f"{name} {t.host_ready_s:.1f} + {t.guest_ready_s:.1f} s" for name, t in found[-1].items())
        take.say(told)
    return {"repetitions": cattrs.unstructure(found)}


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


# -- the page


def _read(measured: Mapping[str, Any]) -> list[dict[str, bare_xen.Times]]:
    return cattrs.structure(measured["repetitions"], list[dict[str, bare_xen.Times]])


def figures(measured: Mapping[str, Any]) -> Iterator[Figure]:
    """None: nobody set an aim."""
    return iter(())


def charts(measured: Mapping[str, Any]) -> Iterator[Chart]:
    found = _read(measured)
    bars = tuple(
        Bar(part, name, tuple(getattr(one[name], field) for one in found))
        for part, field in (("host ready", "host_ready_s"), ("guest ready", "guest_ready_s"))
        for name in COLUMNS
    )
    yield Chart("Until the host answers, and then until its guest's SSH server runs", "seconds", bars)


def tables(measured: Mapping[str, Any]) -> Iterator[Table]:
    found, rows = _read(measured), []
    totals = {name: [one[name].host_ready_s + one[name].guest_ready_s for one in found] for name in COLUMNS}
    for name, title in COLUMNS.items():
        ready, guest = (
            [float(getattr(one[name], part)) for one in found] for part in ("host_ready_s", "guest_ready_s")
        )
        of_bare = ratios(totals[name], totals["bare"])
        rows.append((title, span(ready), span(guest), span(totals[name]), span(of_bare)))
    yield Table("Medians with their range", ("", "host ready, s", "guest ready, s", "both, s", "ratio to bare"), rows)
