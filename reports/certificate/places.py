"""Where the certificates of a run lie."""

from __future__ import annotations

from urllib.parse import quote

from golden_flows.model.cloud import Pair

FOLDER = "certificates"
PAGES = ("certificate.html", "certificate.pdf")


def folder_name(pair: Pair) -> str:
    """No two pairs share it, whatever their clouds are called."""
    return f"{quote(pair.src, safe='')}+{quote(pair.dst, safe='')}"
