"""The docs are a site, strictly: no link leads nowhere, every page can be found, and everybody can read it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from selftests.browser import Scheme, launched, violations

DOCS = Path(__file__).resolve().parent.parent / "docs"


def build(source: Path, target: Path) -> subprocess.CompletedProcess[str]:
    """As ``tox -e docs``."""
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", str(source), str(target)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("site")
    built = build(DOCS, target)
    assert built.returncode == 0, built.stderr
    return target


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as found:
        yield found


def test_the_docs_build_without_a_warning(site: Path) -> None:
    assert (site / "index.html").is_file()


def test_the_page_of_benchmarks_is_opened_by_whoever_links_to_it(site: Path) -> None:
    links = [
        (page, *link)
        for page in site.rglob("*.html")
        for link in re.findall(r'href="([^"#]*benchmarks\.html)#?([^"]*)"', page.read_text("utf-8"))
    ]
    assert site / "index.html" in [page for page, _, _ in links]
    for page, path, heading in links:  # raw HTML, which Sphinx does not follow
        assert "_downloads" not in path, f"{page} downloads the page of benchmarks instead of opening it"
        text = (page.parent / path).read_text("utf-8")
        assert not heading or f'id="{heading}"' in text, f"{page}: #{heading}"


def _seen(browser: Browser, path: Path, scheme: Scheme, width: int) -> list[str]:
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900}, offline=True)
    page = context.new_page()
    page.goto(path.as_uri())
    found = violations(page)
    context.close()
    return found


# The list of checks is long, and made of what the others are made of.
PAGES = sorted(path.stem for path in DOCS.glob("*.md") if path.stem != "checks")


@pytest.mark.parametrize("page", PAGES)
def test_axe_finds_nothing_serious_on_a_narrow_screen(page: str, site: Path, browser: Browser) -> None:
    """Where commands are longer than a line, and are to be reached with the keyboard."""
    assert _seen(browser, site / f"{page}.html", "light", 390) == []


@pytest.mark.parametrize("page", ["index", "verify"])
def test_axe_finds_nothing_serious_in_the_dark(page: str, site: Path, browser: Browser) -> None:
    assert _seen(browser, site / f"{page}.html", "dark", 1280) == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("# A\n\nsee [there](nowhere.md)\n", "nowhere.md"),
        ("# A\n\nsee [there](index.md#no-such-heading)\n", "no-such-heading"),
    ],
    ids=["no such page", "no such heading"],
)
def test_a_link_that_leads_nowhere_stops_the_build(text: str, complaint: str, tmp_path: Path) -> None:
    source = tmp_path / "docs"
    source.mkdir()
    for needed in ("conf.py", "benchmarks.html"):
        shutil.copy(DOCS / needed, source)
    (source / "index.md").write_text(text, "utf-8")
    built = build(source, tmp_path / "site")
    assert built.returncode != 0
    assert complaint in built.stderr
