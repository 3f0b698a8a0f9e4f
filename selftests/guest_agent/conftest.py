"""A metadata service on loopback."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from guest_agent.xenstore import XenStore

from selftests.xenstored import Connection, Tree


class MetadataServer(ThreadingHTTPServer):
    """Answers from a table of paths; 404 for the rest."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, bytes] = {}
        #: Bytes announced beyond those sent.
        self.cut_bytes = 0


class Handler(BaseHTTPRequestHandler):
    server: MetadataServer

    def do_GET(self) -> None:
        body = self.server.answers.get(self.path)
        if body is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body) + self.server.cut_bytes))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def metadata_server() -> Iterator[MetadataServer]:
    server = MetadataServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def tree() -> Tree:
    return Tree()


@pytest.fixture
def connection(tree: Tree) -> Iterator[Connection]:
    """The daemon's end of ``store``."""
    connection = Connection(tree)
    yield connection
    connection.close()


@pytest.fixture
def store(connection: Connection) -> Iterator[XenStore]:
    """A guest's connection to ``tree``."""
    client = XenStore(connection.descriptor)
    yield client
    client.close()
