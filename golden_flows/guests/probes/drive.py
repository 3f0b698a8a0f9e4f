"""The config drive as a guest with ``blkid`` and ``mount`` finds it: what it is, the names on it, what it says.

The password that may lie on it is looked for elsewhere in the guest, and never printed.
Source: nova/virt/configdrive.py; ECMA-119, 8.4 and 8.5; IEEE P1281 (SUSP), 5.3.
"""

from __future__ import annotations

import os
import stat
import subprocess
import tempfile

from golden_flows.guests.probes.reading import bytes_of, document, said

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

LABELS = ("config-2", "CONFIG-2")
LATEST = "openstack/latest"
FILES = ("meta_data.json", "user_data", "vendor_data.json", "vendor_data2.json", "network_data.json")
FOLDERS = ("", "openstack", LATEST)
NAMES_MAX = 64
SECTOR = 2048
JOLIET_ESCAPES = (b"%/@", b"%/C", b"%/E")
RECORDS_MAX_BYTES = 1 << 24
"""A log that is longer is read no further."""


class Drive:
    """``seen`` is its entry in a report; ``files`` are those of ``openstack/latest``."""

    def __init__(self, device: str) -> None:
        self.device = device
        filesystem, label = (said("blkid", "-p", "-o", "value", "-s", tag, device).strip() for tag in ("TYPE", "LABEL"))
        self.files: dict[str, bytes] = {}
        self.seen: dict[str, Any] = {
            "device": device,
            "mode": mode_of(device),
            "filesystem": filesystem,
            "label": label,
            "extensions": iso_extensions(device) if filesystem == "iso9660" else [],
            "names": [],
            "error": "",
        }

    def read(self) -> None:
        """Mount it read-only, as nobody else's business, and take its names and files."""
        folder = tempfile.mkdtemp()
        mount = ["mount", "-o", "ro,nosuid,nodev,noexec", self.device, folder]
        try:
            if subprocess.run(mount, stderr=subprocess.DEVNULL, check=False).returncode:
                self.seen["error"] = f"{self.device} cannot be mounted"
                return
            try:
                self.seen["names"] = names_below(folder)
                contents = {name: bytes_of(f"{folder}/{LATEST}/{name}") for name in FILES}
                self.files = {name: content for name, content in contents.items() if content is not None}
            except OSError as error:  # its folders can be no folders once somebody looks into them
                self.seen["error"] = f"{self.device} cannot be read: {error.strerror}"
            finally:
                subprocess.run(["umount", folder], check=False)
        finally:
            os.rmdir(folder)

    def look_for_password(self, places: Iterable[str]) -> None:
        """Whether one lies on it in clear, and which files of the guest hold the same, with their modes."""
        meta = document(self.files.get("meta_data.json"))
        password = meta.get("admin_pass") if isinstance(meta, dict) else None
        self.seen["admin_pass"] = bool(password)
        if not isinstance(password, str) or not password:
            return
        holding = [path for path in places if password.encode() in head_of(path)]
        self.seen["kept"] = {path: mode_of(path) for path in holding}


def find_drive() -> Drive | None:
    """The first one, read; None where no disk or disc has its label."""
    for label in LABELS:
        for device in said("blkid", "-t", f"LABEL={label}", "-o", "device").split():
            drive = Drive(device)
            drive.read()
            return drive
    return None


def names_below(top: str) -> list[str]:
    """What is in ``FOLDERS``, as paths; those of folders end in ``/``."""
    found = []
    for folder in FOLDERS:
        place = os.path.join(top, folder)
        inside = sorted(os.listdir(place)) if os.path.isdir(place) else []
        for path in (os.path.join(folder, name) for name in inside):
            found.append(path + "/" * os.path.isdir(os.path.join(top, path)))
    return found[:NAMES_MAX]


def iso_extensions(device: str) -> list[str]:
    """``joliet`` is a supplementary volume descriptor with UCS-2's escape; ``rock-ridge`` announces itself (SP)."""
    found = []
    try:
        with open(device, "rb") as disc:
            disc.seek(16 * SECTOR)
            primary = descriptor = disc.read(SECTOR)
            while descriptor[1:6] == b"CD001" and descriptor[0] != 255:
                if descriptor[0] == 2 and descriptor[88:91] in JOLIET_ESCAPES:
                    found.append("joliet")
                descriptor = disc.read(SECTOR)
            disc.seek(SECTOR * int.from_bytes(primary[158:162], "little"))
            own_entry = disc.read(SECTOR)
            if b"SP\x07\x01\xbe\xef" in own_entry[: own_entry[0]]:
                found.append("rock-ridge")
    except (OSError, IndexError):
        pass
    return found


def mode_of(path: str) -> str | None:
    """As ``0640``; None for what is not there."""
    try:
        return f"{stat.S_IMODE(os.stat(path).st_mode):04o}"
    except OSError:
        return None


def head_of(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(RECORDS_MAX_BYTES)
    except OSError:
        return b""
