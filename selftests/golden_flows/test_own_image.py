"""The user's own image: taken for what it is, or refused in one message that names it."""

from __future__ import annotations

import gzip
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from golden_flows.errors import CloudError, UsageError
from golden_flows.own_image import OwnImage, fetch, glance_name, is_glance_name, read_properties

MIB = 1024 * 1024
DISK = bytes(510) + b"\x55\xaa" + os.urandom(MIB) + bytes(3 * MIB - 512)
"""A boot sector, something, and much of nothing."""


def raw(folder: Path, content: bytes = DISK) -> Path:
    path = folder / "app.raw"
    path.write_bytes(content)
    return path


def converted(folder: Path, driver: str, name: str, *options: str) -> Path:
    path = folder / name
    words = [word for option in options for word in ("-o", option)]
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", driver, *words, str(raw(folder)), str(path)], check=True)
    return path


def take(path: Path | str, stated: str | None = None, say: Callable[[str], None] = lambda text: None) -> OwnImage:
    folder = Path(path).parent if isinstance(path, Path) else None
    scratch = (folder or Path.cwd()) / "scratch"
    scratch.mkdir()
    return fetch(str(path), stated, {"os_type": "linux"}, scratch, say)


def test_a_raw_disk_is_used_where_it_lies(tmp_path: Path) -> None:
    own = take(raw(tmp_path))
    assert (own.path, own.size_bytes, own.properties) == (tmp_path / "app.raw", len(DISK), {"os_type": "linux"})
    assert own.told == f"{tmp_path / 'app.raw'} (raw)"


@pytest.mark.parametrize(
    ("driver", "word", "options"),
    [
        ("qcow2", "qcow2", ()),
        ("vmdk", "vmdk", ("subformat=monolithicSparse",)),
        ("vpc", "vhd", ("subformat=dynamic,force_size=on",)),
        ("vpc", "vhd", ("subformat=fixed,force_size=on",)),
    ],
)
@pytest.mark.parametrize("is_stated", [True, False])
def test_other_formats_become_raw(
    tmp_path: Path, driver: str, word: str, options: tuple[str, ...], is_stated: bool
) -> None:
    own = take(converted(tmp_path, driver, "app.img", *options), word if is_stated else None)
    assert own.path.read_bytes() == DISK
    assert own.told.endswith(f"({word})")


def test_bytes_that_announce_nothing_are_taken_only_when_stated(tmp_path: Path) -> None:
    path = raw(tmp_path, bytes(MIB))
    with pytest.raises(UsageError, match="nothing that is known here"):
        take(path)
    (tmp_path / "scratch").rmdir()
    assert take(path, "raw").size_bytes == MIB


def _overlay(folder: Path) -> Path:
    path, base = folder / "app.qcow2", raw(folder)
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(base), str(path)], check=True)
    return path


def _data_file(folder: Path) -> Path:
    path = folder / "app.qcow2"
    option = f"data_file={folder / 'secret'}"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-o", option, str(path), "1M"], check=True)
    return path


def _flat_vmdk(folder: Path) -> Path:
    path = folder / "app.vmdk"
    path.write_text(
        '# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\ncreateType="monolithicFlat"\n\n'
        'RW 2048 FLAT "/etc/passwd" 0\n'
    )
    return path


def _gzip(folder: Path) -> Path:
    path = folder / "app.raw"
    path.write_bytes(gzip.compress(DISK))
    return path


def _luks(folder: Path) -> Path:
    return raw(folder, b"LUKS\xba\xbe\x00\x01".ljust(MIB, b"\0"))


def _iso(folder: Path) -> Path:
    return raw(folder, bytes(32768) + b"\x01CD001\x01".ljust(MIB, b"\0"))


@pytest.mark.parametrize("stated", [None, "raw", "qcow2"])
@pytest.mark.parametrize("make", [_overlay, _data_file, _flat_vmdk, _gzip, _luks, _iso])
def test_what_reaches_outside_itself_or_is_no_disk_is_refused(tmp_path: Path, make: object, stated: str | None) -> None:
    path: Path = make(tmp_path)  # type: ignore[operator]  # one of the makers above
    with pytest.raises(UsageError, match=str(path)):
        take(path, stated)
    assert [one for one in (tmp_path / "scratch").rglob("*") if one.is_file()] == []


def test_a_statement_that_the_bytes_deny_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is qcow2, and --image-format says raw"):
        take(converted(tmp_path, "qcow2", "app.img"), "raw")


def test_half_a_sector_is_no_disk(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="whole sectors"):
        take(raw(tmp_path, DISK + b"x"))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such file"):
        take(tmp_path / "nothing.qcow2")


class _Server(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        return

    def do_GET(self) -> None:
        if self.path.startswith("/cut"):
            self.send_response(200)
            self.send_header("Content-Length", str(len(DISK)))
            self.end_headers()
            self.wfile.write(DISK[:MIB])
            return
        super().do_GET()


def with_secrets(site: str) -> str:
    return site.replace("://", "://anne:secret@")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "site"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Server, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_url_s_secrets_stay_out_of_the_record_and_of_what_is_said(
    tmp_path: Path, site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    converted(tmp_path / "site", "qcow2", "app.qcow2")
    monkeypatch.chdir(tmp_path)
    said: list[str] = []
    own = take(f"{with_secrets(site)}/app.qcow2?signature=secret", say=said.append)
    assert own.path.read_bytes() == DISK
    assert own.told == f"{site}/app.qcow2 (qcow2)"
    assert [line.partition(",")[0] for line in said] == [
        f"fetching {site}/app.qcow2",
        f"converting {site}/app.qcow2 from qcow2 to RAW",
    ]


@pytest.mark.parametrize("stated", [None, "raw", "qcow2", "vhd"])
@pytest.mark.parametrize("make", [_overlay, _gzip, _iso])
def test_a_url_s_secrets_stay_out_of_refusals(
    tmp_path: Path, site: str, monkeypatch: pytest.MonkeyPatch, make: object, stated: str | None
) -> None:
    name = make(tmp_path / "site").name  # type: ignore[operator]  # one of the makers above
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=f"{site}/{name}") as refused:
        take(f"{with_secrets(site)}/{name}?signature=secret", stated)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("path", "error", "words"),
    [("nothing.raw", UsageError, "answers 404"), ("cut.raw", CloudError, "fetch it yourself|try again")],
)
def test_a_url_that_gives_no_image_leaves_nothing(
    tmp_path: Path, site: str, monkeypatch: pytest.MonkeyPatch, path: str, error: type[Exception], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=words) as refused:
        take(f"{with_secrets(site)}/{path}?signature=secret")
    assert "secret" not in str(refused.value)
    assert list((tmp_path / "scratch").iterdir()) == []


@pytest.mark.parametrize("text", ["golden-pocket", "glance:app.qcow2", "glance:http://x", "debian 12"])
def test_names_of_the_source_s_images(text: str) -> None:
    assert is_glance_name(text)


@pytest.mark.parametrize("text", ["app.qcow2", "./golden-pocket", "/srv/app", "https://host/app", "app.IMG"])
def test_files_and_urls(text: str) -> None:
    assert not is_glance_name(text)


def test_the_prefix_is_no_part_of_the_name() -> None:
    assert (glance_name("glance:app.qcow2"), glance_name("app")) == ("app.qcow2", "app")


def test_properties_are_pairs() -> None:
    assert read_properties(("os_type=linux", "note=a=b")) == {"os_type": "linux", "note": "a=b"}
    with pytest.raises(UsageError, match="is not KEY=VALUE"):
        read_properties(("os_type",))
