"""Pages as readers see them: headless Chromium, and the axe accessibility check in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")

NAMES = ("chromium", "chromium-browser", "google-chrome")
"""As Debian, Ubuntu and Google call it."""


def find_chromium() -> str:
    """Skips the test where there is none, but fails it in CI: there nobody reads what was skipped."""
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    if found is None and os.environ.get("CI"):
        pytest.fail("CI lacks Chromium (Debian's package chromium), so nobody has looked at the pages")
    if found is None:
        pytest.skip("chromium is not installed")
    return found


@contextmanager
def launched() -> Iterator[Browser]:
    """Not for longer than one module: while Playwright's loop runs in a thread, no other may run there."""
    path = find_chromium()
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])  # root has no sandbox
        yield browser
        browser.close()


def violations(page: Page) -> list[str]:
    """What axe calls serious or critical, each with the element."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']} ({one['impact']}): {node['html']}: {node['failureSummary']}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]
