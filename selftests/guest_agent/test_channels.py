"""Metadata over HTTP and from a config drive, and the digests that let channels be compared."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from guest_agent import channels, config_drive, http

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB anne@home"
META = {
    "uuid": "11111111-2222-4333-8444-555555555555",
    "hostname": "anne.novalocal",
    "public_keys": {"anne": KEY + "\n"},
    "meta": {"interop_run": "run-7"},
}
NETWORK: dict[str, list[object]] = {"links": [], "networks": [], "services": []}


def make_client(server: Any) -> http.Client:
    host, port = server.server_address
    return http.Client(host, port, timeout_s=5)


def serve_openstack(server: Any, meta: dict[str, Any]) -> None:
    base = "/openstack/latest"
    server.answers |= {
        "/": b"1.0\nlatest",
        "/openstack": b"2012-08-10\nlatest",
        f"{base}/meta_data.json": json.dumps(meta).encode(),
        f"{base}/network_data.json": json.dumps(NETWORK).encode(),
        f"{base}/user_data": b"#!/bin/sh\n\0\xff",
    }


def serve_ec2(server: Any) -> None:
    base = "/latest/meta-data"
    server.answers |= {
        f"{base}/": b"hostname\ninstance-id\npublic-keys/",
        f"{base}/instance-id": b"i-0001",
        f"{base}/hostname": b"anne.novalocal",
        f"{base}/public-keys/0/openssh-key": KEY.encode() + b"\n",
        "/latest/user-data": b"#!/bin/sh\n\0\xff",
    }


def test_openstack_and_ec2_agree_over_their_common_keys(metadata_server: Any) -> None:
    serve_openstack(metadata_server, META)
    serve_ec2(metadata_server)
    client = make_client(metadata_server)
    openstack, ec2 = channels.read_openstack(client), channels.read_ec2(client)
    ours, theirs = openstack.key_digests(), ec2.key_digests()
    common = set(ours) & set(theirs)
    assert common == {"hostname", "public_keys", "user_data"}
    assert {key: ours[key] for key in common} == {key: theirs[key] for key in common}
    assert openstack.user_data == b"#!/bin/sh\n\0\xff"


@pytest.mark.parametrize(
    ("document", "parts"),
    [
        (b'{"static": {"drivers": []}, "inventory": {}, "bad": "text"}', {"static": 1, "inventory": 0, "bad": None}),
        (b"{}", {}),
        (b"[]", None),
        (b"<html>", None),
        (None, None),
    ],
)
def test_the_parts_of_vendor_data2_are_counted_and_not_told(
    metadata_server: Any, document: bytes | None, parts: dict[str, int | None] | None
) -> None:
    serve_openstack(metadata_server, META)
    metadata_server.answers.pop("/openstack/latest/vendor_data2.json", None)
    if document is not None:
        metadata_server.answers["/openstack/latest/vendor_data2.json"] = document
    channel = channels.read_openstack(make_client(metadata_server))
    assert channel.to_report(used=True)["vendor_data2"] == parts


def test_the_ec2_key_is_asked_for_with_its_listing(metadata_server: Any) -> None:
    serve_ec2(metadata_server)
    metadata_server.answers["/latest/meta-data/public-keys/"] = b"0=anne"
    client = make_client(metadata_server)
    channel = channels.read_ec2(client)
    assert channel.meta is not None
    assert channel.meta["instance_id"] == "i-0001"
    assert client.seen_text("/latest/meta-data/public-keys/") == "0=anne"
    assert channel.to_report(used=False)["vendor_data2"] is None


def test_another_hostname_changes_its_digest_only(metadata_server: Any) -> None:
    serve_openstack(metadata_server, META)
    first = channels.read_openstack(make_client(metadata_server)).key_digests()
    serve_openstack(metadata_server, {**META, "hostname": "bob"})
    second = channels.read_openstack(make_client(metadata_server)).key_digests()
    assert {key for key in first if first[key] != second[key]} == {"hostname", "short_hostname"}


def test_a_password_is_not_in_a_digest(metadata_server: Any) -> None:
    serve_openstack(metadata_server, META)
    first = channels.read_openstack(make_client(metadata_server)).key_digests()
    serve_openstack(metadata_server, {**META, "meta": {**META["meta"], "admin_pass": "secret"}, "admin_pass": "x"})  # type: ignore[dict-item]  # a nested dict
    assert channels.read_openstack(make_client(metadata_server)).key_digests() == first


def test_an_error_page_with_status_200_is_no_metadata(metadata_server: Any) -> None:
    serve_openstack(metadata_server, META)
    metadata_server.answers["/openstack/latest/meta_data.json"] = b"<html>sorry</html>"
    client = make_client(metadata_server)
    channel = channels.read_openstack(client)
    assert (channel.is_present, channel.reason) == (False, "meta_data.json is not a JSON object")
    record = next(r for r in client.requests if r["path"].endswith("/meta_data.json"))
    assert (record["status"], record["json_ok"]) == (200, False)


def test_a_missing_service_is_absent_with_its_status(metadata_server: Any) -> None:
    client = make_client(metadata_server)
    assert channels.read_openstack(client).reason == "meta_data.json: 404"
    assert channels.read_ec2(client).is_present is False


def test_a_cut_answer_is_an_error_not_a_shorter_document(metadata_server: Any) -> None:
    metadata_server.answers["/x"] = b"half"
    metadata_server.cut_bytes = 4
    answer = make_client(metadata_server).get("/x")
    assert (answer.status, answer.text()) == (None, None)
    assert "cut short" in str(answer.error)


def test_no_service_is_no_answer_and_raises_nothing() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        client = http.Client("127.0.0.1", unused.getsockname()[1], timeout_s=1)
        assert client.get("/").status is None
        assert channels.await_service(client, limit_s=0) is False


@pytest.mark.parametrize("body", [b"5\r\nhello\r\n0\r\n\r\n", b"5;x=y\r\nhello\r\n0\r\n\r\n"])
def test_a_chunked_answer_is_joined(body: bytes) -> None:
    answer = http.parse(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
    assert answer.body == b"hello"


def test_keys_are_one_valid_line_each() -> None:
    channel = channels.Channel("openstack-http")
    channel.meta = {"public_keys": {"a": f"{KEY}\r\n", "b": KEY, "c": f"# no key\n\nfrom=x {KEY}"}}
    assert channel.public_keys() == [KEY, f"from=x {KEY}"]


def make_iso_header(label: str) -> bytes:
    return b"\0" * 32768 + b"\x01CD001\x01\0" + b" " * 32 + label.ljust(32).encode() + b"\0" * 2048


def make_fat_header(label: str) -> bytes:
    boot = bytearray(512)
    boot[43:54], boot[54:59], boot[510:] = label.ljust(11).encode(), b"FAT16", b"\x55\xaa"
    return bytes(boot) + b"\0" * 65536


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (make_iso_header("config-2"), ("iso9660", "config-2")),
        (make_fat_header("CONFIG-2"), ("vfat", "CONFIG-2")),
        (b"\0" * 65536, None),
        (b"", None),
    ],
    ids=["iso", "vfat", "zeros", "empty"],
)
def test_a_config_drive_is_known_by_its_label(tmp_path: Path, data: bytes, found: tuple[str, str] | None) -> None:
    (tmp_path / "disk").write_bytes(data)
    assert config_drive.label_of(str(tmp_path / "disk")) == found


def test_a_drive_without_a_disc_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "cd").write_bytes(make_iso_header("config-2"))
    devices = [str(tmp_path / "absent"), str(tmp_path / "cd")]
    drive = config_drive.find(devices)
    assert drive is not None
    assert (drive.device, drive.filesystem) == (devices[1], "iso9660")
