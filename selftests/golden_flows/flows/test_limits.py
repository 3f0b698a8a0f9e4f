"""Requests at the limits of the API."""

from __future__ import annotations

import base64

import pytest

from golden_flows.flows.limits import USER_DATA_CHARS_MAX, encoded


@pytest.mark.parametrize("chars", [USER_DATA_CHARS_MAX, USER_DATA_CHARS_MAX + 1])
def test_user_data_of_exactly_that_length_is_base64_of_a_script(chars: int) -> None:
    text = encoded(chars)
    assert len(text) == chars
    assert base64.b64decode(text).startswith(b"#!/bin/sh\nexit 0\n")
