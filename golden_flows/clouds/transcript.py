"""What the suite asked of a cloud's APIs and what they answered, whichever library asked: evidence for every verdict.

Requests go through one ``requests.Session`` for each cloud, so this listens where that hands a request to the wire.
Nothing of a header is kept but the answer's request id, by which an operator finds it in the services' logs; bodies
are kept where they are JSON and small, whole or not at all: half of a secret would not be known for one.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import requests
from requests.adapters import BaseAdapter

from golden_flows.journal import REDACTED

MEDIA_TYPE = "application/jsonl"

BODY_BYTES = 2048
"""A longer body is told by its size alone; as JSON, after whatever is secret by its name was left out."""
READ_BYTES = 256 * 1024
"""A longer one is not even looked into: user data and injected files may be that long, and are left out."""
BODIES_BYTES = 96 * 1024
"""Of all bodies of one cloud in one stage; what comes later is told by its size."""
LINES = 1000
"""Of one cloud in one stage; what comes later is only counted."""

_SECRET_KEY = re.compile(
    r"(?i)(pass(word|code|phrase)?|secret|token|private_?key|user_?data|contents|credentials?|sig(nature)?)$|^auth$"
)
"""Names under which the APIs give or take what nobody else may know; a private key's own name is ``private_key``."""
_USER_IN_URL = re.compile(r"(?<=://)[^\s/@\"]+@")
_REQUEST_IDS = ("x-openstack-request-id", "x-compute-request-id")


@dataclass(eq=False)
class Exchange:
    """One request and its answer; with the same answer to the same request later, more than one."""

    cloud: str
    at: datetime
    method: str
    path: str
    """With its query, without scheme, host and user."""
    status: int | None
    """None where no answer came; then ``error`` names what the library raised."""
    seconds: float
    """Until the whole answer was there; of a streamed one, until its head was."""
    request_id: str
    sent_bytes: int | None
    got_bytes: int | None
    """Either is None where nobody announced it."""
    sent: Any = None
    got: Any = None
    error: str = ""
    same: object = field(default=None, repr=False)
    """What an identical exchange has equal."""
    times: int = 1
    until: datetime | None = None

    def as_json(self) -> dict[str, Any]:
        """Without what there is not."""
        told = {
            "at": self.at.isoformat(timespec="milliseconds"),
            "cloud": self.cloud,
            "method": self.method,
            "path": self.path,
            "status": self.status,
            "error": self.error,
            "seconds": round(self.seconds, 3),
            "request_id": self.request_id,
            "sent_bytes": self.sent_bytes,
            "got_bytes": self.got_bytes,
            "sent": self.sent,
            "got": self.got,
        }
        again = {"times": self.times, "until": self.until.isoformat(timespec="milliseconds")} if self.until else {}
        return {key: one for key, one in told.items() if one not in (None, "")} | again


class Transcript:
    """Of one cloud. Threads may ask side by side."""

    def __init__(self, cloud: str) -> None:
        self._cloud = cloud
        self._lock = threading.Lock()
        self._begin()

    def _begin(self) -> None:
        self._exchanges: list[Exchange] = []
        self._latest: dict[tuple[str, str], Exchange] = {}
        self._bodies_bytes = self._left_out = 0

    def listen(self, session: requests.Session) -> None:
        """Write down whatever goes through this session from now on."""
        for prefix, adapter in list(session.adapters.items()):
            session.mount(prefix, _Listening(adapter, self))

    def take(self) -> tuple[list[Exchange], int]:
        """What was said since the last time, in order, and how many exchanges more there were."""
        with self._lock:
            taken = self._exchanges, self._left_out
            self._begin()
        return taken

    def add(
        self,
        request: requests.PreparedRequest,
        response: requests.Response | None,
        content: bytes | None,
        *,
        at: datetime,
        seconds: float,
        error: str = "",
    ) -> None:
        """``content``: of the answer, None where it is streamed or did not come."""
        method, path = str(request.method), _path(str(request.url))
        body = request.body.encode() if isinstance(request.body, str) else request.body
        asked = body if isinstance(body, bytes) else None
        headers: Mapping[str, str] = response.headers if response is not None else {}
        one = Exchange(
            cloud=self._cloud,
            at=at,
            method=method,
            path=path,
            status=None if response is None else response.status_code,
            seconds=seconds,
            request_id=next((headers[name] for name in _REQUEST_IDS if name in headers), ""),
            sent_bytes=_announced(request.headers),
            got_bytes=len(content) if content is not None else _announced(headers),
            error=error,
        )
        digests = [hashlib.sha256(part).digest() if part else part for part in (asked, content)]
        one.same = None if body is not asked or content is None else (one.status, *digests)
        with self._lock:
            earlier = self._latest.get((method, path))
            if earlier is not None and one.same is not None and earlier.same == one.same:
                earlier.times, earlier.until = earlier.times + 1, at
                return
            if len(self._exchanges) >= LINES:
                self._left_out += 1
                return
            one.sent, one.got = self._body(asked), self._body(content)
            self._exchanges.append(one)
            self._latest[method, path] = one

    def _body(self, content: bytes | None) -> Any:
        """As JSON without secrets; None where it is none, or too long."""
        if not content or len(content) > READ_BYTES or content[:1] not in b"{[":
            return None
        try:
            document = _each_string(_without_secrets(json.loads(content)), _without_user)
        except (ValueError, RecursionError):
            return None
        size_bytes = len(json.dumps(document, ensure_ascii=False).encode("utf-8", "replace"))
        if size_bytes > BODY_BYTES or self._bodies_bytes + size_bytes > BODIES_BYTES:
            return None
        self._bodies_bytes += size_bytes
        return document


