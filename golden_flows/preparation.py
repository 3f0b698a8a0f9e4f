"""From what the user asked for to a run that can begin: cells, reference clouds, plan, first journal lines."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import psutil

from golden_flows import journal as journal_module
from golden_flows import own_image, reference_clouds, room, suite
from golden_flows.choosing import Choice, choose
from golden_flows.clouds.config import CloudConfig
from golden_flows.errors import CleanupError, InteropError, UsageError
from golden_flows.guideline import guideline_sha256, load_checks, load_guideline, load_kill_matrix
from golden_flows.interrupts import uninterrupted
from golden_flows.lending import Lender
from golden_flows.lending_desk import LendingDesk
from golden_flows.model.cloud import Pair
from golden_flows.model.guideline import Guideline
from golden_flows.model.plan import Plan
from golden_flows.model.waiver import Waiver
from golden_flows.own_image import OwnImage
from golden_flows.reference_clouds import ReferenceCloud, Told
from golden_flows.session import RunContext, Session
from golden_flows.sharding import Shard
from golden_flows.waivers import read_waivers
from golden_flows.workspace import Workspace

Say = Callable[[str], None]
RETURN_TRIP, BURST = "--return-trip", "--burst"
"""The options, as the guideline has them."""


@dataclass(frozen=True)
class Asked:
    """What the command line says."""

    src: Sequence[str]
    dst: Sequence[str]
    image: str | None = None
    """What Anne's instance starts from on the sources: a Glance name or id there, or a file or URL of the user's.

    None: what each profile names.
    """
    image_format: str | None = None
    """Of the file or URL; None: detected."""
    image_properties: Mapping[str, str] = field(default_factory=dict)
    """What the file is imported with."""
    shims: bool = True
    """Whether shims of ours may supply what a cloud lacks; their use is always shown."""
    return_trip: bool = False
    """Whether Anne's instance is to come home again, in every cell."""
    burst: int = 0
    """How many instances of the imported image are to be at work at once in the end of every cell; 0: no burst."""
    faults: Sequence[str] = ()
    """``CLOUD:FAULT[=VALUE]``."""
    variants: Sequence[str] = ()
    """``CLOUD:VARIANT[=VALUE]``."""
    results_root: Path = Path("interop-results")
    guideline: str = "2026.11"
    install: bool = False
    """Let reference clouds install missing Debian packages by sudo (root installs them anyway)."""
    owned: Sequence[str] = ()
    """Clouds on which hostile checks may be tried."""
    keep_export: bool = False
    """Whether what the sources gave stays in the results."""
    controls: bool = True
    """Whether controls tell whose it is when a stage went wrong."""
    waivers: Path | None = None
    """A file of failures that somebody answers for."""
    shard: Shard | None = None
    """Which share of the cells this machine takes; None: all of them."""


@dataclass
class PreparedRun:
    """A run that has begun: plan written down. Close it in the end."""

    context: RunContext
    workspace: Workspace
    session: Session
    lender: Lender
    told: Mapping[str, Told] = field(default_factory=dict)
    """What reference clouds are told to be, by name."""
    desk: LendingDesk | None = None

    def end(self, reason: str = "", told: Callable[[], None] = lambda: None) -> None:
        """Delete what is open on the clouds, then stop the reference clouds and remove the scratch.

        An interrupt ends the deleting; what comes after it is short and happens in any case, ``told`` hears of
        interrupts then. Raises ``RecordError`` when the end cannot be written down.
        """
        reasons = [reason] if reason else []
        try:
            reasons += self._delete_all()
        except KeyboardInterrupt:
            reasons.append("interrupted again while deleting; `golden-flows clean` deletes the rest")
        finally:
            with uninterrupted(told):
                if self.desk:
                    self.desk.close()
                self.lender.close()
                self.workspace.remove_scratch()
                left = tuple(self.session.left_behind)
                reasons += [str(CleanupError(left))] if left else []
                try:
                    self.session.journal.write(
                        "run_ended", exit_code=3 if reasons else 0, reason="; ".join(dict.fromkeys(reasons))
                    )
                finally:
                    self.session.disconnect()

    def _delete_all(self) -> Sequence[str]:
        try:
            self.session.adopt_what_is_open()
        except InteropError as error:
            return [*self.session.delete_all(), error.what]
        troubles = self.session.delete_all()
        return [str(CleanupError(tuple(troubles)))] if troubles else []


def split_names(text: str) -> tuple[str, ...]:
    """``a,b`` → names without repeats, in order."""
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def guideline_of(asked: Asked) -> Guideline:
    """The guideline by which this run is judged: what no option asks for is no part of it. Raises ``UsageError``."""
    options = [*([RETURN_TRIP] if asked.return_trip else []), *([BURST] if asked.burst else [])]
    return load_guideline(asked.guideline).asked(options)


