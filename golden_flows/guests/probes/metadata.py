"""Asks the metadata service from inside a guest: ``python3 - JSON < this``; one JSON object on stdout.

Nothing here judges, and nothing sleeps: what takes longer than ``budget_s`` counts as unanswered. The smallest Python
that guests bring has neither http.client nor urllib, so HTTP is spoken over a socket.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

BODY_LIMIT_BYTES = 1 << 20
SECOND_BUDGET_S = 3.0
ANSWERED_S = 0.3
IN_TURN_LIMIT_S = 20.0
"""A slow service is not asked to the end."""


class Service:
    """The metadata service, as it is asked to be asked."""

    def __init__(self, asked: dict[str, Any]) -> None:
        self.host: str = asked.get("host", "169.254.169.254")
        port, zone = asked.get("port", 80), asked.get("zone")
        self.address: Any = (self.host, port, 0, socket.if_nametoindex(zone)) if zone else (self.host, port)
        self.budget_s: float = asked["budget_s"]
        self.path: str = asked["identity"]
        #: Whoever asks at once has connected before anybody asks; an emulated guest would else do one after another.
        self.start: threading.Barrier | None = None

    def ask(
        self, path: str, *, headers: dict[str, str] | None = None, source: str = "", device: str = ""
    ) -> tuple[dict[str, Any], bytes]:
        """One GET, and its body; no answer has status None and says why."""
        budget_s = SECOND_BUDGET_S if source else self.budget_s
        answer: dict[str, Any] = {"what": path, "status": None, "error": ""}
        body, began_s = b"", time.monotonic()
        try:
            head, _, body = self._exchange(path, headers or {}, source, device, began_s + budget_s).partition(
                b"\r\n\r\n"
            )
            answer["status"] = int(head.split(None, 2)[1])
        except (OSError, ValueError, IndexError, threading.BrokenBarrierError) as error:
            answer["error"] = f"{type(error).__name__}: {error}"[:120]
        answer["elapsed_s"] = round(time.monotonic() - began_s, 4)
        return answer, body

    def _exchange(self, path: str, headers: dict[str, str], source: str, device: str, until_s: float) -> bytes:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as connection:
            if device:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode() + b"\0")
            if source:
                connection.bind((source, 0))
            connection.settimeout(max(0.05, until_s - time.monotonic()))
            connection.connect(self.address)
            if self.start:
                self.start.wait(self.budget_s)
            lines = [f"GET {path} HTTP/1.0", "Host: 169.254.169.254", "Connection: close"]
            lines += [f"{name}: {value}" for name, value in headers.items()]
            connection.sendall("\r\n".join([*lines, "", ""]).encode("ascii"))
            received = bytearray()
            while True:
                left_s = until_s - time.monotonic()
                if left_s <= 0:
                    raise TimeoutError("no whole answer in time")
                connection.settimeout(left_s)
                data = connection.recv(65536)
                if not data:
                    return bytes(received)
                received += data
                if len(received) > BODY_LIMIT_BYTES:
                    raise ValueError(f"the answer is longer than {BODY_LIMIT_BYTES} bytes")

    def who_am_i(self, what: str = "", **how: Any) -> tuple[dict[str, Any], bytes]:
        """The answer with the ``identity`` that it gives this guest."""
        answer, body = self.ask(self.path, **how)
        answer["what"] = what or self.path
        answer["identity"] = None
        if answer["status"] == 200:
            document = _json(body) if self.path.endswith(".json") else body.decode("utf-8", "replace").strip()[:80]
            told = document.get("uuid") if isinstance(document, dict) else document
            answer["identity"] = told if isinstance(told, str) else None
        return answer, body


def _json(body: bytes) -> Any:
    try:
        return json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        return None


def look(asked: dict[str, Any]) -> dict[str, Any]:
    """All that was asked for; what comes after the guest's own identity only where that was answered at all."""
    service = Service(asked)
    own, body = service.who_am_i()
    document = _json(body)
    seen: dict[str, Any] = {"own": own, "meta": document.get("meta", {}) if isinstance(document, dict) else None}
    if own["status"] is None:
        return seen
    second: list[dict[str, Any]] = []
    waiting = []
    for one in asked.get("second", []):
        waiting.append(
            _begin(
                lambda one=one: second.append(service.who_am_i(one["what"], source=one["ip"], device=one["device"])[0])
            )
        )
        waiting[-1].join(ANSWERED_S)  # whoever is not answered by then waits beside the rest
    seen["missing"] = [service.ask(path)[0] for path in asked.get("missing", [])]
    seen["forged"] = [
        service.who_am_i(", ".join(sorted(headers)), headers=headers)[0] for headers in asked.get("forged", [])
    ]
    for one in waiting:
        one.join()
    seen["second"] = second
    until_s = time.monotonic() + IN_TURN_LIMIT_S
    in_turn: list[dict[str, Any]] = []
    while len(in_turn) < asked.get("in_turn", 0) and time.monotonic() < until_s:
        in_turn.append(service.ask(service.path)[0])
    at_once: list[dict[str, Any]] = []
    service.start = threading.Barrier(asked["at_once"]) if asked.get("at_once") else None
    waiting = [_begin(lambda: at_once.append(service.ask(service.path)[0])) for _ in range(asked.get("at_once", 0))]
    for one in waiting:
        one.join()
    seen["in_turn"], seen["at_once"] = in_turn, at_once
    return seen


def _begin(work: Any) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


if __name__ == "__main__":
    json.dump(look(json.loads(sys.argv[1])), sys.stdout)
