"""Numbers and values that a guest or a cloud wrote, read and told without believing anything of them."""

from __future__ import annotations

import math
import re
import reprlib

from golden_flows.errors import shorten

DEPTH_MAX = 32
"""Deeper than any document of a cloud."""
_DIGITS = {8: re.compile(r"[0-7]{1,18}"), 10: re.compile(r"[0-9]{1,18}")}


def whole_number(text: str, base: int = 10) -> int | None:
    """Up to 18 ASCII digits as a number; None for anything else.

    ``str.isdigit`` and ``isdecimal`` say yes to ``²`` and ``٢``, and ``int`` raises for the first and for 5000 digits.
    """
    return int(text, base) if _DIGITS[base].fullmatch(text) else None


def finite_number(text: str) -> float | None:
    """None for what is no number, and for ``nan`` and ``inf``, with which no comparison means anything."""
    try:
        found = float(text)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def pruned(value: object, depth: int = DEPTH_MAX) -> object:
    """JSON as it is, and words in the place of what lies deeper: 900 lists in lists are written nowhere."""
    if depth == 0 and isinstance(value, (dict, list)):
        return f"[deeper than {DEPTH_MAX}]"
    if isinstance(value, dict):
        return {key: pruned(one, depth - 1) for key, one in value.items()}
    return [pruned(one, depth - 1) for one in value] if isinstance(value, list) else value


def told(value: object, limit_chars: int = 80) -> str:
    """For a person. What is deeper or longer than anybody reads is not gone through: ``repr`` of 900 lists raises."""
    return shorten(reprlib.repr(value), limit_chars)
