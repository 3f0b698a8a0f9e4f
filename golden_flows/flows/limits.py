"""What a cloud's API must take, and what it must not: requests for servers that are deleted again at once."""

from __future__ import annotations

import base64

from golden_flows.clouds.cloud import Cloud
from golden_flows.clouds.records import ServerRequest
from golden_flows.flows.files import File
from golden_flows.flows.instance import GUEST_RAM_MIB
from golden_flows.model.cloud import INJECTION
from golden_flows.model.files import Answer, LimitFacts
from golden_flows.waiting import Deadline

USER_DATA_CHARS_MAX = 65535
"""Of base64. Source: Compute API, ``user_data``."""
HOSTILE_PATHS = (
    ("a path with ..", "/srv/../../../etc/interop-escape"),
    ("a path through a link", "/bin/interop-link"),
)
"""``/bin`` is a link to ``usr/bin`` in every system of these days. Source: CVE-2012-3361."""
_CONTENT = b"not to be found anywhere\n"


def ask(cloud: Cloud, image_id: str, deadline: Deadline) -> LimitFacts:
    """Each request in turn, and nothing of them left. Raises ``CloudError``."""
    image = cloud.show_image(image_id)
    profile = cloud.profile
    request = ServerRequest(
        name="limits",
        image_id=image.id,
        flavor=cloud.pick_flavor(profile.flavor, image.disk_bytes_needed, GUEST_RAM_MIB),
        networks=cloud.find_networks(profile.networks),
    )

    def user_data(chars: int) -> Answer:
        words = f"{chars} base64 characters of user data"
        return cloud.ask_for_server(request, words, deadline, user_data_base64=encoded(chars))

    def hostile(words: str, file: File) -> Answer:
        return cloud.ask_for_server(request, words, deadline, files=(file,), until_built=True)

    return LimitFacts(
        longest=user_data(USER_DATA_CHARS_MAX),
        too_long=user_data(USER_DATA_CHARS_MAX + 1),
        hostile_files=tuple(
            hostile(f"a file with {words}: {path}", (path, _CONTENT))
            for words, path in HOSTILE_PATHS
            # Elsewhere it is the guest's agent that writes files, and its own to be careful.
            if INJECTION in profile.channels
        ),
    )


def encoded(chars: int) -> str:
    """A script in exactly that many characters of base64, line feeds included: they count, and mean nothing."""
    whole = chars // 4 * 3
    script = b"#!/bin/sh\nexit 0\n".ljust(whole, b"#")
    return base64.b64encode(script).decode("ascii") + "\n" * (chars % 4)
