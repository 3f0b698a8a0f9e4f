"""A xenstored of our own for tests: one tree, spoken to in the wire protocol over socket pairs."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
from dataclasses import dataclass, field

HEADER = struct.Struct("<IIII")
DIRECTORY, READ, WATCH, WRITE, MKDIR, RM, SET_PERMS, WATCH_EVENT, ERROR = 1, 2, 4, 11, 12, 13, 14, 15, 16
MAX_VALUE_BYTES = 2048  # that a guest may write


class Refused(Exception):
    """The protocol's word for why."""


@dataclass
class Tree:
    """Absolute paths and their values; ``writable`` are the folders that guests may write below."""

    values: dict[str, bytes] = field(default_factory=dict)
    writable: tuple[str, ...] = ("data", "attr")
    lock: threading.RLock = field(default_factory=threading.RLock)
    watchers: list[Connection] = field(default_factory=list)
    changed: threading.Condition = field(init=False)

    def __post_init__(self) -> None:
        self.changed = threading.Condition(self.lock)

    def ask(self, kind: int, path: str, rest: bytes = b"", *, home: str = "", guest: bool = False) -> bytes:
        """One request, as the daemon does it. Raises ``Refused``."""
        full = path if path.startswith("/") else f"{home}/{path}"
        with self.lock:
            if guest and kind in (WRITE, MKDIR, RM) and not self._may(full, home):
                raise Refused("EACCES")
            if kind == READ:
                return self._get(full)
            if kind == DIRECTORY:
                return self._names(full)
            if kind in (WRITE, MKDIR):
                if guest and len(rest) > MAX_VALUE_BYTES:
                    raise Refused("ENOSPC")
                self._set(full, rest if kind == WRITE else self.values.get(full, b""))
            elif kind == RM:
                self._remove(full)
            elif kind != SET_PERMS:
                raise Refused("ENOSYS")
            if kind in (WRITE, MKDIR, RM):
                self._tell(full)
            return b"OK\0"

    def _may(self, full: str, home: str) -> bool:
        return any(full.startswith(f"{home}/{folder}/") or full == f"{home}/{folder}" for folder in self.writable)

    def _get(self, full: str) -> bytes:
        if full in self.values:
            return self.values[full]
        if any(path.startswith(f"{full}/") for path in self.values):
            return b""
        raise Refused("ENOENT")

    def _names(self, full: str) -> bytes:
        below = [path[len(full) + 1 :] for path in self.values if path.startswith(f"{full}/")]
        if not below and full not in self.values:
            raise Refused("ENOENT")
        return b"".join(f"{name}\0".encode() for name in dict.fromkeys(path.split("/")[0] for path in below))

    def _set(self, full: str, value: bytes) -> None:
        for folder in [full[:at] for at, char in enumerate(full) if char == "/" and at]:
            self.values.setdefault(folder, b"")
        self.values[full] = value

    def _remove(self, full: str) -> None:
        gone = [path for path in self.values if path == full or path.startswith(f"{full}/")]
        if not gone:
            raise Refused("ENOENT")
        for path in gone:
            del self.values[path]

    def _tell(self, full: str) -> None:
        self.changed.notify_all()
        for connection in self.watchers:
            connection.tell(full)

    def write(self, path: str, value: str) -> None:
        """As dom0."""
        self.ask(WRITE, path, value.encode())

    def text(self, path: str) -> str | None:
        """As dom0; None where there is nothing."""
        with self.lock:
            value = self.values.get(path)
        return None if value is None else value.decode()

    def wait_for(self, path: str, limit_s: float = 5.0) -> str:
        """A value, once it is there."""
        with self.changed:
            assert self.changed.wait_for(lambda: path in self.values, limit_s), f"nothing at {path}"
        return self.text(path) or ""


class Connection:
    """One guest's end of the tree, served by a thread."""

    def __init__(self, tree: Tree, domid: int = 1) -> None:
        self.tree, self.home = tree, f"/local/domain/{domid}"
        self._near, far = socket.socketpair()
        self.descriptor = os.dup(far.fileno())
        """For the client, which closes it."""
        far.close()
        self._watches: list[tuple[str, bytes]] = []
        self._sending = threading.Lock()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        tree.watchers.append(self)

    def close(self) -> None:
        """What the client sees as the end; again is fine."""
        if self not in self.tree.watchers:
            return
        self.tree.watchers.remove(self)
        self._near.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._near.close()

    def tell(self, full: str) -> None:
        """A path has changed."""
        for watched, token in self._watches:
            absolute = f"{self.home}/{watched}"
            if full == absolute or full.startswith(f"{absolute}/"):
                self._send(WATCH_EVENT, 0, full[len(self.home) + 1 :].encode() + b"\0" + token)

    def _serve(self) -> None:
        with contextlib.suppress(ConnectionResetError), self._near.makefile("rb") as stream:
            while head := stream.read(HEADER.size):
                kind, request, _, length = HEADER.unpack(head)
                path, _, rest = stream.read(length).partition(b"\0")
                self._answer(kind, request, path.decode(), rest)

    def _answer(self, kind: int, request: int, path: str, rest: bytes) -> None:
        if kind == WATCH:
            self._watches.append((path, rest))
            self._send(WATCH, request, b"OK\0")
            self._send(WATCH_EVENT, 0, path.encode() + b"\0" + rest)
            return
        try:
            self._send(kind, request, self.tree.ask(kind, path, rest, home=self.home, guest=True))
        except Refused as error:
            self._send(ERROR, request, f"{error}\0".encode())

    def _send(self, kind: int, request: int, body: bytes) -> None:
        with self._sending:
            try:
                self._near.sendall(HEADER.pack(kind, request, 0, len(body)) + body)
            except OSError:
                return
