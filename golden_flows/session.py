"""One process's share of a run: its clouds, its cells, and the promise to leave nothing behind."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from golden_flows import burst_room
from golden_flows.attributing import find_out
from golden_flows.clouds.cloud import Cloud, connect
from golden_flows.clouds.config import CloudConfig, load_clouds
from golden_flows.clouds.records import FlavorRef
from golden_flows.errors import GuestError, InteropError, RecordError, UsageError
from golden_flows.flows.anne import Anne
from golden_flows.flows.controls import Controls
from golden_flows.flows.golden_flow import GoldenFlow
from golden_flows.flows.instance import GUEST_RAM_MIB
from golden_flows.flows.setting import CLEANUP_TIMEOUT_S, Setting
from golden_flows.flows.shared_source import SourceShelf
from golden_flows.guests.socket_path import require_way_in
from golden_flows.journal import Journal
from golden_flows.judging import judge
from golden_flows.ledger import Ledger, read_ledger
from golden_flows.lending import Lending, guests_of
from golden_flows.model.attribution import Attribution, Trouble, attribute, proof_of
from golden_flows.model.check import Check
from golden_flows.model.cloud import Pair
from golden_flows.model.guideline import Guideline
from golden_flows.model.matrix import Result
from golden_flows.model.outcome import Outcome
from golden_flows.model.plan import Plan
from golden_flows.model.stage import Stage
from golden_flows.own_image import OwnImage
from golden_flows.reference_clouds import ReferenceCloud
from golden_flows.waiting import Deadline

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunContext:
    """What every process of a run must know; JSON-able, so that it reaches pytest-xdist workers."""

    run_id: str
    results: Path
    scratch: Path
    plan: Plan
    image: str | None = None
    """What Anne's instance starts from on the sources, instead of what their profiles name."""
    reference: tuple[str, ...] = ()
    """Clouds of the plan that are reference clouds of this run; the others are found in the user's clouds.yaml."""
    lending_ticket: str = field(default="", repr=False)
    """What a worker shows to borrow them. A secret of the run."""
    shims: bool = True
    """Whether a shim of ours may supply what a cloud lacks."""
    own_image: OwnImage | None = None
    """What it starts from where that is a file of the user's."""
    owned: tuple[str, ...] = ()
    """Clouds on which hostile checks may be tried, beside reference clouds."""
    burst: int = 0
    """How many instances are to be at work at once in the end of each cell; 0: no burst."""
    keep_export: bool = False
    """Whether what the sources gave stays in the results, as files."""
    controls: bool = True
    """Whether controls tell whose it is when a stage went wrong."""

    @property
    def names(self) -> tuple[str, ...]:
        """Every cloud of the plan once."""
        return tuple(dict.fromkeys(name for cell in self.plan.cells for name in (cell.src, cell.dst)))

    @property
    def sources(self) -> frozenset[str]:
        return frozenset(cell.src for cell in self.plan.cells)

    def dumps(self) -> str:
        return json.dumps(
            {
                "run_id": self.run_id,
                "results": str(self.results),
                "scratch": str(self.scratch),
                "plan": asdict(self.plan),
                "image": self.image,
                "shims": self.shims,
                "own_image": asdict(self.own_image) | {"path": str(self.own_image.path)} if self.own_image else None,
                "owned": list(self.owned),
                "burst": self.burst,
                "keep_export": self.keep_export,
                "controls": self.controls,
                "reference": self.reference,
                "lending_ticket": self.lending_ticket,
            }
        )

    @classmethod
    def loads(cls, text: str) -> RunContext:
        document: dict[str, Any] = json.loads(text)
        plan, own = document["plan"], document["own_image"]
        return cls(
            document["run_id"],
            Path(document["results"]),
            Path(document["scratch"]),
            Plan(tuple(Pair(**cell) for cell in plan["cells"]), tuple(plan["checks"]), plan["guideline"]),
            document["image"],
            tuple(document["reference"]),
            document["lending_ticket"],
            document["shims"],
            OwnImage(**{**own, "path": Path(own["path"])}) if own else None,
            tuple(document["owned"]),
            document["burst"],
            document["keep_export"],
            document["controls"],
        )


