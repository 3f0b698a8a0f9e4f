"""Prints what cloud-init and the system tell of a guest, as a status report of schema 1: ``python3 - JSON < this``.

It asks cloud-init's own records (status.json, result.json, instance-data.json), systemd, /sys and ``ip``, and makes the
metadata requests of which nobody else in such a guest keeps a record. Nothing secret is printed: digests only of user
data and keys.
Source: https://cloudinit.readthedocs.io/en/latest/explanation/instancedata.html
"""

from __future__ import annotations

import base64
import glob
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HOST = "http://169.254.169.254"
OPENSTACK = "/openstack/latest"
EC2 = "/latest/meta-data"
FILES = ("meta_data.json", "user_data", "vendor_data.json", "vendor_data2.json", "network_data.json")
TIMEOUT_S = 10
STAGES = ("init-local", "init", "modules-config", "modules-final")
GZIP_MAGIC = b"\x1f\x8b"
INSTANCE = "/var/lib/cloud/instance"
#: Services that belong to some platform.
PLATFORM_SERVICES = (
    *("xe-daemon", "xe-linux-distribution", "open-vm-tools", "vmtoolsd", "qemu-guest-agent", "walinuxagent", "waagent"),
    *("hv-kvp-daemon", "hv-vss-daemon", "google-guest-agent", "amazon-ssm-agent", "vboxadd-service", "vboxservice"),
)


