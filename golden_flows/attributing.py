"""From what went wrong in a cell to the verdicts on it: which troubles there are, and what the controls say of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from golden_flows.errors import InteropError, NeverUp, shorten
from golden_flows.flows.anne import Anne
from golden_flows.flows.golden_flow import GoldenFlow
from golden_flows.judging import OWN_FAILURE
from golden_flows.model.attribution import Attribution, Party, Trouble, attribute, proof_of
from golden_flows.model.guideline import Guideline, Level
from golden_flows.model.matrix import Result, StageRun
from golden_flows.model.outcome import Outcome
from golden_flows.model.served import told_otherwise
from golden_flows.model.stage import Stage

STORED = "CV-2"
"""The check that compares every byte that the destination stored."""
STORED_AS_SENT = "IM-9"

Proof = tuple[Party, str]


@dataclass(frozen=True, kw_only=True)
class Told:
    """What is known of a cell when its story has been told but for its end."""

    runs: Mapping[Stage, StageRun]
    errors: Mapping[Stage, Exception] = field(default_factory=dict)
    """Of stages that are broken."""
    results: Sequence[Result]
    was_up_at_home: bool = False
    shim: str = ""
    served: str = ""
    """How what the destination told the guest of its NICs differs from the destination's own API."""


def troubles(told: Told, guideline: Guideline) -> tuple[Trouble, ...]:
    """Everything that went wrong by itself, in the order of the story; what was blocked only follows from it."""
    return tuple(one for stage in Stage for one in _of_stage(stage, told, guideline))


def _of_stage(stage: Stage, told: Told, guideline: Guideline) -> Iterator[Trouble]:
    mine = [one for one in told.results if guideline[one.check].stage is stage]
    by_proof: dict[Proof | None, list[str]] = {}
    served = (Party.DESTINATION, told.served) if told.served and stage is Stage.SECONDARY_NIC else None
    for one in mine:
        if one.outcome is Outcome.FAIL:
            by_proof.setdefault(proof_of(one.check, stage) or served, []).append(one.check)
        elif one.outcome is Outcome.BROKEN and one.reason.startswith(OWN_FAILURE):
            by_proof.setdefault((Party.HARNESS, one.reason), []).append(one.check)
    run, error = told.runs.get(stage), told.errors.get(stage)
    if error is not None and not isinstance(error, InteropError):
        by_proof.setdefault((Party.HARNESS, f"the suite itself failed: {shorten(repr(error), 200)}"), [])
    elif run is not None and run.outcome in (Outcome.FAIL, Outcome.BROKEN) and not by_proof:
        by_proof[served] = []
    for proof, checks in by_proof.items():
        yield Trouble(
            stage=stage,
            checks=tuple(checks),
            proof=proof,
            at_home=isinstance(error, NeverUp),
            was_up_at_home=told.was_up_at_home,
            stored_is_sound=_stored_is_sound(told.results, guideline),
            shim=told.shim,
        )


def _stored_is_sound(results: Iterable[Result], guideline: Guideline) -> bool | None:
    """By the required checks of what the destination stored; None where they do not say."""
    outcomes = {
        one.check: one.outcome
        for one in results
        if (guideline[one.check].stage is Stage.CONVERSION or one.check == STORED_AS_SENT)
        and guideline[one.check].level is Level.REQUIRED
    }
    if Outcome.FAIL in outcomes.values():
        return False
    is_proved = outcomes.get(STORED) is Outcome.PASS and all(one.certifies for one in outcomes.values())
    return True if is_proved else None


def weighs(trouble: Trouble, told: Told, guideline: Guideline) -> bool:
    """Whether it is worth a control: advice alone is not."""
    run = told.runs.get(trouble.stage)
    stopped = run is not None and run.outcome is not Outcome.PASS
    return stopped or any(guideline[one].level is Level.REQUIRED for one in trouble.checks)


Ask = Callable[[Sequence[Trouble]], Sequence[Trouble]]
"""``Controls.answer``: the same troubles with what controls showed of each."""


def find_out(
    flow: GoldenFlow, anne: Anne, results: Sequence[Result], guideline: Guideline, ask: Ask | None
) -> tuple[Attribution, ...]:
    """A verdict on every trouble of this cell; ``ask``: None where no controls are to be run."""
    source, boot = anne.source, flow.facts.boot
    told = Told(
        runs=flow.runs,
        errors=flow.errors,
        results=results,
        was_up_at_home=source.boot is not None and source.boot.report is not None,
        shim=anne.shim.name if anne.shim else "",
        served=told_otherwise(boot.report, boot.ports) if boot and boot.report else "",
    )
    return verdicts(told, guideline, ask)


def verdicts(told: Told, guideline: Guideline, ask: Ask | None) -> tuple[Attribution, ...]:
    """Those that need controls are asked together: each control boots once for all of them."""
    found = list(troubles(told, guideline))
    numbers = [n for n, one in enumerate(found) if one.proof is None and weighs(one, told, guideline)]
    if numbers and ask is not None:
        for number, answered in zip(numbers, ask([found[n] for n in numbers]), strict=True):
            found[number] = answered
    return tuple(attribute(one) for one in found)
