"""What a run will execute; hashed before anything runs, so that nobody takes from it what did not go well."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from golden_flows.model.cloud import Pair


@dataclass(frozen=True)
class Plan:
    """Every check in every cell."""

    cells: tuple[Pair, ...]
    checks: tuple[str, ...]
    guideline: str

    @property
    def sha256(self) -> str:
        text = json.dumps([self.guideline, [[c.src, c.dst] for c in self.cells], list(self.checks)])
        return hashlib.sha256(text.encode()).hexdigest()
