"""The kill matrix: what every fault, every benign variant and every check has to show for itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from refclouds.faults import FAULTS

from golden_flows.guideline import load_guideline
from golden_flows.model.guideline import Requirement
from selftests.golden_flows.test_guideline import PROVED_BY_FACTS_ALONE
from selftests.proof.flows import FLOWS, Flow
from selftests.proof.on_facts import OnFacts
from selftests.proof.record import Claim, Record, claims_of, judge

JSON = dict[str, Any]
SCHEMA = 1


def latest(records: Iterable[Record], flows: Sequence[Flow] = FLOWS) -> list[Record]:
    """The newest record of each claim and of each variant that the table still makes; the others are history."""
    wanted: set[Claim | str] = {claim for flow in flows for claim in claims_of(flow)}
    wanted |= {variant for flow in flows for variant in flow.variants}
    newest: dict[Claim | str, Record] = {}
    for record in sorted(records, key=lambda one: one.started_at):
        newest |= dict.fromkeys((*record.claims, *record.variants), record)
    kept = {id(record): record for key, record in newest.items() if key in wanted}  # some never began: no run's id
    return sorted(kept.values(), key=lambda one: one.started_at)


def assemble(
    records: Iterable[Record],
    facts: OnFacts,
    *,
    commit: str,
    host: Mapping[str, str],
    suite_version: str,
    flows: Sequence[Flow] = FLOWS,
) -> JSON:
    """The whole matrix as ``kill-matrix.json`` has it."""
    asked = load_guideline()
    runs = [_run(one) for one in latest(records, flows)]
    claims = {claim for flow in flows for claim in claims_of(flow)}
    tried = [one for run in runs for one in run["faults"] if _claim(one) in claims]
    faults = [_fault(name, tried, facts) for name in FAULTS]
    checks = [_check(one, faults, facts) for one in asked.requirements]
    untried = sorted({claim.fault for claim in claims} - {one["fault"] for one in tried})
    variants = _variants(flows, runs)
    document = {
        "schema": SCHEMA,
        "guideline": asked.version,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "suite_version": suite_version,
        "commit": commit,
        "host": dict(host),
        "checks": checks,
        "faults": faults,
        "variants": variants,
        "runs": runs,
    }
    return {**document, "summary": _summary(document, untried)}


def _run(record: Record) -> JSON:
    verdict = judge(record)
    return {
        **record.document(),
        "faults": [
            {
                "fault": one.fault,
                "run": record.run,
                "must_fail": list(one.must_fail),
                "may_fail": list(one.may_fail),
                "caught": list(verdict.caught[one.fault]),
                "also": list(verdict.also[one.fault]),
                "missed": dict(verdict.missed.get(one.fault, {})),
            }
            for one in record.claims
        ],
        "false_alarms": list(verdict.false_alarms),
        "unexpected": list(verdict.unexpected),
    }


def _claim(tried: JSON) -> Claim:
    return Claim(fault=tried["fault"], must_fail=tuple(tried["must_fail"]), may_fail=tuple(tried["may_fail"]))


def name_of(spec: str) -> str:
    """``nd_empty`` of ``public:nd_empty``; ``bus`` of ``private:bus=ide``."""
    return spec.partition(":")[2].partition("=")[0]


def _fault(name: str, tried: Sequence[JSON], facts: OnFacts) -> JSON:
    fault = FAULTS[name]
    seen = facts.by_fault.get(name, ())
    return {
        "name": name,
        "title": fault.title,
        "stage": fault.stage,
        "breaks": sorted(fault.breaks),
        "on_facts": {
            "caught": sorted(set(seen) & set(fault.breaks)),
            "missed": sorted(set(fault.breaks) - set(seen)),
            "false_alarms": sorted(set(seen) - set(fault.breaks)),
        },
        "on_guests": [
            {key: one[key] for key in ("fault", "run", "caught", "also", "missed")}
            for one in tried
            if name_of(one["fault"]) == name
        ],
    }


def _check(one: Requirement, faults: Sequence[JSON], facts: OnFacts) -> JSON:
    guests = [
        {"fault": tried["fault"], "run": tried["run"]}
        for fault in faults
        for tried in fault["on_guests"]
        if one.id in tried["caught"]
    ]
    on_facts = [fault["name"] for fault in faults if one.id in fault["on_facts"]["caught"]]
    alone = facts.without_fault.get(one.id, ())
    return {
        "id": one.id,
        "title": one.title,
        "stage": one.stage.value,
        "level": one.level.value,
        "faults": list(one.faults),
        "without_fault": "" if one.faults else PROVED_BY_FACTS_ALONE.get(one.id, ""),
        "proof": "guests" if guests else "facts" if on_facts or alone == (one.id,) else "unproven",
        "on_guests": guests,
        "on_facts": on_facts,
    }


def _variants(flows: Sequence[Flow], runs: Sequence[JSON]) -> list[JSON]:
    wanted = dict.fromkeys(variant for flow in flows for variant in flow.variants)
    return [
        {
            "variant": variant,
            "runs": [
                {"run": run["run"], "false_alarms": run["false_alarms"], "unexpected": run["unexpected"]}
                for run in runs
                if variant in run["variants"]
            ],
        }
        for variant in wanted
    ]


def _summary(document: JSON, untried: Sequence[str]) -> JSON:
    checks, faults, runs, variants = (document[key] for key in ("checks", "faults", "runs", "variants"))
    by_proof = {
        proof: [one["id"] for one in checks if one["proof"] == proof] for proof in ("guests", "facts", "unproven")
    }
    return {
        "checks": len(checks),
        "proved_on_guests": len(by_proof["guests"]),
        "proved_on_facts_only": by_proof["facts"],
        "unproven": by_proof["unproven"],
        "faults": len(faults),
        "faults_tried_on_guests": sum(bool(one["on_guests"]) for one in faults),
        "missed_on_facts": [one["name"] for one in faults if one["on_facts"]["missed"]],
        "missed_on_guests": sorted({tried["fault"] for run in runs for tried in run["faults"] if tried["missed"]}),
        "false_alarms": sorted({check for run in runs for check in run["false_alarms"]})
        + sorted({check for one in faults for check in one["on_facts"]["false_alarms"]}),
        "unexpected": [f"{run['run']}: {told}" for run in runs for told in run["unexpected"]],
        "variants": len(variants),
        "variants_tried": sum(bool(one["runs"]) for one in variants),
        "not_yet_on_guests": [*untried, *(one["variant"] for one in variants if not one["runs"])],
        "minutes_on_guests": round(sum(run["seconds"] for run in runs) / 60, 1),
    }


def exit_code(summary: JSON) -> int:
    """0: every check is proven and nothing was missed or alarmed without cause; 1: not so; 3: not all of it was run."""
    wrong = ("unproven", "missed_on_facts", "missed_on_guests", "false_alarms", "unexpected")
    if any(summary[key] for key in wrong):
        return 1
    return 3 if summary["not_yet_on_guests"] else 0
