"""Files that Anne wants to find in her new instance: nova's ``personality``, where a cloud offers it.

On a cloud whose channels carry no user data, her nonce travels so as well.
"""

from __future__ import annotations

import hashlib
import secrets
import shlex
from collections.abc import Sequence

from golden_flows.clouds.cloud import Cloud
from golden_flows.errors import GuestError
from golden_flows.flows.story import NONCE_PATH, UserData
from golden_flows.guests.ssh import GuestShell
from golden_flows.model.cloud import FILE_CHANNELS
from golden_flows.model.files import FileFacts, InjectedFile
from golden_flows.model.untrusted import whole_number

PATH = "/srv/anne/injected/bytes"
"""In a folder that the image does not have."""
_ANY_BYTES = bytes([0x00, 0xFF, 0x0D, 0x0A, 0x80])

File = tuple[str, bytes]
"""(path in the guest, content)"""


def wanted(cloud: Cloud, user_data: UserData) -> tuple[File, ...]:
    """What to ask for at launch; nothing where the cloud has no way to carry it, or its API takes none."""
    if not carriers(cloud) or cloud.files_allowed() < 2:
        return ()
    return ((NONCE_PATH, user_data.nonce.encode()), (PATH, secrets.token_bytes(64) + _ANY_BYTES))


def carriers(cloud: Cloud) -> tuple[str, ...]:
    """The channels that the cloud claims and that carry files."""
    return tuple(one for one in cloud.profile.channels if one in FILE_CHANNELS)


def look(cloud: Cloud, files: Sequence[File], shell: GuestShell) -> FileFacts:
    """Every file as it is in the guest now."""
    seen = tuple(_look(path, content, shell) for path, content in files)
    return FileFacts(carriers=carriers(cloud), allowed=cloud.files_allowed(), files=seen)


def _look(path: str, content: bytes, shell: GuestShell) -> InjectedFile:
    name = shlex.quote(path)
    asked = f"[ -f {name} ] && [ ! -L {name} ] || exit 44; sha256sum {name} && stat -c '%u %g %a' {name}"
    try:
        told = shell.run(asked)
    except GuestError:
        words: list[str] = []
    else:
        words = told.stdout.decode("utf-8", "replace").split() if told.exit_code == 0 else []
    owner, group, mode = words[-3:] if len(words) >= 5 else ("", "", "")
    return InjectedFile(
        path=path,
        sent_bytes=len(content),
        sent_sha256=hashlib.sha256(content).hexdigest(),
        found_sha256=words[0] if words else None,
        owner=whole_number(owner),
        group=whole_number(group),
        mode=whole_number(mode, 8),
    )
