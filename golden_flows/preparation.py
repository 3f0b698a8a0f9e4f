"""From what the user asked for to a run that can begin: cells, reference clouds, plan, first journal lines."""

from __future__ import annotations

import difflib
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path

import psutil

from golden_flows import journal as journal_module
from golden_flows import own_image, reference_clouds, room
from golden_flows.clouds.config import known_cloud_names
from golden_flows.errors import CleanupError, InteropError, UsageError
from golden_flows.guideline import load_checks, load_guideline
from golden_flows.interrupts import uninterrupted
from golden_flows.model.cloud import Pair
from golden_flows.own_image import OwnImage
from golden_flows.reference_clouds import ReferenceCloud
from golden_flows.session import Plan, RunContext, Session
from golden_flows.workspace import Workspace

Say = Callable[[str], None]


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
    faults: Sequence[str] = ()
    """``CLOUD:FAULT[=VALUE]``."""
    results_root: Path = Path("interop-results")
    guideline: str = "2026.11"
    install: bool = False
    """Let reference clouds install missing Debian packages by sudo (root installs them anyway)."""
    owned: Sequence[str] = ()
    """Clouds on which hostile checks may be tried."""


@dataclass
class PreparedRun:
    """A run that has begun: clouds up, plan written down. Close it in the end."""

    context: RunContext
    workspace: Workspace
    session: Session
    reference: list[ReferenceCloud] = field(default_factory=list)

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
                reference_clouds.stop_all(self.reference)
                self.workspace.remove_scratch()
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


def prepare(asked: Asked, say: Say) -> PreparedRun:
    """Resolve names, start reference clouds, talk to every cloud once, and write the plan down.

    Raises ``UsageError`` for what the user must change, other ``InteropError`` for what could not be found out; then
    nothing is left running and no scratch is left.
    """
    guideline, checks = load_guideline(asked.guideline), load_checks()
    users = known_cloud_names()
    profiles = reference_clouds.known_profiles()
    cells = _cells(asked, users, profiles)
    to_start = tuple(
        dict.fromkeys(name for cell in cells for name in (cell.src, cell.dst) if name not in users and name in profiles)
    )
    faults = _faults_by_cloud(asked.faults, to_start)
    _require_part(asked.owned, cells)
    room.require_memory(len(to_start))
    workspace = Workspace.create(asked.results_root)
    started: list[ReferenceCloud] = []
    session: Session | None = None
    try:
        room.require_disk(workspace.results, room.RESULTS_MIB)
        own = _own_image(asked, workspace.scratch, say)
        image = own_image.glance_name(asked.image) if asked.image and own is None else None
        if to_start:
            room.require_disk(workspace.scratch, len(to_start) * room.SCRATCH_PER_CLOUD_MIB)
            say(f"starting reference clouds: {', '.join(to_start)}")
            started = reference_clouds.start(
                to_start, state_root=workspace.scratch, faults=faults, install=asked.install, image=image, say=say
            )
        plan = Plan(cells, tuple(one.id for one in guideline.requirements if one.id in checks), guideline.version)
        files = tuple(cloud.clouds_yaml for cloud in started)
        context = RunContext(
            workspace.run_id,
            workspace.results,
            workspace.scratch,
            plan,
            files,
            image,
            asked.shims,
            own,
            tuple(asked.owned),
        )
        session = Session.open(context, guideline, checks)
        _write_beginning(session, asked)
        for cloud in started:
            session.journal.write("reference_cloud", cloud=cloud.name, pid=cloud.process.pid, evidence=cloud.evidence)
        for line in session.preflight():
            say(line)
        return PreparedRun(context, workspace, session, started)
    except BaseException:
        with uninterrupted():  # nothing has been made on any cloud yet
            reference_clouds.stop_all(started)
            if session:
                session.disconnect()
            workspace.remove()
        raise


