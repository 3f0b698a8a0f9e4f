"""What stands on a certificate, before anybody draws it; and ``certificate.html``, the master of the drawings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from golden_flows.model.cloud import Pair, Profile
from golden_flows.model.evidence import EvidenceLevel
from golden_flows.model.guideline import Level
from golden_flows.model.matrix import Cell, Run
from golden_flows.model.outcome import Outcome
from reports.certificate.earning import waivers
from reports.certificate.statement import Claim
from reports.pages import templates
from reports.rows import SYMBOLS, counts, evidence_details, points

LEVEL_NOTES = {
    EvidenceLevel.REAL_CLOUD: "Both clouds were real clouds, as their owner named them.",
    EvidenceLevel.REAL_HYPERVISOR: "A cloud of this pair was a reference cloud of this suite, with guests on a real "
    "hypervisor. Its green is not a real cloud's: this page certifies no cloud that anybody runs.",
    EvidenceLevel.EMULATED: "A cloud of this pair was a reference cloud of this suite, with guests on emulated "
    "hardware. Its green is not a real cloud's: this page certifies no cloud that anybody runs.",
}


@dataclass(frozen=True)
class Side:
    """One cloud of the pair."""

    role: str
    name: str
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Face:
    """Everything that is printed."""

    pair: Pair
    level: str
    level_note: str
    is_real: bool
    sentence: str
    points: tuple[tuple[str, str, str], ...]
    """(symbol, point of compatibility, how it works)."""
    restrictions: tuple[tuple[str, tuple[str, ...]], ...]
    """Waivers, flaky checks, shims, advisory failures, benign variants: each with what there is of it, or nothing."""
    sides: tuple[Side, Side]
    facts: tuple[tuple[str, str], ...]
    digests: tuple[tuple[str, str], ...]
    valid_from: datetime
    valid_until: datetime
    signer: str
    """Fingerprint of the key; empty: nobody signed."""


def draw_up(run: Run, cell: Cell, claim: Claim, digests: tuple[tuple[str, str], ...], signer: str) -> Face:
    """``digests``: what is printed of hashes, and of what they are."""
    level = EvidenceLevel(claim.evidence_level)
    proved = str(run.kill_matrix) if run.kill_matrix else "the suite had no kill matrix"
    return Face(
        pair=cell.pair,
        level=level.value,
        level_note=LEVEL_NOTES[level],
        is_real=level is EvidenceLevel.REAL_CLOUD,
        sentence=_sentence(run, cell),
        points=tuple((SYMBOLS[one.outcome], one.point.value, one.words) for one in points(run, cell)),
        restrictions=tuple(_restrictions(run, cell, claim)),
        sides=(_side("source", cell.src), _side("destination", cell.dst)),
        facts=(
            ("Run", run.id),
            ("Ended", f"{claim.run_ended:%Y-%m-%d %H:%M} UTC"),
            ("Issued", f"{claim.issued_at:%Y-%m-%d %H:%M} UTC"),
            ("Guideline", run.guideline.version),
            ("Suite", f"golden-flows {claim.suite_version}"),
            ("Kill matrix", proved),
            ("Evidence", "; ".join(evidence_details(cell))),
        ),
        digests=digests,
        valid_from=claim.valid_from,
        valid_until=claim.valid_until,
        signer=signer,
    )


def _sentence(run: Run, cell: Cell) -> str:
    """A check that failed and is waived did not pass, whatever it counts for."""
    waived = {one.check for one in waivers(run, cell)}
    required = [one.id for one in run.guideline.requirements if one.level is Level.REQUIRED]
    ended = counts(cell.result(one).outcome for one in required if one not in waived)
    failed = sum(one in waived for one in required)
    return (
        f"A workload that was taken from {cell.pair.src} as a RAW image ran on {cell.pair.dst}: of the {len(required)} "
        f"checks that guideline {run.guideline.version} requires, {ended.get(Outcome.PASS, 0)} passed, "
        f"{ended.get(Outcome.NOT_APPLICABLE, 0)} were proved not applicable, "
        + (f"{failed} failed and somebody answers for it (see waivers), " if failed else "")
        + f"and none {'else ' if failed else ''}failed, broke, was blocked or was left out."
    )


def _restrictions(run: Run, cell: Cell, claim: Claim) -> Iterator[tuple[str, tuple[str, ...]]]:
    flagged = [(check, flag) for check, flags in claim.said.flags.items() for flag in flags]
    answered_for = (
        f"{one.check} failed: {one.id} until {one.until}, {one.owner}: {one.reason}" for one in waivers(run, cell)
    )
    yield "Waivers", tuple(answered_for)
    for title, begin in (("Flaky checks", "flaky="), ("Shims", "shim=")):
        yield title, tuple(f"{check}: {flag.removeprefix(begin)}" for check, flag in flagged if flag.startswith(begin))
    yield "Advisory fails", tuple(f"{check} ({outcome})" for check, outcome in claim.said.advisory.items())
    yield "Benign variants", claim.variants


def _side(role: str, profile: Profile | None) -> Side:
    if profile is None:
        raise ValueError("a cloud of this pair was never described")
    facts = (
        ("hypervisor", profile.hypervisor),
        ("stored image", profile.image_format or "as imported"),
        ("way in", ", ".join(profile.auth) or "none"),
        ("channels", ", ".join(profile.channels) or "none"),
    )
    return Side(role, profile.cloud, facts)


def as_html(face: Face) -> str:
    """One page, self-contained; everything in it is escaped, and no script may run."""
    return templates().get_template("certificate.html.j2").render(face=face)
