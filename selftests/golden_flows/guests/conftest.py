"""Servers on loopback: SSH that knows one key and one password, HTTP, and a SOCKS proxy."""

from __future__ import annotations

import hashlib
import http.server
import socket
import socketserver
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import paramiko
import pytest
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL, OPEN_SUCCEEDED

PASSWORD = "let-me-in"


class SshServer(paramiko.ServerInterface):
    """Runs commands with /bin/sh on this machine: only tests send any."""

    def __init__(self, authorized: set[str]) -> None:
        self.authorized = authorized

    def get_allowed_auths(self, username: str) -> str:
        return "publickey,password"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return AUTH_SUCCESSFUL if key.get_base64() in self.authorized else AUTH_FAILED

    def check_auth_password(self, username: str, password: str) -> int:
        return AUTH_SUCCESSFUL if password == PASSWORD else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        threading.Thread(target=self._execute, args=(channel, command.decode()), daemon=True).start()
        return True

    def _execute(self, channel: paramiko.Channel, command: str) -> None:
        stdin = b"".join(iter(lambda: channel.recv(4096), b""))
        done = subprocess.run(["/bin/sh", "-c", command], input=stdin, capture_output=True, timeout=20)
        try:
            channel.sendall_stderr(done.stderr)
            channel.sendall(done.stdout)
            channel.send_exit_status(done.returncode)
            channel.close()
        except OSError:
            pass  # the client went away


def serve(handler: type[socketserver.BaseRequestHandler]) -> tuple[socketserver.ThreadingTCPServer, int]:
    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    server = Server(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    return server, server.server_address[1]


@dataclass(frozen=True)
class Ssh:
    port: int
    host_fingerprint: str
    authorized: set[str]


@pytest.fixture
def ssh() -> Iterator[Ssh]:
    host_key = paramiko.ECDSAKey.generate()
    authorized: set[str] = set()
    transports: list[paramiko.Transport] = []

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            transport = paramiko.Transport(self.request)
            transports.append(transport)
            transport.add_server_key(host_key)
            try:
                transport.start_server(server=SshServer(authorized))
                transport.join()
            except (paramiko.SSHException, EOFError):
                transport.close()

    server, port = serve(Handler)
    yield Ssh(port, host_key.fingerprint, authorized)
    for transport in transports:
        transport.close()
    server.shutdown()
    server.server_close()


@pytest.fixture
def web() -> Iterator[int]:
    """Port of a web server: /hello, /big (1 MiB), /away (a redirect); anything else 404. Posts get their sha256."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            bodies = {"/hello": b"hello", "/big": bytes(1024 * 1024)}
            status = 302 if self.path == "/away" else 200 if self.path in bodies else 404
            body = bodies.get(self.path, b"no")
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if status == 302:
                self.send_header("Location", "/hello")
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            body = hashlib.sha256(self.rfile.read(int(self.headers["Content-Length"]))).hexdigest().encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@dataclass(frozen=True)
class Socks:
    url: str
    asked: list[tuple[str, int]]
    """What clients asked it for, names unresolved."""


def _copy(source: socket.socket, sink: socket.socket) -> None:
    try:
        while part := source.recv(65536):
            sink.sendall(part)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


@pytest.fixture
def socks() -> Iterator[Socks]:
    """SOCKS5 (RFC 1928) without authentication. It knows one name, ``guest.test``: this machine."""
    asked: list[tuple[str, int]] = []

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            client: socket.socket = self.request
            _, count = client.recv(2)
            client.recv(count)
            client.sendall(b"\5\0")
            _, _, _, kind = client.recv(4)
            name = client.recv(client.recv(1)[0]).decode() if kind == 3 else socket.inet_ntoa(client.recv(4))
            port = int.from_bytes(client.recv(2), "big")
            asked.append((name, port))
            try:
                guest = socket.create_connection(("127.0.0.1" if name == "guest.test" else name, port), 2)
            except ConnectionRefusedError:
                client.sendall(b"\5\5\0\1\0\0\0\0\0\0")
                return
            except OSError:
                client.sendall(b"\5\4\0\1\0\0\0\0\0\0")
                return
            client.sendall(b"\5\0\0\1\0\0\0\0\0\0")
            with guest:
                threading.Thread(target=_copy, args=(guest, client), daemon=True).start()
                _copy(client, guest)

    server, port = serve(Handler)
    yield Socks(f"socks5h://127.0.0.1:{port}", asked)
    server.shutdown()
    server.server_close()


@pytest.fixture
def silent_guest_socks() -> Iterator[str]:
    """A SOCKS proxy that greets, and then tries to reach a guest for ever."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(3)
            self.request.sendall(b"\5\0")
            while self.request.recv(100):
                pass

    server, port = serve(Handler)
    yield f"socks5h://127.0.0.1:{port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def closed_port() -> int:
    """A port where nothing listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that accepts connections and never says a word."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen(5)
        yield int(one.getsockname()[1])


@pytest.fixture
def slow_port() -> Iterator[int]:
    """A web server that takes a body of 8 MiB in with pauses, thinks for a second, and answers ``late``."""
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        one.bind(("127.0.0.1", 0))
        one.listen(1)
        serving = threading.Thread(target=_take_in_slowly, args=(one,), daemon=True)
        serving.start()
        yield int(one.getsockname()[1])
        serving.join(10.0)


def _take_in_slowly(listening: socket.socket) -> None:
    asker, _ = listening.accept()
    with asker:
        seen = b""
        while b"\r\n\r\n" not in seen:
            seen += asker.recv(4096)
        left = 8 * 1024 * 1024 - len(seen.partition(b"\r\n\r\n")[2])
        while left:
            left -= len(asker.recv(min(left, 1024 * 1024), socket.MSG_WAITALL))
            time.sleep(0.1)
        time.sleep(1.0)
        asker.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nlate")
