"""The story's beginning: Anne's instance at home, and the RAW image that leaves it."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path

from golden_flows.checks.boot import what_the_console_tells
from golden_flows.clouds import mover
from golden_flows.clouds.cloud import Cloud
from golden_flows.clouds.mover import Moved, Spooled
from golden_flows.clouds.records import ImageRef
from golden_flows.errors import CloudError, GuestError, NeverUp, Unsupported
from golden_flows.flows import machine, residue
from golden_flows.flows.account import AtHome, prepare_at_home
from golden_flows.flows.export import export_raw
from golden_flows.flows.instance import Instance
from golden_flows.flows.kept_export import keep
from golden_flows.flows.power import STOP_TIMEOUT_S
from golden_flows.flows.record import Record
from golden_flows.flows.setting import SHELL_TIMEOUT_S, TRANSFER_TIMEOUT_S, Setting, request
from golden_flows.flows.story import APP_PORT, PAYLOAD_PATH, user_data_at_home
from golden_flows.guests.ssh import KeyPair
from golden_flows.guests.tcp import http_get, url_of
from golden_flows.model import file_system
from golden_flows.model.agent_channels import channels_read
from golden_flows.model.cloud import Profile, travelling
from golden_flows.model.facts import BootFacts
from golden_flows.model.file_system import ExportedDisk
from golden_flows.model.image_facts import ExportFacts
from golden_flows.model.residue import Residue
from golden_flows.model.return_trip import Machine
from golden_flows.own_image import OwnImage
from golden_flows.shims import metadata as metadata_shims
from golden_flows.shims.metadata import MetadataShim
from golden_flows.waiting import Deadline, wait_for

INSTALL_TIMEOUT_S = 120.0
"""16 MiB of payload on an emulated disk."""


@dataclass
class SourceImage:
    """What one source cloud gave: made once, shared by every cell with that source (see ``shared_source``)."""

    spooled: Spooled | None = None
    moved: Moved | None = None
    """Where the export went straight on to its only destination."""
    boot: BootFacts | None = None
    profile: Profile | None = None
    """The source as its image has it run: user, agent."""
    payload_sha256: str = ""
    address: str = ""
    """Of Anne's instance at home."""
    account: AtHome = field(default_factory=AtHome)
    machine: Machine | None = None
    """Read only where the instance is to come back."""
    disk: ExportedDisk | None = None
    residue: tuple[Residue, ...] | None = None
    started_from: dict[str, str] | None = None
    """Properties of the image that it was launched from."""
    push_key: str = field(default="", repr=False)
    """By which the shim in it knows who pushes metadata, in hex; empty where nobody is to."""
    trouble: str = ""
    """Why nothing came out; everything else is empty then."""
    remedy: str = ""
    never_up: bool = False
    """Whether it is that Anne's instance never came up."""


def reads(at: Setting) -> tuple[str, ...]:
    """The channels that the agent in Anne's image reads, as far as the image says. Raises ``CloudError``."""
    properties = at.own_image.properties if at.own_image is not None else at.src.source_image().properties
    return channels_read(properties)


def bring_out(at: Setting, record: Record, key: KeyPair, spool: Path, shim: MetadataShim | None = None) -> SourceImage:
    """Boot Anne's instance with her app, snapshot it, and export the snapshot into ``spool``.

    ``shim``: put into it, for an agent that cannot read what the destination has.
    Raises ``CloudError``/``GuestError`` when the instance does not even run at home.
    """
    source = SourceImage()
    server_id = _boot(at, source, record, key, shim)
    home = at.src
    deadline = Deadline.after(TRANSFER_TIMEOUT_S)
    record.say(f"snapshot on {home.name}")
    image_id = home.snapshot(server_id, "anne-export", deadline)
    if at.straight and mover.can_go_straight(home.show_image(image_id)):
        record.say(f"exporting from {home.name}, straight into {at.dst.name}")
        moved = mover.move(
            *(home, image_id, at.dst),
            name="anne",
            properties=travelling,
            deadline=deadline,
            progress=record.progress("moved"),
        )
        source.moved = moved
        source.spooled = _told_of(source, mover.never_spooled(moved, spool))
        source.disk = moved.disk
        return source
    source.spooled = _told_of(source, export_raw(home, image_id, spool, deadline, record, shims_may=at.shims))
    source.disk = _look_at(source.spooled.path)
    if at.exports is not None and not damage(source.spooled.facts):
        kept = keep(source.spooled, at.exports / source.spooled.path.name)
        record.say(f"kept the export of {home.name}: {kept}")
    return source


def _told_of(source: SourceImage, spooled: Spooled) -> Spooled:
    """With what was seen before the snapshot."""
    facts = replace(spooled.facts, started_from=source.started_from, residue=source.residue)
    return replace(spooled, facts=facts)


def _look_at(spool: Path) -> ExportedDisk:
    """The file systems in it, by their superblocks."""
    try:
        with spool.open("rb") as file:

            def read(at: int, length: int) -> bytes:
                file.seek(at)
                return file.read(length)

            return file_system.look(read)
    except (OSError, OverflowError) as error:
        return ExportedDisk(error=str(error))


