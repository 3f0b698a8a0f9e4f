"""What a tenant may not read is known to be unknown; everything else is read all the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest

from golden_flows.clouds.discovery import discover
from golden_flows.clouds.session import ApiSession
from golden_flows.errors import CloudError
from golden_flows.flows import declared
from golden_flows.model.discovery import CloudSeen
from selftests.golden_flows.clouds.conftest import Drive


class Closed:
    """A cloud's API with one question that it answers to nobody, by path or by what is being done."""

    def __init__(self, api: ApiSession, question: str, document: dict[str, Any] | None = None) -> None:
        """``document``: what it answers instead of refusing."""
        self._api, self._question, self._document = api, question, document

    def __getattr__(self, name: str) -> Any:
        return getattr(self._api, name)

    def _refuse(self, question: str) -> None:
        if question == self._question:
            raise CloudError(f"{question}: HTTP 403")

    def read(self, service: str, path: str) -> dict[str, Any]:
        if self._document is not None and path == self._question:
            return self._document
        self._refuse(path)
        return self._api.read(service, path)

    def send(self, service: str, method: str, path: str, **more: Any) -> Any:
        self._refuse(path)
        return self._api.send(service, method, path, **more)

    def ask(self, service: str, method: str, path: str, **more: Any) -> Any:
        self._refuse(path)
        return self._api.ask(service, method, path, **more)

    @contextmanager
    def guard(self, doing: str) -> Iterator[None]:
        self._refuse(doing)
        with self._api.guard(doing):
            yield


@pytest.mark.parametrize(
    ("field", "question"),
    [
        ("import_methods", "/info/import"),
        ("disk_formats", "/schemas/image"),
        ("networks", "listing subnets"),
        ("network_extensions", "/extensions"),
        ("files_max", "/limits"),
    ],
)
def test_what_is_refused_is_unknown_and_says_why(drive: Drive, field: str, question: str) -> None:
    whole = drive().cloud
    found = discover(cast(ApiSession, Closed(whole._api, question)))
    assert getattr(found, field) is None
    assert found.unread == {field: f"{question}: HTTP 403"}
    assert getattr(whole.discover(), field) is not None
    assert "HTTP 403" in declared.table(whole.profile, CloudSeen(discovery=found))


def test_a_schema_that_names_no_format_has_told_nothing(drive: Drive) -> None:
    for schema in ({}, {"properties": {"disk_format": {"enum": [None]}}}):
        found = discover(cast(ApiSession, Closed(drive().cloud._api, "/schemas/image", schema)))
        assert found.disk_formats is None
        assert "names no disk_format" in found.unread["disk_formats"]


def test_a_network_is_known_by_name_and_by_id(drive: Drive) -> None:
    found = drive("public-lite").cloud.discover()
    flat = found.network("flat")
    assert flat is not None
    assert flat.id
    assert found.network(flat.id) is flat
