"""The way into a guest over SSH: paramiko, straight or through a SOCKS proxy.

Keys come from memory only: no agent, no files of the user's, no fallback from a key to a password.
"""

from __future__ import annotations

import contextlib
import io
import logging
import shlex
import socket
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from types import TracebackType
from typing import cast

import paramiko
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from golden_flows.errors import GuestError, WaitTimeout, shorten
from golden_flows.guests.jump import WayInBroken
from golden_flows.guests.socket_path import connect
from golden_flows.model.facts import LoginAttempt
from golden_flows.waiting import Deadline, wait_for

OUTPUT_LIMIT_BYTES = 64 * 1024 * 1024
HANDSHAKE_TIMEOUT_S = 20.0
"""For banner, key exchange and log-in, each: an emulated CPU takes seconds for one key exchange."""
_SUDO = 'sudo -n -- env HOME="$HOME" '
"""Root, and ``~`` is still the account that was logged in to."""
_MISSING = 44
"""Exit code by which ``read_file`` learns that a file is not there."""

# Without a handler Python prints paramiko's tracebacks of refused connections on stderr.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


@dataclass(frozen=True)
class KeyPair:
    """A key pair made for one run; the private half never leaves this process."""

    private: paramiko.PKey = field(repr=False)
    public_text: str
    """``ssh-ed25519 AAAA… comment``, without a newline."""
    fingerprint: str = ""
    """``SHA256:…``"""

    def decrypt(self, ciphertext: bytes) -> bytes:
        """Undo RSAES-PKCS1-v1_5. Raises ``GuestError`` where this key did not encrypt it, or is no RSA key."""
        secret = getattr(self.private, "key", None)
        if not isinstance(secret, rsa.RSAPrivateKey):
            raise GuestError(f"a key of type {self.private.get_name()} decrypts nothing")
        try:
            return secret.decrypt(ciphertext, padding.PKCS1v15())
        except ValueError as error:
            raise GuestError(f"not encrypted with this key, or damaged ({len(ciphertext)} bytes)") from error


@dataclass(frozen=True)
class CommandResult:
    exit_code: int
    """-1 when the command ended without one (killed by a signal)."""
    stdout: bytes
    stderr: bytes

    def __bool__(self) -> bool:
        raise TypeError("say what you mean: compare exit_code, or look at stdout")


class _Refused(Exception):
    """The server answered, and said no."""


