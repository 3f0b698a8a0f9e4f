"""A way in by a jump host: one SSH session to it for this process, and in it a channel for each connection.

A profile's ``access`` names it as ``ssh://USER@HOST:PORT?key=FILE&host_key=SHA256:…``, both of the latter optional:
without ``key`` the user's agent and usual key files serve, without ``host_key`` their ``known_hosts`` must know it.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import paramiko

from golden_flows.errors import GuestError, UsageError, shorten

SCHEME = "ssh"
PORT = 22
KEEPALIVE_S = 30
CHUNK_BYTES = 64 * 1024
KNOWN_HOSTS = Path("~/.ssh/known_hosts")


class WayInBroken(GuestError):
    """The way in itself, proxy or jump host, does not work, so nothing is known of the guest behind it."""


@dataclass(frozen=True)
class JumpHost:
    """Whom to log in to, and by which key. Holds no secret: the key is a file's name."""

    user: str
    host: str
    port: int
    key_file: str | None = None
    host_key: str | None = None
    """``SHA256:…``, as ``ssh-keygen -lf`` prints it."""

    @classmethod
    def parse(cls, access: str) -> JumpHost:
        """Raises ``UsageError`` for what is no such URL."""
        url = urlsplit(access)
        try:
            port = url.port or PORT
        except ValueError as error:
            raise UsageError(f"no port in {access!r}", "write user@host:port") from error
        if url.scheme != SCHEME or not url.hostname or not url.username:
            raise UsageError(f"no user and host in {access!r}", "write user@host[:port]")
        told = parse_qs(url.query, strict_parsing=bool(url.query))
        key, host_key = (next(iter(told.get(name, [])), None) for name in ("key", "host_key"))
        return cls(url.username, url.hostname, port, key, host_key)

    def __str__(self) -> str:
        return f"{self.user}@{self.host}:{self.port}"


_clients: dict[JumpHost, paramiko.SSHClient] = {}
_lock = threading.Lock()


def connect(jump: JumpHost, address: str, port: int, timeout_s: float) -> socket.socket:
    """A connected socket. Raises ``OSError`` when the guest cannot be reached from there, else ``WayInBroken``."""
    transport = open_session(jump, timeout_s)
    try:
        channel = transport.open_channel("direct-tcpip", (address, port), ("127.0.0.1", 0), timeout=timeout_s)
    except paramiko.ChannelException as error:
        if error.code == paramiko.common.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED:
            raise WayInBroken(
                f"jump host {jump} forwards nothing ({error.text})", "let its sshd say AllowTcpForwarding yes"
            ) from error
        raise ConnectionError(f"{jump} could not reach {address}:{port}: {error.text}") from error
    except (paramiko.SSHException, EOFError) as error:
        if transport.is_active():  # it said nothing in time: the guest is silent, the jump host is not
            raise TimeoutError(f"no answer from {address}:{port} by way of {jump}") from error
        raise WayInBroken(f"the session with jump host {jump} broke off: {_text(error)}") from error
    return _bridged(channel, timeout_s)


def open_session(jump: JumpHost, timeout_s: float) -> paramiko.Transport:
    """The session of this process with the jump host, opened anew where there is none. Raises ``WayInBroken``."""
    with _lock:
        client = _clients.get(jump)
        transport = client.get_transport() if client else None
        if transport is None or not transport.is_active():
            _clients[jump] = client = _log_in(jump, timeout_s)
            transport = client.get_transport()
    if transport is None:
        raise WayInBroken(f"the session with jump host {jump} broke off")
    transport.set_keepalive(KEEPALIVE_S)
    return transport


