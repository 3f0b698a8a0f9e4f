"""The docs as a site: ``tox -e docs`` builds it, and stops at every link that leads nowhere."""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

project = "golden-flows"
html_title = "golden-flows"
extensions = ["myst_parser"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3  # as GitHub makes them: pages link to headings
html_extra_path = ["benchmarks.html"]  # a page of its own: linked as HTML, as a Markdown link would download it
html_theme = "furo"
html_show_sphinx = False
html_show_copyright = False


def setup(app: Sphinx) -> None:
    app.connect("html-page-context", _reach_what_scrolls)


def _reach_what_scrolls(app: Sphinx, page: str, template: str, context: dict[str, Any], document: object) -> None:
    """What is wider than the page (a command, a table) scrolls, and the theme lets nobody get there without a mouse."""
    body = context.get("body", "")
    context["body"] = re.sub(r'<(pre|div(?= class="table-wrapper))\b', r'<\1 tabindex="0"', body)