def text_of(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return None


def bytes_of(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None


def document(content: str | bytes | None) -> Any:
    try:
        return json.loads(content) if content else None
    except ValueError:
        return None


def said(*argv: str) -> str:
    """What a program prints; nothing where there is no such program."""
    try:
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=30, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", "replace")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def stripped(path: str) -> str | None:
    return (text_of(path) or "").strip() or None


# -- metadata


class Service:
    """The metadata address: every request is kept for the report."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.listing: dict[str, str | None] = {}

    def get(self, path: str) -> tuple[int | None, bytes]:
        """(status or None, body)."""
        began = time.monotonic()
        status, kind, body, error = None, None, b"", None
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(HOST + path, timeout=TIMEOUT_S) as answer:
                status, kind, body = answer.status, answer.headers.get("Content-Type"), answer.read()
        except urllib.error.HTTPError as refusal:
            status, kind, body = refusal.code, refusal.headers.get("Content-Type"), refusal.read()
        except (OSError, ValueError) as trouble:
            error = str(trouble)[:100]
        parsed = document(body) is not None if status == 200 and ".json" in path else None
        self.requests.append(
            {
                "path": path,
                "status": status,
                "content_type": kind,
                "bytes": len(body),
                "sha256": sha256(body),
                "elapsed_s": round(time.monotonic() - began, 3),
                "json_ok": parsed,
                "error": error,
            }
        )
        return status, body

    def list_versions(self, path: str) -> None:
        status, body = self.get(path)
        self.listing[path] = body.decode("utf-8", "replace")[:500] if status == 200 else None


def openstack_over_http(service: Service) -> dict[str, bytes]:
    service.list_versions("/openstack")
    service.get(OPENSTACK)
    found = {}
    for name in FILES:
        status, body = service.get(f"{OPENSTACK}/{name}")
        if status == 200:
            found[name] = body
    service.get(OPENSTACK + "/password")
    service.get(OPENSTACK + "/no-such-file")
    return found


def config_drive() -> dict[str, bytes] | None:
    """The files of ``openstack/latest``; None where no disk is labelled config-2."""
    device = next(
        (said("blkid", "-t", "LABEL=" + label, "-o", "device").strip() for label in ("config-2", "CONFIG-2")), ""
    )
    if not device:
        return None
    folder = tempfile.mkdtemp()
    try:
        if subprocess.run(["mount", "-o", "ro", device.split()[0], folder], check=False).returncode:
            return {}
        try:
            contents = {name: bytes_of(f"{folder}/openstack/latest/{name}") for name in FILES}
        finally:
            subprocess.run(["umount", folder], check=False)
    finally:
        os.rmdir(folder)
    return {name: content for name, content in contents.items() if content is not None}


def channel(name: str, found: bool, used: bool, values: dict[str, Any]) -> dict[str, Any]:
    keys = {key: sha256(json.dumps(value, sort_keys=True).encode()) for key, value in values.items()}
    return {"name": name, "present": found, "used": used, "reason": "read" if found else "not there", "keys": keys}


def openstack_channel(name: str, files: dict[str, bytes] | None, used: bool) -> dict[str, Any]:
    files = files or {}
    meta = document(files.get("meta_data.json"))
    if not isinstance(meta, dict):
        return channel(name, False, False, {})
    told = meta.get("meta")
    values = {
        "hostname": meta.get("hostname"),
        "uuid": str(meta.get("uuid")).lower(),
        "public_keys": sorted(bare_keys(meta.get("public_keys"))),
        "meta": {key: value for key, value in told.items() if key != "admin_pass"} if isinstance(told, dict) else {},
        "network_data": document(files.get("network_data.json")),
        "user_data": sha256(files.get("user_data", b"")),
    }
    return channel(name, True, used, values)


def ec2_channel(service: Service) -> dict[str, Any]:
    status, listing = service.get(EC2 + "/")
    identified, _ = service.get(EC2 + "/instance-id") if status == 200 else (None, b"")
    if identified != 200:
        return channel("ec2-http", False, False, {})
    keys = {}
    if b"public-keys/" in listing.split():
        keys = {"0": service.get(EC2 + "/public-keys/0/openssh-key")[1].decode("utf-8", "replace")}
    hostname = service.get(EC2 + "/hostname")[1].decode("utf-8", "replace").strip()
    status, data = service.get("/latest/user-data")
    values = {
        "hostname": hostname or None,
        "public_keys": sorted(bare_keys(keys)),
        "user_data": sha256(data if status == 200 else b""),
    }
    return channel("ec2-http", True, False, values)


def bare_keys(keys: Any) -> set[str]:
    """Type and base64 of every key, once."""
    texts = keys.values() if isinstance(keys, dict) else keys if isinstance(keys, list) else []
    lines = (line.split() for text in texts if isinstance(text, str) for line in text.splitlines())
    return {" ".join(words[:2]) for words in lines if len(words) > 1}


def fingerprint(key: str) -> str:
    digest = hashlib.sha256(base64.b64decode(key.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


# -- the system


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


def routes() -> list[dict[str, Any]]:
    found = []
    for family in (4, 6):
        for one in document(said("ip", "-j", f"-{family}", "route")) or []:
            way = {"destination": one.get("dst", ""), "gateway": one.get("gateway"), "interface": one.get("dev", "")}
            found.append({"family": family, **way})
    return found


def leases(known: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """systemd-networkd's. Its files are named by the NIC's number, and their format is shell variables."""
    by_number = {(text_of("/sys/class/net/{name}/ifindex".format(**one)) or "").strip(): one for one in known}
    found = []
    for path in sorted(glob.glob("/run/systemd/netif/leases/*")):
        link = by_number.get(os.path.basename(path))
        values = dict(line.split("=", 1) for line in (text_of(path) or "").splitlines() if "=" in line)
        if link is None or "ADDRESS" not in values:
            continue
        bits = sum(bin(int(part)).count("1") for part in values.get("NETMASK", "").split(".") if part.isdigit())
        classless = [route.split(",") for route in values.get("ROUTES", "").split() if "," in route]
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
                "classless_routes": [{"destination": one[0], "gateway": one[1]} for one in classless],
                "ntp": values.get("NTP", "").split(),
                "search": values.get("DOMAIN_SEARCH_LIST", "").split(),
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


# -- cloud-init


def phases(uptime_s: float) -> list[dict[str, Any]]:
    """cloud-init's stages, and how long its guest waited for the network between the first two."""
    stages = (document(text_of("/run/cloud-init/status.json")) or {}).get("v1") or {}
    booted = time.time() - uptime_s
    found = []
    for name in STAGES:
        stage = stages.get(name) or {}
        times = [round(stage[key] - booted, 2) if stage.get(key) else None for key in ("start", "finished")]
        errors = "; ".join(map(str, stage.get("errors") or ()))[:500]
        verdict = "failed" if errors else "ok" if times[1] else "skipped"
        found.append({"name": name, "verdict": verdict, "reason": errors, "began_s": times[0], "ended_s": times[1]})
    network = {"name": "network", "verdict": "ok", "reason": "from the end of init-local to init's begin"}
    return [{**network, "began_s": found[0]["ended_s"], "ended_s": found[1]["began_s"]}, *found]


def user_data(boot_id: str | None, runs: str) -> dict[str, Any]:
    """What cloud-init keeps of it, and what the script noted of its own runs.

    ``NONCE began BOOT UID WAYS`` and ``NONCE ended CODE``, a line each.
    """
    data = bytes_of(INSTANCE + "/user-data.txt") or b""
    lines = [line.split() for line in (text_of(runs) or "").splitlines()]
    script = zlib.decompress(data, 31) if data[:2] == GZIP_MAGIC else data
    own = [line for line in lines if len(line) > 2 and line[0].encode() in script]
    began = [line for line in own if line[1] == "began" and len(line) == 5]
    ended = [line for line in own if line[1] == "ended"]
    return {
        "present": bool(data),
        "bytes": len(data),
        "sha256": sha256(data) if data else None,
        "ran_this_boot": any(line[2] == boot_id for line in began),
        "run_count": len(began),
        "exit_code": int(ended[-1][2]) if ended else None,
        "uid": int(began[-1][3]) if began else None,
        "network_up": began[-1][4] != "0" if began else None,
    }


def report(runs: str) -> dict[str, Any]:
    with open("/proc/uptime", encoding="ascii") as file:
        uptime_s = float(file.read().split()[0])
    boot_id = stripped("/proc/sys/kernel/random/boot_id")
    result = (document(text_of("/run/cloud-init/result.json")) or {}).get("v1") or {}
    instance = document(text_of("/run/cloud-init/instance-data.json")) or {}
    told = (instance.get("ds") or {}).get("meta_data") or {}
    standard = instance.get("v1") or {}
    errors = [str(one)[:500] for one in result.get("errors") or ()]
    source = str(standard.get("subplatform") or result.get("datasource") or "")
    service, drive = Service(), config_drive()
    service.list_versions("/")
    over_http = openstack_over_http(service)
    by_drive = "config-disk" in source or "ConfigDrive" in source
    used = drive if by_drive and drive else over_http
    known = links()
    dmi = "/sys/class/dmi/id/"
    kind = stripped("/sys/hypervisor/type") or said("systemd-detect-virt").strip() or None
    return {
        "schema": 1,
        "run": str((told.get("meta") or {}).get("interop_run") or ""),
        "boot_id": boot_id,
        "kernel": os.uname().release,
        "verdict": "degraded" if errors else "ok",
        "reasons": errors,
        "phases": phases(uptime_s),
        "identity": {
            "uuid": told.get("uuid") or standard.get("instance_id"),
            "hostname": told.get("hostname") or standard.get("local_hostname"),
            "name": told.get("name"),
            "smbios_uuid": stripped(dmi + "product_uuid"),
            "smbios_product": stripped(dmi + "product_name"),
            "smbios_vendor": stripped(dmi + "sys_vendor"),
        },
        "channels": [
            openstack_channel("config-drive", drive, by_drive),
            openstack_channel("openstack-http", over_http, not by_drive),
            ec2_channel(service),
        ],
        "metadata": {"listing": service.listing, "requests": service.requests},
        "network_data": document(used.get("network_data.json")) or {},
        "dhcp": leases(known),
        "links": known,
        "routes": routes(),
        "drivers": {"verdict": "skipped", "reason": "cloud-init installs no drivers"},
        "block": block(),
        "auth": {"key_fingerprints": [fingerprint(key) for key in sorted(bare_keys(told.get("public_keys")))]},
        "user_data": user_data(boot_id, runs),
        "hypervisor": {"type": kind, "guest_type": None, "uuid": stripped("/sys/hypervisor/uuid")},
        "consoles": consoles(),
        "services": services(),
    }


if __name__ == "__main__":
    json.dump(report(json.loads(sys.argv[1])["runs"]), sys.stdout)
