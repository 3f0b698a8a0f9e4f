"""Whatever answers at the metadata's address, and whatever lies on a config drive: the probes in the guest go on."""

from __future__ import annotations

import contextlib
import json
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden_flows.guests.probes import metadata, reading, service
from golden_flows.guests.probes.drive import iso_extensions
from golden_flows.shims.in_guest import config_drive, ec2
from golden_flows.shims.in_guest.source import Found

STATUS = st.sampled_from(
    (b"HTTP/1.0 200 OK", b"HTTP/1.1 404 N", b"HTTP/1.0 2_00 OK", b"HTTP/9", b"SSH-2.0-x", b"", b"\xff")
)
HEADERS = st.lists(
    st.sampled_from((b"Content-Length: 9", b"Content-Length: \xb2", b"Transfer-Encoding: chunked", b"x", b":"))
)
ANSWERS = st.builds(
    lambda status, headers, body: b"\r\n".join((status, *headers, b"", body)), STATUS, HEADERS, st.binary(max_size=40)
)


@contextlib.contextmanager
def answering(content: bytes) -> Iterator[int]:
    """Whoever connects is told this, whatever they ask."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection, contextlib.suppress(OSError):
                        connection.recv(65536)
                        connection.sendall(content)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


@settings(max_examples=settings().max_examples // 2)
@given(ANSWERS)
def test_any_answer_is_one_or_says_why_not(content: bytes) -> None:
    with answering(content) as port:
        asked = service.Service(f"http://127.0.0.1:{port}")
        status, _ = asked.get("/openstack/latest/meta_data.json")
        seen, _ = metadata.Service(
            {"host": "127.0.0.1", "port": port, "budget_s": 5.0, "identity": "/x.json"}
        ).who_am_i()
        asker = ec2.Asker(lambda timeout_s: socket.create_connection(("127.0.0.1", port), timeout_s))
        asker.get("/latest/meta-data/")
    for told, error in (
        (status, asked.requests[0]["error"]),
        (seen["status"], seen["error"]),
        (asker.requests[0]["status"], asker.requests[0]["error"]),
    ):
        assert told is not None or error
        assert told != 200 or content.startswith(b"HTTP/1.")
    assert seen["identity"] is None


@pytest.mark.parametrize("content", [b"HTTP/1.0 200 OK\r\nContent-Length: 90\r\n\r\n{}", b"SSH-2.0-OpenSSH_9.2\r\n"])
def test_half_an_answer_and_another_protocol_are_no_answer(content: bytes) -> None:
    with answering(content) as port:
        asked = service.Service(f"http://127.0.0.1:{port}")
        assert asked.get("/openstack") == (None, b"")
    assert asked.requests[0]["error"]


@pytest.mark.parametrize("text", ["[" * 5000, "", "\ud800", "nul", "{" * 5000])
def test_json_that_is_none_is_nothing(text: str) -> None:
    content = text.encode("utf-8", "surrogatepass")
    assert reading.document(content) is None
    assert config_drive.has_password(content) is False


def test_a_tree_of_ec2_may_answer_the_same_to_everything() -> None:
    for body in (b"", b"public-keys/", b"\xff\xfe", b"=" * 9, "\u00b2".encode()):

        class Same(ec2.Asker):
            def get(self, path: str, body: bytes = body) -> tuple[int | None, bytes]:
                return (404, b"") if path.startswith("/openstack") else (200, body)

        found = ec2.translate(Same(), "")
        assert found is None or isinstance(found, Found), body
        assert found is None or json.loads(found.tree.files["meta_data.json"])["launch_index"] == 0


@given(st.binary(max_size=3000), st.booleans(), st.integers(0, 2**32 - 1))
def test_any_disc_has_extensions_or_none(content: bytes, is_disc: bool, root_at: int) -> None:
    with tempfile.NamedTemporaryFile() as file:
        head = bytes(32768) + (b"\1CD001" if is_disc else b"") + content
        file.write(head.ljust(32768 + 158, b"\0")[: 32768 + 158] + root_at.to_bytes(4, "little") + content)
        file.flush()
        assert set(iso_extensions(file.name)) <= {"joliet", "rock-ridge"}
        assert config_drive.label_of(file.name) in (None, "iso9660", "vfat")
        assert set(config_drive.extensions(file.name)) <= {"joliet", "rock-ridge"}


def test_no_device_is_no_drive(tmp_path: Path) -> None:
    assert iso_extensions(str(tmp_path / "none")) == []
