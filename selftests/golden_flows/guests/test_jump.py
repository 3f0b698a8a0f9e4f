"""A jump host on loopback: paramiko's server, and OpenSSH's where this machine has it."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import socketserver
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import paramiko
import pytest
from paramiko.common import OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED, OPEN_FAILED_CONNECT_FAILED, OPEN_SUCCEEDED

from golden_flows.errors import GuestError
from golden_flows.guests import jump
from golden_flows.guests.jump import JumpHost, WayInBroken
from golden_flows.guests.socket_path import require_way_in
from golden_flows.guests.ssh import GuestShell, generate_key
from golden_flows.guests.tcp import http_get, probe_port, url_of
from golden_flows.waiting import Deadline
from selftests.golden_flows.guests.conftest import Ssh, SshServer, serve

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


class Forwarding(SshServer):
    """Forwards as sshd does: the connection is made first, and what is said of it tells how that went."""

    def __init__(self, transport: paramiko.Transport, authorized: set[str], forwards: bool) -> None:
        super().__init__(authorized)
        self._transport, self._forwards = transport, forwards
        self._made: list[socket.socket] = []

    def check_channel_direct_tcpip_request(
        self, chanid: int, origin: tuple[str, int], destination: tuple[str, int]
    ) -> int:
        if not self._forwards:
            return int(OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED)
        try:
            there = socket.create_connection(destination, 2)
        except OSError:
            return int(OPEN_FAILED_CONNECT_FAILED)
        threading.Thread(target=self._carry, args=(there,), daemon=True).start()
        return int(OPEN_SUCCEEDED)

    def _carry(self, there: socket.socket) -> None:
        channel = self._transport.accept(5)
        if channel is None:
            return
        back = threading.Thread(target=copy, args=(there.recv, channel.sendall, channel.shutdown_write), daemon=True)
        back.start()
        copy(channel.recv, there.sendall, lambda: there.shutdown(socket.SHUT_WR))


def copy(receive, send, end) -> None:  # type: ignore[no-untyped-def]  # sockets and channels have no type in common
    with contextlib.suppress(OSError, EOFError):
        while part := receive(65536):
            send(part)
        end()


@dataclass(frozen=True)
class Jump:
    host: JumpHost

    @property
    def access(self) -> str:
        told = {"key": self.host.key_file or "", "host_key": self.host.host_key or ""}
        query = urlencode({key: value for key, value in told.items() if value})
        return f"ssh://{self.host.user}@{self.host.host}:{self.host.port}" + (f"?{query}" if query else "")

    def but(self, **changes: object) -> str:
        """The same way, with other fields."""
        fields: dict[str, Any] = {**asdict(self.host), **changes}
        return Jump(JumpHost(**fields)).access


@pytest.fixture
def key_file(tmp_path: Path) -> tuple[Path, paramiko.PKey]:
    key = paramiko.ECDSAKey.generate()
    path = tmp_path / "jump-key"
    key.write_private_key_file(str(path))
    return path, key


@contextlib.contextmanager
def paramiko_jump(key_file: tuple[Path, paramiko.PKey], *, forwards: bool = True) -> Iterator[Jump]:
    host_key = paramiko.ECDSAKey.generate()
    transports: list[paramiko.Transport] = []

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            transport = paramiko.Transport(self.request)
            transports.append(transport)
            transport.add_server_key(host_key)
            with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
                transport.start_server(server=Forwarding(transport, {key_file[1].get_base64()}, forwards))
                transport.join()

    server, port = serve(Handler)
    yield Jump(JumpHost("anne", "127.0.0.1", port, str(key_file[0]), host_key.fingerprint))
    for transport in transports:
        transport.close()
    server.shutdown()
    server.server_close()


@contextlib.contextmanager
def openssh_jump(key_file: tuple[Path, paramiko.PKey], folder: Path) -> Iterator[Jump]:
    """A daemon of our own on a free port, which knows one key."""
    host_key = paramiko.ECDSAKey.generate()
    host_key.write_private_key_file(str(folder / "host-key"))
    (folder / "authorized").write_text(f"{key_file[1].get_name()} {key_file[1].get_base64()}\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    settings = {
        "HostKey": folder / "host-key",
        "AuthorizedKeysFile": folder / "authorized",
        "ListenAddress": f"127.0.0.1:{port}",
        "PidFile": "none",
        "UsePAM": "no",
        "StrictModes": "no",
        "AllowTcpForwarding": "yes",
        "PermitRootLogin": "yes",
    }
    (folder / "sshd_config").write_text("".join(f"{key} {value}\n" for key, value in settings.items()))
    Path("/run/sshd").mkdir(exist_ok=True)
    daemon = subprocess.Popen([str(SSHD), "-D", "-e", "-f", str(folder / "sshd_config")], stderr=subprocess.DEVNULL)
    try:
        until_s = time.monotonic() + 10
        while probe_port("127.0.0.1", port) is not True and time.monotonic() < until_s:
            time.sleep(0.05)
        yield Jump(JumpHost(getpass.getuser(), "127.0.0.1", port, str(key_file[0]), host_key.fingerprint))
    finally:
        daemon.terminate()
        daemon.wait(10)


@pytest.fixture(params=["paramiko", "openssh"])
def jump_host(request: pytest.FixtureRequest, key_file: tuple[Path, paramiko.PKey], tmp_path: Path) -> Iterator[Jump]:
    if request.param == "openssh" and (SSHD is None or os.geteuid()):
        pytest.skip("no sshd that this user could start: apt-get install openssh-server")
    way = paramiko_jump(key_file) if request.param == "paramiko" else openssh_jump(key_file, tmp_path)
    with way as made:
        yield made
        for client in jump._clients.values():
            client.close()
        jump._clients.clear()


def test_pages_logins_and_closed_ports_are_seen_by_way_of_it(
    jump_host: Jump, ssh: Ssh, web: int, closed_port: int
) -> None:
    access = jump_host.access
    require_way_in(access)
    assert http_get(url_of("127.0.0.1", web, "hello"), access).body == b"hello"
    big = http_get(url_of("127.0.0.1", web, "big"), access)
    assert (big.status, len(big.body), big.error) == (200, 1 << 20, "")
    assert probe_port("127.0.0.1", web, access) is True
    assert probe_port("127.0.0.1", closed_port, access) is False
    key = generate_key()
    ssh.authorized.add(key.private.get_base64())
    with GuestShell.open(
        "127.0.0.1", ssh.port, key=key, access=access, known_fingerprints={ssh.host_fingerprint}, deadline=soon()
    ) as shell:
        assert shell.run("echo through").stdout == b"through\n"
    assert len(jump._clients) == 1, "one session for all of them"


def soon() -> Deadline:
    return Deadline.after(20)


def test_a_host_key_that_nobody_knows_is_asked_to_be_pinned(
    jump_host: Jump, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(WayInBroken, match="which nobody here knows") as told:
        require_way_in(jump_host.but(host_key=None))
    assert f"host_key: {jump_host.host.host_key}" in told.value.remedy
    with pytest.raises(WayInBroken, match="is pinned"):
        require_way_in(jump_host.but(host_key="SHA256:" + "A" * 43))
    assert probe_port("127.0.0.1", 9, jump_host.but(host_key=None)) is None, "nothing is known of what lies behind"


def test_known_hosts_are_believed(jump_host: Jump, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    host = jump_host.host
    transport = paramiko.Transport((host.host, host.port))
    transport.start_client(timeout=10)
    shown = transport.get_remote_server_key()
    transport.close()
    (tmp_path / ".ssh").mkdir()
    known = tmp_path / ".ssh/known_hosts"
    known.write_text(f"[{host.host}]:{host.port} {shown.get_name()} {shown.get_base64()}\n")
    require_way_in(jump_host.but(host_key=None))
    jump._clients.popitem()[1].close()
    other = paramiko.ECDSAKey.generate()
    known.write_text(f"[{host.host}]:{host.port} {other.get_name()} {other.get_base64()}\n")
    with pytest.raises(WayInBroken, match="another host key than"):
        require_way_in(jump_host.but(host_key=None))


def test_whatever_is_wrong_with_the_way_is_one_message(
    jump_host: Jump, tmp_path: Path, closed_port: int, silent_port: int
) -> None:
    with pytest.raises(WayInBroken, match="there is no key file"):
        require_way_in(jump_host.but(key_file=str(tmp_path / "none")))
    other = tmp_path / "other-key"
    paramiko.ECDSAKey.generate().write_private_key_file(str(other))
    with pytest.raises(WayInBroken, match="refused the key"):
        require_way_in(jump_host.but(key_file=str(other)))
    with pytest.raises(WayInBroken, match="is no private key"):
        require_way_in(jump_host.but(key_file=__file__))
    locked = tmp_path / "locked-key"
    paramiko.ECDSAKey.generate().write_private_key_file(str(locked), password="secret")
    with pytest.raises(WayInBroken, match="needs a passphrase"):
        require_way_in(jump_host.but(key_file=str(locked)))
    for port in (closed_port, silent_port):
        with pytest.raises(WayInBroken, match="does not answer"):
            require_way_in(jump_host.but(port=port), timeout_s=1.0)


def test_a_jump_host_that_forwards_nothing_is_no_word_on_the_guest(
    key_file: tuple[Path, paramiko.PKey], web: int
) -> None:
    with paramiko_jump(key_file, forwards=False) as way:
        assert probe_port("127.0.0.1", web, way.access) is None
        with pytest.raises(WayInBroken, match="AllowTcpForwarding"):
            http_get(url_of("127.0.0.1", web, "hello"), way.access)
        with pytest.raises(GuestError, match="forwards nothing"):
            GuestShell.open("127.0.0.1", web, key=generate_key(), access=way.access, deadline=soon())
    jump._clients.clear()


def test_a_session_that_broke_off_is_opened_anew(jump_host: Jump, web: int) -> None:
    assert probe_port("127.0.0.1", web, jump_host.access) is True
    (client,) = jump._clients.values()
    client.close()
    assert probe_port("127.0.0.1", web, jump_host.access) is True
