"""Many servers of one kind, asked for together.

In one request where the cloud takes that (``min_count`` and ``max_count``: then all of them share name, user data, key
and password, and nova calls them ``NAME-1`` … ``NAME-N``), else in single ones, a few at a time.
Source: Compute API, "Create Multiple Servers".
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import requests

from golden_flows.clouds import deletion, servers
from golden_flows.clouds.records import ServerRequest
from golden_flows.clouds.session import ApiSession, reason_of
from golden_flows.errors import CloudError, shorten
from golden_flows.journal import Journal
from golden_flows.ledger import CleanupReport, Entry, Ledger
from golden_flows.model.burst import NONE_LEFT, is_capacity
from golden_flows.waiting import Deadline

ONE_REQUEST, SINGLE_REQUESTS = "one request", "single requests"
REQUESTS_AT_ONCE = 4
PAGES_MAX = 100


@dataclass(frozen=True)
class FleetAnswer:
    """What became of asking."""

    way: str
    """``one request`` or ``single requests``."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """Why, by the name of each server that the API did not take, without the run's prefix."""
    admin_password: str | None = field(default=None, repr=False)
    """As the cloud answered; one for all."""


@dataclass(frozen=True)
class Member:
    """One server as the list shows it."""

    id: str
    full_name: str
    name: str
    """Without the run's prefix."""
    status: str
    fault: str = ""


class Fleet:
    """``count`` servers called ``name-1`` … on one cloud: every one of them is in the ledger before it is asked for."""

    def __init__(self, api: ApiSession, ledger: Ledger, journal: Journal, name: str, count: int) -> None:
        self._api, self._ledger, self._journal = api, ledger, journal
        self._full, self._count = ledger.full_name(name), count
        self._prefix = self._full.removesuffix(name)
        self._lock = threading.Lock()
        self._keys: dict[str, str] = {}
        """Ledger keys by full name, of servers that were asked for and not yet seen."""
        self._ids: dict[str, str] = {}
        """Ledger keys by id, of those that were."""

    def ask(self, asked: ServerRequest) -> FleetAnswer:
        """Ask for all of them; returns as soon as the API has answered. A refusal is an answer. Raises ``CloudError``.

        ``asked.name`` does not count.
        """
        self._journal.hide(asked.admin_password)
        names = [f"{self._full}-{number}" for number in range(1, self._count + 1)]
        self._keys = {name: self._ledger.planned(self._api.name, "server", name) for name in names}
        if self._count == 1:  # nova gives a single one the plain name
            return self._singly(asked, names)
        many = {"min_count": self._count, "max_count": self._count}
        response = servers.ask_create(self._api, {**servers.body_of(replace(asked, name=self._full)), **many})
        if response.status_code == 202:
            return FleetAnswer(ONE_REQUEST, admin_password=self._password(response))
        if _knows_no_counts(response):
            return self._singly(asked, names)
        why = _refusal(response)
        return FleetAnswer(ONE_REQUEST, {self._forget(name): why for name in names})

    @property
    def names(self) -> tuple[str, ...]:
        """What they are to be called, without the run's prefix."""
        return tuple(f"{self._full}-{one}".removeprefix(self._prefix) for one in range(1, self._count + 1))

    def look(self) -> tuple[Member, ...]:
        """Those that there are, by one list. Raises ``CloudError``."""
        found = []
        for server in self._list():
            name, fault = str(server.get("name")), server.get("fault")
            self._note(name, str(server["id"]))
            message = shorten(str(fault.get("message") or ""), 300) if isinstance(fault, dict) else ""
            short = name.removeprefix(self._prefix)
            found.append(Member(str(server["id"]), name, short, str(server.get("status")), message))
        return tuple(found)

    def delete(self, deadline: Deadline) -> CleanupReport:
        """Delete whatever was made of them, with its floating IP, all side by side; what could not be is in the report.

        What was asked for and never seen is looked for by its name.
        """
        with self._lock:
            keys, ids = {*self._keys.values(), *self._ids.values()}, set(self._ids)
        mine = [one for one in self._ledger.open_entries(self._api.name) if one.key in keys or _is_of(one, ids)]
        return deletion.cleanup(self._api, self._ledger, deadline, mine)

    def _singly(self, asked: ServerRequest, names: list[str]) -> FleetAnswer:
        full = threading.Event()
        passwords: list[str | None] = []

        def one(name: str) -> str:
            if full.is_set():
                self._forget(name)
                return NONE_LEFT
            response = servers.ask_create(self._api, servers.body_of(replace(asked, name=name)))
            if response.status_code != 202:
                self._forget(name)
                why = _refusal(response)
                if is_capacity(why):
                    full.set()
                return why
            passwords.append(self._password(response))
            server = self._api.json_of(response, "/servers").get("server")
            if isinstance(server, dict) and isinstance(server.get("id"), str):
                self._note(name, server["id"])
            return ""

        with ThreadPoolExecutor(REQUESTS_AT_ONCE) as pool:
            answers = dict(zip(names, pool.map(one, names), strict=True))
        refused = {name.removeprefix(self._prefix): why for name, why in answers.items() if why}
        return FleetAnswer(SINGLE_REQUESTS, refused, next(iter(passwords), None))

    def _password(self, response: requests.Response) -> str | None:
        server = self._api.json_of(response, "/servers").get("server")
        answered = server.get("adminPass") if isinstance(server, dict) else None
        password = answered if isinstance(answered, str) else None
        self._journal.hide(password)
        return password

    def _forget(self, name: str) -> str:
        """It was refused, so it does not exist; returns its name without the run's prefix."""
        with self._lock:
            key = self._keys.pop(name)
        self._ledger.gone(key)
        return name.removeprefix(self._prefix)

    def _note(self, name: str, id: str) -> None:
        """A server is there. A cloud may call them otherwise, or make more than were asked for: all are ours."""
        with self._lock:
            if id in self._ids:
                return
            known = name if name in self._keys else next(iter(self._keys), None)
            key = self._keys.pop(known) if known else self._ledger.planned(self._api.name, "server", name)
            self._ids[id] = key
        self._ledger.created(key, id)

    def _list(self) -> list[dict[str, Any]]:
        """Every page. Nova's filter by name is a regular expression, so that one list finds them all."""
        found: list[dict[str, Any]] = []
        params = {"name": self._full}
        for _ in range(PAGES_MAX):
            response = self._api.ask("compute", "GET", "/servers/detail", params=params, microversion="2.1")
            document = self._api.json_of(response, "/servers/detail")
            page = [one for one in document.get("servers") or () if isinstance(one, dict) and "id" in one]
            found += [one for one in page if str(one.get("name")).startswith(f"{self._full}-")]
            if not page or not document.get("servers_links"):
                return found
            params = {"name": self._full, "marker": str(page[-1]["id"])}
        raise CloudError(f"cloud {self._api.name!r}: its list of servers has no end")


def _is_of(entry: Entry, ids: set[str]) -> bool:
    """Whether it is the floating IP of one of these servers."""
    return entry.kind == "floating_ip" and any(entry.name.endswith(f"for-{id}") for id in ids)


def _knows_no_counts(response: requests.Response) -> bool:
    return response.status_code == 400 and any(word in response.text for word in ("min_count", "max_count"))


def _refusal(response: requests.Response) -> str:
    return f"HTTP {response.status_code} {reason_of(response)}".rstrip()