def _own_image(asked: Asked, scratch: Path, say: Say) -> OwnImage | None:
    """The user's image as RAW; None where none, or one on the source, was asked for. Raises ``InteropError``."""
    if asked.image is None or own_image.is_glance_name(asked.image):
        if asked.image_format or asked.image_properties:
            raise UsageError("--image-format and --image-property are for --image FILE or URL", "name the file")
        return None
    return own_image.fetch(asked.image, asked.image_format, asked.image_properties, scratch, say)


def _cells(asked: Asked, own: Sequence[str], profiles: Mapping[str, str]) -> tuple[Pair, ...]:
    known = tuple(dict.fromkeys((*own, *profiles)))
    everything = tuple(own) or tuple(profiles)
    sources = everything if tuple(asked.src) == ("all",) else asked.src
    destinations = everything if tuple(asked.dst) == ("all",) else asked.dst
    for name in (*sources, *destinations):
        if name not in known:
            raise UsageError(f"no cloud is called {name!r}", _which_exist(name, own, profiles))
    return tuple(Pair(src, dst) for src in sources for dst in destinations)


def _which_exist(name: str, own: Sequence[str], profiles: Mapping[str, str]) -> str:
    near = difflib.get_close_matches(name, (*own, *profiles), n=1)
    parts = [f"did you mean {near[0]!r}?"] if near else []
    parts.append(f"in your clouds.yaml: {', '.join(own) or 'none'}")
    parts.append(f"reference clouds: {', '.join(profiles) or 'none (install the refclouds extra)'}")
    return "; ".join(parts)


def _faults_by_cloud(faults: Sequence[str], started: Sequence[str]) -> dict[str, list[str]]:
    by_cloud: dict[str, list[str]] = {}
    for text in faults:
        cloud, colon, fault = text.partition(":")
        if not colon or not fault:
            raise UsageError(f"--fault {text!r} is not CLOUD:FAULT", "for example --fault public:nd_empty")
        if cloud not in started:
            raise UsageError(
                f"--fault {text!r}: {cloud!r} is no reference cloud that this run starts",
                f"faults are for the reference clouds of the run: {', '.join(started) or 'none'}",
            )
        by_cloud.setdefault(cloud, []).append(fault)
    return by_cloud


def _require_part(owned: Sequence[str], cells: Sequence[Pair]) -> None:
    taking_part = {name for cell in cells for name in (cell.src, cell.dst)}
    for name in owned:
        if name not in taking_part:
            raise UsageError(
                f"--i-own-this-cloud {name}: this run has no such cloud",
                f"it takes names of clouds of the run: {', '.join(sorted(taking_part))}",
            )


def _write_beginning(session: Session, asked: Asked) -> None:
    journal, plan = session.journal, session.context.plan
    journal.write(
        "run_started",
        schema=journal_module.SCHEMA,
        run=session.context.run_id,
        suite_version=metadata.version("golden-flows"),
        guideline=plan.guideline,
        plan=list(plan.checks),
        plan_sha256=plan.sha256,
        cells=[[cell.src, cell.dst] for cell in plan.cells],
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
            *([f"--image={asked.image.partition('?')[0]}"] if asked.image else []),
            *([] if asked.shims else ["--no-shims"]),
            *(f"--i-own-this-cloud={name}" for name in asked.owned),
        ],
    )
    for name, config in session.configs.items():
        journal.write(
            "cloud",
            cloud=name,
            profile=asdict(config.profile),
            clouds_yaml=config.source_file,
            auth_url=config.auth_url,
        )
        if not any(str(path) == config.source_file for path in session.context.clouds_yaml):
            journal.write("note", text=f"cloud {name!r} comes from {config.source_file}")
    if own := session.context.own_image:
        told = f"Anne starts from {own.told}: a disk of {own.size_bytes} bytes, sha256 {own.sha256}"
        journal.write("note", text=told)
    elif session.context.image:
        journal.write("note", text=f"Anne starts from image {session.context.image!r}, as asked by --image")
    for name in asked.owned:
        journal.write("note", text=f"hostile checks may be tried on {name!r}, as said by --i-own-this-cloud")
    if sys.flags.optimize:
        journal.write("note", text="Python runs with -O")
