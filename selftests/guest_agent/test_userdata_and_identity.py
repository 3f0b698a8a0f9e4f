"""User data runs once for an instance; identity is the instance's own."""

from __future__ import annotations

import gzip
import stat
from pathlib import Path

import pytest
from guest_agent import identity, userdata
from guest_agent.state import InstanceState, told_before, write_atomically

UUID = "11111111-2222-4333-8444-555555555555"


def test_a_script_runs_once_for_an_instance(tmp_path: Path) -> None:
    counter = tmp_path / "count"
    script = f"#!/bin/sh\necho once >>{counter}\nexit 3\n".encode()
    first = userdata.run(script, InstanceState(UUID, str(tmp_path)), network_up=True)
    again = userdata.run(script, InstanceState(UUID, str(tmp_path)), network_up=True)
    assert (first[0], first[2]["exit_code"], first[2]["ran_this_boot"]) == ("failed", 3, True)
    assert (again[0], again[2]["exit_code"], again[2]["ran_this_boot"], again[2]["run_count"]) == (
        "skipped",
        3,
        False,
        1,
    )
    assert counter.read_text() == "once\n"


def test_a_new_uuid_runs_it_again(tmp_path: Path) -> None:
    for uuid in (UUID, UUID.replace("1", "9")):
        _, _, report = userdata.run(b"#!/bin/true\n", InstanceState(uuid, str(tmp_path)), network_up=True)
        assert report["ran_this_boot"] is True


def test_bytes_are_kept_exactly(tmp_path: Path) -> None:
    script = b"#!/bin/sh\nexit 0\n\0\xff\r\n"
    memory = InstanceState(UUID, str(tmp_path))
    userdata.run(script, memory, network_up=True)
    assert (Path(memory.folder) / "user-data").read_bytes() == script


def test_output_stays_in_a_private_file_and_out_of_the_report(tmp_path: Path) -> None:
    memory = InstanceState(UUID, str(tmp_path))
    script = b"#!/bin/sh\nyes secret | head -c 100000\necho end\n"
    _, reason, report = userdata.run(script, memory, network_up=True)
    log = Path(memory.folder) / "user-data.output"
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert log.stat().st_size == userdata.OUTPUT_TAIL_BYTES
    assert log.read_bytes().endswith(b"end\n")
    assert "secret" not in reason + str(report)


def test_gzip_is_unpacked_and_a_bomb_is_not() -> None:
    assert userdata.decode(gzip.compress(b"#!/bin/sh\n")) == b"#!/bin/sh\n"
    with pytest.raises(ValueError, match="too large"):
        userdata.decode(gzip.compress(b"\0" * (userdata.MAX_SCRIPT_BYTES + 1)))
    with pytest.raises(ValueError, match="cut short"):
        userdata.decode(gzip.compress(b"#!/bin/sh\n" * 9)[:-9])


@pytest.mark.parametrize(
    ("script", "verdict"),
    [(b"#!/bin/sh\r\necho\r\n", "failed"), (b"#cloud-config\n", "unsupported"), (b"#!/bin/sh\necho\r\n", None)],
    ids=["crlf", "cloud-config", "crlf later"],
)
def test_what_cannot_be_run_is_said(script: bytes, verdict: str | None) -> None:
    refused = userdata.refusal(script)
    assert (refused[0] if refused else None) == verdict


def test_a_missing_interpreter_is_a_failure_and_counts_as_run(tmp_path: Path) -> None:
    memory = InstanceState(UUID, str(tmp_path))
    verdict, reason, _ = userdata.run(b"#!/no/such/shell\n", memory, network_up=True)
    assert (verdict, "cannot be run" in reason) == ("failed", True)
    assert memory.read(userdata.PHASE)["run_count"] == 1


@pytest.mark.parametrize("uuid", ["../../etc", "a/b", "", ".."])
def test_a_uuid_from_the_metadata_cannot_leave_the_state_folder(tmp_path: Path, uuid: str) -> None:
    memory = InstanceState(uuid, str(tmp_path))
    assert Path(memory.folder).parent == tmp_path / "instances"


def test_a_damaged_state_file_reads_as_nothing(tmp_path: Path) -> None:
    memory = InstanceState(UUID, str(tmp_path))
    (Path(memory.folder) / "userdata.json").write_text("{")
    assert memory.read("userdata") == {}


