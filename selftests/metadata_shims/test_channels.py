"""The metadata channels answer as nova does, and agree."""

import io
import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pycdlib
import pytest
from metadata_shims import config_drive, ec2, openstack
from metadata_shims.instance import Instance, ec2_id

INSTANCE = Instance(
    uuid="11111111-2222-3333-4444-555555555555",
    ec2_id=ec2_id(10),
    name="anne",
    hostname="anne.novalocal",
    project_id="p",
    keys={"anne-key": "ssh-ed25519 AAAA anne\n"},
    meta={"role": "wéb=1"},
    user_data=b"#!/bin/sh\n\x00\xff",
    admin_pass="canary-of-the-config-drive",
    links=({"id": "tap1", "type": "bridge", "ethernet_mac_address": "fa:16:3e:00:00:01", "mtu": None},),
    fixed_ips=("10.10.0.10",),
)
TODAY = date(2024, 1, 1)


@pytest.mark.parametrize("path", ["/openstack", "/openstack/", "//openstack", "/ec2/../openstack"])
def test_openstack_versions_of_the_future_are_not_listed(path: str) -> None:
    listed = openstack.answer(INSTANCE, path, today=TODAY).body.decode().split("\n")
    assert listed[0] == "2012-08-10"
    assert listed[-2:] == ["2020-10-14", "latest"]


def test_a_version_of_the_future_still_answers() -> None:
    assert openstack.answer(INSTANCE, "/openstack/2025-04-04/meta_data.json", today=TODAY).status == 200


def test_root_lists_the_ec2_versions_without_a_final_newline() -> None:
    assert ec2.answer(INSTANCE, "/").body.endswith(b"2009-04-04\nlatest")


@pytest.mark.parametrize(
    ("version", "files"),
    [
        ("2012-08-10", "meta_data.json user_data"),
        ("2013-04-04", "meta_data.json user_data password"),
        ("2015-10-15", "meta_data.json user_data password vendor_data.json network_data.json"),
        ("latest", "meta_data.json user_data password vendor_data.json network_data.json vendor_data2.json"),
    ],
)
def test_each_version_lists_its_files(version: str, files: str) -> None:
    assert openstack.answer(INSTANCE, f"/openstack/{version}").body.decode() == files.replace(" ", "\n")


def test_user_data_that_was_not_given_is_404_everywhere() -> None:
    bare = replace(INSTANCE, user_data=None)
    assert openstack.answer(bare, "/openstack/latest/user_data").status == 404
    assert ec2.answer(bare, "/latest/user-data").status == 404


def test_user_data_is_byte_equal_in_every_channel() -> None:
    drive = dict(config_drive.files(INSTANCE))
    assert {
        openstack.answer(INSTANCE, "/openstack/latest/user_data").body,
        ec2.answer(INSTANCE, "/latest/user-data").body,
        drive["openstack/latest/user_data"],
        drive["ec2/latest/user-data"],
    } == {INSTANCE.user_data}


@pytest.mark.parametrize(
    ("name", "content_type"),
    [("meta_data.json", "application/json"), ("network_data.json", "text/plain; charset=UTF-8")],
)
def test_content_types_are_novas(name: str, content_type: str) -> None:
    assert openstack.answer(INSTANCE, f"/openstack/latest/{name}").content_type == content_type


def test_keys_of_meta_data_depend_on_the_version() -> None:
    def added(older: str, newer: str) -> set[str]:
        return set(openstack.meta_data(INSTANCE, newer)) - set(openstack.meta_data(INSTANCE, older))

    assert added("2012-08-10", "2013-04-04") == {"random_seed"}
    assert added("2013-10-17", "latest") == {"project_id", "devices", "dedicated_cpus"}


def test_a_key_keeps_its_final_newline() -> None:
    document = json.loads(openstack.answer(INSTANCE, "/openstack/latest/meta_data.json").body)
    assert document["public_keys"] == {"anne-key": "ssh-ed25519 AAAA anne\n"}
    assert document["keys"][0]["data"] == "ssh-ed25519 AAAA anne\n"


def test_no_links_is_an_empty_document() -> None:
    bare = replace(INSTANCE, links=())
    assert openstack.answer(bare, "/openstack/latest/network_data.json").body == b"{}"


@pytest.mark.parametrize("path", ["/openstack/latest/nothing", "/openstack/1999-01-01", "/openstack/latest/a/b"])
def test_unknown_openstack_paths_are_404(path: str) -> None:
    assert openstack.answer(INSTANCE, path).status == 404


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/latest/meta-data/public-keys/", b"0=anne-key"),
        ("/latest/meta-data/public-keys/0", b"openssh-key"),
        ("/2009-04-04/meta-data/public-keys/0/openssh-key", b"ssh-ed25519 AAAA anne\n"),
        ("/ec2/latest/meta-data/instance-id", b"i-0000000a"),
        ("/latest/meta-data/local-ipv4", b"10.10.0.10"),
        ("/latest/meta-data/public-ipv4", b""),
        ("/latest", b"meta-data/\nuser-data"),
    ],
)
def test_ec2_paths(path: str, body: bytes) -> None:
    assert ec2.answer(INSTANCE, path).body == body


def test_imds_v2_and_hidden_names_are_404() -> None:
    assert ec2.answer(INSTANCE, "/latest/api/token").status == 404
    assert ec2.answer(INSTANCE, "/latest/meta-data/public-keys/0/_name").status == 404


def test_password_is_posted_once_and_is_small() -> None:
    path = "/openstack/latest/password"
    answer, kept = openstack.post_password(INSTANCE, path, b"x" * 1021)
    assert (answer.status, kept) == (400, None)
    answer, kept = openstack.post_password(INSTANCE, path, b"c2VjcmV0")
    assert (answer.status, kept) == (200, "c2VjcmV0")
    again, kept = openstack.post_password(replace(INSTANCE, posted_password="c2VjcmV0"), path, b"other")
    assert (again.status, kept) == (409, None)


def test_admin_pass_travels_in_the_config_drive_only() -> None:
    drive = dict(config_drive.files(INSTANCE))
    assert json.loads(drive["openstack/latest/meta_data.json"])["admin_pass"] == INSTANCE.admin_pass
    assert b"canary" not in openstack.answer(INSTANCE, "/openstack/latest/meta_data.json").body
    assert "canary" not in repr(INSTANCE)


def test_the_drive_is_iso9660_with_joliet_and_rock_ridge(tmp_path: Path) -> None:
    target = tmp_path / "drive.iso"
    config_drive.write(INSTANCE, target)
    assert target.stat().st_mode & 0o077 == 0
    image = pycdlib.PyCdlib()
    image.open(str(target))
    assert image.pvd.volume_identifier.strip() == b"config-2"
    for key in ("rr_path", "joliet_path"):
        out = io.BytesIO()
        image.get_file_from_iso_fp(out, **{key: "/openstack/latest/user_data"})
        assert out.getvalue() == INSTANCE.user_data
    image.close()
    assert [path.name for path in tmp_path.iterdir()] == ["drive.iso"]
