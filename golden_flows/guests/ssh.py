"""The way into a guest over SSH: paramiko, straight or through a SOCKS proxy."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from types import TracebackType

from golden_flows.model.facts import LoginAttempt
from golden_flows.waiting import Deadline


@dataclass(frozen=True)
class KeyPair:
    """A key pair made for one run; the private half never leaves this process."""

    private: object = field(repr=False)
    """A paramiko ``PKey``."""
    public_text: str


@dataclass(frozen=True)
class CommandResult:
    exit_code: int
    stdout: bytes
    stderr: bytes

    def __bool__(self) -> bool:
        raise TypeError("say what you mean: compare exit_code, or look at stdout")


class GuestShell:
    """A logged-in session. A context manager."""

    host_key_fingerprint: str
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
        raise NotImplementedError

    def __enter__(self) -> GuestShell:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        raise NotImplementedError

    def run(self, command: str, *, timeout_s: float = 30.0, stdin: bytes | None = None) -> CommandResult:
        raise NotImplementedError

    def read_file(self, path: str, limit_bytes: int = 4 * 1024 * 1024) -> bytes | None:
        """The file's bytes; None where it does not exist."""
        raise NotImplementedError


def generate_key(kind: str = "ed25519") -> KeyPair:
    raise NotImplementedError


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
    raise NotImplementedError


def host_fingerprint(address: str, port: int = 22, *, access: str | None = None, timeout_s: float = 20.0) -> str | None:
    """The host key of whoever answers there; None when nobody does."""
    raise NotImplementedError
