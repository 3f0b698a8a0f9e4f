"""Waivers, applied when a journal is read: what failed is on record as a failure, whoever answers for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from golden_flows.model.cloud import Pair
from golden_flows.model.matrix import Result
from golden_flows.model.outcome import Outcome
from golden_flows.model.waiver import Waiver


def read(document: Mapping[str, Any]) -> Waiver:
    """One of ``run_started``'s. Raises ``KeyError``, ``ValueError``."""
    words = {key: str(document[key]) for key in ("id", "check", "reason", "owner")}
    return Waiver(**words, cells=tuple(map(str, document["cells"])), until=date.fromisoformat(document["until"]))


def waived(result: Result, waiver: Waiver) -> Result:
    """A failure as a pass with the waiver's flag, its findings kept; anything else as it is.

    What could not be found out, was blocked or never ran is no failure that anybody could answer for.
    """
    if result.outcome is not Outcome.FAIL:
        return result
    reason = f"failed, and waived by {waiver.owner}: {waiver.reason}"
    return replace(result, outcome=Outcome.PASS, reason=reason, flags=(*result.flags, waiver.flag))


def results(found: Mapping[str, Result], pair: Pair, waivers: Sequence[Waiver]) -> dict[str, Result]:
    """The results of one cell, with the first waiver that covers each failure."""
    by_check = {one.check: one for one in reversed(waivers) if one.covers(pair)}
    return {name: waived(one, by_check[name]) if name in by_check else one for name, one in found.items()}


def notes(waivers: Sequence[Waiver], held: set[str]) -> Iterator[str]:
    """A sentence for each; ``held``: ids of those that something failed under."""
    for one in waivers:
        yield f"waiver {one}" + ("" if one.id in held else " (not needed: nothing failed)")
