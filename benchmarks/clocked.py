"""A pytest plugin (``-p``): what collecting and running took, as JSON in the file that ``BENCH_CLOCKED`` names."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import time
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

_took: dict[str, float] = {}


@contextlib.contextmanager
def _timed(part: str) -> Iterator[None]:
    """Wall time, and processor time: on a machine that others use only the second is the program's own."""
    began_s, used_s = time.monotonic(), time.process_time()
    yield
    _took[f"{part}_s"], _took[f"{part}_cpu_s"] = time.monotonic() - began_s, time.process_time() - used_s


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Generator[None, object, object]:
    with _timed("collection"):
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    with _timed("running"):
        result = yield
    counts = {"items": len(session.items), "frozen": gc.get_freeze_count()}
    Path(os.environ["BENCH_CLOCKED"]).write_text(json.dumps(_took | counts), "utf-8")
    return result