class GuestShell:
    """A logged-in session. A context manager."""

    def __init__(self, transport: paramiko.Transport, where: str) -> None:
        self._transport, self._where = transport, where
        self._prefix: str | None = "" if where.startswith("root@") else None
        self.host_key_fingerprint: str = transport.get_remote_server_key().fingerprint
        """``SHA256:…`` as OpenSSH prints it."""

    @classmethod
    def open(
        cls,
        address: str,
        port: int = 22,
        user: str = "root",
        *,
        key: KeyPair | None = None,
        password: str | None = None,
        access: str | None = None,
        known_fingerprints: Collection[str] | None = None,
        deadline: Deadline,
    ) -> GuestShell:
        """Log in with the key, or with the password, never with both; asks again until the deadline while sshd is away.

        ``known_fingerprints``: the host keys that the guest's own report names; another one raises ``GuestError``.
        """
        if (key is None) == (password is None):
            raise ValueError("log in with a key or with a password")
        where = f"{user}@{address}:{port}"
        trouble = ""

        def attempt() -> GuestShell | None:
            nonlocal trouble
            try:
                transport = _handshake(address, port, access, _left(deadline))
            except WayInBroken:
                raise
            except (OSError, EOFError, paramiko.SSHException) as error:
                trouble = _text(error)
                return None
            shell = cls(transport, where)
            try:
                shell._pin(known_fingerprints)
                _authenticate(transport, user, key, password)
            except _Refused as refused:
                shell.close()
                raise GuestError(f"{where} refused the {'key' if key else 'password'}: {refused}") from refused
            except (OSError, EOFError, paramiko.SSHException) as error:
                shell.close()
                trouble = _text(error)
                return None
            except GuestError:
                shell.close()
                raise
            return shell

        def opened(shell: GuestShell | None) -> bool:
            return shell is not None

        try:
            shell = wait_for(f"SSH at {where}", attempt, until=opened, deadline=deadline, every_s=0.5)
        except WaitTimeout as error:
            raise GuestError(f"no SSH session at {where} after {error.waited_s:.0f} s: {trouble}") from error
        return cast(GuestShell, shell)

    def __enter__(self) -> GuestShell:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._transport.close()

    def run(self, command: str, *, timeout_s: float = 30.0, stdin: bytes | None = None) -> CommandResult:
        """Run in the user's login shell; as root where the user may be root without a password (sudo).

        Raises ``GuestError`` when it takes too long or the session breaks off.
        """
        return self._run(f"{self._sudo()}sh -c {shlex.quote(command)}" if self._sudo() else command, timeout_s, stdin)

    def _sudo(self) -> str:
        """What a command of root's begins with; nothing where the user is root, or can only be itself."""
        if self._prefix is None:
            self._prefix = _SUDO if self._run(f"{_SUDO}true", 30.0, None).exit_code == 0 else ""
        return self._prefix

    def _run(self, command: str, timeout_s: float, stdin: bytes | None) -> CommandResult:
        until_s = time.monotonic() + timeout_s
        what = f"{shorten(command, 80)!r} at {self._where}"
        try:
            channel = self._transport.open_session(timeout=timeout_s)
            with channel:
                channel.exec_command(command)
                errors: list[bytes] = []

                def read_errors() -> None:
                    with contextlib.suppress(OSError):  # the main thread meets and tells the same trouble
                        errors.append(_drain(channel.recv_stderr, channel, until_s))

                # Both streams share one window: whichever is not read would stall the other.
                reader = threading.Thread(target=read_errors, daemon=True)
                reader.start()
                if stdin is not None:
                    channel.settimeout(timeout_s)
                    channel.sendall(stdin)
                channel.shutdown_write()
                stdout = _drain(channel.recv, channel, until_s)
                reader.join(max(0.1, until_s - time.monotonic()))
                channel.status_event.wait(max(0.1, until_s - time.monotonic()))
                if not channel.exit_status_ready():
                    raise TimeoutError
                return CommandResult(channel.exit_status, stdout, errors[0] if errors else b"")
        except TimeoutError as error:
            raise GuestError(f"{what} did not end within {timeout_s:.0f} s") from error
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise GuestError(f"{what}: the session broke off: {_text(error)}") from error

    def read_file(self, path: str, limit_bytes: int = 4 * 1024 * 1024) -> bytes | None:
        """The file's bytes, at most ``limit_bytes``; None where it does not exist. Raises ``GuestError``."""
        name = shlex.quote(path)
        result = self.run(f"if [ -e {name} ]; then head -c {limit_bytes:d} {name}; else exit {_MISSING}; fi")
        if result.exit_code == _MISSING:
            return None
        if result.exit_code != 0:
            complaint = shorten(result.stderr.decode("utf-8", "replace"), 200)
            raise GuestError(f"cannot read {path} at {self._where}: {complaint or result.exit_code}")
        return result.stdout

    def _pin(self, known_fingerprints: Collection[str] | None) -> None:
        if known_fingerprints is not None and self.host_key_fingerprint not in known_fingerprints:
            raise GuestError(
                f"{self._where} shows host key {self.host_key_fingerprint}, which the guest's report does not name",
                "somebody else answers at that address, or the guest changed its host keys after it reported",
            )


def _left(deadline: Deadline) -> float:
    return max(1.0, min(HANDSHAKE_TIMEOUT_S, deadline.left_s))


def _text(error: BaseException) -> str:
    return shorten(str(error) or type(error).__name__, 200)


