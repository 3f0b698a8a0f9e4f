"""What can be reached of a guest from outside: a port, a web page."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class HttpAnswer:
    status: int | None
    """None when nothing answered."""
    body: bytes
    error: str


def probe_port(address: str, port: int, access: str | None = None, timeout_s: float = 3.0) -> bool | None:
    """True: it accepts connections. False: refused, unreachable, or silent. None: the way in itself is broken."""
    raise NotImplementedError


def http_get(
    url: str, access: str | None = None, timeout_s: float = 10.0, limit_bytes: int = 32 * 1024 * 1024
) -> HttpAnswer:
    """One GET, no redirects followed, no proxy from the environment. Never raises for what the other side does."""
    raise NotImplementedError
