"""Reads the config drive: found by its label on any disk or disc, mounted read-only, read, unmounted.

Source: nova/virt/configdrive.py; ECMA-119 8.4 (volume label), the FAT boot sector.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess

from golden_flows.shims.in_guest.server import Tree
from golden_flows.shims.in_guest.source import Found

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LABEL = "config-2"
VOLUME_AT, BLOCK, VOLUMES_MAX = 32768, 2048, 8
MOUNT_POINT = "/var/lib/golden-flows/config-drive"  # not below /run, over which a start script may mount another
MODULES = {"iso9660": ("isofs", "sr_mod"), "vfat": ("vfat", "nls_cp437", "nls_ascii", "nls_utf8")}
FILE_LIMIT_BYTES = 4 << 20
NAMES_MAX = 64


def look() -> Found | None:
    """The drive's tree; None as long as there is no drive that can be read."""
    for module in ("sr_mod", "virtio_blk"):
        subprocess.run(["modprobe", "-q", module], stderr=subprocess.DEVNULL, check=False)
    for name in sorted(os.listdir("/sys/class/block")):
        if name.startswith(("loop", "ram", "nbd", "fd", "zram")):
            continue
        labelled = label_of(f"/dev/{name}")
        if labelled is not None:
            return _read(f"/dev/{name}", labelled)
    return None


def label_of(device: str) -> str | None:
    """``iso9660`` or ``vfat`` where the device is so labelled; raises nothing."""
    try:
        with open(device, "rb") as file:
            boot = file.read(512)
            file.seek(VOLUME_AT)
            volume = file.read(72)
    except OSError:
        return None
    if volume[1:6] == b"CD001" and volume[40:72].rstrip() == LABEL.encode():
        return "iso9660"
    is_fat = boot[510:512] == b"\x55\xaa" and b"FAT" in (boot[54:57], boot[82:85])
    labels = (boot[43:54].rstrip(), boot[71:82].rstrip())
    return "vfat" if is_fat and LABEL.encode() in labels else None


def _read(device: str, filesystem: str) -> Found | None:
    for module in MODULES[filesystem]:
        subprocess.run(["modprobe", "-q", module], stderr=subprocess.DEVNULL, check=False)
    os.makedirs(MOUNT_POINT, mode=0o700, exist_ok=True)
    mount = ["mount", "-t", filesystem, "-o", "ro,nosuid,nodev,noexec", device, MOUNT_POINT]
    if subprocess.run(mount, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode:
        return None
    try:
        tree, names = read_tree(MOUNT_POINT), list_names(MOUNT_POINT)
    finally:
        subprocess.run(["umount", MOUNT_POINT], check=False)
    if tree is None:
        return None
    drive: dict[str, Any] = {
        "device": device,
        "filesystem": filesystem,
        "label": LABEL,
        "mode": f"{stat.S_IMODE(os.stat(device).st_mode):04o}",
        "extensions": extensions(device) if filesystem == "iso9660" else [],
        "names": names,
        "admin_pass": has_password(tree.files["meta_data.json"]),
    }
    return Found(tree, f"{device} ({filesystem})", {"config_drive": drive})


def read_tree(top: str) -> Tree | None:
    """What lies below ``top``; None without ``openstack/latest/meta_data.json``."""
    folder = os.path.join(top, "openstack")
    files = _files(os.path.join(folder, "latest"))
    if "meta_data.json" not in files:
        return None
    versions = [one for one in os.listdir(folder) if one not in ("latest", "content")]
    return Tree(files, _files(os.path.join(folder, "content")), versions)


def _files(folder: str) -> dict[str, bytes]:
    found = {}
    for name in sorted(os.listdir(folder))[:NAMES_MAX] if os.path.isdir(folder) else ():
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            with open(path, "rb") as file:
                found[name] = file.read(FILE_LIMIT_BYTES)
    return found


def list_names(top: str) -> list[str]:
    """Paths below ``top``; those of folders end in ``/``."""
    found = []
    for folder in ("", "openstack", "openstack/latest", "ec2", "ec2/latest"):
        inside = os.path.join(top, folder)
        for name in sorted(os.listdir(inside)) if os.path.isdir(inside) else ():
            path = f"{folder}/{name}" if folder else name
            found.append(f"{path}/" if os.path.isdir(os.path.join(top, path)) else path)
    return found[:NAMES_MAX]


def has_password(meta: bytes) -> bool:
    """Whether a password lies in clear in this meta_data.json."""
    try:
        document = json.loads(meta)
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and bool(document.get("admin_pass"))


def extensions(device: str) -> list[str]:
    """``joliet``: a volume descriptor of its own; ``rock-ridge``: said in the root folder's first entry (SUSP's SP)."""
    with open(device, "rb") as file:
        file.seek(VOLUME_AT)
        volumes = [file.read(BLOCK) for _ in range(VOLUMES_MAX)]
        file.seek(int.from_bytes(volumes[0][158:162], "little") * BLOCK)
        root = file.read(BLOCK)
    found = ["joliet"] if any(one[:1] == b"\2" and one[88:91] in (b"%/@", b"%/C", b"%/E") for one in volumes) else []
    return [*found, "rock-ridge"] if b"SP\x07\x01\xbe\xef" in root[: (root or b"\0")[0]] else found
