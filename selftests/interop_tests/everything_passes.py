"""A pytest plugin (``-p``) with which every check of a run passes at once, and no story is told.

So that it can be shown what a run that would have been certified ends as, once it is cut short.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

import golden_flows.session
import interop_tests.run
from golden_flows.errors import InteropError
from golden_flows.model.check import Check
from golden_flows.model.cloud import Pair
from golden_flows.model.guideline import Requirement
from golden_flows.model.matrix import Result
from golden_flows.model.outcome import Outcome
from golden_flows.session import Session

AT = os.environ.get("SELFTEST_AT", "")
"""The check at which something happens."""
WHAT = os.environ.get("SELFTEST_WHAT", "")
"""What: ``die``, ``sleep``, ``stay`` (a worker cannot end well), ``trip`` (our own mistake in the end), or outcomes,
one telling after the other, of which the last stays: ``broken pass``."""
LONG_S = 60.0
_tellings: list[str] = WHAT.split()


def judge(session: Session, requirement: Requirement, check: Check) -> Result:
    """In place of ``golden_flows.judging``'s, which would ask the story's facts."""
    if check.id != AT:
        return Result(check=check.id, outcome=Outcome.PASS)
    if WHAT == "die":
        os._exit(9)
    if WHAT == "sleep":
        session.journal.write("note", text="asleep")
        time.sleep(LONG_S)
    outcome = _tellings.pop(0) if len(_tellings) > 1 else _tellings[0]
    return Result(check=check.id, outcome=Outcome(outcome))


def pytest_configure(config: pytest.Config) -> None:
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    if WHAT == "stay" and hasattr(config, "workerinput"):
        patch.setattr(Session, "disconnect", cannot_disconnect)
    if WHAT == "trip":
        patch.setattr(interop_tests.run, "write_all", None)


def cannot_disconnect(session: Session) -> None:
    raise InteropError("a worker that cannot clean up")


def flow(session: Session, pair: Pair) -> Session:
    """In place of the story of a cell: the session itself."""
    session._cell = pair
    return session


@pytest.fixture(autouse=True, scope="session")
def _everything_passes() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(golden_flows.session, "judge", judge)
        patch.setattr(Session, "flow", flow)
        yield
