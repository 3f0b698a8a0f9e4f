"""A guest with a whole system (systemd, iproute2) looked at by /sys, ``ip`` and ``systemctl``, in the form of a status
report of schema 1: NICs, routes, leases, root disk, consoles, services of platforms.
"""

from __future__ import annotations

import glob
import os

from golden_flows.guests.probes.reading import document, said, text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LEASES = "/run/systemd/netif/leases"
#: Services that belong to some platform.
PLATFORM_SERVICES = (
    *("xe-daemon", "xe-linux-distribution", "open-vm-tools", "vmtoolsd", "qemu-guest-agent", "walinuxagent", "waagent"),
    *("hv-kvp-daemon", "hv-vss-daemon", "google-guest-agent", "amazon-ssm-agent", "vboxadd-service", "vboxservice"),
)


def driver_of(path: str) -> str | None:
    """The driver of a device in /sys, or of the first above it that is more than a disk's own."""
    path = os.path.realpath(path)
    while path.startswith("/sys/devices/"):
        name = os.path.basename(os.path.realpath(path + "/driver")) if os.path.exists(path + "/driver") else ""
        if name and name not in ("sd", "sr"):
            return name
        path = os.path.dirname(path)
    return None


def links() -> list[dict[str, Any]]:
    found = []
    for one in document(said("ip", "-j", "addr")) or []:
        name = one.get("ifname")
        if name == "lo":
            continue
        addresses = ["{local}/{prefixlen}".format(**each) for each in one.get("addr_info", ())]
        entry = {"name": name, "mac": one.get("address", ""), "mtu": one.get("mtu"), "addresses": addresses}
        device = f"/sys/class/net/{name}/device"
        driver = driver_of(device) if os.path.exists(device) else None
        found.append({**entry, "state": (one.get("operstate") or "").lower(), "driver": driver})
    return found


def as_cidr(destination: str) -> str:
    """A single address, which iproute2 prints without its prefix length, with it; ``default`` as it is."""
    if "/" in destination or not (":" in destination or destination[:1].isdigit()):
        return destination
    return f"{destination}/{128 if ':' in destination else 32}"


def routes() -> list[dict[str, Any]]:
    found = []
    for family in (4, 6):
        for one in document(said("ip", "-j", f"-{family}", "route")) or []:
            destination = as_cidr(one.get("dst", ""))
            way = {"destination": destination, "gateway": one.get("gateway"), "interface": one.get("dev", "")}
            found.append({"family": family, **way})
    return found


def leases(known: list[dict[str, Any]], folder: str = LEASES) -> list[dict[str, Any]]:
    """systemd-networkd's. Its files are named by the NIC's number, and their format is shell variables."""
    by_number = {(text_of("/sys/class/net/{name}/ifindex".format(**one)) or "").strip(): one for one in known}
    found = []
    for path in sorted(glob.glob(folder + "/*")):
        link = by_number.get(os.path.basename(path))
        values = dict(line.split("=", 1) for line in (text_of(path) or "").splitlines() if "=" in line)
        if link is None or "ADDRESS" not in values:
            continue
        bits = sum(bin(int(part)).count("1") for part in values.get("NETMASK", "").split(".") if part.isdigit())
        told = values.get("CLASSLESS_ROUTES") or values.get("ROUTES", "")  # before systemd 250 under the latter name
        classless = [route.split(",") for route in told.split() if "," in route]
        found.append(
            {
                "interface": link["name"],
                "mac": link["mac"],
                "ip": values["ADDRESS"],
                "prefixlen": bits,
                "routers": values.get("ROUTER", "").split(),
                "dns": values.get("DNS", "").split(),
                "mtu": int(values["MTU"]) if values.get("MTU", "").isdigit() else None,
                "lease_s": int(values["LIFETIME"]) if values.get("LIFETIME", "").isdigit() else None,
                "server_id": values.get("SERVER_ADDRESS"),
                "ntp": values.get("NTP", "").split(),
                "search": values.get("DOMAIN_SEARCH_LIST", "").split(),
                "classless_routes": [{"destination": one[0], "gateway": one[1]} for one in classless],
            }
        )
    return found


def block() -> dict[str, Any]:
    number = os.stat("/").st_dev
    device = os.path.realpath(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}")
    disk = device if os.path.exists(device + "/device") else os.path.dirname(device)
    words = (text_of("/proc/cmdline") or "").split()
    fstab = [line.split() for line in (text_of("/etc/fstab") or "").splitlines() if not line.startswith("#")]
    return {
        "root_device": "/dev/" + os.path.basename(device),
        "root_driver": driver_of(disk + "/device"),
        "cmdline_root": next((word[5:] for word in words if word.startswith("root=")), None),
        "fstab_root": next((one[0] for one in fstab if len(one) > 1 and one[1] == "/"), None),
    }


def shown(unit: str, *names: str) -> dict[str, str]:
    """Properties of a unit, as systemctl shows them."""
    lines = said("systemctl", "show", unit, "-p", ",".join(names)).splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def services() -> list[dict[str, Any]]:
    found = []
    for name in PLATFORM_SERVICES:
        unit = shown(name + ".service", "LoadState", "ActiveState", "NRestarts")
        if unit.get("LoadState") == "loaded":
            state = {"active": "running", "failed": "failed"}.get(unit.get("ActiveState", ""), "stopped")
            found.append({"name": name, "state": state, "restarts": int(unit.get("NRestarts") or 0)})
    return found


def consoles() -> dict[str, Any]:
    gettys = []
    for line in said("systemctl", "list-units", "--all", "--plain", "--no-legend", "*getty@*.service").splitlines():
        unit = line.split()[0]
        state = shown(unit, "ActiveState", "NRestarts")
        if state.get("ActiveState") in ("active", "activating", "failed"):
            terminal = unit.split("@")[1][: -len(".service")]
            there = os.path.exists("/dev/" + terminal)
            gettys.append({"line": terminal, "exists": there, "respawns": int(state.get("NRestarts") or 0)})
    return {"active": (text_of("/sys/class/tty/console/active") or "").split(), "gettys": gettys}