def test_atomic_writes_set_the_mode_whatever_was_there(tmp_path: Path) -> None:
    path = tmp_path / "shadow"
    path.write_text("old")
    write_atomically(str(path), b"new", 0o600)
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"new", 0o600)


def test_keys_replace_those_of_an_earlier_instance(tmp_path: Path) -> None:
    identity.write_keys(["ssh-ed25519 OLDX"], [], str(tmp_path))
    identity.write_keys(["ssh-ed25519 NEWX"], [identity.fingerprint("ssh-ed25519 OLDX") or ""], str(tmp_path))
    path = tmp_path / "root/.ssh/authorized_keys"
    assert path.read_text() == "ssh-ed25519 NEWX\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("end", ["", "\n", "\r\n", " \n\n"])
def test_keys_of_the_image_s_owner_stay_each_on_a_line_of_its_own(tmp_path: Path, end: str) -> None:
    path = tmp_path / "root/.ssh/authorized_keys"
    path.parent.mkdir(parents=True)
    path.write_bytes(b'# mine\r\nno-pty,command="a b" ssh-rsa OWNR owner' + end.encode())
    for _ in range(2):
        identity.write_keys(["ssh-ed25519 NEWX anne"], [], str(tmp_path))
    assert path.read_text() == '# mine\nno-pty,command="a b" ssh-rsa OWNR owner\nssh-ed25519 NEWX anne\n'


def test_what_earlier_instances_were_told_is_remembered(tmp_path: Path) -> None:
    assert told_before("identity", "key_fingerprints", str(tmp_path)) == []
    for uuid, keys in ((UUID, ["SHA256:a", None]), (UUID.replace("1", "9"), "damaged")):
        InstanceState(uuid, str(tmp_path)).write("identity", {"key_fingerprints": keys})
    assert told_before("identity", "key_fingerprints", str(tmp_path)) == ["SHA256:a"]


@pytest.mark.parametrize(
    ("vendor_data", "keeps"),
    [
        ([None, {"cloud-init": "#cloud-config\nssh_deletekeys: false\n"}], True),
        ([{"static": {"cloud-init": "#cloud-config\nssh_deletekeys: no"}}], True),
        ([{"cloud-init": "#cloud-config\nssh_deletekeys: true\n"}], False),
        ([{"cloud-init": {"ssh_deletekeys": False}}, "text", {"static": 7}], False),
    ],
)
def test_the_operator_can_have_host_keys_kept(vendor_data: list[object], keeps: bool) -> None:
    assert identity.keeps_host_keys(vendor_data) is keeps


def test_a_fingerprint_is_openssh_s() -> None:
    # ssh-keygen -lf of this key
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl user@example"
    assert identity.fingerprint(key) == "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU"
    assert identity.fingerprint("ssh-ed25519 not*base64") is None


def test_shadow_keeps_other_lines_and_its_mode(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/shadow").write_text("root:old:1:0:99999:7:::\nanne:x:1:0:99999:7:::\n")
    identity.set_shadow("$6$hash", str(tmp_path))
    lines = (tmp_path / "etc/shadow").read_text().splitlines()
    assert lines[0].startswith("root:$6$hash:")
    assert lines[1] == "anne:x:1:0:99999:7:::"
    assert stat.S_IMODE((tmp_path / "etc/shadow").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("meta", "password"),
    [({"admin_pass": "a"}, "a"), ({"meta": {"admin_pass": "b"}}, "b"), ({"admin_pass": ""}, None), ({"meta": 7}, None)],
)
def test_the_password_is_found_in_both_places(meta: dict[str, object], password: str | None) -> None:
    assert identity.password_of(meta) == password


@pytest.mark.parametrize(
    ("meta", "asked"),
    [({"meta": {"password_post": "True "}}, True), ({"meta": {"password_post": "no"}}, False), ({"meta": []}, False)],
)
def test_a_password_of_its_own_is_made_only_when_asked(meta: dict[str, object], asked: bool) -> None:
    assert identity.asks_for_post(meta) is asked
    assert identity.asks_for_post({}) is False


def test_a_password_with_a_line_end_is_refused() -> None:
    with pytest.raises(identity.IdentityError):
        identity.hash_password("a\nb")


@pytest.mark.parametrize(
    ("name", "clean"), [("anne.novalocal", "anne.novalocal"), ("a b;c", "a-b-c"), (None, None), ("--", None)]
)
def test_a_hostname_is_cleaned(name: object, clean: str | None) -> None:
    assert identity.clean_hostname(name) == clean
