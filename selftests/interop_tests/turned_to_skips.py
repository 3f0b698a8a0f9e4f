"""Pytest plugins (``-p``) such as people have: they make failures look like something else."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

HOW = os.environ.get("SELFTEST_HOW", "")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HOW == "xfail":
            item.add_marker(pytest.mark.xfail(strict=False))
        if HOW == "skip":
            item.add_marker(pytest.mark.skip(reason="not today"))
    if HOW == "empty":
        items.clear()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if HOW == "outcome" and report.outcome == "failed":
        report.outcome, report.longrepr = "skipped", (str(item.path), 1, "Skipped: known")
    return report
