"""The program that a shim is in the guest: what it reads, what it serves, and to whom."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from metadata_shims import config_drive as writer
from metadata_shims.config_drive import Form

from golden_flows.shims.in_guest import address, config_drive, ec2, main, server
from golden_flows.shims.in_guest.server import Server, Tree
from golden_flows.shims.in_guest.source import Found, NotNeeded
from selftests.loopback_metadata import GUEST, metadata_service
from selftests.metadata_shims.test_channels import INSTANCE

TREE = Tree({"meta_data.json": b'{"uuid": "1"}', "user_data": b"\0\xff"}, {"0000": b"text"}, ["2012-08-10"])


def ask(address: tuple[str, int], path: str, method: str = "GET") -> tuple[int, str, bytes]:
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(f"{method} {path} HTTP/1.0\r\n\r\n".encode())
        head, _, body = b"".join(iter(lambda: connection.recv(65536), b"")).partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    return int(status.split()[1]), dict(one.split(": ") for one in lines)["Content-Type"], body


@contextmanager
def serving(uid: int | None = 0) -> Iterator[Server]:
    one = Server("127.0.0.1", 0, lambda peer: uid)
    try:
        yield one
    finally:
        one.close()


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/", (200, "text/plain", b"latest")),
        ("/openstack", (200, "text/plain", b"2012-08-10\nlatest")),
        ("/openstack/latest/", (200, "text/plain", b"meta_data.json\nuser_data")),
        ("//openstack/latest/meta_data.json", (200, "application/json", b'{"uuid": "1"}')),
        ("/openstack/2012-08-10/user_data", (200, "text/plain", b"\0\xff")),
        ("/openstack/content/0000", (200, "application/octet-stream", b"text")),
        ("/openstack/latest/network_data.json", server.NOT_FOUND),
        ("/openstack/1999-01-01/meta_data.json", server.NOT_FOUND),
        ("/openstack/content/0001", server.NOT_FOUND),
        ("/latest/meta-data/", server.NOT_FOUND),
    ],
)
def test_paths_are_answered_as_nova_answers_them(path: str, answer: tuple[int, str, bytes]) -> None:
    assert TREE.answer(path) == answer


def test_who_asks_before_the_answers_are_known_waits_for_them() -> None:
    answers: list[tuple[int, str, bytes]] = []
    with serving() as one:
        asker = threading.Thread(target=lambda: answers.append(ask(one.address, "/openstack")))
        asker.start()
        asker.join(0.2)
        assert asker.is_alive()
        one.serve(TREE)
        asker.join(10)
    assert [status for status, _, _ in answers] == [200]


def test_who_waits_when_the_shim_steps_aside_is_told_to_ask_again() -> None:
    answers: list[tuple[int, str, bytes]] = []
    with serving() as one:
        asker = threading.Thread(target=lambda: answers.append(ask(one.address, "/openstack")))
        asker.start()
        asker.join(0.2)
    asker.join(10)
    assert [status for status, _, _ in answers] == [503]


@pytest.mark.parametrize("uid", [1000, None])
def test_a_password_in_it_is_for_root_alone(uid: int | None) -> None:
    with serving(uid) as one:
        one.serve(TREE)
        assert ask(one.address, "/openstack/latest/meta_data.json")[0] == 403


def test_nobody_posts_a_password_to_a_shim() -> None:
    with serving() as one:
        one.serve(TREE)
        assert ask(one.address, "/openstack/latest/password", "POST")[0] == 404


def test_the_kernel_knows_whose_socket_asks() -> None:
    import os

    listener = socket.create_server(("127.0.0.1", 0))
    with listener, socket.create_connection(listener.getsockname()) as connection:
        assert server.uid_of(connection.getsockname()) == os.getuid()
    assert server.uid_of(("127.0.0.1", 1)) is None


@pytest.mark.parametrize("filesystem", ["iso9660", "vfat"])
@pytest.mark.parametrize(("label", "found"), [("config-2", True), ("CONFIG-2", False), ("cidata", False)])
def test_a_drive_is_known_by_its_label(tmp_path: Path, filesystem: str, label: str, found: bool) -> None:
    writer.write(INSTANCE, tmp_path / "drive", Form(filesystem, label))
    assert config_drive.label_of(str(tmp_path / "drive")) == (filesystem if found else None)


def test_a_disk_that_is_no_drive_has_no_label(tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(bytes(100))
    assert config_drive.label_of(str(tmp_path / "disk")) is None
    assert config_drive.label_of(str(tmp_path / "absent")) is None


def test_what_lies_on_the_drive_is_what_is_served(tmp_path: Path) -> None:
    for path, content in writer.files(INSTANCE):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    served = config_drive.read_tree(str(tmp_path))
    assert served is not None
    told = json.loads(served.answer("/openstack/latest/meta_data.json")[2])
    assert (told["uuid"], told["meta"]) == (INSTANCE.uuid, INSTANCE.meta)
    assert served.answer("/openstack/latest/user_data")[2] == INSTANCE.user_data
    assert config_drive.has_password(served.files["meta_data.json"])
    assert "openstack/latest/meta_data.json" in config_drive.list_names(str(tmp_path))


def test_a_drive_without_the_tree_serves_nothing(tmp_path: Path) -> None:
    assert config_drive.read_tree(str(tmp_path)) is None


def asker(port: int) -> ec2.Asker:
    return ec2.Asker(lambda timeout_s: socket.create_connection(("127.0.0.1", port), timeout_s))


def test_the_ec2_tree_is_told_as_openstack_tells() -> None:
    with metadata_service(channels=("ec2",)) as (_, port):
        found = ec2.translate(asker(port), "firmware-uuid")
    assert found is not None
    told = json.loads(found.tree.answer("/openstack/latest/meta_data.json")[2])
    assert (told["uuid"], told["hostname"], told["launch_index"]) == ("firmware-uuid", "anne", 0)
    assert found.tree.answer("/openstack/latest/network_data.json")[0] == 404
    assert found.seen["identity"] == {"ec2_instance_id": "i-1"}
    statuses = {one["path"]: one["status"] for one in found.seen["metadata"]["requests"]}
    assert statuses["/latest/meta-data/instance-id"] == 200


def test_without_a_uuid_in_the_firmware_an_instance_keeps_the_one_that_its_ec2_id_makes() -> None:
    with metadata_service(channels=("ec2",)) as (_, port):
        uuids = {json.loads(found.tree.files["meta_data.json"])["uuid"] for found in _twice(port)}
    assert len(uuids) == 1
    assert GUEST not in uuids


def _twice(port: int) -> Iterator[Found]:
    for _ in range(2):
        found = ec2.translate(asker(port), "")
        assert found is not None
        yield found


def test_a_cloud_that_has_openstack_metadata_needs_no_shim() -> None:
    with metadata_service() as (_, port), pytest.raises(NotNeeded):
        ec2.translate(asker(port), "")


def test_as_long_as_nobody_answers_there_is_nothing_to_tell() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert ec2.translate(asker(port), "") is None


def test_a_search_ends_by_what_was_found_by_need_or_by_patience() -> None:
    found = Found(TREE, "told", {})

    def unneeded() -> Found | None:
        raise NotNeeded("there already")

    assert main.search(lambda: found, 0) == (found, "")
    assert main.search(unneeded, 0) == (None, "there already")
    assert main.search(lambda: None, 0) == (None, "nothing to read for 0 s")


def test_a_drive_that_goes_away_while_it_is_read_is_looked_for_again() -> None:
    looks: list[int] = []

    def look() -> Found | None:
        looks.append(1)
        if len(looks) == 1:
            raise OSError("No medium found")
        return Found(TREE, "told", {})

    assert main.search(look, 10)[1] == ""

    def always_gone() -> Found | None:
        raise OSError("No medium found")

    assert main.search(always_gone, 0) == (None, "nothing to read for 0 s (No medium found)")


@pytest.mark.parametrize("answer", [b"", b"\r\n\r\n", b"HTTP/1.0\r\n\r\n", b"HTTP/1.0 x\r\n\r\n"])
def test_an_answer_without_a_status_is_none(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer_all() -> None:
            with suppress(OSError):
                while True:
                    with listener.accept()[0] as connection:
                        connection.recv(4096)
                        connection.sendall(answer)

        threading.Thread(target=answer_all, daemon=True).start()
        one = asker(listener.getsockname()[1])
        assert one.get("/") == (None, b"")
        listener.shutdown(socket.SHUT_RDWR)
    assert one.requests[0]["error"].startswith("ValueError")


@pytest.mark.parametrize("fails", ["look", "note"])
def test_a_shim_that_fails_stands_in_nobody_s_way(fails: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """169.254.169.254 would be shadowed for as long as the machine runs."""
    done: list[str] = []
    monkeypatch.setattr(address, "take", lambda: done.append("taken"))
    monkeypatch.setattr(address, "give_back", lambda: done.append("given back"))
    monkeypatch.setattr(address, "HOST", "127.0.0.1")
    monkeypatch.setattr(address, "PORT", 0)

    def fail(*told: object) -> Found | None:
        raise ValueError("whatever it is")

    monkeypatch.setattr(main, "look_of", lambda source: fail if fails == "look" else lambda: Found(TREE, "told", {}))
    monkeypatch.setattr(main, "note", fail)
    with pytest.raises(ValueError, match="whatever it is"):
        main.main("ec2")
    assert done == ["taken", "given back"]
