"""Text that guests and clouds wrote, made fit for XML, terminals and people.

Cleaned once, at each door: what reports read (``reports.read``), and what is shown while a run works, is planned or
fails. Escaping for HTML or Markdown is still each format's own duty.
"""

from __future__ import annotations

import re

LIMIT_CHARS = 16_384
"""How much of one string a report carries; the whole of it is in the journal or in the evidence."""

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters: ANSI sequences begin with one, XML 1.0 forbids them
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # direction overrides: they can show text in another order
    "\ud800-\udfff\ufffe\uffff]"  # no characters at all
)


def _seen(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else "\ufffd"


def printable(text: str, limit_chars: int = LIMIT_CHARS) -> str:
    """The text with every control character made visible; tabs and newlines stay.

    ESC becomes ``␛``; what has no picture becomes ``�``.
    """
    text = text.replace("\r\n", "\n")
    if len(text) > limit_chars:
        text = text[:limit_chars] + " [truncated]"
    return _UNSEEN.sub(_seen, text)


def cleaned(value: object) -> object:
    """A JSON value with every string in it (keys too) made printable."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {printable(str(key)): cleaned(one) for key, one in value.items()}
    if isinstance(value, list):
        return [cleaned(one) for one in value]
    return value
