"""TCP connections into a cloud: straight, or by the SOCKS proxy or the jump host that its profile names."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import socks

from golden_flows.errors import UsageError
from golden_flows.guests import jump
from golden_flows.guests.jump import WayInBroken


def connect(address: str, port: int, access: str | None, timeout_s: float) -> socket.socket:
    """A connected socket. Raises ``OSError`` when the guest cannot be reached, ``WayInBroken`` when the way in fails.

    Names are resolved by the proxy (``rdns``), where the guests' networks are known.
    """
    if access is None:
        return socket.create_connection((address, port), timeout_s)
    if access.startswith(f"{jump.SCHEME}://"):
        return jump.connect(jump.JumpHost.parse(access), address, port, timeout_s)
    proxy = _proxy(access)
    way: socket.socket = socks.socksocket()
    try:
        way.set_proxy(  # type: ignore[attr-defined]  # socks is untyped
            socks.SOCKS5, proxy.host, proxy.port, rdns=True, username=proxy.user, password=proxy.password
        )
        way.settimeout(timeout_s)
        way.connect((address, port))
    except socks.ProxyError as error:
        way.close()
        # PySocks wraps what it meets while negotiating, its own exceptions included.
        inner = error.socket_err if isinstance(error, socks.GeneralProxyError) and error.socket_err else error
        if isinstance(inner, socks.SOCKS5Error):  # the proxy answered: refused, host unreachable, …
            raise ConnectionError(f"the proxy could not reach {address}:{port}: {inner}") from error
        if isinstance(inner, TimeoutError) and _greets(proxy.host, proxy.port, timeout_s):
            raise TimeoutError(f"no answer from {address}:{port}") from error
        raise WayInBroken(f"the SOCKS proxy {proxy.host}:{proxy.port} does not work: {inner}") from error
    except BaseException:
        way.close()
        raise
    return way


def require_way_in(access: str | None, timeout_s: float = 5.0) -> None:
    """Raises ``WayInBroken`` where it does not work: better now than after guests were booted behind it."""
    if access is None:
        return
    if access.startswith(f"{jump.SCHEME}://"):
        jump.open_session(jump.JumpHost.parse(access), timeout_s)
        return
    proxy = _proxy(access)
    if not _greets(proxy.host, proxy.port, timeout_s):
        raise WayInBroken(
            f"nothing speaks SOCKS5 at {proxy.host}:{proxy.port}, the way in to its guests",
            f"start it, for instance ssh -D {proxy.port} JUMPHOST, or correct interop: access",
        )


@dataclass(frozen=True)
class _Proxy:
    host: str
    port: int
    user: str | None
    password: str | None = field(repr=False)


def _proxy(access: str) -> _Proxy:
    url = urlsplit(access)
    if url.hostname is None or url.port is None:
        raise UsageError(f"no host and port in SOCKS URL {access!r}", "write socks5h://HOST:PORT")
    return _Proxy(url.hostname, url.port, url.username, url.password)


def _greets(host: str, port: int, timeout_s: float) -> bool:
    """Whether a SOCKS5 server answers there at all (RFC 1928, section 3): tells a silent guest from a silent proxy."""
    try:
        with socket.create_connection((host, port), timeout_s) as way:
            way.sendall(b"\5\1\0")
            return way.recv(2)[:1] == b"\5"
    except OSError:
        return False