def _log_in(jump: JumpHost, timeout_s: float) -> paramiko.SSHClient:
    client = paramiko.SSHClient()
    known = KNOWN_HOSTS.expanduser()
    if jump.host_key is None and known.is_file():
        with contextlib.suppress(OSError, paramiko.SSHException):
            client.load_system_host_keys(str(known))
    client.set_missing_host_key_policy(_Pinned(jump))
    own_keys = jump.key_file is None
    try:
        key = None if jump.key_file is None else _read_key(jump, jump.key_file)
        client.connect(
            jump.host,
            jump.port,
            jump.user,
            pkey=key,
            allow_agent=own_keys,
            look_for_keys=own_keys,
            timeout=timeout_s,
            banner_timeout=timeout_s,
            auth_timeout=timeout_s,
        )
    except BaseException as error:
        client.close()
        if isinstance(error, (OSError, EOFError, paramiko.SSHException)):
            raise _explained(jump, error) from error
        raise
    return client


def _read_key(jump: JumpHost, name: str) -> paramiko.PKey:
    """Not left to paramiko's client, which tries every kind of key and tells of the last. Raises ``OSError``."""
    try:
        return paramiko.PKey.from_path(Path(name).expanduser())
    except TypeError as error:  # cryptography's word for a passphrase that is missing
        raise WayInBroken(
            f"the key for jump host {jump}, {name}, needs a passphrase",
            "load it into an SSH agent, and leave interop: access: key out",
        ) from error
    except (ValueError, paramiko.SSHException) as error:
        raise WayInBroken(f"{name} is no private key: {_text(error)}", "correct interop: access: key") from error


class _Pinned(paramiko.MissingHostKeyPolicy):
    """Asked for a host key that ``known_hosts`` does not have: only the pinned one will do."""

    def __init__(self, jump: JumpHost) -> None:
        self._jump = jump

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        pinned = self._jump.host_key
        if pinned is None:
            raise WayInBroken(
                f"jump host {self._jump} shows host key {key.fingerprint}, which nobody here knows",
                f"if that is right, pin it: interop: access: host_key: {key.fingerprint} (or add it to {KNOWN_HOSTS})",
            )
        if key.fingerprint != pinned:
            raise WayInBroken(
                f"jump host {self._jump} shows host key {key.fingerprint}, and {pinned} is pinned",
                "somebody else answers there, or its host key was changed: correct interop: access: host_key",
            )


def _explained(jump: JumpHost, error: BaseException) -> WayInBroken:
    if isinstance(error, paramiko.BadHostKeyException):
        return WayInBroken(
            f"jump host {jump} shows another host key than {KNOWN_HOSTS} has",
            "somebody else answers there, or its host key was changed",
        )
    if isinstance(error, paramiko.AuthenticationException):
        return WayInBroken(f"jump host {jump} refused the key: {_text(error)}", "check interop: access: jump and key")
    if isinstance(error, FileNotFoundError):
        return WayInBroken(f"jump host {jump}: there is no key file {jump.key_file}", "correct interop: access: key")
    return WayInBroken(f"jump host {jump} does not answer: {_text(error)}", "correct interop: access: jump")


def _bridged(channel: paramiko.Channel, timeout_s: float) -> socket.socket:
    """A socket of the kernel's whose bytes go through the channel: libraries want one with all its manners."""
    near, far = socket.socketpair()
    near.settimeout(timeout_s)
    channel.settimeout(None)

    def pump(receive: Callable[[int], bytes], send: Callable[[bytes], object], end: Callable[[], object]) -> None:
        with contextlib.suppress(OSError, EOFError):
            while part := receive(CHUNK_BYTES):
                send(part)
        with contextlib.suppress(OSError, EOFError):
            end()

    def both() -> None:
        back = threading.Thread(
            target=pump, args=(channel.recv, far.sendall, lambda: far.shutdown(socket.SHUT_WR)), daemon=True
        )
        back.start()
        pump(far.recv, channel.sendall, channel.shutdown_write)
        back.join()
        channel.close()
        far.close()

    threading.Thread(target=both, daemon=True).start()
    return near


def _text(error: BaseException) -> str:
    return shorten(str(error) or type(error).__name__, 200)
