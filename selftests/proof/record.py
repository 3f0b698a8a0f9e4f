"""What one run says about the faults that its clouds were told to have."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cattrs.preconf.json import make_converter

from selftests.proof.flows import Flow

_CONVERTER = make_converter()


@dataclass(frozen=True, kw_only=True)
class Claim:
    """That a fault makes these checks fail, and may make those fail too."""

    fault: str
    """``CLOUD:FAULT[=VALUE]``."""
    must_fail: tuple[str, ...]
    may_fail: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Record:
    """One run, and what was claimed of it before it began. It is judged by itself: no table is needed beside it."""

    run: str
    """Its id; empty when it never began."""
    started_at: str
    """ISO 8601, UTC."""
    seconds: float
    suite_version: str
    commit: str
    host: Mapping[str, str]
    src: str
    dst: str
    claims: tuple[Claim, ...]
    blocked: tuple[str, ...] = ()
    """What was to be blocked; exactly this."""
    unseen: tuple[str, ...] = ()
    """What was to be broken, because it cannot be found out beside these faults; exactly this."""
    variants: tuple[str, ...] = ()
    """``CLOUD:VARIANT``: no claim, but that nothing fails by them."""
    image: str | None = None
    options: tuple[str, ...] = ()
    exit_code: int
    judged: int = 0
    """How many checks there were."""
    not_passed: Mapping[str, str] = field(default_factory=dict)
    """Outcome by check."""
    advisory: tuple[str, ...] = ()
    """Those of them whose failure does not make a cloud nonconformant."""
    results_sha256: str = ""
    """Of the run's results.json."""
    trouble: str = ""
    """Why there are no results."""

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""
        document: dict[str, Any] = _CONVERTER.unstructure(self)
        return document

    @classmethod
    def load(cls, document: Mapping[str, Any]) -> Record:
        """Raises an exception group of cattrs for what no record is."""
        return _CONVERTER.structure(document, cls)

    def ended(self, *outcomes: str) -> tuple[str, ...]:
        return tuple(sorted(check for check, outcome in self.not_passed.items() if outcome in outcomes))


def claims_of(flow: Flow) -> tuple[Claim, ...]:
    return tuple(
        Claim(fault=one.spec, must_fail=tuple(sorted(one.must_fail)), may_fail=tuple(sorted(one.dependents)))
        for one in flow.faults
    )


def record_of(flow: Flow, folder: Path, document: Mapping[str, Any], *, commit: str, seconds: float) -> Record:
    """The record of a run of this flow. ``folder``: of its reports; ``document``: its results.json."""
    (cell,) = document["cells"]
    checks = [check for point in cell["points"] for stage in point["stages"] for check in stage["checks"]]
    return Record(
        run=document["run"],
        started_at=document["started_at"],
        seconds=round(seconds, 1),
        suite_version=document["suite_version"],
        commit=commit,
        host=document["host"],
        src=flow.src,
        dst=flow.dst,
        claims=claims_of(flow),
        blocked=tuple(sorted(flow.blocked)),
        unseen=tuple(sorted(flow.unseen)),
        variants=flow.variants,
        image=flow.image,
        options=flow.options,
        exit_code=document["exit_code"],
        judged=len(checks),
        not_passed={one["id"]: one["outcome"] for one in checks if one["outcome"] != "pass"},
        advisory=tuple(one["id"] for one in checks if one["level"] != "required" and one["outcome"] != "pass"),
        results_sha256=hashlib.sha256((folder / "results.json").read_bytes()).hexdigest(),
    )


@dataclass(frozen=True)
class Verdict:
    """What a record shows."""

    caught: Mapping[str, tuple[str, ...]]
    """Checks that failed as they must, by fault."""
    also: Mapping[str, tuple[str, ...]]
    """Declared dependents that failed too."""
    missed: Mapping[str, Mapping[str, str]]
    """Checks that should have failed, with their outcome, by fault."""
    false_alarms: tuple[str, ...]
    """Checks that failed, and no fault of the run accounts for them."""
    unexpected: tuple[str, ...]
    """What else is not as it was to be, a sentence each."""

    @property
    def troubles(self) -> tuple[str, ...]:
        """Everything that is not as it should be; empty: the run proves what was claimed."""
        missed = (
            f"{fault}: {check} ended as {outcome} and had to fail"
            for fault, checks in self.missed.items()
            for check, outcome in checks.items()
        )
        return (
            *missed,
            *(f"{one} failed, and no fault accounts for it" for one in self.false_alarms),
            *self.unexpected,
        )


def judge(record: Record) -> Verdict:
    failed = set(record.ended("fail"))
    caught = {one.fault: tuple(check for check in one.must_fail if check in failed) for one in record.claims}
    also = {one.fault: tuple(check for check in one.may_fail if check in failed) for one in record.claims}
    missed = {
        one.fault: {
            check: record.trouble or record.not_passed.get(check, "pass")
            for check in one.must_fail
            if check not in failed
        }
        for one in record.claims
    }
    accounted = {check for one in record.claims for check in (*one.must_fail, *one.may_fail)}
    return Verdict(
        caught,
        also,
        {fault: checks for fault, checks in missed.items() if checks},
        tuple(sorted(failed - accounted)),
        tuple(_unexpected(record, failed)),
    )


def _unexpected(record: Record, failed: set[str]) -> list[str]:
    if record.trouble:
        return [f"no results: {record.trouble}"]
    blocked, awaited = set(record.ended("blocked")), set(record.blocked) - failed
    told = [f"{one} was blocked" for one in sorted(blocked - awaited)]
    told += [f"{one} was not blocked" for one in sorted(awaited - blocked)]
    broken = set(record.ended("broken"))
    told += [f"{one} ended as broken" for one in sorted(broken - set(record.unseen))]
    told += [f"{one} did not end as broken" for one in sorted(set(record.unseen) - broken)]
    told += [f"{one} ended as not-run" for one in record.ended("not-run")]
    expected = 1 if failed - set(record.advisory) else 0
    if not told and record.exit_code != expected:
        told.append(f"the exit code was {record.exit_code}, not {expected}")
    return told
