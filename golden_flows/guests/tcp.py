"""What can be reached of a guest from outside: a port, a web page."""

from __future__ import annotations

import contextlib
import http.client
import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from golden_flows.errors import GuestError, shorten
from golden_flows.guests.jump import WayInBroken
from golden_flows.guests.socket_path import connect

CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True)
class HttpAnswer:
    status: int | None
    """None when nothing answered."""
    body: bytes
    """At most ``limit_bytes`` of it."""
    error: str
    """Why there is no answer, or why the body is cut short; may be empty."""
    is_late: bool = False
    """Time was up while bytes were still on their way: slow is not lost."""


class _Late(Exception):
    """The time for all of it is over, and nothing has stalled."""


def url_of(address: str, port: int, path: str) -> str:
    """A URL of plain HTTP; an IPv6 address goes into brackets."""
    host = f"[{address}]" if ":" in address else address
    return f"http://{host}:{port}/{path}"


def probe_port(address: str, port: int, access: str | None = None, timeout_s: float = 3.0) -> bool | None:
    """True: it accepts connections. False: refused, unreachable, or silent. None: the way in itself is broken."""
    try:
        connect(address, port, access, timeout_s).close()
    except WayInBroken:
        return None
    except OSError:
        return False
    return True


def http_get(
    url: str,
    access: str | None = None,
    timeout_s: float = 10.0,
    limit_bytes: int = 32 * 1024 * 1024,
    stalled_s: float | None = None,
) -> HttpAnswer:
    """One GET, no redirects followed, no proxy from the environment. Never raises for what the other side does.

    Raises ``WayInBroken``, of which the other side knows nothing.

    ``timeout_s`` is for all of it, ``stalled_s`` (as long, unless said) for a pause in which nothing comes.
    """
    return _ask("GET", url, b"", access, timeout_s, stalled_s or timeout_s, limit_bytes)


def http_post(
    url: str, body: bytes, access: str | None = None, timeout_s: float = 60.0, stalled_s: float | None = None
) -> HttpAnswer:
    """One POST, otherwise as ``http_get``. Once all is sent, the answer has what is left of ``timeout_s``."""
    return _ask("POST", url, body, access, timeout_s, stalled_s or timeout_s, CHUNK_BYTES)


def _ask(
    method: str, url: str, sent: bytes, access: str | None, timeout_s: float, stalled_s: float, limit_bytes: int
) -> HttpAnswer:
    body = bytearray()
    status: int | None = None
    until_s = time.monotonic() + timeout_s
    try:
        with _asked(method, url, sent, access, until_s, stalled_s) as response:
            status = response.status
            while chunk := response.read1(CHUNK_BYTES):
                body += chunk
                if len(body) > limit_bytes:
                    return HttpAnswer(status, bytes(body[:limit_bytes]), f"more than {limit_bytes} bytes")
                if time.monotonic() > until_s:
                    raise _Late
            cut = f"the body ended {response.length} bytes early" if response.length else ""
    except WayInBroken:
        raise
    except _Late:
        return HttpAnswer(status, bytes(body), f"the body took longer than {timeout_s:.0f} s", is_late=True)
    except (http.client.HTTPException, OSError, ValueError, GuestError) as error:
        return HttpAnswer(status, bytes(body), shorten(f"{type(error).__name__}: {error}", 300))
    return HttpAnswer(status, bytes(body), cut)


@contextlib.contextmanager
def _asked(
    method: str, url: str, sent: bytes, access: str | None, until_s: float, stalled_s: float
) -> Iterator[http.client.HTTPResponse]:
    """Over a socket of ``connect``, which alone knows every way in."""
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname is None:
        raise ValueError(f"no URL of plain HTTP: {url!r}")
    port = parts.port or http.client.HTTP_PORT
    asking = http.client.HTTPConnection(parts.hostname, port, timeout=stalled_s)
    with contextlib.closing(asking):
        asking.sock = way = connect(parts.hostname, port, access, stalled_s)
        headers = {"Accept-Encoding": "identity"}
        if sent:
            headers |= {"Content-Length": str(len(sent))}
            asking.request(method, parts.path or "/", body=_pieces(sent, until_s), headers=headers)
            way.settimeout(max(stalled_s, until_s - time.monotonic()))  # much of it may still be on its way
        else:
            asking.request(method, parts.path or "/", headers=headers)
        with _answer(asking, is_sent=bool(sent)) as response:
            way.settimeout(stalled_s)
            yield response


def _pieces(sent: bytes, until_s: float) -> Iterator[bytes]:
    """Piece by piece: a socket's timeout is for a whole ``sendall()``, however much of it has got through."""
    for at in range(0, len(sent), CHUNK_BYTES):
        if time.monotonic() > until_s:
            raise _Late
        yield sent[at : at + CHUNK_BYTES]


def _answer(asking: http.client.HTTPConnection, *, is_sent: bool) -> http.client.HTTPResponse:
    """Raises ``_Late`` where all was sent, and the time for all of it went by without an answer."""
    try:
        return asking.getresponse()
    except TimeoutError:
        if is_sent:
            raise _Late from None
        raise
