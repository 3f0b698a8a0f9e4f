"""Rebuilds a run from its journal."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from golden_flows.errors import InteropError, UsageError
from golden_flows.guideline import load_guideline
from golden_flows.journal import SCHEMA, is_held, read_events
from golden_flows.model.attribution import Answer, Attribution, Control, Party, Shown, together
from golden_flows.model.burst import Ramp
from golden_flows.model.cloud import Pair, Profile
from golden_flows.model.evidence import Evidence, EvidenceLevel
from golden_flows.model.finding import Finding
from golden_flows.model.guideline import Guideline, KillMatrix
from golden_flows.model.matrix import Cell, Result, Run, StageRun
from golden_flows.model.outcome import Outcome, retold, worst
from golden_flows.model.plan import Plan
from golden_flows.model.stage import Stage
from golden_flows.model.waiver import Waiver
from golden_flows.printable import cleaned, printable
from reports import waived

Event = dict[str, Any]

_SHA256 = re.compile(r"[0-9a-f]{64}")
_NOT_OURS = (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)
"""What reading raises where a journal has another form than ours. ``Infinity`` is a number to Python's JSON reader."""


def read_run(folder: Path, *, load: Callable[[str], Guideline] = load_guideline) -> Run:
    """The run whose ``journal.jsonl`` is in this folder, as far as it got.

    Every string of it is printable (``reports.printable``). When a check spoke several times in one cell the worst
    counts. Events of unknown kind are ignored. Raises ``InteropError`` when there is no journal, it holds no run, or a
    newer suite wrote it.
    """
    path = folder / "journal.jsonl"
    reading = _Reading()
    for number, raw in enumerate(read_events(path), 1):
        try:
            event = cleaned(raw)
            if not isinstance(event, dict):
                continue
            take = reading.handlers.get(event["event"])
            reading.see(event)
            if take is not None:
                take(event)
        except _NOT_OURS as error:
            raise _not_ours(f"{path}, event {number} ({printable(raw['event'])})", error) from error
    if reading.started is None:
        raise InteropError(f"{path} holds no run: it has no run_started event", "is this the folder of a run?")
    try:
        return reading.run(_guideline(path, reading.started, load))
    except _NOT_OURS as error:
        raise _not_ours(f"what {path} says of its run", error) from error


def _guideline(path: Path, started: Event, load: Callable[[str], Guideline]) -> Guideline:
    """The one that it was judged by, as far as it was planned."""
    try:
        guideline = load(str(started["guideline"]))
    except UsageError as error:
        raise InteropError(
            f"{path}: {error.what}, by which it was judged", "read it with the suite that wrote it"
        ) from error
    return guideline.planned(started.get("plan") or ())


def _not_ours(what: str, error: Exception) -> InteropError:
    return InteropError(
        f"{what} is not as this suite writes it: {error!r}", "was it written by another version of the suite?"
    )


def open_run(folder: Path, *, load: Callable[[str], Guideline] = load_guideline) -> Run:
    """The run in this folder. Raises ``UsageError`` for no such folder or a run at work, and as ``read_run``."""
    journal = folder / "journal.jsonl"
    if not journal.is_file():
        raise UsageError(
            f"{folder} holds no journal.jsonl", "give the folder of a run, for example interop-results/latest"
        )
    if is_held(journal):
        raise UsageError(f"the run in {folder} is still at work", "give the command again when it has ended")
    return read_run(folder, load=load)


