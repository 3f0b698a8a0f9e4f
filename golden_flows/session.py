"""One process's share of a run: its clouds, its cells, and the promise to leave nothing behind."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from golden_flows.clouds.cloud import Cloud, connect
from golden_flows.clouds.config import CloudConfig, load_clouds
from golden_flows.errors import InteropError, RecordError
from golden_flows.flows.anne import Anne
from golden_flows.flows.golden_flow import GoldenFlow
from golden_flows.flows.home import SourceImage
from golden_flows.flows.setting import CLEANUP_TIMEOUT_S, Setting
from golden_flows.journal import Journal
from golden_flows.judging import judge
from golden_flows.ledger import Ledger, read_ledger
from golden_flows.model.check import Check
from golden_flows.model.cloud import Pair
from golden_flows.model.guideline import Guideline
from golden_flows.model.matrix import Result
from golden_flows.model.outcome import Outcome
from golden_flows.own_image import OwnImage
from golden_flows.waiting import Deadline


@dataclass(frozen=True)
class Plan:
    """What a run will execute; hashed before anything runs."""

    cells: tuple[Pair, ...]
    checks: tuple[str, ...]
    guideline: str

    @property
    def sha256(self) -> str:
        text = json.dumps([self.guideline, [[c.src, c.dst] for c in self.cells], list(self.checks)])
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class RunContext:
    """What every process of a run must know; JSON-able, so that it reaches pytest-xdist workers."""

    run_id: str
    results: Path
    scratch: Path
    plan: Plan
    clouds_yaml: tuple[Path, ...]
    """Files of reference clouds; the user's own clouds.yaml is found as openstacksdk finds it."""
    image: str | None = None
    """What Anne's instance starts from on the sources, instead of what their profiles name."""
    shims: bool = True
    """Whether a shim of ours may supply what a cloud lacks."""
    own_image: OwnImage | None = None
    """What it starts from where that is a file of the user's."""
    owned: tuple[str, ...] = ()
    """Clouds on which hostile checks may be tried, beside reference clouds."""

    def dumps(self) -> str:
        return json.dumps(
            {
                "run_id": self.run_id,
                "results": str(self.results),
                "scratch": str(self.scratch),
                "plan": asdict(self.plan),
                "clouds_yaml": [str(path) for path in self.clouds_yaml],
                "image": self.image,
                "shims": self.shims,
                "own_image": asdict(self.own_image) | {"path": str(self.own_image.path)} if self.own_image else None,
                "owned": list(self.owned),
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
            tuple(Path(path) for path in document["clouds_yaml"]),
            document["image"],
            document["shims"],
            OwnImage(**{**own, "path": Path(own["path"])}) if own else None,
            tuple(document["owned"]),
        )


@dataclass
class Session:
    """Tells stories and judges them. In the end: ``delete_all``, then ``disconnect``."""

    context: RunContext
    guideline: Guideline
    checks: Mapping[str, Check]
    configs: Mapping[str, CloudConfig]
    journal: Journal
    ledger: Ledger
    scratch: Path
    """This process's own."""
    _clouds: dict[str, Cloud] = field(default_factory=dict)
    _flows: dict[Pair, GoldenFlow] = field(default_factory=dict)
    _sources: dict[str, SourceImage] = field(default_factory=dict)

    @classmethod
    def open(cls, context: RunContext, guideline: Guideline, checks: Mapping[str, Check], part: str = "") -> Session:
        """``part`` tells this process from the run's others (pytest-xdist workers): names, spool files.

        Raises ``UsageError`` when a cloud of the plan is in no clouds.yaml.
        """
        names = dict.fromkeys(name for cell in context.plan.cells for name in (cell.src, cell.dst))
        sources = {cell.src for cell in context.plan.cells}
        configs = {
            name: config.starting_from(context.image) if context.image and name in sources else config
            for name, config in load_clouds(names, context.clouds_yaml).items()
        }
        journal = Journal(context.results)
        scratch = context.scratch / part
        scratch.mkdir(mode=0o700, exist_ok=True)
        return cls(context, guideline, checks, configs, journal, Ledger(journal, context.run_id, part=part), scratch)

    def judge(self, pair: Pair, check_id: str) -> Result:
        """Judge one check of one cell, and write the result down. Raises ``RecordError`` when it cannot be."""
        try:
            result = judge(self.flow(pair), self.guideline[check_id], self.checks[check_id])
        except RecordError:
            raise
        except InteropError as error:
            result = Result(check=check_id, outcome=Outcome.BROKEN, reason=str(error))
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
        return result

    def flow(self, pair: Pair) -> GoldenFlow:
        """The story of this cell; raises ``InteropError`` when one of its clouds cannot be used at all."""
        if pair not in self._flows:
            source = self._sources.setdefault(pair.src, SourceImage())
            setting = Setting(
                src=self.cloud(pair.src),
                dst=self.cloud(pair.dst),
                journal=self.journal,
                scratch=self.scratch,
                run_id=self.context.run_id,
                shims=self.context.shims,
                own_image=self.context.own_image,
                owned=frozenset(self.context.owned),
            )
            self._flows[pair] = GoldenFlow(Anne(setting, source), self.journal)
        return self._flows[pair]

    def cloud(self, name: str) -> Cloud:
        if name not in self._clouds:
            self._clouds[name] = connect(self.configs[name], self.ledger, self.journal)
        return self._clouds[name]

    def preflight(self) -> Iterable[str]:
        """One line per cloud: who we are there. Raises at the first cloud that cannot be used.

        That is also one whose profile names what is not there: ``UsageError``.
        """
        sources = {cell.src for cell in self.context.plan.cells}
        for name in self.configs:
            cloud = self.cloud(name)
            who = cloud.preflight()
            cloud.find_named(needs_image=name in sources and self.context.own_image is None)
            yield f"{name}: {who}"

    def adopt_what_is_open(self) -> None:
        """Take charge of what workers of this run left when they died. Raises ``InteropError``."""
        self.ledger.adopt(read_ledger(self.journal.path)[1])

    def delete_all(self) -> Sequence[str]:
        """Delete whatever is still open; returns a line for each thing that could not be removed."""
        troubles: list[str] = []
        for name in self.configs:
            if not self.ledger.open_entries(name):
                continue
            try:
                cloud = self.cloud(name)
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
