"""Metadata pushed into a guest: who may, for which machine, and what is in it."""

from __future__ import annotations

import base64
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from golden_flows.errors import GuestError
from golden_flows.model.network_schema import defects
from golden_flows.shims import push
from golden_flows.shims.in_guest import ec2, pushed
from golden_flows.shims.in_guest.pushed import Receiver
from selftests.golden_flows.checks.facts_builder import boot

KEY = bytes(range(32))
MACHINE = "11111111-2222-4333-8444-555555555555"


@contextmanager
def listening(machine: str = MACHINE) -> Iterator[tuple[Receiver, int]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield Receiver(listener, KEY, machine), listener.getsockname()[1]


def document(**changes: object) -> bytes:
    told = {
        "server_id": MACHINE,
        "hostname": "anne",
        "meta": {"interop_run": "run-1"},
        "ports": boot().ports,
        "key": "ssh-ed25519 AAAA anne",
        "password": None,
        "user_data": b"#!/bin/sh\n\0\xff",
    }
    return push.document(**{**told, **changes})  # type: ignore[arg-type]  # keywords of the function, as it has them


def files(body: bytes) -> dict[str, bytes]:
    return {name: base64.b64decode(content) for name, content in json.loads(body)["files"].items()}


def test_what_is_pushed_with_the_right_key_is_taken_and_served() -> None:
    with listening() as (receiver, port):
        assert push.push("127.0.0.1", None, KEY, document(), port)
        assert receiver.taken is not None
        tree = pushed.tree_of(receiver.taken)
    told = json.loads(tree.answer("/openstack/latest/meta_data.json")[2])
    assert (told["uuid"], told["meta"], told["public_keys"]) == (
        MACHINE,
        {"interop_run": "run-1"},
        {"anne": "ssh-ed25519 AAAA anne"},
    )
    assert tree.answer("/openstack/latest/user_data")[2] == b"#!/bin/sh\n\0\xff"


def test_who_does_not_know_the_key_is_refused() -> None:
    body = document()
    with listening() as (receiver, port):
        with socket.create_connection(("127.0.0.1", port), 10) as way, way.makefile("rb") as stream:
            way.sendall(b"nonce\n")
            challenge = stream.readline().split()[0].decode()
            way.sendall(f"{pushed.sign(bytes(32), challenge, body)} {len(body)}\n".encode() + body)
            assert stream.read() == b"refused: another key\n"
        assert receiver.taken is None


def test_who_does_not_know_the_key_is_no_guest_and_is_told_nothing() -> None:
    """User data and password are for Anne's guest, whoever has its address."""
    heard: list[bytes] = []
    overheard = f"{'0' * 32} {pushed.proof(KEY, 'the nonce of before', '0' * 32)}\n".encode()
    for first_line in (b"0" * 32 + b"\n", overheard, b"\n", b"\xff \xff\n"):
        with socket.create_server(("127.0.0.1", 0)) as listener:

            def pretend(listener: socket.socket = listener, first_line: bytes = first_line) -> None:
                with listener.accept()[0] as way:
                    way.sendall(first_line)
                    heard.append(way.makefile("rb").read())

            stranger = threading.Thread(target=pretend)
            stranger.start()
            assert not push.push("127.0.0.1", None, KEY, document(), listener.getsockname()[1])
            stranger.join(10)
    assert [len(one.strip()) for one in heard] == [32] * 4, "the nonce, and no more"


def test_a_guest_with_another_key_is_not_this_one() -> None:
    with listening() as (receiver, port):
        assert not push.push("127.0.0.1", None, bytes(32), document(), port)
        assert receiver.taken is None


def test_another_machine_s_metadata_is_refused() -> None:
    with listening("somebody-else") as (receiver, port):
        with pytest.raises(GuestError, match="another machine"):
            push.push("127.0.0.1", None, KEY, document(), port)
        assert receiver.taken is None


def test_as_long_as_nobody_listens_nothing_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert not push.push("127.0.0.1", None, KEY, document(), port)


def test_what_was_overheard_cannot_be_pushed_again() -> None:
    body = document()
    with listening() as (receiver, port):
        overheard = f"{pushed.sign(KEY, 'the challenge of before', body)} {len(body)}\n".encode() + body
        with socket.create_connection(("127.0.0.1", port), 10) as way:
            way.sendall(b"nonce\n" + overheard)
            answer = way.makefile("rb").read()
        assert answer.endswith(b"refused: another key\n")
        assert receiver.taken is None


def test_nonsense_costs_the_next_one_nothing() -> None:
    with listening() as (receiver, port):
        with socket.create_connection(("127.0.0.1", port), 10) as way:
            way.sendall(b"GET / HTTP/1.1\r\n\r\n")
            way.makefile("rb").read()
        assert push.push("127.0.0.1", None, KEY, document(), port)
        assert receiver.taken is not None


@pytest.mark.parametrize("length", ["-1", "4194305", "x", "5"])
def test_a_length_that_is_none_is_refused_at_once(length: str) -> None:
    """Read to the end, -1 would be as much as somebody cares to send."""
    with listening() as (receiver, port), socket.create_connection(("127.0.0.1", port), 10) as way:
        way.sendall(f"nonce\n{'0' * 128} {length}\n".encode() + b"body")
        if length == "5":
            way.shutdown(socket.SHUT_WR)
        answer = way.makefile("rb").read()
        assert b"refused" not in answer
        assert b"taken" not in answer
        assert receiver.taken is None


def test_whoever_drips_keeps_nobody_waiting() -> None:
    with listening() as (receiver, port):
        idle = [socket.create_connection(("127.0.0.1", port), 10) for _ in range(3)]
        idle[0].sendall(b"a")
        assert push.push("127.0.0.1", None, KEY, document(), port)
        assert receiver.taken is not None
        for one in idle:
            one.close()


def test_a_connection_has_so_much_time_for_all_that_it_says() -> None:
    near, far = socket.socketpair()
    with near, far:
        heard = pushed.Heard(near, 0.3)
        done = threading.Event()

        def drip() -> None:
            with suppress(OSError):
                while not done.wait(0.05):
                    far.sendall(b"a")

        threading.Thread(target=drip, daemon=True).start()
        with pytest.raises(TimeoutError):
            heard.line()
        done.set()


def test_what_is_served_is_not_pushed_again_in_the_same_boot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anne would take it for told to the next one."""
    (tmp_path / "key").write_bytes(KEY)
    monkeypatch.setattr(pushed, "KEY_PATH", str(tmp_path / "key"))
    monkeypatch.setattr(pushed, "keep", lambda document: None)
    monkeypatch.setattr(pushed, "PORT", 0)
    monkeypatch.setattr(ec2, "firmware_uuid", lambda: "")
    source = pushed.Source()
    port = source._receiver._listener.getsockname()[1]
    assert push.push("127.0.0.1", None, KEY, document(), port)
    assert source.look() is not None
    assert not push.push("127.0.0.1", None, KEY, document(), port)


def test_what_was_pushed_is_kept_for_this_machine_and_for_root(tmp_path: Path) -> None:
    kept = tmp_path / "folder" / "kept.json"
    pushed.keep({"uuid": MACHINE, "files": {}}, str(kept))
    assert kept.stat().st_mode & 0o777 == 0o600
    assert pushed.kept_for(MACHINE, str(kept)) == {"uuid": MACHINE, "files": {}}
    assert pushed.kept_for("a-copy", str(kept)) is None
    assert pushed.kept_for("", str(kept)) is None
    assert pushed.kept_for(MACHINE, str(tmp_path / "absent")) is None


def test_the_network_is_told_by_ports_in_the_documented_form() -> None:
    told = json.loads(files(document())["network_data.json"])
    assert defects(told, strict=True) == ()
    first, second = boot().ports
    assert [one["type"] for one in told["networks"]] == ["ipv4_dhcp" if one.dhcp else "ipv4" for one in boot().ports]
    assert [one["ethernet_mac_address"] for one in told["links"]] == [first.mac, second.mac]
    assert [one["mtu"] for one in told["links"]] == [None if one.dhcp else one.mtu for one in boot().ports]


def test_the_first_nic_alone_gets_the_default_route() -> None:
    ports = tuple(replace(one, dhcp=False, gateway_ip="192.0.2.1") for one in boot().ports)
    told = json.loads(files(document(ports=ports))["network_data.json"])
    defaults = [
        [one["gateway"] for one in network["routes"] if one["network"] == "0.0.0.0"]  # a route
        for network in told["networks"]
    ]
    assert defaults == [["192.0.2.1"], []]


def test_a_password_is_told_only_where_one_was_asked_for() -> None:
    assert b"admin_pass" not in files(document())["meta_data.json"]
    assert json.loads(files(document(password="canary"))["meta_data.json"])["admin_pass"] == "canary"  # made up
