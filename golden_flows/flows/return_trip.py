"""The way back: the instance abroad is snapshotted and exported in RAW, and runs at home as a machine of its own."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace

from golden_flows.clouds import mover
from golden_flows.errors import GuestError, InteropError, RecordError, Unsupported
from golden_flows.flows import files, home, machine, ways_in
from golden_flows.flows.export import export_raw
from golden_flows.flows.home import SourceImage
from golden_flows.flows.instance import Instance
from golden_flows.flows.record import Record
from golden_flows.flows.setting import SHELL_TIMEOUT_S, TRANSFER_TIMEOUT_S, Setting, request
from golden_flows.flows.story import PAYLOAD_PATH, user_data_abroad
from golden_flows.flows.twin import later_boot
from golden_flows.guests.ssh import generate_key
from golden_flows.model.cloud import travelling
from golden_flows.model.guest import GuestReport
from golden_flows.model.return_trip import ReturnTripFacts
from golden_flows.waiting import Deadline

ABROAD_PATH = "/srv/anne/www/abroad"
ABROAD_BYTES = 1 << 20


@dataclass(frozen=True)
class Abroad:
    """Where the way back begins."""

    guest: Instance
    report: GuestReport | None
    source: SourceImage


def bring_back(at: Setting, abroad: Abroad, record: Record) -> ReturnTripFacts:
    """The whole of it. What goes wrong on our side is in ``error``; nothing is raised."""
    facts = _write(abroad, ReturnTripFacts(home=abroad.source.machine))
    try:
        record.say(f"snapshot of Anne's instance on {at.dst.name}, to bring it back")
        try:
            image_id = at.dst.snapshot(abroad.guest.server_id, "anne-back-export", Deadline.after(TRANSFER_TIMEOUT_S))
        except Unsupported as refused:
            return replace(facts, no_snapshot=refused.what)
        return _carry(at, abroad, image_id, record, facts)
    except RecordError:
        raise
    except InteropError as trouble:
        return replace(facts, error=str(trouble))


def _write(abroad: Abroad, facts: ReturnTripFacts) -> ReturnTripFacts:
    """Something of Anne's that only the disk abroad has, where somebody can log in. The trip does not depend on it."""
    if not abroad.guest.login.asked:
        return facts
    try:
        with abroad.guest.shell(abroad.report, Deadline.after(SHELL_TIMEOUT_S)) as shell:
            done = shell.run(f"head -c {ABROAD_BYTES} /dev/urandom > {ABROAD_PATH} && sync", timeout_s=60.0)
            if done.exit_code:
                raise GuestError(f"{ABROAD_PATH} could not be written abroad: exit code {done.exit_code}")
            return replace(facts, abroad=machine.look(shell, PAYLOAD_PATH, ABROAD_PATH))
    except GuestError as trouble:
        return replace(facts, error=str(trouble))


def _carry(at: Setting, abroad: Abroad, image_id: str, record: Record, facts: ReturnTripFacts) -> ReturnTripFacts:
    spool = at.scratch / f"{at.src.name}-{at.dst.name}.back"
    try:
        deadline = Deadline.after(TRANSFER_TIMEOUT_S)
        spooled = export_raw(at.dst, image_id, spool, deadline, record, shims_may=at.shims)
        facts = replace(facts, shim=spooled.facts.shim.name if spooled.facts.shim else "")
        if damage := home.damage(spooled.facts):
            return replace(facts, damage=damage)
        record.say(f"importing into {at.src.name}")
        _, imported = mover.import_from_spool(
            spooled,
            at.src,
            name="anne-back",
            properties=travelling(spooled.facts.properties),
            deadline=Deadline.after(TRANSFER_TIMEOUT_S),
            progress=record.progress("uploaded"),
        )
    finally:
        spool.unlink(missing_ok=True)
    facts = replace(facts, image_status=imported.final_status, image_message=imported.message)
    if imported.final_status != "active" or not imported.image_id:
        return facts
    return _boot(at, abroad, imported.image_id, record, facts)


def _boot(at: Setting, abroad: Abroad, image_id: str, record: Record, facts: ReturnTripFacts) -> ReturnTripFacts:
    record.say(f"booting on {at.src.name} again")
    cloud, image = at.src, at.src.show_image(image_id)
    guest = Instance(cloud, at.journal, at.run_id, record.say, properties=image.properties)
    user_data = guest.fitting(user_data_abroad())
    asked = request(
        *(cloud, image, "anne-back", user_data, generate_key(cloud.profile.key_kind)), files.wanted(cloud, user_data)
    )
    deadline = Deadline.after(guest.profile.boot_timeout_s)
    boot = guest.testimony(guest.launch(asked, deadline), deadline)
    record.keep(f"{cloud.name}.anne-back.console.log", boot.console, f"{cloud.name} os-getConsoleOutput")
    facts = replace(facts, back=later_boot(guest, boot, user_data))
    if boot.report is None or not guest.login.asked:
        return facts
    ran = boot.report.user_data.run_count if guest.agent.KEEPS_RECORD else None
    try:
        with guest.shell(boot.report, Deadline.after(SHELL_TIMEOUT_S)) as shell:
            facts = replace(facts, run_count=ran, machine=machine.look(shell, PAYLOAD_PATH, ABROAD_PATH))
    except GuestError as trouble:  # it came home and runs; what is on it is another question
        return replace(facts, error=str(trouble))
    if key := abroad.guest.login.key:
        with contextlib.suppress(InteropError):
            attempt = ways_in.log_in(guest, "abroad-key", key=key)
            facts = replace(facts, abroad_key_accepted=attempt.accepted)
    return facts
