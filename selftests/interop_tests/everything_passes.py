"""A pytest plugin (``-p``) with which every check of a run passes at once, and no cloud is asked.

So that it can be shown what a run that would have been certified ends as, once it is cut short.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from golden_flows.model.cloud import Pair
from golden_flows.model.matrix import Result
from golden_flows.model.outcome import Outcome
from golden_flows.session import Session

AT = os.environ.get("SELFTEST_AT", "")
"""The check at which something happens, and what: ``fail``, ``die``, ``sleep``."""
WHAT = os.environ.get("SELFTEST_WHAT", "")
LONG_S = 60.0


def judge(session: Session, pair: Pair, check_id: str) -> Result:
    """In place of the session's own: no story is told."""
    if check_id == AT and WHAT == "die":
        os._exit(9)
    if check_id == AT and WHAT == "sleep":
        session.journal.write("note", text="asleep")
        time.sleep(LONG_S)
    outcome = Outcome.FAIL if check_id == AT and WHAT == "fail" else Outcome.PASS
    result = Result(check=check_id, outcome=outcome)
    fields: dict[str, object] = {"findings": [], "reason": "", "blocked_by": None, "seconds": 0.0, "flags": []}
    session.journal.write("result", src=pair.src, dst=pair.dst, check=check_id, outcome=outcome, **fields)
    return result


@pytest.fixture(autouse=True, scope="session")
def _everything_passes() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Session, "judge", judge)
        yield
