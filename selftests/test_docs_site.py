"""The docs are a site, strictly: no link leads nowhere, and every page can be found."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parent.parent / "docs"


def build(source: Path, target: Path) -> subprocess.CompletedProcess[str]:
    """As ``tox -e docs``."""
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", str(source), str(target)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_docs_build_without_a_warning(tmp_path: Path) -> None:
    built = build(DOCS, tmp_path)
    assert built.returncode == 0, built.stderr
    assert (tmp_path / "index.html").is_file()
    links = [
        (page, *link)
        for page in tmp_path.rglob("*.html")
        for link in re.findall(r'href="([^"#]*benchmarks\.html)#?([^"]*)"', page.read_text("utf-8"))
    ]
    assert tmp_path / "index.html" in [page for page, _, _ in links]
    for page, path, heading in links:  # raw HTML, which Sphinx does not follow
        assert "_downloads" not in path, f"{page} downloads the page of benchmarks instead of opening it"
        text = (page.parent / path).read_text("utf-8")
        assert not heading or f'id="{heading}"' in text, f"{page}: #{heading}"


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