@dataclass
class _Draft:
    """A cell while it is being read."""

    began: dict[Stage, datetime] = field(default_factory=dict)
    stages: dict[Stage, StageRun] = field(default_factory=dict)
    results: dict[str, Result] = field(default_factory=dict)
    """Of the telling under way."""
    tellings: list[dict[str, Result]] = field(default_factory=list)
    """Results of those before it."""
    evidence: dict[Stage, list[Evidence]] = field(default_factory=dict)
    burst: Ramp | None = None
    judged_at: datetime | None = None
    attributions: dict[tuple[Stage, tuple[str, ...]], list[Attribution]] = field(default_factory=dict)
    """Of all tellings, by what each is about."""

    def whose(self) -> tuple[Attribution, ...]:
        """Of what is still wrong when all was told: one verdict each, in the order of the story."""
        wrong = (Outcome.FAIL, Outcome.BROKEN)
        told = {name: one.outcome for name, one in self.told().items()}
        stages = {one.stage: one.outcome for one in self.stages.values()}
        order = list(Stage)
        return tuple(
            together(verdicts)
            for (stage, checks), verdicts in sorted(self.attributions.items(), key=lambda one: order.index(one[0][0]))
            if any(told.get(one) in wrong for one in checks) or (not checks and stages.get(stage) in wrong)
        )

    def told(self) -> dict[str, Result]:
        """Of all tellings: a failure stays one; what a later telling could find out carries ``flaky=N``."""
        names = dict.fromkeys(name for one in (*self.tellings, self.results) for name in one)
        return {name: self._told(name) for name in names}

    def _told(self, name: str) -> Result:
        silent = Result(check=name, outcome=Outcome.NOT_RUN, reason="not executed when the story was told again")
        tellings = [one.get(name, silent) for one in (*self.tellings, self.results)]
        outcome, flaky = retold([one.outcome for one in tellings])
        result = next(one for one in reversed(tellings) if one.outcome is outcome)
        return replace(result, flags=(*result.flags, f"flaky={flaky}")) if flaky else result