def named_image(asked: Asked) -> str | None:
    """The image of the sources that Anne starts from, by its Glance name; None where a file is, or none was, asked for.

    Raises ``UsageError`` for what is said of a file where there is none.
    """
    if asked.image is not None and not own_image.is_glance_name(asked.image):
        return None
    if asked.image_format or asked.image_properties:
        raise UsageError("--image-format and --image-property are for --image FILE or URL", "name the file")
    return own_image.glance_name(asked.image) if asked.image else None


def prepare(asked: Asked, say: Say, workers: int = 0) -> PreparedRun:
    """Resolve names, talk to every own cloud once, write the plan down, and be ready to lend reference clouds.

    ``workers``: how many processes will tell stories beside this one; 0: this one does. A run of one cell has its
    reference clouds up when this returns.
    Raises ``UsageError`` for what the user must change, other ``InteropError`` for what could not be found out; then
    nothing is left running and no scratch is left.
    """
    guideline = guideline_of(asked)
    checks = load_checks()
    whole = choose(
        *(asked.src, asked.dst, asked.image, room.budget_mib(workers)),
        return_trip=asked.return_trip,
        burst=asked.burst,
    )
    choice = whole.shared(asked.shard) if asked.shard else whole
    for note in choice.notes:
        say(note)
    told = _told_by_cloud(asked, choice.reference)
    require_part(asked.owned, choice.cells)
    glance = named_image(asked)
    for name in choice.reference:
        reference_clouds.check(name, told[name], asked.install, glance)
    planned = tuple(one.id for one in guideline.requirements if one.id in checks)
    waivers = (
        read_waivers(asked.waivers, planned, whole.cells, datetime.now(UTC).date()) if asked.waivers is not None else ()
    )
    workspace = Workspace.create(asked.results_root)
    begun: list[PreparedRun] = []
    try:
        room.require_disk(workspace.results, room.RESULTS_MIB)
        own = _own_image(asked, workspace.scratch, say)
        if choice.reference:
            room.require_disk(workspace.scratch, len(choice.reference) * room.SCRATCH_PER_CLOUD_MIB)
        plan = Plan(choice.cells, planned, guideline.version)
        context = RunContext(
            workspace.run_id,
            workspace.results,
            workspace.scratch,
            plan,
            glance,
            choice.reference,
            "",
            asked.shims,
            own,
            tuple(asked.owned),
            asked.burst,
            asked.keep_export,
            asked.controls,
        )
        session = Session.open(context, guideline, checks)
        run = PreparedRun(
            context, workspace, session, lender_of(session, choice, told, asked.install, glance, say), told
        )
        begun.append(run)
        session.lender = run.lender
        if workers and choice.reference:
            run.desk = LendingDesk(run.lender)
            run.context = replace(context, lending_ticket=run.desk.ticket)
        _write_beginning(session, asked, whole, waivers)
        _greet(session, say)
        return run
    except BaseException:
        with uninterrupted():  # nothing has been made on any cloud yet
            for run in begun:
                if run.desk:
                    run.desk.close()
                run.lender.close()
                run.session.disconnect()
            workspace.remove()
        raise


def _own_image(asked: Asked, scratch: Path, say: Say) -> OwnImage | None:
    """The user's image as RAW; None where none, or one on the source, was asked for. Raises ``InteropError``."""
    if asked.image is None or own_image.is_glance_name(asked.image):
        return None
    return own_image.fetch(asked.image, asked.image_format, asked.image_properties, scratch, say)


def lender_of(
    session: Session,
    choice: Choice,
    told: Mapping[str, Told],
    install: bool,
    image: str | None,
    say: Say,
) -> Lender:
    """Who lends the reference clouds of this choice to the session's cells, and tells the journal of each."""
    scratch = session.context.scratch

    def start(name: str, spawned: Callable[[ReferenceCloud], None]) -> ReferenceCloud:
        say(f"starting reference cloud {name}")
        return reference_clouds.start(
            name,
            state=scratch / name,
            told=told[name],
            install=install,
            image=image,
            say=say,
            spawned=spawned,
        )

    def came(cloud: ReferenceCloud) -> None:
        session.journal.write("reference_cloud", cloud=cloud.name, pid=cloud.process.pid, evidence=cloud.evidence)
        _write_cloud(session, session.read_configs([cloud.name], [cloud.clouds_yaml])[cloud.name])

    return Lender(
        {name: choice.offers[name] for name in choice.reference},
        choice.cells,
        budget_mib=choice.budget_mib,
        return_trip=session.has_return_trip,
        start=start,
        say=say,
        came=came,
        leaves=session.leave,
        burst=session.context.burst,
    )


def _greet(session: Session, say: Say) -> None:
    """Talk to every own cloud; of the reference clouds only where the run has but one cell.

    A cloud that does not answer breaks its cells; where no cell is left, the run cannot begin: raises ``InteropError``.
    """
    cells = session.context.plan.cells
    for name in session.configs:
        try:
            say(f"{name}: {session.greet(name)}")
        except UsageError:
            raise
        except InteropError as error:
            session.lost[name] = error
            if all({cell.src, cell.dst} & session.lost.keys() for cell in cells):
                raise
            say(f"{name} does not answer, its cells will be broken: {error.what}")
    if len(cells) == 1:
        for line in session.enter(cells[0]):
            say(line)


