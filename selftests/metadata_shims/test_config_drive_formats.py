"""Both file systems of the config drive hold the same names and bytes, and only the owner may read them."""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from guest_agent import config_drive as reader
from metadata_shims import config_drive, vfat
from metadata_shims.config_drive import Form
from metadata_shims.short_names import shorten

from selftests.metadata_shims.test_channels import INSTANCE


def entries(image: bytes, at: int, length: int) -> Iterator[tuple[str, str, int, int, int]]:
    """(long name, short name, attributes, cluster, size) of a folder, read by other means than it was written."""
    long: list[bytes] = []
    for start in range(at, at + length, 32):
        entry = image[start : start + 32]
        if not entry[0]:
            return
        if entry[11] == 0x0F:
            long.insert(0, entry[1:11] + entry[14:26] + entry[28:32])
            continue
        name = b"".join(long).decode("utf-16-le").partition("\0")[0].rstrip("\uffff")
        cluster, size = struct.unpack_from("<HI", entry, 26)
        yield name, entry[:11].decode(), entry[11], cluster, size
        long = []


def tree(image: bytes) -> dict[str, bytes]:
    """Every file of a FAT16 image by path, following the chains of its table."""
    sector, per_cluster, reserved, fats, roots = struct.unpack_from("<HBHBH", image, 11)
    (fat_sectors,) = struct.unpack_from("<H", image, 22)
    root_at = (reserved + fats * fat_sectors) * sector
    data_at, size = root_at + roots * 32, sector * per_cluster

    def chain(cluster: int) -> bytes:
        found = b""
        while 2 <= cluster < 0xFFF0:
            found += image[data_at + (cluster - 2) * size :][:size]
            (cluster,) = struct.unpack_from("<H", image, reserved * sector + 2 * cluster)
        return found

    def walk(data: bytes, prefix: str) -> Iterator[tuple[str, bytes]]:
        for name, short, kind, cluster, length in entries(data, 0, len(data)):
            if kind & 0x08 or short.startswith("."):
                continue
            if kind & 0x10:
                yield from walk(chain(cluster), f"{prefix}{name or short.strip()}/")
            else:
                yield f"{prefix}{name or short}", chain(cluster)[:length]

    return dict(walk(image[root_at:data_at], ""))


def test_vfat_holds_every_file_under_its_long_name(tmp_path: Path) -> None:
    long_user_data = replace(INSTANCE, user_data=bytes(range(256)) * 255)
    target = tmp_path / "drive"
    config_drive.write(long_user_data, target, Form("vfat"))
    assert target.stat().st_mode & 0o077 == 0
    assert target.stat().st_size == 64 << 20
    assert target.stat().st_blocks * 512 < 4 << 20
    found, expected = tree(target.read_bytes()), dict(config_drive.files(long_user_data))
    assert set(found) == set(expected)
    # random_seed is another in each rendering
    assert {name: data for name, data in found.items() if "meta_data" not in name} == {
        name: data for name, data in expected.items() if "meta_data" not in name
    }


@pytest.mark.parametrize("filesystem", config_drive.FORMATS)
@pytest.mark.parametrize("label", ["config-2", "CONFIG-2"])
def test_the_agent_reads_file_system_and_label(tmp_path: Path, filesystem: str, label: str) -> None:
    config_drive.write(INSTANCE, tmp_path / "drive", Form(filesystem, label))
    drive = reader.find([str(tmp_path / "drive")])
    assert drive is not None
    told = drive.to_report()
    assert (told["filesystem"], told["label"], told["mode"]) == (filesystem, label, "0600")
    assert told["extensions"] == (["joliet", "rock-ridge"] if filesystem == "iso9660" else [])


def test_a_disc_without_extensions_is_told_from_one_with_them(tmp_path: Path) -> None:
    config_drive.write(INSTANCE, tmp_path / "drive", Form(long_names=False))
    assert reader.iso_extensions(str(tmp_path / "drive")) == []
    assert reader.iso_extensions(str(tmp_path / "nothing")) == []
    (tmp_path / "empty").touch()
    assert reader.iso_extensions(str(tmp_path / "empty")) == []


def test_without_long_names_no_agent_finds_its_file(tmp_path: Path) -> None:
    config_drive.write(INSTANCE, tmp_path / "drive", Form("vfat", long_names=False))
    names = set(tree((tmp_path / "drive").read_bytes()))
    assert "OPENSTAC/LATEST/META_DATJSO" in names
    assert len(names) == len(dict(config_drive.files(INSTANCE)))


def test_short_names_differ_within_a_folder() -> None:
    short = shorten(["vendor_data.json", "vendor_data2.json", "latest"])
    assert short["vendor_data.json"] == ("VENDOR_D", "JSO")
    assert short["vendor_data2.json"] == ("VENDO001", "JSO")
    assert short["latest"] == ("LATEST", "")


def test_what_does_not_fit_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "drive").write_bytes(b"old")
    with pytest.raises(vfat.DriveFull):
        config_drive.write(replace(INSTANCE, user_data=bytes(6 << 20)), tmp_path / "drive", Form("vfat"))
    assert [path.name for path in tmp_path.iterdir()] == ["drive"]
    assert (tmp_path / "drive").read_bytes() == b"old"


@pytest.mark.skipif(shutil.which("fsck.fat") is None, reason="fsck.fat (dosfstools) is not installed")
def test_fsck_finds_nothing_to_mend(tmp_path: Path) -> None:
    config_drive.write(INSTANCE, tmp_path / "drive", Form("vfat"))
    done = subprocess.run(["fsck.fat", "-n", str(tmp_path / "drive")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_names_of_the_drive_are_told_once_each_and_no_content(tmp_path: Path) -> None:
    for name, data in config_drive.files(INSTANCE):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    names = reader.list_names(str(tmp_path))
    assert len(names) == len(set(names)) <= reader.MAX_NAMES
    assert {"openstack/", "openstack/latest/", "openstack/latest/meta_data.json", "ec2/latest/user-data"} <= set(names)
