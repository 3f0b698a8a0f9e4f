"""What a cloud's API answers and what calls itself a certificate: any bytes are read, or refused by one error."""

from __future__ import annotations

import contextlib
import json
from types import SimpleNamespace
from typing import cast

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from golden_flows.clouds.session import ApiSession
from golden_flows.errors import CloudError
from reports.certificate import statement
from reports.certificate.signing import Signed

DEEP = b"[" * 5000
BYTES = st.one_of(
    st.just(DEEP), st.binary(max_size=200), st.sampled_from((b"{}", b"[]", b"null", b'{"payload": 1}', b"\xff"))
)
JSON = st.recursive(
    st.none() | st.floats() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3), max_leaves=5
)


def json_of(content: bytes) -> dict[str, object]:
    answer = requests.Response()
    answer._content = content
    return ApiSession.json_of(cast(ApiSession, SimpleNamespace(name="abroad")), answer, "/v2/images")


@given(BYTES)
def test_any_answer_is_an_object_or_the_cloud_s_fault(content: bytes) -> None:
    with contextlib.suppress(CloudError):
        assert isinstance(json_of(content), dict)


def test_a_list_in_5000_lists_is_the_cloud_s_fault() -> None:
    with pytest.raises(CloudError, match="not JSON"):
        json_of(DEEP)


@given(BYTES)
def test_nothing_but_a_certificate_is_read_as_one(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        Signed.from_json(content.decode("latin-1"))
    with pytest.raises(ValueError, match=r"."):
        statement.parse(content)


@given(
    st.dictionaries(st.sampled_from(("_type", "predicateType", "predicate", "subject", "payload", "signatures")), JSON)
)
def test_no_form_of_a_statement_is_one_by_its_keys(document: dict[str, object]) -> None:
    kinds = {"_type": statement.STATEMENT_TYPE, "predicateType": statement.PREDICATE_TYPE}
    for bent in (document, {**document, **kinds}):
        with pytest.raises(ValueError, match=r"."):
            statement.parse(json.dumps(bent).encode())
        with contextlib.suppress(ValueError):  # an empty payload is an envelope, which nobody signed
            assert Signed.from_json(json.dumps({"payloadType": "x", "signatures": [], **bent})).signatures == ()
