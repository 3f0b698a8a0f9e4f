"""How every page is filled in: what guests and clouds wrote is escaped, and nothing is left out unseen."""

from __future__ import annotations

import jinja2


def templates() -> jinja2.Environment:
    """Those of ``reports/templates``."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
