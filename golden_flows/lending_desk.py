"""Lending across processes: pytest-xdist workers borrow reference clouds from the process that holds them.

JSON messages over a local socket whose other end must know the run's key. A worker that dies gives everything back by
dying. The socket is in Linux's abstract namespace: reference clouds run nowhere else, and no path is too long for it.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import threading
from collections.abc import Mapping
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Any

from golden_flows.errors import CloudError, InteropError, UsageError
from golden_flows.lending import Lending
from golden_flows.model.cloud import Pair


class LendingDesk:
    """The end that has the clouds. Serves until ``close``."""

    def __init__(self, lender: Lending) -> None:
        self._lender = lender
        self._key = secrets.token_bytes(32)
        self._address = f"\0golden-flows-{secrets.token_hex(8)}"
        self._listener = Listener(self._address, "AF_UNIX", authkey=self._key)
        self._closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def ticket(self) -> str:
        """What a worker must know to be served. A secret: it travels through pipes only."""
        return json.dumps([self._address, self._key.hex()])

    def close(self) -> None:
        self._closed = True
        self._listener.close()

    def _accept(self) -> None:
        while not self._closed:
            try:
                connection = self._listener.accept()
            except (AuthenticationError, EOFError):
                continue  # a stranger
            except OSError:
                if self._closed:
                    return
                continue
            if self._closed:  # closing a listener does not end the wait of its accept()
                connection.close()
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: Connection[Any, Any]) -> None:
        held: set[Pair] = set()
        try:
            while True:
                asked = json.loads(connection.recv_bytes())
                pair = Pair(asked["src"], asked["dst"])
                if asked["do"] == "give_back":
                    held.discard(pair)
                    self._lender.give_back(pair)
                    answer: dict[str, Any] = {}
                else:
                    answer = self._borrow(pair)
                    held.add(pair)
                connection.send_bytes(json.dumps(answer).encode())
        except (EOFError, OSError):
            pass  # the worker has ended
        finally:
            connection.close()
            for pair in held:
                self._lender.give_back(pair)

    def _borrow(self, pair: Pair) -> dict[str, Any]:
        try:
            return {"clouds": {name: str(path) for name, path in self._lender.borrow(pair).items()}}
        except InteropError as error:
            return {"error": error.what, "remedy": error.remedy, "usage": isinstance(error, UsageError)}


class RemoteLender:
    """The end that borrows: a ``Lending``. Connects when it is first asked."""

    def __init__(self, ticket: str) -> None:
        self._ticket = ticket
        self._connection: Connection[Any, Any] | None = None

    def borrow(self, pair: Pair) -> Mapping[str, Path]:
        answer = self._ask("borrow", pair)
        if "error" in answer:
            kind = UsageError if answer["usage"] else CloudError
            raise kind(answer["error"], answer["remedy"])
        return {name: Path(path) for name, path in answer["clouds"].items()}

    def give_back(self, pair: Pair) -> None:
        with contextlib.suppress(CloudError):  # whoever lent it is gone, and the clouds with him
            self._ask("give_back", pair)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ask(self, do: str, pair: Pair) -> dict[str, Any]:
        try:
            if self._connection is None:
                address, key = json.loads(self._ticket)
                self._connection = Client(address, "AF_UNIX", authkey=bytes.fromhex(key))
            self._connection.send_bytes(json.dumps({"do": do, "src": pair.src, "dst": pair.dst}).encode())
            answer: dict[str, Any] = json.loads(self._connection.recv_bytes())
        except (OSError, EOFError, AuthenticationError) as error:
            raise CloudError(f"the process that holds the reference clouds does not answer: {error}") from error
        return answer
