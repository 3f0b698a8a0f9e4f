"""What the host asks of a guest: every answer, and that nothing it sends can do harm or end the service."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from guest_agent import injection, xenstore_commands, xenstore_service
from guest_agent.injection import InjectionError
from guest_agent.xenstore import XenStore
from guest_agent.xenstore_commands import PRIME, Commands

from selftests.xenstored import Connection, Tree

HOME = "/local/domain/1"
PASSWORD = "canary-pässword"


class Guest:
    """Commands whose effects are kept here."""

    def __init__(self, root: Path) -> None:
        self.passwords: list[str] = []
        self.resets = 0
        self.commands = Commands(self.reset, self.passwords.append, str(root))

    def reset(self) -> tuple[str, str]:
        self.resets += 1
        return "0", ""

    def ask(self, name: str, value: Any = "") -> tuple[str, str]:
        return self.commands.answer(json.dumps({"name": name, "value": value}))[1]


@pytest.fixture
def guest(tmp_path: Path) -> Guest:
    return Guest(tmp_path)


class Peer:
    """The host's half of the key exchange, written again from the format's description."""

    def __init__(self) -> None:
        self._private = 0x1234567890ABCDEF
        self.public = str(pow(5, self._private, PRIME))
        self.secret = b""

    def meet(self, public: str) -> None:
        self.secret = str(pow(int(public), self._private, PRIME)).encode()

    def seal(self, plain: bytes, kdf: str = "md5") -> str:
        if kdf == "md5":
            key = hashlib.md5(self.secret).digest()
            iv = hashlib.md5(key + self.secret).digest()
        else:
            digest = hashlib.sha256(self.secret).digest()
            key, iv = digest[:16], digest[16:]
        return base64.b64encode(encrypt(plain, key, iv)).decode()


def encrypt(plain: bytes, key: bytes, iv: bytes) -> bytes:
    padder = padding.PKCS7(128).padder()
    cipher = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return cipher.update(padder.update(plain) + padder.finalize()) + cipher.finalize()


@pytest.fixture
def peer(guest: Guest) -> Peer:
    """After the key exchange."""
    peer = Peer()
    code, public = guest.ask("keyinit", peer.public)
    assert code == "D0"
    peer.meet(public)
    return peer


def test_the_agent_says_its_version_and_what_it_can(guest: Guest) -> None:
    assert guest.ask("version", "agent") == ("0", "1.0")
    code, features = guest.ask("features")
    assert code == "0"
    assert {"file_inject", "injectfile", "keyinit", "password", "resetnetwork"} < set(features.split(","))


def test_a_password_is_set_through_the_key_exchange(guest: Guest, peer: Peer) -> None:
    assert guest.ask("password", peer.seal(f"{PASSWORD}\n".encode())) == ("0", "")
    assert guest.passwords == [PASSWORD]


def test_a_key_is_good_for_one_password(guest: Guest, peer: Peer) -> None:
    sealed = peer.seal(b"one\n")
    assert guest.ask("password", sealed)[0] == "0"
    assert guest.ask("password", sealed)[0] == "500"
    assert guest.passwords == ["one"]


def test_a_password_without_a_key_is_refused(guest: Guest) -> None:
    assert guest.ask("password", base64.b64encode(bytes(16)).decode())[0] == "500"


def test_the_other_key_derivation_is_refused_and_nothing_is_set(guest: Guest, peer: Peer) -> None:
    code, message = guest.ask("password", peer.seal(f"{PASSWORD}\n".encode(), "sha256"))
    assert (code, guest.passwords) == ("500", [])
    assert PASSWORD not in message


def test_no_wrong_key_ever_sets_a_password(tmp_path: Path) -> None:
    """Upstream looks at the last byte only: one wrong key in fifteen would set a password that nobody knows."""
    refused = 0
    for number in range(600):
        sealed = base64.b64encode(
            encrypt(b"secret\n", hashlib.md5(bytes([number & 255, number >> 8])).digest(), bytes(16))
        )
        try:
            xenstore_commands.decrypt(sealed.decode(), "123456789")
        except xenstore_commands.CommandError:
            refused += 1
    assert refused >= 597  # 1 in 256 ends in one right byte of padding; nearly all of these are no UTF-8 text


@pytest.mark.parametrize("plain", [b"\n", b"", b"\xff\xfe\n", b"a\0b\n", b"a\nb\n", b"a\x7f\n"])
def test_what_could_not_be_a_password_is_refused(guest: Guest, peer: Peer, plain: bytes) -> None:
    assert guest.ask("password", peer.seal(plain))[0] == "500"
    assert guest.passwords == []


@pytest.mark.parametrize("value", ["", "x", "====", "A" * 8, "A" * 4000, None, 7, {"a": 1}])
def test_a_password_that_is_no_ciphertext_is_refused(guest: Guest, peer: Peer, value: Any) -> None:
    assert guest.ask("password", value)[0] == "500"
    assert guest.passwords == []


def test_every_byte_of_the_padding_is_looked_at(guest: Guest, peer: Peer) -> None:
    secret = peer.secret
    key = hashlib.md5(secret).digest()
    iv = hashlib.md5(key + secret).digest()
    cipher = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    block = b"password\n" + b"\1\2\3\4\5\6\7"  # the last byte is right, the six before it are not
    sealed = base64.b64encode(cipher.update(block) + cipher.finalize()).decode()
    assert guest.ask("password", sealed)[0] == "500"


@pytest.mark.parametrize("value", ["", "0", "1", str(PRIME - 1), str(PRIME), "-5", "5.0", "x", None, [], "9" * 4000])
def test_a_public_value_outside_the_group_is_refused(guest: Guest, value: Any) -> None:
    assert guest.ask("keyinit", value)[0] == "500"


@pytest.mark.parametrize("name", ["agentupdate", "kmsactivate"])
def test_commands_that_would_hand_the_guest_over_are_refused(guest: Guest, name: str) -> None:
    code, message = guest.ask(name, "http://host/agent.tar,d41d8cd98f00b204e9800998ecf8427e")
    assert code == "403"
    assert "host/agent" not in message


def test_an_unknown_command_is_404(guest: Guest) -> None:
    assert guest.ask("makecoffee")[0] == "404"


@pytest.mark.parametrize(
    "request_text", ["", "{", "[]", "7", "{}", '{"name": 7}', '{"name": "a b"}', '{"name": "\\n"}', "[" * 100_000]
)
def test_a_malformed_request_is_500(guest: Guest, request_text: str) -> None:
    name, (code, message) = guest.commands.answer(request_text)
    assert (name, code) == ("malformed", "500")
    assert message


def test_an_answer_s_code_is_text_and_fits_the_store(guest: Guest) -> None:
    code, message = guest.ask("x" * 40)
    assert isinstance(code, str)
    assert len(message) <= xenstore_commands.MAX_MESSAGE_CHARS


# files


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_a_file_is_injected_in_both_forms(guest: Guest, tmp_path: Path) -> None:
    assert guest.ask("injectfile", b64(b"/etc/a,one,two\0\xff")) == ("0", "")
    assert guest.ask("file_inject", {"b64_path": b64(b"/etc/b"), "b64_file": b64(b"three")}) == ("0", "")
    assert guest.ask("file_inject", json.dumps({"b64_path": b64(b"/etc/c"), "b64_file": ""})) == ("0", "")
    assert (tmp_path / "etc/a").read_bytes() == b"one,two\0\xff"
    assert (tmp_path / "etc/b").read_bytes() == b"three"


def test_an_old_file_keeps_its_mode_and_stays_beside_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "root/.ssh/authorized_keys"
    injection.inject("/root/.ssh/authorized_keys", b"old", str(tmp_path))
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    path.chmod(0o640)
    injection.inject("/root/.ssh/authorized_keys", b"new", str(tmp_path))
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"new", 0o640)
    (backup,) = path.parent.glob("authorized_keys.bak.*")
    assert backup.read_bytes() == b"old"


@pytest.mark.parametrize(
    "path", ["", "etc/x", "/", "/etc/", "/etc/../x", "/./x", "//x", "/etc/x\0y", "/" + "x" * 300, "/link/x", "/file/x"]
)
def test_a_path_that_leads_elsewhere_is_refused(tmp_path: Path, path: str) -> None:
    (tmp_path / "outside").mkdir()
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(tmp_path / "outside")
    (root / "file").touch()
    with pytest.raises(InjectionError):
        injection.inject(path, b"x", str(root))
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_link_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("mine")
    (tmp_path / "x").symlink_to("target")
    with pytest.raises(InjectionError):
        injection.inject("/x", b"theirs", str(tmp_path))
    assert (tmp_path / "target").read_text() == "mine"


def test_a_disk_that_is_full_is_an_answer_and_leaves_the_old_file(
    guest: Guest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x").write_text("old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    code, message = guest.ask("injectfile", b64(b"/x,canary"))
    assert code == "500"
    assert "No space" in message
    assert "canary" not in message
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
    assert (tmp_path / "x").read_text() == "old"


# the service


@pytest.fixture
def told(connection: Connection, store: XenStore, guest: Guest) -> Iterator[list[dict[str, Any]]]:
    """A service that runs; the records it has told last."""
    last: list[dict[str, Any]] = []

    def tell(records: list[dict[str, Any]]) -> None:
        last[:] = records

    service = xenstore_service.Service(store, guest.commands, tell)

    def run() -> None:
        try:
            service.run()
        except OSError:
            return  # the connection was closed

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield last
    # Its end first: a thread that still looks at a closed descriptor would read what the next test puts there.
    connection.close()
    thread.join(10)
    assert not thread.is_alive()


def ask(tree: Tree, number: str, request: str) -> Any:
    tree.write(f"{HOME}/data/host/{number}", request)
    return json.loads(tree.wait_for(f"{HOME}/data/guest/{number}"))


def test_a_request_is_answered_and_removed_before(tree: Tree, told: list[dict[str, Any]]) -> None:
    answer = ask(tree, "u1", '{"name": "version", "value": "agent"}')
    assert answer == {"returncode": "0", "message": "1.0"}
    assert tree.text(f"{HOME}/data/host/u1") is None


def test_the_service_outlives_whatever_it_is_sent(tree: Tree, told: list[dict[str, Any]], guest: Guest) -> None:
    for number, text in enumerate(["", "\xff", "{", '{"name":"injectfile","value":"*"}', "x" * 4000, "[" * 3000]):
        tree.write(f"{HOME}/data/host/bad{number}", text)

    def broken() -> tuple[str, str]:
        raise RuntimeError("canary of the inside")

    guest.commands._reset_network = broken
    assert ask(tree, "r", '{"name": "resetnetwork"}') == {
        "returncode": "500",
        "message": "resetnetwork: RuntimeError",
    }
    assert ask(tree, "last", '{"name": "version"}')["returncode"] == "0"


def test_requests_from_before_the_service_are_answered(store: XenStore, tree: Tree, guest: Guest) -> None:
    tree.write(f"{HOME}/data/host/early", '{"name": "version"}')
    xenstore_service.Service(store, guest.commands, lambda records: None).serve_all()
    assert tree.text(f"{HOME}/data/guest/early") is not None


def test_the_records_name_commands_and_codes_and_no_secret(
    tree: Tree, told: list[dict[str, Any]], guest: Guest
) -> None:
    peer = Peer()
    public = ask(tree, "1", json.dumps({"name": "keyinit", "value": peer.public}))["message"]
    peer.meet(public)
    ask(tree, "2", json.dumps({"name": "password", "value": peer.seal(PASSWORD.encode())}))
    ask(tree, "3", '{"name": "version"}')
    assert [(one["name"], one["returncode"]) for one in told[:2]] == [("keyinit", "D0"), ("password", "0")]
    assert public not in str(told)
    assert PASSWORD not in str(told)
    assert all(isinstance(one["at_s"], float) for one in told)


def test_the_status_file_gets_the_commands_and_keeps_the_rest(store: XenStore, tree: Tree, tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    path.write_text(json.dumps({"schema": 1, "auth": {"password_set": False, "keys": 1}, "xenstore": None}))
    tree.write(f"{HOME}/attr/PVAddons/Installed", "1")
    records = [{"name": "password", "returncode": "0", "message": "", "at_s": 1.0}]
    xenstore_service.update_status(store, records, str(path))
    status = json.loads(path.read_text())
    assert (status["schema"], status["auth"]) == (1, {"password_set": True, "keys": 1})
    assert status["xenstore"]["commands"] == records
    assert status["xenstore"]["pvaddons"] == {"Installed": "1"}


@pytest.mark.parametrize("content", [None, "{", "[]"])
def test_a_status_that_cannot_be_renewed_is_left_alone(store: XenStore, tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "status.json"
    if content is not None:
        path.write_text(content)
    xenstore_service.update_status(store, [], str(path))
    assert (path.read_text() if path.exists() else None) == content
