"""What Nova's metadata service answers: versions listed, and status, type and form of each path.

Source: nova/api/metadata/base.py and handler.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from golden_flows.errors import shorten
from golden_flows.model.guest import MetadataRequest

JSON_TYPE = "application/json"
LATEST = "latest"
NO_SUCH_FILE = "/openstack/latest/no-such-file"

EC2_VERSIONS = (
    "1.0",
    "2007-01-19",
    "2007-03-01",
    "2007-08-29",
    "2007-10-10",
    "2007-12-15",
    "2008-02-01",
    "2008-09-01",
    "2009-04-04",
)
"""All that ``/`` has ever listed, before ``latest``."""

OPENSTACK_VERSIONS = (
    "2012-08-10",
    "2013-04-04",
    "2013-10-17",
    "2015-10-15",
    "2016-06-30",
    "2016-10-06",
    "2017-02-22",
    "2018-08-27",
)
"""What ``/openstack`` lists since Rocky, before ``latest``; 2020-10-14 and 2025-04-04 came later and may be absent."""


@dataclass(frozen=True)
class Rule:
    """What is answered to one path."""

    path: str
    statuses: tuple[int, ...]
    json: bool = False
    content_type: str | None = None
    """None: any. ``network_data.json`` is sent as text/plain, and clients must live with it."""

    def __str__(self) -> str:
        statuses = " or ".join(map(str, self.statuses))
        return f"{statuses}{', JSON' if self.json else ''}{f' as {self.content_type}' if self.content_type else ''}"

    def defect(self, request: MetadataRequest) -> str | None:
        """What is wrong with the answer, in words; None when nothing is."""
        if request.status is None:
            return f"no answer ({shorten(request.error or 'no reason given', 120)})"
        if request.status not in self.statuses:
            return str(request.status)
        if request.status != 200 or not self.json:
            return None
        kind = (request.content_type or "").partition(";")[0].strip().lower()
        if request.json_ok is False:
            return f"200 with type {shorten(kind, 60) or 'not stated'}, not JSON"
        return f"200 with type {shorten(kind, 60) or 'not stated'}" if self.content_type not in (None, kind) else None


OPENSTACK_RULES = (
    Rule("/openstack/latest/meta_data.json", (200,), True, JSON_TYPE),
    Rule("/openstack/latest/network_data.json", (200,), True),
    Rule(NO_SUCH_FILE, (404,)),
    Rule("/openstack/latest/user_data", (200, 404)),
    Rule("/openstack/latest/vendor_data.json", (200, 404), True, JSON_TYPE),
    Rule("/openstack/latest/vendor_data2.json", (200, 404), True, JSON_TYPE),
    Rule("/openstack/latest/password", (200,)),
)
EC2_RULES = (Rule("/latest/meta-data/", (200,)), Rule("/latest/meta-data/instance-id", (200,)))


def listing_defect(body: str, versions: tuple[str, ...]) -> str | None:
    """What is wrong with a list of versions, in words; None when nothing is."""
    lines = body.strip().split("\n")
    if lines[-1:] != [LATEST] or any(later < earlier for earlier, later in pairwise(lines[:-1])):
        return repr(shorten(body, 120))
    missing = sorted(set(versions) - set(lines))
    return f"without {', '.join(missing)}" if missing else None
