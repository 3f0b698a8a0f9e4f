"""Anne's golden flow over every pair that was asked for: one item per (pair, check)."""

from __future__ import annotations

import pytest

from golden_flows.errors import InteropError, Nonconformance
from golden_flows.model.cloud import Pair
from golden_flows.model.outcome import Outcome
from golden_flows.printable import printable
from golden_flows.session import Session


def test_golden_flow(interop: Session, pair: Pair, check_id: str) -> None:
    result = interop.judge(pair, check_id)
    if result.outcome is Outcome.FAIL:
        raise Nonconformance(printable("\n".join(str(finding) for finding in result.findings)))
    if result.outcome is Outcome.BROKEN:
        raise InteropError(printable(result.reason))
    if result.outcome is not Outcome.PASS:
        pytest.skip(printable(f"{result.outcome.value}: {result.reason}"))