def _drain(receive: Callable[[int], bytes], channel: paramiko.Channel, until_s: float) -> bytes:
    """One stream to its end. Raises ``TimeoutError``; ``OSError`` on more than ``OUTPUT_LIMIT_BYTES``."""
    parts: list[bytes] = []
    size = 0
    while True:
        channel.settimeout(max(0.1, until_s - time.monotonic()))
        part = receive(32768)
        if not part:
            return b"".join(parts)
        parts.append(part)
        size += len(part)
        if size > OUTPUT_LIMIT_BYTES:
            raise OSError(f"more than {OUTPUT_LIMIT_BYTES} bytes of output")
        if time.monotonic() > until_s:
            raise TimeoutError


def _handshake(address: str, port: int, access: str | None, timeout_s: float) -> paramiko.Transport:
    """Connect and agree on keys. The server's host key is known afterwards; nobody is logged in."""
    way: socket.socket = connect(address, port, access, timeout_s)
    try:
        transport = paramiko.Transport(way)
    except BaseException:
        way.close()
        raise
    transport.banner_timeout = timeout_s
    transport.auth_timeout = timeout_s
    try:
        transport.start_client(timeout=timeout_s)
        transport.get_remote_server_key()  # start_client returns quietly when its time is up; this does not
    except BaseException:
        transport.close()
        raise
    return transport


def _authenticate(transport: paramiko.Transport, user: str, key: KeyPair | None, password: str | None) -> None:
    """Raises ``_Refused`` for a no; ``SSHException``, ``EOFError`` or ``OSError`` when there was no answer."""
    try:
        if key is not None:
            left = transport.auth_publickey(user, key.private)
        else:
            left = transport.auth_password(user, password or "")
    except paramiko.AuthenticationException as error:
        # paramiko says a time-out of the authentication by the same exception as a refusal.
        if "timeout" in str(error).lower() or not transport.is_active():
            raise paramiko.SSHException(_text(error)) from error
        raise _Refused(_text(error)) from error
    if left or not transport.is_authenticated():
        raise _Refused(f"it wants more: {', '.join(left)}")


def generate_key(kind: str = "ed25519") -> KeyPair:
    """A fresh key pair: ``ed25519`` or ``rsa`` (3072 bit)."""
    private: paramiko.PKey
    if kind == "ed25519":
        # paramiko reads these keys and does not make them.
        text = ed25519.Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        )
        private = paramiko.Ed25519Key(file_obj=io.StringIO(text.decode("ascii")))
    elif kind == "rsa":
        private = paramiko.RSAKey.generate(3072)
    else:
        raise ValueError(f"no such kind of key: {kind!r}")
    return KeyPair(private, f"{private.get_name()} {private.get_base64()} interop", private.fingerprint)


def try_login(
    address: str,
    port: int = 22,
    user: str = "root",
    *,
    method: str,
    key: KeyPair | None = None,
    password: str | None = None,
    access: str | None = None,
    timeout_s: float = 20.0,
) -> LoginAttempt:
    """One try. ``accepted`` is None when there was no connection to be refused on."""
    if (key is None) == (password is None):
        raise ValueError("log in with a key or with a password")
    try:
        transport = _handshake(address, port, access, timeout_s)
    except (GuestError, OSError, EOFError, paramiko.SSHException) as error:
        return LoginAttempt(method=method, user=user, accepted=None, error=_text(error))
    try:
        fingerprint = transport.get_remote_server_key().fingerprint
        accepted: bool | None
        try:
            _authenticate(transport, user, key, password)
            accepted, trouble = True, ""
        except _Refused as refused:
            accepted, trouble = False, str(refused)
        except (OSError, EOFError, paramiko.SSHException) as error:
            accepted, trouble = None, _text(error)
    finally:
        transport.close()
    return LoginAttempt(method=method, user=user, accepted=accepted, error=trouble, host_key_fingerprint=fingerprint)


def host_fingerprint(address: str, port: int = 22, *, access: str | None = None, timeout_s: float = 20.0) -> str | None:
    """The host key of whoever answers there; None when nobody does."""
    try:
        transport = _handshake(address, port, access, timeout_s)
    except (GuestError, OSError, EOFError, paramiko.SSHException):
        return None
    try:
        return transport.get_remote_server_key().fingerprint
    finally:
        transport.close()
