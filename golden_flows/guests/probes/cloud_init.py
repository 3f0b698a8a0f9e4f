"""Prints what cloud-init and the system tell of a guest, as a status report of schema 1: ``run_probe``.

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
import sys
import time
import zlib

from golden_flows.guests.probes.drive import FILES, find_drive
from golden_flows.guests.probes.reading import bytes_of, document, said, sha256, stripped, text_of
from golden_flows.guests.probes.service import HOST, Service, bare_keys, ec2_channel, openstack_channel
from golden_flows.guests.probes.system import block, consoles, leases, links, routes, services

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

STAGES = ("init-local", "init", "modules-config", "modules-final")
GZIP_MAGIC = b"\x1f\x8b"
DMI = "/sys/class/dmi/id/"
#: Where cloud-init may have put what it was told, below the root.
RECORDS = ("/run/cloud-init/*", "/var/lib/cloud/instance/*", "/var/lib/cloud/data/*", "/var/log/cloud-init*.log")


class Records:
    """What cloud-init keeps of this boot, below ``root``."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.result = self._versioned("result.json")
        self.status = self._versioned("status.json")
        self.instance = document(text_of(f"{root}/run/cloud-init/instance-data.json")) or {}
        self.told: dict[str, Any] = (self.instance.get("ds") or {}).get("meta_data") or {}
        self.standard: dict[str, Any] = self.instance.get("v1") or {}
        self.user_data = bytes_of(f"{root}/var/lib/cloud/instance/user-data.txt") or b""
        self.source = str(self.standard.get("subplatform") or self.result.get("datasource") or "")

    def _versioned(self, name: str) -> dict[str, Any]:
        return (document(text_of(f"{self.root}/run/cloud-init/{name}")) or {}).get("v1") or {}

    @property
    def is_by_drive(self) -> bool:
        """Whether the config drive is what this boot was configured by."""
        return "config-disk" in self.source or "ConfigDrive" in self.source

    @property
    def is_by_ec2(self) -> bool:
        return "ec2" in str(self.instance.get("v1", {}).get("platform") or self.source).lower()

    @property
    def errors(self) -> list[str]:
        return [str(one)[:500] for one in self.result.get("errors") or ()]

    def files(self) -> list[str]:
        """All of its records that are files."""
        found = [path for pattern in RECORDS for path in glob.glob(self.root + pattern)]
        return sorted(path for path in found if os.path.isfile(path))

    def phases(self, uptime_s: float) -> list[dict[str, Any]]:
        """cloud-init's stages, and how long its guest waited for the network between the first two."""
        booted = time.time() - uptime_s
        found = []
        for name in STAGES:
            stage = self.status.get(name) or {}
            times = [round(stage[key] - booted, 2) if stage.get(key) else None for key in ("start", "finished")]
            errors = "; ".join(map(str, stage.get("errors") or ()))[:500]
            verdict = "failed" if errors else "ok" if times[1] else "skipped"
            found.append({"name": name, "verdict": verdict, "reason": errors, "began_s": times[0], "ended_s": times[1]})
        network = {"name": "network", "verdict": "ok", "reason": "from the end of init-local to init's begin"}
        return [{**network, "began_s": found[0]["ended_s"], "ended_s": found[1]["began_s"]}, *found]


def user_data(data: bytes, boot_id: str | None, runs: str) -> dict[str, Any]:
    """What cloud-init keeps of it, and what its scripts noted of their own runs.

    ``NONCE began BOOT UID WAYS``, ``NONCE ended CODE`` and ``NONCE mended``, a line each.
    """
    lines = [line.split() for line in (text_of(runs) or "").splitlines()]
    script = zlib.decompress(data, 31) if data[:2] == GZIP_MAGIC else data
    own = [line for line in lines if len(line) > 1 and line[0].encode() in script]
    began = [line for line in own if line[1] == "began" and len(line) == 5]
    ended = [line for line in own if line[1] == "ended" and len(line) == 3]
    return {
        "present": bool(data),
        "bytes": len(data),
        "sha256": sha256(data) if data else None,
        "ran_this_boot": any(line[2] == boot_id for line in began),
        "run_count": len(began),
        "exit_code": int(ended[-1][2]) if ended else None,
        "uid": int(began[-1][3]) if began else None,
        "network_up": began[-1][4] != "0" if began else None,
        "mended_parts": sum(line[1] == "mended" for line in own),
    }


def fingerprint(key: str) -> str:
    digest = hashlib.sha256(base64.b64decode(key.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def identity(records: Records, ec2: dict[str, str] | None) -> dict[str, Any]:
    told, standard = records.told, records.standard
    return {
        # EC2 tells no uuid: what stands under that name there is an id of another form.
        "uuid": told.get("uuid") or (None if records.is_by_ec2 else standard.get("instance_id")),
        "hostname": told.get("hostname") or standard.get("local_hostname"),
        "name": told.get("name"),
        "smbios_uuid": stripped(DMI + "product_uuid"),
        "smbios_product": stripped(DMI + "product_name"),
        "smbios_vendor": stripped(DMI + "sys_vendor"),
        "ec2_instance_id": ec2["instance-id"] if ec2 else None,
    }


def report(runs: str, root: str = "", host: str = HOST) -> dict[str, Any]:
    """The whole report; ``root`` and ``host`` are other than the guest's own only in tests."""
    with open("/proc/uptime", encoding="ascii") as file:
        uptime_s = float(file.read().split()[0])
    boot_id = stripped("/proc/sys/kernel/random/boot_id")
    records, service, found = Records(root), Service(host), find_drive()
    answers = service.list("/")
    over_http, ec2 = (service.openstack(FILES), service.ec2()) if answers else ({}, None)
    on_drive = found.files if found else {}
    if found:
        found.look_for_password(records.files())
    used = on_drive if records.is_by_drive and on_drive else over_http
    known = links()
    kind = stripped("/sys/hypervisor/type") or said("systemd-detect-virt").strip() or None
    return {
        "schema": 1,
        "run": str((records.told.get("meta") or {}).get("interop_run") or ""),
        "boot_id": boot_id,
        "kernel": os.uname().release,
        "verdict": "degraded" if records.errors else "ok",
        "reasons": records.errors,
        "phases": records.phases(uptime_s),
        "identity": identity(records, ec2),
        "channels": [
            openstack_channel("config-drive", on_drive, records.is_by_drive),
            openstack_channel("openstack-http", over_http, not records.is_by_drive and not records.is_by_ec2),
            ec2_channel(ec2, records.is_by_ec2),
        ],
        "metadata": {"listing": service.listing, "requests": service.requests},
        "config_drive": found.seen if found else None,
        "network_data": document(used.get("network_data.json")) or {},
        "dhcp": leases(known),
        "links": known,
        "routes": routes(),
        "drivers": {"verdict": "skipped", "reason": "cloud-init installs no drivers"},
        "block": block(),
        "auth": {"key_fingerprints": [fingerprint(key) for key in sorted(bare_keys(records.told.get("public_keys")))]},
        "user_data": user_data(records.user_data, boot_id, runs),
        "hypervisor": {"type": kind, "guest_type": None, "uuid": stripped("/sys/hypervisor/uuid")},
        "consoles": consoles(),
        "services": services(),
    }


if __name__ == "__main__":
    json.dump(report(**json.loads(sys.argv[1])), sys.stdout)
