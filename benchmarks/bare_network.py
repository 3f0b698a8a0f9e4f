"""What a bare guest's NICs are on, inside a network namespace of its own: bridges, DHCP on the first of them."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks import metadata

GATEWAY = "192.168.100.1"


def make(bridges: int, more: Sequence[str] = ()) -> None:
    """Bridges ``br0`` …; further lines are for ``ip -batch``."""
    lines = ["link set lo up"]
    for number in range(bridges):
        lines += [f"link add br{number} type bridge stp_state 0 forward_delay 0", f"link set br{number} up"]
    lines += [*more, f"address add {GATEWAY}/24 dev br0", f"address add {metadata.ADDRESS}/32 dev br0"]
    subprocess.run(["ip", "-batch", "-"], input="\n".join(lines).encode(), check=True)


@contextlib.contextmanager
def dhcp(addresses: Mapping[str, str], folder: Path) -> Iterator[None]:
    """Serve these addresses, by MAC, while it is entered."""
    routes = f"{metadata.ADDRESS}/32,{GATEWAY},0.0.0.0/0,{GATEWAY}"
    argv = [
        *("dnsmasq", "--conf-file=/dev/null", "--no-daemon", "--user=root", "--group=root", "--pid-file="),
        *("--port=0", "--no-ping", "--bind-interfaces", "--interface=br0", "--dhcp-authoritative"),
        f"--dhcp-range={GATEWAY},static,255.255.255.0,86400s",
        *(f"--dhcp-host={mac},{address}" for mac, address in addresses.items()),
        f"--dhcp-leasefile={folder / 'leases'}",
        f"--dhcp-option=option:router,{GATEWAY}",
        f"--dhcp-option=option:classless-static-route,{routes}",
    ]
    quiet = subprocess.DEVNULL
    dnsmasq = subprocess.Popen(argv, stdin=quiet, stdout=quiet, stderr=quiet)
    try:
        yield
    finally:
        dnsmasq.kill()
        dnsmasq.wait()
