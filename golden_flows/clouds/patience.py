"""How often something is tried again, and after which pauses."""

from __future__ import annotations

import requests
from urllib3.exceptions import MaxRetryError
from urllib3.util import Retry

from golden_flows.errors import CloudError, WaitTimeout
from golden_flows.waiting import Deadline

ATTEMPTS = 5
"""Without any progress between them; the pauses make 15 s."""
BUSY = (429, 500, 502, 503, 504)
"""What passes: a limit of requests, a service that restarts, a proxy whose backend does."""


class GaveUp(Exception):
    """It was tried often enough; the text says why it did not work."""


class Patience:
    """One transfer's. The pauses grow (urllib3's ``Retry``), heed Retry-After, and end with the deadline."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._fresh = Retry(total=ATTEMPTS, backoff_factor=0.5, backoff_max=30)
        self._left = self._fresh

    def progressed(self) -> None:
        """Something came: what failed before does not count any more."""
        self._left = self._fresh

    @property
    def is_tried(self) -> bool:
        """Whether the last try brought nothing."""
        return self._left is not self._fresh

    def pause(self, why: Exception, answer: requests.Response | None = None) -> None:
        """Let time pass before the next try. Raises ``GaveUp``; ``WaitTimeout`` where the deadline comes first."""
        reason = why.what if isinstance(why, CloudError) else str(why)
        try:
            self._left = self._left.increment(method="GET", url="", error=why)
        except MaxRetryError as spent:
            raise GaveUp(f"{ATTEMPTS + 1} times without a byte of progress: {reason}") from spent
        pause_s = self._left.get_backoff_time()
        told = answer.headers.get("Retry-After") if answer is not None else None
        if told:
            pause_s = max(pause_s, _seconds(self._left, told))
        if pause_s >= self._deadline.left_s:
            raise WaitTimeout("another try", pause_s, reason) from why
        self._deadline.clock.sleep(pause_s)


def _seconds(retry: Retry, told: str) -> float:
    try:
        return retry.parse_retry_after(told)
    except Exception:  # urllib3 raises InvalidHeader for a text that is neither a number nor a date
        return 0.0
