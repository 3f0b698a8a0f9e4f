"""``python -m benchmarks.bare_burst N``: N guests of one image, inside the network namespace that it is started in.

No API, no scheduler, no suite: the hypervisor of the reference clouds makes what ``public-lite`` makes, a few guests at
a time, each with its two NICs and config drive, and a guest is up when SSH answers. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
import os
import sys
import time
import uuid
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from refclouds.fabric import taps
from refclouds.fabric.taps import Tap
from refclouds.hypervisors import HypervisorSetup
from refclouds.hypervisors.qemu import Qemu
from refclouds.node import GuestSpec, NicSpec

from benchmarks import bare_network, machine, metadata
from benchmarks.bare_boot import KEY
from benchmarks.machine import FORMS, Form

FORM = FORMS["public-lite"]
FIRST_HOST = 10
UP_LIMIT_S = 900.0
POLL_S = 0.2
MTU = 1500


@dataclass(frozen=True)
class Guest:
    """One of them, before it runs."""

    host: int
    spec: GuestSpec
    files: dict[str, bytes]

    @property
    def address(self) -> str:
        return f"192.168.100.{self.host}"


def main() -> int:
    """Set up the networks, start the guests, and say when each was up."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bare_burst", description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("image", type=Path, help="VHD that all of them are overlays of")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--bundle", type=Path, required=True, help="driver bundle for the guests' kernel")
    parser.add_argument("--kernel", required=True, help="release of the guests' kernel")
    parser.add_argument("--template", action="store_true", help="all start from a template")
    asked = parser.parse_args()
    bundle = asked.bundle.read_bytes()
    offer = {"kernel": asked.kernel, "sha256": hashlib.sha256(bundle).hexdigest()}
    guests = [_guest(FIRST_HOST + n, asked.folder, offer, template=asked.template) for n in range(asked.count)]
    bare_network.make(len(FORM.nics))
    by_address = {one.address: one.files for one in guests}
    metadata.serve(lambda address: by_address.get(address, {}), bundle)
    with bare_network.dhcp({one.spec.nics[0].mac: one.address for one in guests}, asked.folder):
        print(json.dumps(asyncio.run(_burst(guests, asked.image, asked.folder, template=asked.template))))
    return 0


def _guest(host: int, folder: Path, offer: dict[str, str], *, template: bool) -> Guest:
    guest_id = str(uuid.uuid4())
    own = tuple(replace(nic, mac=f"52:54:00:aa:{at:02x}:{host:02x}") for at, nic in enumerate(FORM.nics))
    form: Form = replace(FORM, nics=own)
    files = metadata.documents(form, guest_id, KEY, offer, host)
    drive = folder / f"{host}.iso"
    metadata.write_config_drive(files, drive)
    nics = tuple(
        NicSpec(str(uuid.uuid4()), nic.mac, f"n{at}", f"192.168.{100 * (at + 1)}.{host}", 24, nic.model)
        for at, nic in enumerate(own)
    )
    disk, word = folder / f"{host}.qcow2", "all" if template else ""
    spec = GuestSpec(
        *(guest_id, f"bare-{host}", machine.RAM_MIB, 1, disk, "qcow2", FORM.disk_bus, nics, drive, "pc"),
        cpu="max,-erms",
        template=word,
    )
    return Guest(host, spec, files)


async def _burst(guests: list[Guest], image: Path, folder: Path, *, template: bool) -> dict[str, object]:
    wires: dict[str, Tap] = {}

    def netdev(port_id: str) -> tuple[str, int]:
        handle = wires[port_id].handle
        if handle.fd is None:
            raise RuntimeError(f"the tap of port {port_id} has no descriptor")
        return wires[port_id].netdev, handle.fd

    hypervisor = Qemu(HypervisorSetup(folder / "consoles", netdev, share=folder, templates=template))
    (folder / "consoles").mkdir(mode=0o700, exist_ok=True)
    began_s = time.monotonic()
    turns = asyncio.Semaphore(os.cpu_count() or 1)

    async def bring_up(guest: Guest) -> float:
        async with turns:
            await hypervisor.create_disk(image, "vpc", guest.spec.disk, size_bytes=0)
            for at, nic in enumerate(guest.spec.nics):
                wires[nic.port_id] = await taps.plug(nic.port_id, f"br{at}", MTU)
            await hypervisor.start(guest.spec)
            await _ssh_answers(guest.address)
        return round(time.monotonic() - began_s, 2)

    try:
        up_s = await asyncio.gather(*map(bring_up, guests))
        starts = Counter(str(one["from"]) for one in hypervisor.starts.values())
    finally:
        await hypervisor.close()
    return {"up_s": sorted(up_s), "starts": dict(starts)}


async def _ssh_answers(address: str) -> None:
    """Raises ``TimeoutError``."""
    async with asyncio.timeout(UP_LIMIT_S):
        while True:
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(10.0):
                    reader, writer = await asyncio.open_connection(address, 22)
                    banner = await reader.read(4)
                writer.close()
                if banner == b"SSH-":
                    return
            await asyncio.sleep(POLL_S)


if __name__ == "__main__":
    sys.exit(main())
