"""Run inside fresh namespaces by test_xen_host: boots the real host, plugs a port, kills the host; says what it saw."""

import asyncio
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

from golden_images.manifest import read_host_manifest
from refclouds.fabric import links
from refclouds.fabric.namespace import NamespaceFabric
from refclouds.node import IngressRule, NetworkSpec, NicSpec, PortRules
from refclouds.xen.host import XenHost, XenHostError

NETWORK = NetworkSpec("11111111-net", "flat", "10.10.0.0/24", "10.10.0.1", True, ("10.10.0.1",), 1500, True)
NIC = NicSpec("aaaaaaaa-aaaa-port", "fa:16:3e:00:00:0a", NETWORK.id, "10.10.0.10", 24, "vif")
RULES = PortRules((IngressRule("icmp"),))


async def probe(image: Path, folder: Path) -> dict[str, object]:
    """Everything about two lives of the host; the first is preceded by a boot, a quarter of a minute and more."""
    host = XenHost(
        read_host_manifest(image),
        folder / "consoles",
        share=folder / "share",
        guest_memory_mib=256,
        saves=folder / "saves",
    )
    fabric = NamespaceFabric(folder / "net")
    try:
        return await look(host, fabric, folder)
    finally:
        await host.close()
        await fabric.stop()


async def look(host: XenHost, fabric: NamespaceFabric, folder: Path) -> dict[str, object]:
    seen: dict[str, object] = {}
    deaths: list[str] = []
    host.on_death = deaths.append
    _, seen["ready_s"] = await timed(asyncio.gather(host.ensure(), host.ensure()))
    _, seen["true_s"] = await timed(host.run(["true"]))
    _, seen["xl_list_s"] = await timed(host.run(["xl", "list"]))
    lines = [line.split(":", 1) for line in (await host.check(["xl", "info"])).splitlines()]
    seen["info"] = {key.strip(): value.strip() for key, value in lines}
    # both ways through the share, each in the way it is meant for
    (folder / "share/from-outside").write_text("outside")
    seen["read_in_dom0"] = await host.check(["cat", host.dom0_path(folder / "share/from-outside")])
    disk = folder / "share/disk"
    await host.check(["dd", "if=/dev/urandom", f"of={host.dom0_disk_path(disk)}", "bs=1M", "count=4"])
    await host.flush(disk)
    in_dom0 = await host.check(["sha256sum", host.dom0_disk_path(disk)])
    seen["flushed"] = in_dom0.split()[0] == os.popen(f"sha256sum {disk}").read().split()[0]
    # a file that is made anew outside is cached under its old bytes until dom0 is told to forget them
    replaced = folder / "share/replaced"
    read_cached = ["cat", host.dom0_disk_path(replaced)]
    replaced.write_text("old")
    await host.check(read_cached)
    replaced.unlink()
    replaced.write_text("newer")
    await host.forget()
    seen["read_after_forget"] = await host.check(read_cached)
    await fabric.start([NETWORK])
    await fabric.plug(NIC, RULES)
    bridge, seen["attach_s"] = await timed(host.attach_nic(NIC.port_id, *fabric.netdev(NIC.port_id)))
    seen["same_bridge_again"] = bridge == await host.attach_nic(NIC.port_id, *fabric.netdev(NIC.port_id))
    seen["through_the_port"] = await answers_through(host, bridge)
    await host.detach_nic(NIC.port_id)
    seen["links_after_detach"] = (await host.check(["ls", "/sys/class/net"])).split()
    running = host._running()
    if running is not None:
        running.process.send_signal(signal.SIGKILL)
    while not deaths:
        await asyncio.sleep(0.01)
    seen["death"] = deaths[0]
    try:
        await host.run(["true"])
    except XenHostError as error:
        seen["while_dead"] = str(error)
    _, seen["again_s"] = await timed(host.ensure())
    # this host was saved a while ago, and dom0's clock goes on from there until it is set
    seen["clock_off_s"] = abs(int(await host.check(["date", "+%s"])) - time.time())
    again = await host.attach_nic(NIC.port_id, *fabric.netdev(NIC.port_id))
    seen["through_the_port_again"] = await answers_through(host, again)
    return seen


async def answers_through(host: XenHost, bridge: str) -> list[bool]:
    """Whether the cloud's gateway answers the guest's address and MAC, and one that is not the port's."""
    script = (
        f"ip address add {NIC.ip}/24 dev {bridge} 2>/dev/null; ip link set {bridge} address $0;"
        "ping -c 3 -W 5 -A 10.10.0.1 >/dev/null && echo yes"
    )
    found = []
    for mac in (NIC.mac, "fa:16:3e:00:00:99"):
        await links.batch([f"neigh flush dev {links.bridge_name(NETWORK.id)}"])
        found.append((await host.run(["sh", "-c", script, mac])).out == "yes\n")
    return found


async def timed(what: Awaitable[Any]) -> tuple[Any, float]:
    began_s = time.monotonic()
    result = await what
    return result, round(time.monotonic() - began_s, 3)


if __name__ == "__main__":
    logging.getLogger("qemu.qmp").setLevel(logging.CRITICAL)
    print(json.dumps(asyncio.run(probe(Path(sys.argv[1]), Path(sys.argv[2])))))