def keep_evidence(home: Cloud, source: SourceImage, record: Record) -> None:
    """What was seen at home, in every cell that rests on it."""
    if source.boot is not None:
        record.keep(f"{home.name}.anne-home.console.log", source.boot.console, f"{home.name} os-getConsoleOutput")
    if source.spooled is not None and source.spooled.facts.shim:
        chain = source.spooled.facts.shim.chain
        record.keep("export.chain.txt", "\n".join(chain), f"{home.name} exported archive")
    if source.spooled is not None and source.residue is not None:
        lines = [f"{one.kind} {one.path}" for one in source.residue]
        record.keep("export.residue.txt", "\n".join(lines), f"{home.name}, in the guest before its snapshot")
    if source.disk is not None:
        lines = [str(one) for one in source.disk.file_systems]
        record.keep("export.file-systems.txt", "\n".join(lines), f"{home.name}, superblocks of the exported disk")


def _boot(at: Setting, source: SourceImage, record: Record, key: KeyPair, shim: MetadataShim | None) -> str:
    home = at.src
    record.say(f"booting Anne's instance on {home.name}")
    image = home.source_image() if at.own_image is None else _bring_in(at.own_image, at, record)
    source.started_from = dict(image.properties)
    instance = Instance(home, at.journal, at.run_id, record.say, properties=image.properties)
    deadline = Deadline.after(instance.profile.boot_timeout_s)
    asked = request(home, image, "anne-home", instance.fitting(user_data_at_home()), key)
    facts = instance.testimony(instance.launch(asked, deadline), deadline)
    source.boot, source.account = facts, AtHome(password=instance.login.password)
    source.address = instance.address
    source.profile = instance.profile
    if facts.report is None:
        keep_evidence(home, source, record)
        raise NeverUp(
            f"Anne's instance never came up at home: server {facts.server_id} on {home.name!r} is {facts.status}"
            + (f" ({facts.fault})" if facts.fault else "")
            + (f" and silent; {what_the_console_tells(facts.console)}" if facts.status == "ACTIVE" else ""),
            "the source cloud must run its own image before a pair can be judged; see its console in the evidence",
        )
    if not instance.login.asked:
        if shim is not None:
            raise GuestError(
                f"the shim {shim.name} cannot be put into Anne's image: {home.name} launches it with no way in",
                "give the source 'auth: [key]'; --no-shims judges what works natively",
            )
        source.payload_sha256 = _payload_from_outside(instance)
        return facts.server_id
    with instance.shell(facts.report, Deadline.after(SHELL_TIMEOUT_S)) as shell:
        if not home.profile.carries_user_data:
            record.say("installing Anne's app by hand: no channel of this cloud carries user data")
            shell.run(
                "cat > /tmp/install && sh /tmp/install", stdin=asked.user_data.content, timeout_s=INSTALL_TIMEOUT_S
            )
        source.account = prepare_at_home(instance, shell, at.journal)
        if shim is not None:
            record.say(f"putting the shim {shim.name} into Anne's image, for {at.dst.name}")
            source.push_key = metadata_shims.install(shell, shim).hex()
            at.journal.hide(source.push_key or None)
        if at.return_trip:
            with contextlib.suppress(GuestError):  # RT-2 and RT-3 say that nobody could look; the export goes on
                source.machine = machine.look(shell, PAYLOAD_PATH)
        source.residue = residue.look(shell)
        payload = shell.run(f"sync; sha256sum {PAYLOAD_PATH}", timeout_s=60.0)
        if payload.exit_code:
            raise GuestError(
                f"Anne's app was not installed at home: exit code {payload.exit_code} from her payload's sha256sum",
                "look at the source console in the evidence for what her user data said",
            )
        source.payload_sha256 = payload.stdout.split()[0].decode("ascii", "replace")
    return facts.server_id


def _bring_in(own: OwnImage, at: Setting, record: Record) -> ImageRef:
    """Import the user's own image into the source. Raises ``CloudError`` when the cloud does not take it."""
    record.say(f"importing {own.told} into {at.src.name}")
    imported = at.src.import_image(
        name="anne-own",
        source=own.path,
        size_bytes=own.size_bytes,
        properties=own.properties,
        deadline=Deadline.after(TRANSFER_TIMEOUT_S),
        progress=record.progress("uploaded"),
    )
    if imported.image_id is None or imported.final_status != "active":
        raise CloudError(
            f"cloud {at.src.name!r} did not take {own.told}: {imported.message or imported.final_status}",
            "an image that its own cloud refuses cannot be judged elsewhere",
        )
    return at.src.show_image(imported.image_id)


def _payload_from_outside(instance: Instance) -> str:
    """Its sha256 as the app serves it, from a server that nobody can log in to; stopped, so that all is on its disk."""
    url = url_of(instance.address, APP_PORT, "payload")
    answer = wait_for(
        "Anne's app at home",
        lambda: http_get(url, instance.cloud.profile.access, timeout_s=60.0),
        deadline=Deadline.after(SHELL_TIMEOUT_S),
        until=lambda seen: seen.status == 200,
    )
    with contextlib.suppress(Unsupported):
        instance.cloud.stop(instance.server_id, Deadline.after(STOP_TIMEOUT_S))
    return hashlib.sha256(answer.body).hexdigest()


def damage(export: ExportFacts | None) -> str:
    """Why this export must not travel; empty when it may. What exactly is wrong with it is for the checks to say."""
    if export is None:
        return "nothing was exported"
    if export.is_whole is False:
        if export.size_bytes not in (None, export.downloaded_bytes):
            why = f": {export.error}" if export.error else ""
            return f"the export is {export.downloaded_bytes} bytes long instead of {export.size_bytes}{why}"
        return export.error or "the export's hash is not what the source cloud says"
    if export.shim is not None:
        return export.shim.error
    if export.disk_format != export.asked_disk_format:
        return f"the export is {export.disk_format}, not {export.asked_disk_format}"
    return ""
