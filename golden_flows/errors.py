"""What can go wrong, and whose word it is.

::

    AssertionError
    └── Nonconformance        the cloud is wrong; only a check may say so (Allure: failed)
    Exception
    └── InteropError          we could not find out (Allure: broken)
        ├── UsageError        the caller asked for something that cannot be: exit 2
        ├── CloudError        a cloud refused, died or answered nonsense
        │   ├── Unreachable   its API does not answer at all
        │   └── NeverUp       an instance never came up
        ├── GuestError        no way into a guest, or it answered nonsense
        ├── MissingProgram    a system program is not installed: exit 2
        ├── CleanupError      something we made could not be removed
        ├── RecordError       the run's own record cannot be written: the run must end
        └── WaitTimeout       a condition stayed false until its deadline
    Unsupported               the cloud does not claim this: not-applicable, with the proof

Every error is a record: fields first, message from fields. Messages name the thing and the remedy.
"""

from __future__ import annotations

OUTPUT_LIMIT_CHARS = 600
"""How much foreign output an error message quotes before it says ``[truncated]``."""


def shorten(text: str, limit_chars: int = OUTPUT_LIMIT_CHARS) -> str:
    """The text, cut at ``limit_chars`` with a visible mark."""
    text = text.strip()
    return text if len(text) <= limit_chars else text[:limit_chars] + " [truncated]"


class Nonconformance(AssertionError):
    """A check found that a cloud is wrong."""


class InteropError(Exception):
    """We could not find out. Carries ``what`` happened and the ``remedy`` (may be empty)."""

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(what, remedy)
        self.what, self.remedy = what, remedy

    def __str__(self) -> str:
        return f"{self.what}\n  remedy: {self.remedy}" if self.remedy else self.what


class UsageError(InteropError):
    """The caller asked for something that cannot be (unknown cloud, bad option, broken clouds.yaml)."""


class CloudError(InteropError):
    """A cloud refused, died, or answered something that the API reference does not allow."""


class Unreachable(CloudError):
    """Nothing answers at a cloud's API, or not in time."""


class NeverUp(CloudError):
    """An instance was asked for, and never came up."""


class GuestError(InteropError):
    """A guest could not be entered or did not answer sensibly."""


class MissingProgram(UsageError):
    """A system program is not installed; the remedy is the line that installs it."""


class Unsupported(InteropError):
    """The cloud does not claim this ability; ``what`` is the proof."""


class CleanupError(InteropError):
    """Things we made and could not remove: every failure, not only the first."""

    def __init__(self, failures: tuple[str, ...]) -> None:
        super().__init__(
            "could not remove: " + "; ".join(failures),
            "run `golden-flows clean`; it retries from the ledger and removes only what this run made",
        )
        self.failures = failures


class RecordError(InteropError):
    """The run's journal or evidence cannot be written. What is not on record cannot be believed, so the run ends."""


class WaitTimeout(InteropError):
    """A condition stayed false until its deadline."""

    def __init__(self, what: str, waited_s: float, last_seen: object) -> None:
        super().__init__(f"waited {waited_s:.0f} s for {what}; last saw {shorten(repr(last_seen))}")
        self.waiting_for, self.waited_s, self.last_seen = what, waited_s, last_seen
