"""A small OpenStack metadata service over HTTP/1.0, for root alone; until it knows its answers, askers wait.

Paths and types are nova's. Source: nova/api/metadata/base.py, handler.py.
"""

from __future__ import annotations

import socket
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: Agents give up after 10 s and ask again.
HOLD_S = 60.0
REQUEST_LIMIT_BYTES = 16 << 10
JSON_FILES = ("meta_data.json", "vendor_data.json", "vendor_data2.json")
NOT_FOUND = (404, "text/html", b"<html><body><h1>404 Not Found</h1></body></html>")
REASONS = {200: "OK", 403: "Forbidden", 404: "Not Found", 503: "Service Unavailable"}


class Tree:
    """What is served: files below ``/openstack/<version>/``, and ``/openstack/content/NNNN``."""

    def __init__(self, files: Mapping[str, bytes], contents: Mapping[str, bytes], versions: list[str]) -> None:
        """``versions`` without ``latest``; every one is answered alike."""
        self.files, self.contents, self.versions = dict(files), dict(contents), versions

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Status, content type, body."""
        words = [one for one in path.partition("?")[0].split("/") if one]
        versions = [*sorted(self.versions), "latest"]
        if not words:
            return 200, "text/plain", b"latest"
        if words[0] != "openstack":
            return NOT_FOUND
        if len(words) == 1:
            return 200, "text/plain", "\n".join(versions).encode()
        if words[1] == "content" and len(words) == 3:
            body = self.contents.get(words[2])
            return NOT_FOUND if body is None else (200, "application/octet-stream", body)
        if words[1] not in versions:
            return NOT_FOUND
        if len(words) == 2:
            return 200, "text/plain", "\n".join(sorted(self.files)).encode()
        body = self.files.get(words[2]) if len(words) == 3 else None
        if body is None:
            return NOT_FOUND
        return 200, "application/json" if words[2] in JSON_FILES else "text/plain", body


class Server:
    """Listens at once; answers once ``serve`` was told what."""

    def __init__(self, host: str, port: int, asker: Callable[[tuple[str, int]], int | None]) -> None:
        """``asker``: the uid of whoever sits at an address of this machine. Raises ``OSError``."""
        self._listener = socket.create_server((host, port), backlog=64)
        self.address: tuple[str, int] = self._listener.getsockname()[:2]
        self._asker = asker
        self._tree: Tree | None = None
        self._known = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def serve(self, tree: Tree) -> None:
        """Answer, those who wait as well."""
        self._tree = tree
        self._known.set()

    def close(self) -> None:
        """Answer nobody any more; those who wait are told to ask again."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._known.set()

    def _accept(self) -> None:
        while True:
            try:
                connection, peer = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection, peer), daemon=True).start()

    def _answer(self, connection: socket.socket, peer: tuple[str, int]) -> None:
        with connection:
            try:
                connection.settimeout(HOLD_S)
                request = b""
                while b"\r\n\r\n" not in request and len(request) < REQUEST_LIMIT_BYTES:
                    part = connection.recv(4096)
                    if not part:
                        return
                    request += part
                self._known.wait(HOLD_S)
                status, kind, body = self._decide(request, peer)
                head = f"HTTP/1.0 {status} {REASONS[status]}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
                connection.sendall(f"{head}Connection: close\r\n\r\n".encode("ascii") + body)
            except OSError:
                return

    def _decide(self, request: bytes, peer: tuple[str, int]) -> tuple[int, str, bytes]:
        if self._tree is None:
            return 503, "text/plain", b"not known yet"
        if self._asker(peer) != 0:  # there may be a password in it
            return 403, "text/plain", b"for root alone"
        words = request.split(b"\r\n", 1)[0].split()
        if len(words) < 2 or words[0] not in (b"GET", b"HEAD"):
            return NOT_FOUND
        return self._tree.answer(words[1].decode("latin-1"))


def uid_of(peer: tuple[str, int]) -> int | None:
    """Whose socket this is, on this machine; None for nobody's. Source: proc(5), /proc/net/tcp."""
    host, port = peer
    mine = f"{int.from_bytes(socket.inet_aton(host), 'little'):08X}:{port:04X}"
    with open("/proc/net/tcp", encoding="ascii") as file:
        for line in file:
            words = line.split()
            if len(words) > 7 and words[1] == mine:
                return int(words[7])
    return None
