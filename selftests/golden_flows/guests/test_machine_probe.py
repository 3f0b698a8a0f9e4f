"""What the machine probe makes of disks and files; it runs on this machine's own Python."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from golden_flows.guests.probes import machine


def test_an_ext4_file_system_is_known_by_its_uuid(tmp_path: Path) -> None:
    own = uuid.uuid4()
    disk = tmp_path / "disk"
    with disk.open("wb") as file:
        file.truncate(8 << 20)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-U", str(own), str(disk)], check=True)
    assert machine.identified(disk.read_bytes()[: machine.HEAD_BYTES]) == [f"ext {own}"]


@pytest.mark.parametrize(
    ("magic_at", "magic", "uuid_at", "kind"), [(0, b"XFSB", 32, "xfs"), (0x10040, b"_BHRfS_M", 0x10020, "btrfs")]
)
def test_other_file_systems_have_theirs_elsewhere(magic_at: int, magic: bytes, uuid_at: int, kind: str) -> None:
    own, head = uuid.uuid4(), bytearray(machine.HEAD_BYTES)
    head[magic_at : magic_at + len(magic)] = magic
    head[uuid_at : uuid_at + 16] = own.bytes
    assert machine.identified(bytes(head)) == [f"{kind} {own}"]


def test_a_disk_without_a_file_system_has_no_uuid() -> None:
    assert machine.identified(bytes(machine.HEAD_BYTES)) == []
    assert machine.identified(b"") == []


def test_it_answers_in_json_with_an_empty_digest_for_what_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "payload").write_bytes(b"anne")
    asked = json.dumps({"files": [str(tmp_path / "payload"), str(tmp_path / "absent")]})
    argv = [sys.executable, "-I", "-S", "-B", str(Path(machine.__file__)), asked]
    told = json.loads(subprocess.run(argv, capture_output=True, check=True, timeout=60).stdout)
    assert list(told["files"].values()) == [hashlib.sha256(b"anne").hexdigest(), ""]
