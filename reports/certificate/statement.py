"""The in-toto Statement: what is certified, of what, and until when.

``Statement/v1`` with the predicate ``test-result/v0.1``. What this suite has to say beyond that predicate (validity,
evidence level, flags) stands in the ``annotations`` of the run's entry in ``configuration``, where every consumer of
in-toto ignores what it does not know.

Sources: https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md,
https://github.com/in-toto/attestation/blob/main/spec/predicates/test-result.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from golden_flows.model.cloud import Pair, Profile
from golden_flows.model.guideline import Level
from golden_flows.model.matrix import Cell, Run
from golden_flows.model.outcome import Outcome
from reports.read import moment
from reports.rows import check_rows, evidence_level

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://in-toto.io/attestation/test-result/v0.1"

JSON = dict[str, Any]

OF_ONE_RUN = ("access", "evidence_url")
"""Keys of a profile that differ from run to run of one cloud: ports on the machine that ran it."""


@dataclass(frozen=True)
class Said:
    """How the checks of one pair ended, in the words of the predicate."""

    passed: tuple[str, ...]
    warned: tuple[str, ...]
    """Passed with a flag (a shim, a rerun, a waiver), and advisory checks that did not pass."""
    failed: tuple[str, ...]
    """Required checks that did neither pass nor prove themselves not applicable; empty in any certificate."""
    not_applicable: tuple[str, ...]
    flags: Mapping[str, tuple[str, ...]]
    """By check: ``shim=NAME``, ``flaky=N``, ``waiver=ID until DATE``."""
    advisory: Mapping[str, str]
    """How advisory checks ended that did not pass."""
    waivers: tuple[str, ...]
    """Each that a check here owes its pass to: id, check, until when, who answers for it, why."""

    @property
    def result(self) -> str:
        return "FAILED" if self.failed else "WARNED" if self.warned else "PASSED"


def said(run: Run, cell: Cell) -> Said:
    """What the journal says of a pair."""
    rows = [row for _, row in check_rows(run, cell)]
    planned = [row for row in rows if row.planned or row.requirement.level is Level.REQUIRED]
    flags = {row.requirement.id: row.result.flags for row in planned if row.result.flags}
    passed: list[str] = []
    warned: list[str] = []
    failed: list[str] = []
    not_applicable: list[str] = []
    advisory: dict[str, str] = {}
    for row in planned:
        check, outcome = row.requirement.id, row.result.outcome
        if outcome is Outcome.NOT_APPLICABLE:
            not_applicable.append(check)
        elif outcome is Outcome.PASS:
            (warned if check in flags else passed).append(check)
        elif row.requirement.level is Level.REQUIRED:
            failed.append(check)
        else:
            warned.append(check)
            advisory[check] = outcome.value
    held = {flag for flags_of_one in flags.values() for flag in flags_of_one}
    answered_for = tuple(str(one) for one in run.waivers if one.flag in held)
    return Said(tuple(passed), tuple(warned), tuple(failed), tuple(not_applicable), flags, advisory, answered_for)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What a statement claims, apart from the subjects' digests."""

    run_id: str
    pair: Pair
    evidence_level: str
    guideline: str
    suite_version: str
    plan_sha256: str
    result: str
    """``PASSED`` or ``WARNED``; what it must be follows from what is said of the tests."""
    said: Said
    variants: tuple[str, ...]
    """What its clouds were told to be that must not matter, as ``public: slow``."""
    run_began: datetime
    run_ended: datetime
    issued_at: datetime
    valid_from: datetime
    valid_until: datetime
    subjects: Mapping[str, str] = field(default_factory=dict)
    """sha256 by name."""