class _Reading:
    def __init__(self) -> None:
        self.started: Event | None = None
        self.ended: Event | None = None
        self.last_at: datetime | None = None
        self.profiles: dict[str, Profile] = {}
        self.cells: dict[Pair, _Draft] = {}
        self.notes: list[str] = []
        self.doubts: list[str] = []
        self.kept: dict[tuple[str, str, str], str] = {}
        """Resources not ticked off yet, by (cloud, kind, key), and how to call them."""
        self.handlers: dict[str, Callable[[Event], None]] = {
            "run_started": self.run_started,
            "note": lambda event: self.notes.append(str(event["text"])),
            "lost": lambda event: self.doubts.append(f"{event['lines']} lines of the journal are missing"),
            "damaged": lambda event: self.notes.append(f"line {event['line']} of the journal is torn; it was skipped"),
            "cloud": self.cloud,
            "stage_started": self.stage_started,
            "stage_ended": self.stage_ended,
            "evidence": self.evidence,
            "burst": self.burst,
            "attribution": self.attribution,
            "retold": self.retold,
            "result": self.result,
            "resource_planned": self.resource,
            "resource_created": self.resource,
            "resource_gone": self.resource_gone,
            "run_ended": self.run_ended,
        }

    def see(self, event: Event) -> None:
        """Every event moves the clock of the run, unless the run had already ended (a later clean-up)."""
        if self.ended is None and "at" in event:
            self.last_at = moment(event["at"])

    def cell(self, event: Event) -> _Draft:
        return self.cells.setdefault(Pair(str(event["src"]), str(event["dst"])), _Draft())

    def run_started(self, event: Event) -> None:
        if int(event.get("schema", 1)) > SCHEMA:
            raise InteropError(
                f"run {event['run']}: schema {event['schema']} is newer than {SCHEMA}, the newest this suite reads",
                "read it with the suite that wrote it",
            )
        if self.started is None:
            self.started = event
            for src, dst in event["cells"]:
                self.cells.setdefault(Pair(str(src), str(dst)), _Draft())

    def run_ended(self, event: Event) -> None:
        self.ended = event
        if event.get("reason"):
            self.notes.append(f"the run ended: {event['reason']}")

    def cloud(self, event: Event) -> None:
        name = str(event["cloud"])
        new = profile_of({**event["profile"], "cloud": name})
        old = self.profiles.get(name, new)
        # Said twice, the weaker description counts: a fault or an emulator is never forgotten.
        level = max(old.evidence_level, new.evidence_level, key=list(EvidenceLevel).index)
        faults = tuple(dict.fromkeys((*old.active_faults, *new.active_faults)))
        variants = tuple(dict.fromkeys((*old.active_variants, *new.active_variants)))
        self.profiles[name] = replace(new, evidence_level=level, active_faults=faults, active_variants=variants)

    def stage_started(self, event: Event) -> None:
        self.cell(event).began.setdefault(Stage(event["stage"]), moment(event["at"]))

    def stage_ended(self, event: Event) -> None:
        draft, stage = self.cell(event), Stage(event["stage"])
        new = StageRun(
            stage=stage,
            outcome=Outcome(event["outcome"]),
            seconds=float(event["seconds"]),
            detail=str(event.get("detail") or ""),
            started_at=draft.began.get(stage),
        )
        old = draft.stages.get(stage)
        if old is None or worst((old.outcome, new.outcome)) is not old.outcome:
            draft.stages[stage] = new

    def evidence(self, event: Event) -> None:
        if not _SHA256.fullmatch(event["sha256"]):  # it becomes a file name
            raise ValueError("sha256 is not 64 hexadecimal digits")
        kept = Evidence(
            str(event["name"]),
            event["sha256"],
            int(event["size_bytes"]),
            str(event["media_type"]),
            str(event["source"]),
            moment(event["captured_at"]),
        )
        self.cell(event).evidence.setdefault(Stage(event["stage"]), []).append(kept)

    def burst(self, event: Event) -> None:
        self.cell(event).burst = Ramp(
            asked=int(event["asked"]),
            way=str(event["way"]),
            active_s=tuple(float(one) for one in event["active_s"]),
            up_s=tuple(float(one) for one in event["up_s"]),
            lacking=tuple(str(one) for one in event["lacking"]),
        )

    def attribution(self, event: Event) -> None:
        told = Attribution(
            stage=Stage(event["stage"]),
            checks=tuple(str(one) for one in event["checks"]),
            party=Party(event["party"]) if event["party"] else None,
            suspects=tuple(Party(one) for one in event["suspects"]),
            reasons=tuple(str(one) for one in event["reasons"]),
            answers={
                Control(name): Answer(Shown(one["shown"]), str(one["words"])) for name, one in event["controls"].items()
            },
        )
        self.cell(event).attributions.setdefault((told.stage, told.checks), []).append(told)

    def retold(self, event: Event) -> None:
        """The story begins anew: what went wrong with its stages is told again."""
        draft = self.cell(event)
        draft.tellings.append(draft.results)
        draft.results = {}
        draft.stages = {stage: one for stage, one in draft.stages.items() if one.outcome is Outcome.FAIL}
        draft.began = {stage: at for stage, at in draft.began.items() if stage in draft.stages}

    def result(self, event: Event) -> None:
        blocked_by = event.get("blocked_by")
        new = Result(
            check=str(event["check"]),
            outcome=Outcome(event["outcome"]),
            findings=tuple(_finding(one) for one in event.get("findings") or ()),
            reason=str(event.get("reason") or ""),
            blocked_by=Stage(blocked_by) if blocked_by else None,
            seconds=float(event.get("seconds") or 0.0),
            flags=tuple(str(one) for one in event.get("flags") or ()),
        )
        draft, judged_at = self.cell(event), moment(event["at"])
        old = draft.results.get(new.check)
        draft.results[new.check] = new if old is None else _worse(old, new)
        draft.judged_at = max(draft.judged_at or judged_at, judged_at)

    def resource(self, event: Event) -> None:
        self.kept[_key(event)] = f"{event['kind']} {event.get('name') or event['key']} on {event['cloud']}"

    def resource_gone(self, event: Event) -> None:
        self.kept.pop(_key(event), None)

    def run(self, guideline: Guideline) -> Run:
        started, ended = self.started or {}, self.ended
        if ended is None:
            self.notes.append("the journal stops before the end of the run: it was killed, or is still running")
        if self.kept:
            names = "; ".join(sorted(self.kept.values()))
            self.doubts.append(f"not confirmed gone (`golden-flows clean` looks after it): {names}")
        self._note_unlisted(guideline)
        self._doubt_changed_plan(started)
        waivers = self._waivers(started)
        cells = tuple(self._cell(pair, draft, waivers) for pair, draft in self.cells.items())
        flags = {flag for cell in cells for one in cell.results.values() for flag in one.flags}
        self.notes += waived.notes(waivers, {one.id for one in waivers if one.flag in flags})
        said = None if ended is None else ended.get("exit_code")
        return Run(
            id=str(started["run"]),
            started_at=moment(started["at"]),
            ended_at=None if ended is None else moment(ended["at"]),
            suite_version=str(started["suite_version"]),
            suite_sha256=str(started.get("suite_sha256") or ""),
            guideline=guideline,
            guideline_sha256=str(started.get("guideline_sha256") or ""),
            plan=tuple(str(one) for one in started["plan"]),
            plan_sha256=str(started.get("plan_sha256") or ""),
            cells=cells,
            waivers=waivers,
            host={key: str(value) for key, value in (started.get("host") or {}).items()},
            kill_matrix=_kill_matrix(started.get("kill_matrix")),
            notes=tuple(dict.fromkeys((*self.notes, *self.doubts))),
            doubts=tuple(self.doubts),
            said_exit_code=None if said is None else int(said),
        )

    def _doubt_changed_plan(self, started: Event) -> None:
        """The plan was hashed before anything ran."""
        cells = tuple(Pair(str(src), str(dst)) for src, dst in started["cells"])
        plan = Plan(cells, tuple(str(one) for one in started["plan"]), str(started["guideline"]))
        if started.get("plan_sha256") != plan.sha256:
            self.doubts.append("the plan in the journal is not the one that was hashed when the run began")

    def _note_unlisted(self, guideline: Guideline) -> None:
        listed = {one.id for one in guideline.requirements}
        for pair, draft in self.cells.items():
            for result in draft.told().values():
                if result.check not in listed:
                    said = f"{result.check} ({result.outcome.value})"
                    self.notes.append(f"{pair}: guideline {guideline.version} does not list {said}")

    def _waivers(self, started: Event) -> tuple[Waiver, ...]:
        """Those that held when the run began."""
        found = tuple(waived.read(one) for one in started.get("waivers") or ())
        today = moment(started["at"]).date()
        self.notes += [f"waiver {one} had expired" for one in found if one.until < today]
        return tuple(one for one in found if one.until >= today)

    def _cell(self, pair: Pair, draft: _Draft, waivers: Sequence[Waiver]) -> Cell:
        return Cell(
            pair=pair,
            src=self.profiles.get(pair.src),
            dst=self.profiles.get(pair.dst),
            stages=tuple(one for one in (self._stage(draft, stage) for stage in Stage) if one is not None),
            results=waived.results(draft.told(), pair, waivers),
            evidence={stage: tuple(kept) for stage, kept in draft.evidence.items()},
            burst=draft.burst,
            judged_at=draft.judged_at,
            attributions=draft.whose(),
        )

    def _stage(self, draft: _Draft, stage: Stage) -> StageRun | None:
        if stage in draft.stages or stage not in draft.began:
            return draft.stages.get(stage)
        began = draft.began[stage]
        seconds = ((self.last_at or began) - began).total_seconds()
        detail = "begun and never ended"
        return StageRun(stage=stage, outcome=Outcome.BROKEN, seconds=seconds, detail=detail, started_at=began)


