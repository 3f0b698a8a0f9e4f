"""A driver bundle is proved before it is unpacked, and unpacked without trusting it."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path
from typing import Any

import pytest
from guest_agent import drivers
from guest_agent.drivers import DriverError


def make_tar(*entries: tuple[str, bytes], kind: bytes = tarfile.REGTYPE) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in entries:
            entry = tarfile.TarInfo(name)
            entry.size, entry.type, entry.linkname = len(data), kind, "/etc/shadow"
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def test_modules_come_in_the_order_of_the_order_file() -> None:
    data = make_tar(("b.ko", b"B"), ("./a.ko", b"A"), ("order", b"a.ko\nb.ko\n"))
    assert drivers.unpack(data) == [("a.ko", b"A"), ("b.ko", b"B")]


@pytest.mark.parametrize("name", ["../a.ko", "/etc/a.ko", "x/a.ko", "a.sh", "-a.ko", "./../a.ko"])
def test_a_name_that_leads_out_of_the_folder_is_refused(name: str) -> None:
    with pytest.raises(DriverError, match="unsafe"):
        drivers.unpack(make_tar((name, b"A"), ("order", name.encode())))


def test_a_link_in_a_bundle_is_refused() -> None:
    with pytest.raises(DriverError, match="unsafe"):
        drivers.unpack(make_tar(("a.ko", b""), kind=tarfile.SYMTYPE))


@pytest.mark.parametrize("order", [b"", b"a.ko\nb.ko\n", b"other.ko\n"])
def test_an_order_file_that_does_not_match_is_refused(order: bytes) -> None:
    with pytest.raises(DriverError, match="order"):
        drivers.unpack(make_tar(("a.ko", b"A"), ("order", order)))


def test_bytes_that_are_no_tar_are_refused() -> None:
    with pytest.raises(DriverError, match="tar"):
        drivers.unpack(b"<html>not found</html>" * 100)


def test_the_bundle_for_this_kernel_is_chosen() -> None:
    vendor_data: list[Any] = [None, {"static": {"drivers": [{"kernel": "5"}, {"kernel": "6", "url": "u"}]}}]
    assert drivers.offered(vendor_data, "6")["url"] == "u"


def test_a_bundle_for_another_kernel_is_named() -> None:
    with pytest.raises(DriverError, match=r"for kernel 5, this is 6"):
        drivers.offered([{"drivers": [{"kernel": "5"}]}], "6")


def test_no_bundle_is_said() -> None:
    with pytest.raises(DriverError, match="no driver bundle"):
        drivers.offered([{}, None], "6")


@pytest.mark.parametrize("url", ["https://169.254.169.254/x", "file:///etc/shadow", "http://host/a b", ""])
def test_a_url_that_is_not_plain_http_is_refused(url: str) -> None:
    with pytest.raises(DriverError, match="http"):
        drivers.download({"url": url}, {})


def test_installed_modules_are_listed_for_the_next_boot_once(tmp_path: Path) -> None:
    for _ in range(2):
        drivers.install([("a.ko", b"A"), ("b.ko", b"B")], "6.1", str(tmp_path))
    folder = tmp_path / "lib/modules/6.1/extra"
    assert (folder / "order").read_text().split() == ["a.ko", "b.ko"]
    assert (folder / "a.ko").read_bytes() == b"A"


def test_nothing_missing_skips_the_phase() -> None:
    assert drivers.run([], [], "6.1")["verdict"] == "skipped"


def test_a_failure_is_a_verdict_with_its_reason() -> None:
    result = drivers.run(["fa:16:3e:00:00:02"], [{}], "6.1")
    assert (result["verdict"], result["bundle"]) == ("failed", None)
    assert "no driver bundle" in result["reason"]


def test_a_wrong_sha256_is_found_before_unpacking(metadata_server: Any) -> None:
    metadata_server.answers["/drivers/6.1.tar"] = b"not even a tar"
    host, port = metadata_server.server_address
    offer = {"kernel": "6.1", "url": f"http://{host}:{port}/drivers/6.1.tar", "sha256": "0" * 64}
    result = drivers.run(["fa:16:3e:00:00:02"], [{"drivers": [offer]}], "6.1")
    assert result["verdict"] == "failed"
    assert "sha256" in result["reason"]
    assert result["bundle"]["sha256_actual"] == hashlib.sha256(b"not even a tar").hexdigest()
