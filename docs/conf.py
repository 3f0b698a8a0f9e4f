"""The docs as a site: ``tox -e docs`` builds it, and stops at every link that leads nowhere."""

from __future__ import annotations

project = "golden-flows"
html_title = "golden-flows"
extensions = ["myst_parser"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3  # as GitHub makes them: pages link to headings
html_extra_path = ["benchmarks.html"]  # a page of its own: linked as HTML, as a Markdown link would download it
html_theme = "furo"
html_show_sphinx = False
html_show_copyright = False
