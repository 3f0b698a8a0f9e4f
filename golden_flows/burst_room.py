"""Whether a burst fits, asked before anything is made: into a project's quotas and networks, and on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from golden_flows.errors import UsageError
from golden_flows.lending import guests_of, needed_mib
from golden_flows.model.burst import DEFAULT_COUNT
from golden_flows.model.cloud import Pair
from golden_flows.model.headroom import Limit, tightest
from golden_flows.reference_clouds import Offer

MOST = 1000
"""As many servers as a list of nova's shows at once."""


def read_count(text: str | None) -> int:
    """What ``--burst`` says; 0 where it is not there. Raises ``UsageError``."""
    if text is None:
        return 0
    if not text.isdecimal() or not 1 <= int(text) <= MOST:
        raise UsageError(
            f"--burst {text} is no number of instances", f"write 1 to {MOST}, or --burst alone for {DEFAULT_COUNT}"
        )
    return int(text)


def require_in_project(cloud: str, limits: Iterable[Limit], count: int, *, beside: int) -> None:
    """``beside``: servers of the story that are there, too. Raises ``UsageError`` naming limit and largest number."""
    limit = tightest(limits, beside)
    if limit is None or (largest := limit.fits(beside)) >= count:
        return
    also = f", and {beside} more of the story are there by then" if beside else ""
    raise UsageError(f"--burst {count} does not fit into cloud {cloud!r}: {limit}{also}", _advice(largest))


def require_here(
    pair: Pair, offers: Mapping[str, Offer], budget_mib: int, count: int, *, return_trip: bool = False
) -> None:
    """The burst of a cell whose destination is a reference cloud. Raises ``UsageError`` as above."""
    offer = offers.get(pair.dst)
    if not count or offer is None:
        return
    if (guests := guests_of(pair, pair.dst, return_trip=return_trip, burst=count)) > offer.guests_max:
        beside = guests - count
        raise UsageError(
            f"--burst {count} does not fit into reference cloud {offer.name!r}: it runs {offer.guests_max} guests at "
            f"once, and {beside} more of the story are there by then",
            _advice(offer.guests_max - beside),
        )

    def needs_mib(burst: int) -> int:
        return needed_mib(pair, offers, return_trip=return_trip, burst=burst)

    if (needed := needs_mib(count)) > budget_mib:
        largest = _largest(count, lambda fewer: needs_mib(fewer) <= budget_mib)
        raise UsageError(
            f"--burst {count} does not fit on this machine: {pair} needs {needed} MiB of memory, {budget_mib} MiB are "
            "to be had",
            _advice(largest),
        )


def _largest(count: int, fits: Callable[[int], bool]) -> int:
    return next((fewer for fewer in range(count - 1, 0, -1) if fits(fewer)), 0)


def _advice(largest: int) -> str:
    return f"the largest that fits: --burst {largest}" if largest > 0 else "not even --burst 1 fits: free something"
