"""What a reference cloud keeps of its own accord, fetched so that a reader can see the other side of the wire.

Only clouds that name an ``evidence_url`` have it; nothing is judged from it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import requests

logger = logging.getLogger(__name__)

LIMIT_BYTES = 8 * 1024 * 1024


def read_cloud_evidence(url: str | None) -> Iterator[tuple[str, str, bytes]]:
    """(name, media type, bytes) of each thing kept; nothing, with a log line, when the cloud does not answer."""
    if not url:
        return
    with requests.Session() as session:
        session.trust_env = False
        try:
            for entry in session.get(url, timeout=10).json():
                name, media_type = str(entry["name"]), str(entry["media_type"])
                answer = session.get(f"{url.rstrip('/')}/{name}", timeout=10, stream=True)
                answer.raise_for_status()
                yield name, media_type, answer.raw.read(LIMIT_BYTES, decode_content=True)
        except (requests.RequestException, ValueError, KeyError, TypeError, RecursionError) as error:
            logger.warning("no evidence from %s: %s", url, error)