def _kill_matrix(document: Event | None) -> KillMatrix | None:
    """None in a journal of a suite that had none."""
    if document is None:
        return None
    return KillMatrix(
        sha256=str(document["sha256"]),
        made_at=str(document["made_at"]),
        suite_version=str(document["suite_version"]),
        checks=int(document["checks"]),
        proved_on_guests=int(document["proved_on_guests"]),
    )


def _key(event: Event) -> tuple[str, str, str]:
    return str(event["cloud"]), str(event["kind"]), str(event["key"])


def moment(text: str) -> datetime:
    """Raises ``ValueError`` where the text does not say in which time zone."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return found.astimezone(UTC)


def _finding(document: Event) -> Finding:
    subject, expected, actual = (str(document[key]) for key in ("subject", "expected", "actual"))
    return Finding(subject, expected, actual, str(document.get("remedy") or ""))


def _worse(old: Result, new: Result) -> Result:
    """The worse of two answers to one question, with the findings of both; of equals the earlier."""
    chosen = old if worst((old.outcome, new.outcome)) is old.outcome else new
    return replace(chosen, findings=tuple(dict.fromkeys((*old.findings, *new.findings))))


def profile_of(document: Event) -> Profile:
    """The profile as it was recorded; keys of other versions are ignored."""
    known = {one.name for one in fields(Profile)}
    kept = {key: value for key, value in document.items() if key in known}
    kept = {key: tuple(value) if isinstance(value, list) else value for key, value in kept.items()}
    if "evidence_level" in kept:
        kept["evidence_level"] = EvidenceLevel(kept["evidence_level"])
    return Profile(**kept)
