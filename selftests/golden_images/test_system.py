"""A whole Debian system: its files as debugfs is told of them, and the recipe of the stock image."""

from __future__ import annotations

import io
import stat
import tarfile
from pathlib import Path

import pytest
from golden_images import ImageBuildError, debian, programs_of
from golden_images.system import EPOCH_S, Tree

MTIME_S = EPOCH_S + 7


def member(name: str, kind: bytes, *, mode: int = 0o644, uid: int = 0, gid: int = 0, link: str = "") -> tarfile.TarInfo:
    one = tarfile.TarInfo(name)
    one.type, one.mode, one.uid, one.gid, one.linkname, one.mtime = kind, mode, uid, gid, link, MTIME_S
    return one


def make_tar(path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    with tarfile.open(path, "w") as tar:
        for one, content in members:
            one.size = len(content)
            tar.addfile(one, io.BytesIO(content))
    return path


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return make_tar(
        tmp_path / "system.tar",
        [
            (member("./", tarfile.DIRTYPE, mode=0o755), b""),
            (member("./usr/", tarfile.DIRTYPE, mode=0o755), b""),
            (member("./usr/passwd", tarfile.REGTYPE, mode=0o4755, gid=42), b"program"),
            (member("./usr/again", tarfile.LNKTYPE, link="./usr/passwd"), b""),
            (member("./bin", tarfile.SYMTYPE, link="usr"), b""),
            (member("./dev/", tarfile.DIRTYPE, mode=0o755), b""),
            (member("./dev/null", tarfile.CHRTYPE), b""),
            (member("./etc/", tarfile.DIRTYPE, mode=0o755), b""),
            (member("./etc/hostname", tarfile.REGTYPE), b"builder"),
        ],
    )


def commands(archive: Path, tmp_path: Path, *, left_out: tuple[str, ...] = ("dev/*",)) -> list[str]:
    content = tmp_path / "content"
    content.mkdir()
    tree = Tree(archive, left_out, {"etc/hostname": "localhost\n", "boot/grub/grub.cfg": "menu"})
    return list(tree.debugfs_commands(content))


def test_owner_mode_and_time_of_a_file_are_kept(archive: Path, tmp_path: Path) -> None:
    told = commands(archive, tmp_path)
    assert f'sif "passwd" mode 0{stat.S_IFREG | 0o4755:o}' in told
    assert 'sif "passwd" gid 42' in told
    assert f'sif "passwd" mtime @{MTIME_S}' in told


def test_a_file_of_our_own_replaces_the_system_s(archive: Path, tmp_path: Path) -> None:
    told = commands(archive, tmp_path)
    (written,) = [line for line in told if line.endswith('"hostname"') and line.startswith("write")]
    assert Path(written.split('"')[1]).read_text() == "localhost\n"


def test_folders_of_our_own_files_are_made_before_them(archive: Path, tmp_path: Path) -> None:
    told = commands(archive, tmp_path)
    assert told.index('mkdir "boot"') < told.index('mkdir "grub"') < told.index('cd "/boot/grub"')


def test_a_hard_link_becomes_a_copy(archive: Path, tmp_path: Path) -> None:
    (written,) = [line for line in commands(archive, tmp_path) if line.endswith('"again"') and line.startswith("write")]
    assert Path(written.split('"')[1]).read_bytes() == b"program"


def test_what_is_left_out_is_nowhere(archive: Path, tmp_path: Path) -> None:
    assert not [line for line in commands(archive, tmp_path) if "null" in line]


def test_a_device_file_is_refused(archive: Path, tmp_path: Path) -> None:
    with pytest.raises(ImageBuildError, match="dev/null"):
        commands(archive, tmp_path, left_out=())


def test_the_stock_image_leaves_cloud_init_as_debian_packed_it() -> None:
    assert not [path for path in debian.files() if "cloud" in path]


def test_the_stock_image_carries_no_host_key() -> None:
    assert "etc/ssh/ssh_host_*" in debian.LEFT_OUT


def test_the_stock_image_says_who_reads_its_guests() -> None:
    assert debian.PROPERTIES["interop_agent"] == "cloud_init"
    assert debian.PROPERTIES["os_admin_user"] == "debian"


def test_only_the_stock_image_needs_the_programs_that_set_up_a_system() -> None:
    assert set(programs_of("debian").values()) == {"mmdebstrap", "uidmap"}
    assert set(programs_of("pocket").values()) == {"binutils"}
    assert not programs_of("pocket-emulated")
