"""What the EC2 tree of the metadata can tell a guest, and what it cannot.

Source: nova/api/metadata/base.py, ``get_ec2_metadata``, which ends with version 2009-04-04.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from golden_flows.errors import shorten
from golden_flows.model.guest import GuestReport

CHANNEL = "ec2-http"
INSTANCE_ID = "/latest/meta-data/instance-id"
KEYS = "/latest/meta-data/public-keys/"
FIRST_KEY = "/latest/meta-data/public-keys/0/openssh-key"
INSTANCE_ID_FORM = re.compile(r"i-[0-9a-f]{8,17}")
KEY_LISTING_FORM = re.compile(r"0=.+")


def only_ec2(report: GuestReport, claimed: Collection[str]) -> str:
    """The proof that a guest is told by the EC2 tree alone; nothing where another channel is claimed or seen."""
    seen = {one.name for one in report.channels if one.present}
    if CHANNEL not in seen or {*seen, *claimed} - {CHANNEL}:
        return ""
    instance_id = shorten(report.identity.ec2_instance_id or "none", 60)
    return f"the only channel is {CHANNEL} (instance-id {instance_id})"
