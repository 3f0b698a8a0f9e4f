"""Shards of a run: its cells, dealt out to machines that know nothing of one another.

Every shard draws up the same whole plan and writes it down beside its own share, so that whoever puts the shards
together (``golden_flows.merging``) knows what is missing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from golden_flows.errors import UsageError
from golden_flows.model.cloud import Pair

_FORM = re.compile(r"([1-9][0-9]{0,3})/([1-9][0-9]{0,3})")


@dataclass(frozen=True)
class Shard:
    """One of ``of`` shards; the first has ``number`` 1."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """``2/4``. Raises ``UsageError`` for anything else."""
        match = _FORM.fullmatch(text)
        if match is None or int(match[1]) > int(match[2]):
            raise UsageError(f"--shard {text!r} is not NUMBER/OF", "for example --shard 2/4, the second of four")
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def share(self, cells: Sequence[Pair]) -> tuple[Pair, ...]:
        """Its cells of the whole plan, which is in the order of sources: one export serves as many of them as may be.

        Sizes differ by one at most. Raises ``UsageError`` where there are fewer cells than shards.
        """
        if self.of > len(cells):
            raise UsageError(
                f"--shard {self}: the run has {len(cells)} cells, too few for {self.of} shards",
                f"take {len(cells)} shards at most",
            )
        first, end = (len(cells) * one // self.of for one in (self.number - 1, self.number))
        return tuple(cells[first:end])
