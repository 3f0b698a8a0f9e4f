"""The default user's account in the guest: who has a key to it, and how a password that it made was handed over."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

KEY = re.compile(r"(?:^|[ \t])((?:ssh|ecdsa|sk)-[A-Za-z0-9@.-]+)[ \t]+([A-Za-z0-9+/=]+)(.*)$")
"""Options may stand before it, a comment after it. Source: sshd(8), AUTHORIZED_KEYS FILE FORMAT."""
ANOTHER_KEY = re.compile(r"(?:ssh|ecdsa|sk)-[A-Za-z0-9@.-]+[ \t]+AAAA")
CAN_ENCRYPT = "ssh-rsa"


@dataclass(frozen=True)
class KeyLine:
    """One line of an ``authorized_keys`` file, without its newline; untrusted."""

    number: int
    text: str

    @property
    def fingerprint(self) -> str | None:
        """``SHA256:…`` of the key; None where there is none."""
        found = KEY.search(self.text)
        blob = _blob(found.group(1), found.group(2)) if found else None
        if blob is None:
            return None
        return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode("ascii").rstrip("=")

    @property
    def defect(self) -> str:
        """Why this is not one key, in words; empty where it is."""
        if "\r" in self.text:
            return "a carriage return in it"
        found = KEY.search(self.text)
        if found is None or _blob(found.group(1), found.group(2)) is None:
            return "no key that sshd can read"
        return "two keys on one line" if ANOTHER_KEY.search(found.group(3)) else ""


def _blob(kind: str, encoded: str) -> bytes | None:
    """The key's bytes, which say its kind once more (RFC 4253); None where they do not."""
    try:
        blob = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        return None
    size = int.from_bytes(blob[:4], "big")
    return blob if blob[4 : 4 + size] == kind.encode() and len(blob) > 4 + size else None


@dataclass(frozen=True)
class AuthorizedKeys:
    """The file as it lies in the default user's home."""

    user: str
    lines: tuple[KeyLine, ...]
    """Without empty lines and comments."""
    ends_in_newline: bool = True

    @classmethod
    def read(cls, user: str, content: str) -> AuthorizedKeys:
        lines = [KeyLine(number, text) for number, text in enumerate(content.split("\n"), start=1)]
        kept = tuple(one for one in lines if one.text.strip() and not one.text.lstrip().startswith("#"))
        return cls(user, kept, not content or content.endswith("\n"))

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Of every line that holds a key, in order, repeats included."""
        return tuple(found for one in self.lines if (found := one.fingerprint) is not None)


@dataclass(frozen=True, kw_only=True)
class PasswordPost:
    """What the guest's agent says of the password that it was to make and post."""

    verdict: str
    """``posted``, ``unsupported-key``, ``conflict``, ``refused``."""
    reason: str = ""
    status: int | None = None
    """HTTP status of the POST; None when there was no answer, or nothing was posted."""


@dataclass(frozen=True, kw_only=True)
class PostProbe:
    """One POST of ours from inside the guest, and what the API showed after it."""

    status: int | None
    """None when there was no answer."""
    kept: bool | None
    """Whether the API shows what it showed before; None when it did not say."""


@dataclass(frozen=True, kw_only=True)
class PostedPassword:
    """What the owner finds: ``GET /servers/{id}/os-server-password``, and whether the guest can post more than once."""

    key_type: str
    """Of the key launched with: ``ssh-rsa``."""
    api_status: int
    text_bytes: int = 0
    """How long the ciphertext is; 0: none."""
    unreadable: str = ""
    """Why the private key does not open it."""
    second: PostProbe | None = None
    """A POST while a password is there."""
    cleared_status: int | None = None
    """HTTP status of the owner's ``DELETE`` of it."""
    oversized: PostProbe | None = None
    """A POST of 1021 bytes, after that."""
    again: PostProbe | None = None
    """A POST of the first text, after that; ``kept``: the API shows that text."""
    trouble: str = ""
    """Why the guest could not be made to try all that."""


@dataclass(frozen=True, kw_only=True)
class AccountFacts:
    """The account after the logins. Where nobody could look inside, ``authorized_keys`` is None."""

    authorized_keys: AuthorizedKeys | None = None
    home_keys: AuthorizedKeys | None = None
    """At home, before the snapshot, the owner's key included; None where home has no way in either."""
    owner_fingerprint: str | None = None
    """Of a key that the image's owner wrote into that file by hand, as its last line, without a newline."""
    posted: PostedPassword | None = None
    """None where the guest was not to post a password."""