def render(taken: Iterable[tuple[list[Exchange], int]], redact: Callable[[str], str]) -> str:
    """JSON Lines, in the order in which the requests were sent to any of these clouds; empty where there was none.

    ``redact``: of every string before it is escaped: what a cloud answered may itself be escaped, a console for one.
    """
    parts = list(taken)
    exchanges = sorted((one for exchanges, _ in parts for one in exchanges), key=lambda one: one.at)
    lines = [_each_string(one.as_json(), redact) for one in exchanges]
    left_out = sum(number for _, number in parts)
    lines += [{"left_out": left_out, "why": f"more than {LINES} exchanges"}] if left_out else []
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in lines)


def _without_secrets(value: Any) -> Any:
    """The same document, with a word in place of whatever has the name of a secret."""
    if isinstance(value, dict):
        named = ((key, one and _SECRET_KEY.search(key), one) for key, one in value.items())
        return {key: REDACTED if secret else _without_secrets(one) for key, secret, one in named}
    return [_without_secrets(one) for one in value] if isinstance(value, list) else value


def _each_string(value: Any, change: Callable[[str], str]) -> Any:
    """The same document, with every string in it changed."""
    if isinstance(value, dict):
        return {change(key): _each_string(one, change) for key, one in value.items()}
    if isinstance(value, list):
        return [_each_string(one, change) for one in value]
    return change(value) if isinstance(value, str) else value


def _without_user(text: str) -> str:
    return _USER_IN_URL.sub(f"{REDACTED}@", text)


def _path(url: str) -> str:
    parts = urlsplit(url)
    asked = parse_qsl(parts.query, keep_blank_values=True)
    if not any(_SECRET_KEY.search(key) for key, _ in asked):
        return parts.path + (f"?{parts.query}" if parts.query else "")
    return f"{parts.path}?{urlencode([(key, REDACTED if _SECRET_KEY.search(key) else one) for key, one in asked])}"


def _announced(headers: Mapping[str, str]) -> int | None:
    length = str(headers.get("Content-Length") or "")
    return int(length) if length.isdecimal() else None


class _Listening(BaseAdapter):
    """Has another adapter do the work."""

    def __init__(self, inner: BaseAdapter, transcript: Transcript) -> None:
        super().__init__()
        self._inner, self._transcript = inner, transcript

    def send(
        self, request: requests.PreparedRequest, stream: bool = False, *args: Any, **kwargs: Any
    ) -> requests.Response:
        at, began_s = datetime.now(UTC), time.monotonic()
        response: requests.Response | None = None
        try:
            response = self._inner.send(request, stream, *args, **kwargs)
            # What is not streamed requests would read next, in any case.
            content = None if stream else response.content
        except Exception as error:
            failed = type(error).__name__
            self._transcript.add(request, response, None, at=at, seconds=time.monotonic() - began_s, error=failed)
            raise
        self._transcript.add(request, response, content, at=at, seconds=time.monotonic() - began_s)
        return response

    def close(self) -> None:
        self._inner.close()
