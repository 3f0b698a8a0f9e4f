"""Forms in which a secret may lie in a file that is about to be handed on.

The journal leaves out every secret that the run knew of before it hashes anything. This is the second look: what it
was never told of, and what somebody has put into the folder since.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from golden_flows.journal import REDACTED

_VALUE = rb'\\?"\s*[:=]\s*\\?"(?!' + re.escape(REDACTED).encode() + rb'|\\?")'
"""Between a key of JSON, which may stand in a string of JSON itself, and a value that is neither empty nor left out."""

_BEGIN = rb"(?:(?<![A-Za-z0-9+/_=-])|(?<=\\[nrt]))"
"""Not in the middle of Base64, where any signature may have the same letters; a line of a JSON string begins, too."""

FORMS: Mapping[str, re.Pattern[bytes]] = {
    "a private key": re.compile(rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----"),
    "a private key in Base64": re.compile(rb"LS0tLS1CRUdJTi[A-Za-z0-9+/]{8,}"),
    "a Fernet token": re.compile(_BEGIN + rb"gAAAAA[A-Za-z0-9_-]{60,}"),
    "a JSON web token": re.compile(rb"eyJ[A-Za-z0-9_-]{16,}\.eyJ[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    "a token of Keystone": re.compile(rb"(?i)x-(?:auth|subject)-token\\?\"?\s*:\s*\\?\"?[A-Za-z0-9_.-]{16,}"),
    "an administrator's password": re.compile(rb"(?i)admin_?pass(?:word)?" + _VALUE),
    "a password of clouds.yaml": re.compile(
        rb"(?im)^\s*(?:password|application_credential_secret|client_secret):[ \t]*[^\s\[{#]"
    ),
    "a secret in JSON": re.compile(
        rb"(?i)\\?\"(?:password|secret|application_credential_secret|client_secret)" + _VALUE
    ),
    "a password in a URL": re.compile(rb"[a-z0-9+]{2,16}://[^\s/:@\"\\]{1,64}:[^\s/@\"\\\[]{3,64}@"),
    "user data": re.compile(rb"(?i)user_?data" + _VALUE + rb"[A-Za-z0-9+/]{16}"),
}


def leak(content: bytes) -> str:
    """What kind of secret this looks like to hold; empty for none."""
    return next((name for name, form in FORMS.items() if form.search(content)), "")