def _told_by_cloud(asked: Asked, started: Sequence[str]) -> dict[str, Told]:
    faults, variants = (
        _by_cloud(texts, kind, example, started)
        for texts, kind, example in ((asked.faults, "fault", "nd_empty"), (asked.variants, "variant", "slow"))
    )
    return {name: Told(tuple(faults.get(name, ())), tuple(variants.get(name, ()))) for name in started}


def _by_cloud(texts: Sequence[str], kind: str, example: str, started: Sequence[str]) -> dict[str, list[str]]:
    by_cloud: dict[str, list[str]] = {}
    for text in texts:
        cloud, colon, said = text.partition(":")
        if not colon or not said:
            raise UsageError(f"--{kind} {text!r} is not CLOUD:{kind.upper()}", f"for example --{kind} public:{example}")
        if cloud not in started:
            raise UsageError(
                f"--{kind} {text!r}: {cloud!r} is no reference cloud that this run starts",
                f"{kind}s are for the reference clouds of the run: {', '.join(started) or 'none'}",
            )
        by_cloud.setdefault(cloud, []).append(said)
    return by_cloud


def require_part(owned: Sequence[str], cells: Sequence[Pair]) -> None:
    """Raises ``UsageError`` for an owned cloud that is in no cell."""
    taking_part = {name for cell in cells for name in (cell.src, cell.dst)}
    for name in owned:
        if name not in taking_part:
            raise UsageError(
                f"--i-own-this-cloud {name}: this run has no such cloud",
                f"it takes names of clouds of the run: {', '.join(sorted(taking_part))}",
            )


def _write_beginning(session: Session, asked: Asked, whole: Choice, waivers: Sequence[Waiver]) -> None:
    journal, plan = session.journal, session.context.plan
    journal.write(
        "run_started",
        schema=journal_module.SCHEMA,
        run=session.context.run_id,
        suite_version=suite.version(),
        suite_sha256=suite.sources_sha256(),
        guideline=plan.guideline,
        guideline_sha256=guideline_sha256(plan.guideline),
        plan=list(plan.checks),
        plan_sha256=plan.sha256,
        cells=[[cell.src, cell.dst] for cell in plan.cells],
        **({"shard": str(asked.shard), "whole": [[one.src, one.dst] for one in whole.cells]} if asked.shard else {}),
        kill_matrix=load_kill_matrix(plan.guideline),
        **({"waivers": [asdict(one) | {"until": one.until.isoformat()} for one in waivers]} if waivers else {}),
        host={
            "system": platform.platform(),
            "python": platform.python_version(),
            "cores": str(psutil.cpu_count()),
            "memory_gib": f"{psutil.virtual_memory().total / 2**30:.1f}",
        },
        argv=[
            "golden-flows",
            f"--src={','.join(asked.src)}",
            f"--dst={','.join(asked.dst)}",
            *([f"--image={own_image.shown(asked.image)}"] if asked.image else []),
            *([] if asked.shims else ["--no-shims"]),
            *([RETURN_TRIP] if asked.return_trip else []),
            *([f"{BURST}={asked.burst}"] if asked.burst else []),
            *(["--keep-export"] if asked.keep_export else []),
            *([] if asked.controls else ["--no-controls"]),
            *([f"--shard={asked.shard}"] if asked.shard else []),
            *(f"--i-own-this-cloud={name}" for name in asked.owned),
        ],
    )
    for name, config in session.configs.items():
        _write_cloud(session, config)
        journal.write("note", text=f"cloud {name!r} comes from {config.source_file}")
    for note in whole.notes:
        journal.write("note", text=note)
    if asked.shard:
        told = f"this is shard {asked.shard}: {len(plan.cells)} of {len(whole.cells)} pairs"
        journal.write("note", text=f"{told}; `golden-flows merge` puts all shards together")
    if own := session.context.own_image:
        told = f"Anne starts from {own.told}: a disk of {own.size_bytes} bytes, sha256 {own.sha256}"
        journal.write("note", text=told)
    elif session.context.image:
        journal.write("note", text=f"Anne starts from image {session.context.image!r}, as asked by --image")
    for name in asked.owned:
        journal.write("note", text=f"hostile checks may be tried on {name!r}, as said by --i-own-this-cloud")
    if sys.flags.optimize:
        journal.write("note", text="Python runs with -O")


def _write_cloud(session: Session, config: CloudConfig) -> None:
    session.journal.write(
        "cloud",
        cloud=config.name,
        profile=asdict(config.profile),
        clouds_yaml=config.source_file,
        auth_url=config.auth_url,
    )
