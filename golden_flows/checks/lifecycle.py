"""Is everything gone that this run made?"""

from __future__ import annotations

from golden_flows.errors import shorten
from golden_flows.model.check import check, given, verdict
from golden_flows.model.facts import Facts, LifecycleFacts
from golden_flows.model.finding import Finding, NotObserved, Said


@check("LC-2", needs=("lifecycle",))
def nothing_is_left_behind(facts: Facts) -> Said:
    """No resource of this run on either cloud, and inventories as before it."""
    seen = given(facts.lifecycle)
    findings = [
        Finding(f"{one.kind} {shorten(one.name, 80)} on {one.cloud}", "deleted", f"still there, id {one.id}", REMEDY)
        for one in seen.leftovers
    ]
    findings += _differences(seen)
    if findings:
        return tuple(findings)
    if seen.made <= 0:
        return NotObserved("the run made nothing, so nothing could be left")
    unseen = [shorten(one, 200) for one in seen.errors]
    unseen += [f"no inventory of {cloud} before and after" for cloud in sorted(_uncounted(facts, seen))]
    return verdict(findings, unseen)


REMEDY = (
    "run `golden-flows clean`; if a deletion that was answered with success did not happen, read nova-compute's log"
)


def _differences(seen: LifecycleFacts) -> list[Finding]:
    """Counts that differ, less what the leftovers explain: one thing left behind is one finding."""
    findings: list[Finding] = []
    for cloud in sorted(set(seen.before) & set(seen.after)):
        before, after = seen.before[cloud], seen.after[cloud]
        for kind in sorted(set(before) | set(after)):
            explained = sum(1 for one in seen.leftovers if (one.cloud, one.kind) == (cloud, kind))
            if after.get(kind, 0) - explained != before.get(kind, 0):
                expected, actual = f"{before.get(kind, 0)}, as before", f"{after.get(kind, 0)}"
                remedy = "find out who else uses the project; then look for what the run made without its tag"
                findings.append(Finding(f"number of {kind} on {cloud}", expected, actual, remedy))
    return findings


def _uncounted(facts: Facts, seen: LifecycleFacts) -> set[str]:
    return {facts.pair.src, facts.pair.dst} - (set(seen.before) & set(seen.after))