def as_bytes(claim: Claim, subjects: Sequence[JSON], configuration: Sequence[JSON]) -> bytes:
    """The statement as it is signed: one key a line, to be read by people, too."""
    document = {
        "_type": STATEMENT_TYPE,
        "subject": list(subjects),
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "result": claim.result,
            "configuration": [*configuration, _run(claim)],
            "passedTests": list(claim.said.passed),
            "warnedTests": list(claim.said.warned),
            "failedTests": list(claim.said.failed),
        },
    }
    return (json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode()


def _run(claim: Claim) -> JSON:
    return {
        "name": f"run {claim.run_id}",
        "digest": {"sha256": claim.plan_sha256},
        "annotations": {
            "run": claim.run_id,
            "source": claim.pair.src,
            "destination": claim.pair.dst,
            "evidenceLevel": claim.evidence_level,
            "guideline": claim.guideline,
            "suiteVersion": claim.suite_version,
            "runBegan": claim.run_began.isoformat(),
            "runEnded": claim.run_ended.isoformat(),
            "issuedAt": claim.issued_at.isoformat(),
            "validFrom": claim.valid_from.isoformat(),
            "validUntil": claim.valid_until.isoformat(),
            "notApplicable": list(claim.said.not_applicable),
            "flags": {check: list(flags) for check, flags in claim.said.flags.items()},
            "advisoryNotPassed": dict(claim.said.advisory),
            "waivers": list(claim.said.waivers),
            "variants": list(claim.variants),
        },
    }


def subject(name: str, sha256: str, **annotations: str) -> JSON:
    """A ResourceDescriptor."""
    return {"name": name, "digest": {"sha256": sha256}, **({"annotations": annotations} if annotations else {})}


def parse(payload: bytes) -> Claim:
    """Raises ``UnknownPredicate`` for a statement of another kind, ``ValueError`` for what is none."""
    try:
        document = json.loads(payload)
        kinds = (document["_type"], document["predicateType"])
        if kinds != (STATEMENT_TYPE, PREDICATE_TYPE):
            raise UnknownPredicate(f"{kinds[1]} in {kinds[0]}")
        predicate = document["predicate"]
        notes = next(one["annotations"] for one in predicate["configuration"] if "run" in one.get("annotations", {}))
        run = next(one for one in predicate["configuration"] if one.get("name") == f"run {notes['run']}")
        return Claim(
            run_id=str(notes["run"]),
            pair=Pair(str(notes["source"]), str(notes["destination"])),
            evidence_level=str(notes["evidenceLevel"]),
            guideline=str(notes["guideline"]),
            suite_version=str(notes["suiteVersion"]),
            plan_sha256=str(run["digest"]["sha256"]),
            result=str(predicate["result"]),
            said=Said(
                passed=tuple(predicate["passedTests"]),
                warned=tuple(predicate["warnedTests"]),
                failed=tuple(predicate["failedTests"]),
                not_applicable=tuple(notes["notApplicable"]),
                flags={check: tuple(flags) for check, flags in notes["flags"].items()},
                advisory=dict(notes["advisoryNotPassed"]),
                waivers=tuple(notes["waivers"]),
            ),
            variants=tuple(notes.get("variants", ())),
            run_began=moment(notes["runBegan"]),
            run_ended=moment(notes["runEnded"]),
            issued_at=moment(notes["issuedAt"]),
            valid_from=moment(notes["validFrom"]),
            valid_until=moment(notes["validUntil"]),
            subjects={str(one["name"]): str(one["digest"]["sha256"]) for one in document["subject"]},
        )
    except (KeyError, TypeError, AttributeError, StopIteration, OverflowError, RecursionError) as error:
        raise ValueError(f"not a statement of this suite: {error!r}") from error


class UnknownPredicate(ValueError):
    """A statement, and of something else."""


def profile_document(profile: Profile) -> bytes:
    """What a cloud was said to be, the same in every run of it."""
    document = {key: value for key, value in asdict(profile).items() if key not in OF_ONE_RUN}
    document["evidence_level"] = profile.evidence_level.value
    return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode()


def level_words(cell: Cell) -> str:
    """How real the less real of both clouds was. Raises ``ValueError`` where the journal never says."""
    level = evidence_level(cell)
    if level is None:
        raise ValueError("a cloud of this pair was never described")
    return level.value
