"""TCP connections into a cloud: straight, or through the SOCKS proxy that its profile names."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import socks

from golden_flows.errors import GuestError, UsageError


class WayInBroken(GuestError):
    """The SOCKS proxy itself does not answer, so nothing is known of the guest behind it."""


def connect(address: str, port: int, access: str | None, timeout_s: float) -> socket.socket:
    """A connected socket. Raises ``OSError`` when the guest cannot be reached, ``WayInBroken`` when the proxy cannot.

    Names are resolved by the proxy (``rdns``), where the guests' networks are known.
    """
    if access is None:
        return socket.create_connection((address, port), timeout_s)
    proxy = urlsplit(access)
    if proxy.hostname is None or proxy.port is None:
        raise UsageError(f"no host and port in SOCKS URL {access!r}", "write socks5h://HOST:PORT")
    way: socket.socket = socks.socksocket()
    try:
        way.set_proxy(  # type: ignore[attr-defined]  # socks is untyped
            socks.SOCKS5, proxy.hostname, proxy.port, rdns=True, username=proxy.username, password=proxy.password
        )
        way.settimeout(timeout_s)
        way.connect((address, port))
    except socks.ProxyError as error:
        way.close()
        # PySocks wraps what it meets while negotiating, its own exceptions included.
        inner = error.socket_err if isinstance(error, socks.GeneralProxyError) and error.socket_err else error
        if isinstance(inner, socks.SOCKS5Error):  # the proxy answered: refused, host unreachable, …
            raise ConnectionError(f"the proxy could not reach {address}:{port}: {inner}") from error
        if isinstance(inner, TimeoutError) and _greets(proxy.hostname, proxy.port, timeout_s):
            raise TimeoutError(f"no answer from {address}:{port}") from error
        raise WayInBroken(f"the SOCKS proxy {proxy.hostname}:{proxy.port} does not work: {inner}") from error
    except BaseException:
        way.close()
        raise
    return way


def _greets(host: str, port: int, timeout_s: float) -> bool:
    """Whether a SOCKS5 server answers there at all (RFC 1928, section 3): tells a silent guest from a silent proxy."""
    try:
        with socket.create_connection((host, port), timeout_s) as way:
            way.sendall(b"\5\1\0")
            return way.recv(2)[:1] == b"\5"
    except OSError:
        return False
