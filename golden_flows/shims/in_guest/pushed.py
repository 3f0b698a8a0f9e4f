"""Takes metadata that the instance's owner pushes over the network, where the cloud itself tells nothing.

Whoever pushes must know the key that the owner put into the image, and answers a challenge, so that nothing that was
overheard can be pushed again; before, the guest answers one of hers, so that no stranger is told in its place. What was
pushed is kept for this machine's later boots; a copy of it is another machine.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import socket
import threading
import time

from golden_flows.shims.in_guest import address, ec2
from golden_flows.shims.in_guest.server import Tree
from golden_flows.shims.in_guest.source import Found, NotNeeded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PORT = 8775  # nova's own metadata service listens there, behind its proxies
KEY_PATH = "/etc/golden-flows/push-key"
KEPT = "/var/lib/golden-flows/pushed.json"
TIMEOUT_S = 30.0  # for all that one connection has to say
BODY_LIMIT_BYTES = 4 << 20
LINE_LIMIT_BYTES = 200


class Receiver:
    """Listens from the start; ``taken`` is the last document that was pushed with the right key."""

    def __init__(self, listener: socket.socket, key: bytes, machine: str) -> None:
        """``machine``: the uuid that the firmware states; empty for none. Others' documents are refused."""
        self.taken: dict[str, Any] | None = None
        self._listener, self._key, self._machine = listener, key, machine
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Listen no more: what is pushed now is for the next boot."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            # A thread each: whoever says nothing, or says it slowly, keeps nobody waiting.
            threading.Thread(target=self._hear, args=(connection,), daemon=True).start()

    def _hear(self, connection: socket.socket) -> None:
        with connection:
            try:
                self._receive(connection)
            except (OSError, ValueError):
                return

    def _receive(self, connection: socket.socket) -> None:
        heard = Heard(connection, TIMEOUT_S)
        nonce = heard.line().decode("ascii")
        challenge = os.urandom(16).hex()
        connection.sendall(f"{challenge} {proof(self._key, nonce, challenge)}\n".encode("ascii"))
        mac, told = heard.line().split()
        length = int(told)
        if not 0 <= length <= BODY_LIMIT_BYTES:
            raise ValueError("a length that is not taken")
        body = heard.take(length)
        if mac.decode("ascii") != sign(self._key, challenge, body):
            connection.sendall(b"refused: another key\n")
            return
        document = json.loads(body)
        if self._machine and document["uuid"] != self._machine:
            connection.sendall(b"refused: another machine\n")
            return
        self.taken = document
        connection.sendall(b"taken\n")


class Heard:
    """What one connection says, in so many seconds altogether."""

    def __init__(self, connection: socket.socket, timeout_s: float) -> None:
        self._connection, self._until_s = connection, time.monotonic() + timeout_s
        self._held = b""

    def line(self) -> bytes:
        """Without its end. Raises ``OSError`` when the time is up, ``ValueError`` for one that is cut or too long."""
        while b"\n" not in self._held:
            if len(self._held) > LINE_LIMIT_BYTES:
                raise ValueError("no line")
            self._more()
        line, _, self._held = self._held.partition(b"\n")
        return line

    def take(self, length: int) -> bytes:
        """Exactly so many bytes. Raises ``OSError`` when the time is up, ``ValueError`` where fewer come."""
        while len(self._held) < length:
            self._more()
        taken, self._held = self._held[:length], self._held[length:]
        return taken

    def _more(self) -> None:
        left_s = self._until_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("too slow")
        self._connection.settimeout(left_s)
        part = self._connection.recv(65536)
        if not part:
            raise ValueError("cut short")
        self._held += part


def sign(key: bytes, challenge: str, body: bytes) -> str:
    """What shows that whoever pushes this body knows the key. Source: RFC 7693, keyed BLAKE2b."""
    return hashlib.blake2b(challenge.encode("ascii") + body, key=key).hexdigest()


def proof(key: bytes, nonce: str, challenge: str) -> str:
    """What shows that the guest knows the key. No challenge begins so: it is never what ``sign`` makes."""
    return hashlib.blake2b(b"guest" + f"{nonce} {challenge}".encode("ascii"), key=key).hexdigest()


def tree_of(document: dict[str, Any]) -> Tree:
    """What was pushed, to be served. Raises ``ValueError`` or ``KeyError`` where it is not of the form."""
    files = {str(name): base64.b64decode(content, validate=True) for name, content in document["files"].items()}
    return Tree(files, {}, ["2012-08-10"])


class Source:
    """Of one boot."""

    def __init__(self) -> None:
        """Raises ``OSError``."""
        self._machine = ec2.firmware_uuid()
        with open(KEY_PATH, "rb") as file:
            key = file.read()
        self._receiver = Receiver(socket.create_server(("", PORT)), key, self._machine)
        self._asked = False

    def look(self) -> Found | None:
        """What was pushed, in this boot or in an earlier one. Raises ``NotNeeded`` where the cloud has metadata."""
        document = self._receiver.taken
        if document is not None:
            keep(document)
            found = Found(tree_of(document), "what its owner pushed", {})
            self._receiver.close()
            return found
        document = kept_for(self._machine)
        if document is not None:
            self._receiver.close()
            return Found(tree_of(document), "what its owner pushed in an earlier boot", {})
        if not self._asked and address.is_network_up():
            self._asked = True
            address.let_go()
            try:
                if ec2.Asker().get("/openstack/latest/meta_data.json")[0] == 200:
                    raise NotNeeded("the cloud serves OpenStack metadata itself")
            finally:
                address.hold()
        return None


def keep(document: dict[str, Any], path: str = KEPT) -> None:
    """For later boots; readable by root alone, as there may be a password in it."""
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    with os.fdopen(os.open(f"{path}.tmp", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(document, file)
    os.replace(f"{path}.tmp", path)


def kept_for(machine: str, path: str = KEPT) -> dict[str, Any] | None:
    """What an earlier boot of this machine was told; None where nothing, or where nobody can tell machines apart."""
    try:
        with open(path, encoding="utf-8") as file:
            document: dict[str, Any] = json.load(file)
    except (OSError, ValueError):
        return None
    return document if machine and document.get("uuid") == machine else None
