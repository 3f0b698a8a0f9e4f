"""An HTTP server of ours that nobody has business with: who reads from it was talked into it."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CONTENT = b"golden-flows canary\n".ljust(64 * 1024, b"\0")
LOOPBACK = "127.0.0.1"


class Canary:
    """Listens on this machine's loopback address only."""

    def __init__(self, port: int, token: str, read: set[str]) -> None:
        self.port = port
        self._token, self._read = token, read

    def uri(self, host: str, name: str) -> str:
        """Where ``name`` is to be read, by a host that may be written in any way."""
        return f"http://{host}:{self.port}/{self._token}/{name}"

    def was_read(self, name: str) -> bool:
        return name in self._read


@contextmanager
def listening() -> Iterator[Canary]:
    """A canary until the end of the block. Raises ``OSError`` where this machine lets nobody listen."""
    token, read = secrets.token_hex(8), set[str]()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _, given, name = [*self.path.split("/", 2), "", ""][:3]
            if given != token:
                self.send_error(404)
                return
            read.add(name)
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(CONTENT)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: what was read is asked for, not logged."""

    with ThreadingHTTPServer((LOOPBACK, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield Canary(server.server_port, token, read)
        finally:
            server.shutdown()
            thread.join()