@dataclass
class Session:
    """Tells stories and judges them, one cell after the other. In the end: ``delete_all``, then ``disconnect``."""

    context: RunContext
    guideline: Guideline
    checks: Mapping[str, Check]
    configs: dict[str, CloudConfig]
    """Of the user's own clouds; those of reference clouds come and go with the cells that borrow them."""
    journal: Journal
    ledger: Ledger
    scratch: Path
    """This process's own."""
    lender: Lending | None = None
    """Who has the run's reference clouds."""
    lost: dict[str, InteropError] = field(default_factory=dict)
    """Own clouds that did not answer when the run began, by name, and why."""
    left_behind: list[str] = field(default_factory=list)
    """A line for each thing that was still on a reference cloud when it stopped."""
    _clouds: dict[str, Cloud] = field(default_factory=dict)
    _flow: GoldenFlow | None = None
    _cell: Pair | None = None
    """The cell under way."""
    _results: list[Result] = field(default_factory=list)
    """Of its telling under way."""
    _found_out: bool = True
    """Whether everything that was asked about the cell under way could be found out."""
    _trouble: InteropError | None = None
    """Why it cannot be told."""
    _shelf: SourceShelf = field(init=False)

    def __post_init__(self) -> None:
        self._shelf = SourceShelf(self.context.scratch / "exports")

    @classmethod
    def open(
        cls,
        context: RunContext,
        guideline: Guideline,
        checks: Mapping[str, Check],
        part: str = "",
        lender: Lending | None = None,
    ) -> Session:
        """``part`` tells this process from the run's others (pytest-xdist workers): names, spool files.

        Raises ``UsageError`` when a cloud of the plan that is no reference cloud is in no clouds.yaml.
        """
        own = [name for name in context.names if name not in context.reference]
        journal = Journal(context.results)
        scratch = context.scratch / part
        scratch.mkdir(mode=0o700, exist_ok=True)
        ledger = Ledger(journal, context.run_id, part=part)
        session = cls(context, guideline, checks, {}, journal, ledger, scratch, lender)
        session.configs |= session.read_configs(own)
        return session

    def read_configs(self, names: Iterable[str], files: Sequence[Path] = ()) -> dict[str, CloudConfig]:
        """These clouds as this run uses them. Raises ``UsageError``."""
        image = self.context.image
        return {
            name: config.starting_from(image) if image and name in self.context.sources else config
            for name, config in load_clouds(names, files).items()
        }

    @property
    def has_return_trip(self) -> bool:
        """Whether Anne's instance comes home again, in every cell."""
        return any(self.guideline[check].stage is Stage.RETURN_TRIP for check in self.context.plan.checks)

    def judge(self, pair: Pair, check_id: str) -> Result:
        """Judge one check of one cell, and write the result down. Raises ``RecordError`` when it cannot be."""
        try:
            result = judge(self.flow(pair), self.guideline[check_id], self.checks[check_id])
        except RecordError:
            raise
        except InteropError as error:
            result = Result(check=check_id, outcome=Outcome.BROKEN, reason=self.journal.redact(str(error)))
        self._found_out = self._found_out and result.outcome is not Outcome.BROKEN
        self._results.append(result)
        self.journal.write(
            "result",
            src=pair.src,
            dst=pair.dst,
            check=result.check,
            outcome=result.outcome,
            findings=list(result.findings),
            reason=result.reason,
            blocked_by=result.blocked_by,
            seconds=result.seconds,
            flags=list(result.flags),
        )
        self._attribute_the_end(pair, result)
        return result

    def _attribute_the_end(self, pair: Pair, result: Result) -> None:
        """What fails in the very end, when nothing is left to be tried, but says by itself whose it is."""
        stage = self.guideline[result.check].stage
        proof = proof_of(result.check, stage)
        if stage is Stage.LIFECYCLE and result.outcome is Outcome.FAIL and proof:
            self._write_verdict(pair, attribute(Trouble(stage=stage, checks=(result.check,), proof=proof)))

    def flow(self, pair: Pair) -> GoldenFlow:
        """The story of this cell; raises ``InteropError`` when one of its clouds cannot be used at all."""
        if pair != self._cell:
            self.end_cell()
            self._cell = pair
            try:
                for _ in self.enter(pair):
                    pass
                setting = Setting(
                    src=self._clouds[pair.src],
                    dst=self._clouds[pair.dst],
                    journal=self.journal,
                    scratch=self.scratch,
                    run_id=self.context.run_id,
                    shims=self.context.shims,
                    return_trip=self.has_return_trip,
                    burst=self.context.burst,
                    own_image=self.context.own_image,
                    owned=frozenset(self.context.owned),
                    straight=self.goes_straight(pair),
                    exports=self.context.results / "exports" if self.context.keep_export else None,
                )
                self._flow = self._begin(setting)
            except RecordError:
                raise
            except InteropError as error:
                self._trouble = error
        if self._trouble is not None or self._flow is None:
            raise self._trouble or InteropError(f"{pair} has no story")
        return self._flow

    def _begin(self, setting: Setting) -> GoldenFlow:
        anne = Anne(setting, self._shelf)
        flow = GoldenFlow(anne, self.journal, at_the_end=lambda: self._attribute(flow, anne, setting))
        return flow

    def _attribute(self, flow: GoldenFlow, anne: Anne, at: Setting) -> None:
        """Before everything is deleted: whose is what went wrong? No outcome depends on it. Raises ``RecordError``."""
        try:
            controls = Controls(at, anne, self.guideline, self.checks) if self.context.controls else None
            ask = controls.answer if controls else None
            verdicts = find_out(flow, anne, self._results, self.guideline, ask)
        except RecordError:
            raise
        except Exception:  # a verdict less; what was judged stands
            logger.warning("whose trouble it is in %s could not be found out", flow.pair.id, exc_info=True)
            return
        for one in verdicts:
            self._write_verdict(flow.pair, one)

    def _write_verdict(self, pair: Pair, verdict: Attribution) -> None:
        self.journal.write(
            "attribution",
            src=pair.src,
            dst=pair.dst,
            stage=verdict.stage,
            checks=list(verdict.checks),
            party=verdict.party,
            suspects=list(verdict.suspects),
            reasons=list(verdict.reasons),
            controls={control.value: answer for control, answer in verdict.answers.items()},
        )

    def goes_straight(self, pair: Pair) -> bool:
        """Whether nobody needs a copy of what this source gives: no other cell, and nobody who wants to keep it."""
        alone = [cell.src for cell in self.context.plan.cells].count(pair.src) == 1
        return alone and not self.context.keep_export

    def enter(self, pair: Pair) -> Iterator[str]:
        """Get hold of this cell's clouds; one line for each that was not held before: who we are there.

        Raises ``InteropError`` when one cannot be used; ``UsageError`` also when its profile names what is not there.
        """
        names = dict.fromkeys((pair.src, pair.dst))
        for name in names:
            if name in self.lost:
                raise self.lost[name]
        if self.lender is not None and not self._clouds.keys() >= names.keys():
            for name, file in self.lender.borrow(pair).items():
                self.configs |= self.read_configs([name], [file])
        for name in names:
            if name not in self._clouds:
                yield f"{name}: {self.greet(name)}"
        flavor = self._require_flavors(pair)
        if count := self.context.burst:
            abroad = self._clouds[pair.dst]
            limits = abroad.headroom(abroad.find_networks(abroad.profile.networks), flavor)
            beside = guests_of(pair, abroad.name, return_trip=self.has_return_trip)
            burst_room.require_in_project(abroad.name, limits, count, beside=beside)

    def _require_flavors(self, pair: Pair) -> FlavorRef:
        """What leaves the source must fit on the destination's flavor, which this returns.

        Raises ``UsageError`` naming what it fits.
        """
        home, abroad, own = self._clouds[pair.src], self._clouds[pair.dst], self.context.own_image
        needed = own.size_bytes if own else home.source_image().disk_bytes_needed
        flavor = home.pick_flavor(home.profile.flavor, needed, GUEST_RAM_MIB)
        return abroad.pick_flavor(abroad.profile.flavor, flavor.disk_bytes or needed, GUEST_RAM_MIB)

    def greet(self, name: str) -> str:
        """Connect to a cloud whose configuration is known, and look up what its profile names: who we are there."""
        cloud = self._clouds.setdefault(name, connect(self.configs[name], self.ledger, self.journal))
        try:
            who = cloud.preflight()
            needs_image = name in self.context.sources and self.context.own_image is None
            cloud.find_named(needs_image=needs_image)
            _require_way_in(cloud)
        except BaseException:
            self._clouds.pop(name).close()
            raise
        return who

    def tell_again(self, pair: Pair, attempt: int) -> bool:
        """Where something about this cell could not be found out, delete what its story made, and begin it anew.

        False where there is no cause, or the cell's clouds could not be used at all. ``attempt``: counted from 1.
        """
        if self._cell != pair or self._found_out or self._trouble is not None:
            return False
        self.delete_all(dict.fromkeys((pair.src, pair.dst)))
        self._shelf.forget(pair.src)
        self._cell, self._flow, self._found_out, self._results = None, None, True, []
        self.journal.write("retold", src=pair.src, dst=pair.dst, attempt=attempt)
        return True

    def end_cell(self) -> None:
        """The cell under way is over: delete what is open of it, and give its clouds back."""
        pair, self._cell, self._flow, self._trouble = self._cell, None, None, None
        self._found_out, self._results = True, []
        if pair is None:
            return
        names = tuple(dict.fromkeys((pair.src, pair.dst)))
        self.delete_all(names)  # what could not be deleted is tried, and told, at the end of the run
        for name in names:
            if name in self._clouds:
                self._clouds.pop(name).close()
        if self.lender is not None:
            self.lender.give_back(pair)

    def leave(self, cloud: ReferenceCloud) -> None:
        """A reference cloud is about to stop, and takes along whatever is on it: what this run could not delete there.

        It is ``left_behind``, and counts as gone afterwards.
        """
        # Of this cloud only: what is open on another belongs to a worker, who will close it.
        left = [entry for entry in read_ledger(self.journal.path)[1] if entry.cloud == cloud.name]
        self.ledger.adopt(left)
        for entry in left:
            self.ledger.gone(entry.key)
        self.left_behind += [f"{one.kind} {one.name} was still on {cloud.name} when it stopped" for one in left]

    def adopt_what_is_open(self) -> None:
        """Take charge of what workers of this run left when they died. Raises ``InteropError``."""
        self.ledger.adopt(read_ledger(self.journal.path)[1])

    def delete_all(self, names: Iterable[str] | None = None) -> Sequence[str]:
        """Delete whatever is still open, on these clouds or all; a line for each thing that could not be removed.

        A reference cloud that this process does not hold takes along what is on it.
        """
        troubles: list[str] = []
        for name in self.context.names if names is None else names:
            if not self.ledger.open_entries(name) or (name in self.context.reference and name not in self._clouds):
                continue
            try:
                cloud = self._clouds.get(name) or connect(self.configs[name], self.ledger, self.journal)
                self._clouds[name] = cloud
                report = cloud.cleanup(Deadline.after(CLEANUP_TIMEOUT_S))
                told = " ".join(report.failures)
                troubles += report.failures
                troubles += [
                    f"{one.kind} {one.name} is still on {one.cloud}" for one in report.leftovers if one.name not in told
                ]
            except InteropError as error:
                troubles.append(f"{name}: {error.what}")
        return troubles

    def disconnect(self) -> None:
        """Close connections and the journal; deletes nothing."""
        for cloud in self._clouds.values():
            cloud.close()
        self._clouds.clear()
        self.journal.close()


def _require_way_in(cloud: Cloud) -> None:
    """Raises ``UsageError``: without it every cell of that cloud would fail at its first login."""
    try:
        require_way_in(cloud.profile.access)
    except GuestError as error:
        raise UsageError(f"cloud {cloud.name!r}: {error.what}", error.remedy) from error
