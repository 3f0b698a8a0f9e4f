"""A pytest plugin (``-p``) with which this suite trips over its own feet when it has logged in to a guest."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from golden_flows.flows import auth


def _trip(*_: object) -> object:
    raise KeyError("no such word")


@pytest.fixture(autouse=True, scope="session")
def _suite_trips() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(auth, "_look_inside", _trip)
        yield
