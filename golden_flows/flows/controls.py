"""Controls: the story from its boot on, told of another image or on the other cloud, when a stage of it went wrong.

They are judged by the very checks that failed, so that "the same" means the same. A control is no check: nothing of it
counts for the cell, and what cannot be tried is only not known.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from golden_flows.agents import load_agent
from golden_flows.checks.boot import ends_in_failure, what_the_console_tells
from golden_flows.clouds import mover
from golden_flows.clouds.cloud import Cloud
from golden_flows.clouds.records import ImageRef
from golden_flows.errors import CloudError, InteropError, RecordError, UsageError, WaitTimeout, shorten
from golden_flows.flows import power
from golden_flows.flows.anne import Anne
from golden_flows.flows.export import export_raw
from golden_flows.flows.golden_flow import GoldenFlow
from golden_flows.flows.instance import Instance
from golden_flows.flows.record import Record
from golden_flows.flows.setting import (
    APP_TIMEOUT_S,
    BODY_TIMEOUT_S,
    CLEANUP_TIMEOUT_S,
    CONTROLS_TIMEOUT_S,
    STALLED_S,
    TRANSFER_TIMEOUT_S,
    Setting,
)
from golden_flows.flows.story import APP_PORT
from golden_flows.guests.tcp import http_get, url_of
from golden_flows.judging import judge
from golden_flows.model.attribution import (
    ABOUT_HOME,
    Answer,
    Control,
    Shown,
    Trouble,
    could_help,
)
from golden_flows.model.check import Check
from golden_flows.model.cloud import travelling
from golden_flows.model.facts import BootFacts
from golden_flows.model.guideline import Guideline
from golden_flows.model.image_facts import ImportFacts
from golden_flows.model.matrix import Result
from golden_flows.model.outcome import Outcome
from golden_flows.model.stage import Stage
from golden_flows.waiting import Deadline, wait_for

logger = logging.getLogger(__name__)

BEFORE_BOOT = (Stage.EXPORT, Stage.TRANSFER, Stage.IMPORT, Stage.CONVERSION)
TWO_ABROAD = 2
"""Guests that the story itself has abroad at most, so that there is room for as many."""

TIME_IS_UP = Answer(Shown.UNKNOWN, "the time for controls was up")

Ask = Callable[[Trouble], Answer]


class Controls:
    """Those of one cell. Everything made is in the ledger; its servers go as soon as they have been asked."""

    def __init__(self, at: Setting, anne: Anne, guideline: Guideline, checks: Mapping[str, Check]) -> None:
        self._at = replace(at, return_trip=False, burst=0)
        self._anne = anne
        self._guideline, self._checks = guideline, checks
        self._deadline = Deadline.after(CONTROLS_TIMEOUT_S)
        self._stopped_at_home = False

    def answer(self, troubles: Sequence[Trouble]) -> tuple[Trouble, ...]:
        """The troubles with what the controls showed of each: those that could still help, one after the other."""
        own, golden = _found(self._at.dst.own_image), _found(self._at.src.own_image)
        annes = None if self._at.own_image else _found(self._at.src.source_image)
        troubles = [
            replace(one, own_is_annes=_is_one(own, annes), own_is_golden=_is_one(own, golden)) for one in troubles
        ]
        for control in Control:
            asked = [number for number, one in enumerate(troubles) if could_help(control, one)]
            if not asked:
                continue
            answers = self._run(control, [troubles[number] for number in asked])
            for number, answer in zip(asked, answers, strict=True):
                told = troubles[number]
                troubles[number] = replace(told, answers={**told.answers, control: answer})
        return tuple(troubles)

    def _run(self, control: Control, troubles: Sequence[Trouble]) -> list[Answer]:
        """One control, asked of all these troubles. Raises ``RecordError`` alone."""
        pair, journal = self._anne.facts.pair, self._at.journal
        record = Record(journal, pair, control=control.value)
        record.stage = troubles[0].stage
        began_s = time.monotonic()
        if self._deadline.left_s <= 0:
            return [TIME_IS_UP] * len(troubles)
        record.say(control.title)
        try:
            with self._told(control, troubles, record) as ask:
                answers = [ask(one) if self._deadline.left_s > 0 else TIME_IS_UP for one in troubles]
        except RecordError:
            raise
        except Exception as error:  # whatever it was, this control tells nothing, and the reader must see why
            logger.info("control %s of %s could not be run", control.value, pair.id, exc_info=True)
            why = journal.redact(error.what if isinstance(error, InteropError) else repr(error))
            answers = [Answer(Shown.UNKNOWN, f"could not be run: {shorten(why)}")] * len(troubles)
        journal.write(
            "control",
            src=pair.src,
            dst=pair.dst,
            control=control,
            seconds=round(time.monotonic() - began_s, 2),
            answers=[{"stage": one.stage, "shown": it.shown} for one, it in zip(troubles, answers, strict=True)],
        )
        return answers

    @contextlib.contextmanager
    def _told(self, control: Control, troubles: Sequence[Trouble], record: Record) -> Iterator[Ask]:
        if control is Control.RESTART:
            with self._restarted(record) as ask:
                yield ask
            return
        at, image_id = self._place(control, record, at_home=any(one.at_home for one in troubles))
        story = Anne.of_image(
            at,
            image_id,
            name=f"control-{control.value}",
            record=record,
            like=self._anne,
            has_app=control is Control.BACK_HOME,
        )
        flow = GoldenFlow(story, at.journal, beside=BEFORE_BOOT)
        try:
            yield lambda trouble: self._ask(flow, trouble, is_annes=control is Control.BACK_HOME)
        finally:
            if story.server_id:
                at.dst.delete_server(story.server_id, Deadline.after(CLEANUP_TIMEOUT_S))

    def _place(self, control: Control, record: Record, *, at_home: bool) -> tuple[Setting, str]:
        """Where this control is told (its ``dst``), and the id of the image there. Raises ``InteropError``."""
        at = self._at
        here = replace(at, dst=at.src)
        if control is Control.OWN_IMAGE:
            self._make_room(at.dst)
            return at, at.dst.own_image().id
        if control is Control.BACK_HOME:
            if at.src is at.dst:
                raise UsageError("source and destination are one cloud, so that is what was done already")
            self._make_room(at.src)
            return here, self._bring_back(record)
        golden = at.src.own_image()
        if not at_home:
            self._make_room(at.dst)
            return at, self._bring_over(golden, record)
        if at.own_image is None and golden.id == at.src.source_image().id:
            raise UsageError("Anne's instance started from the golden image itself, and the source names no other")
        self._make_room(at.src)
        return here, golden.id

    def _make_room(self, cloud: Cloud) -> None:
        """There is room for as many guests as the story itself has at once; what of it is up gives its place."""
        at_home = self._anne.source.boot.server_id if self._anne.source.boot else ""
        servers = cloud.servers()
        if cloud is not self._at.src and len(servers) < TWO_ABROAD:
            return
        for server_id in servers:
            with contextlib.suppress(InteropError):  # then the control tries its luck beside it
                state = cloud.stop(server_id, Deadline.after(power.STOP_TIMEOUT_S))
                self._stopped_at_home |= server_id == at_home and state.status == "SHUTOFF"

    def _bring_back(self, record: Record) -> str:
        """What was exported, into the source again."""
        at, spooled = self._at, self._anne.source.spooled
        if spooled is None:
            raise CloudError("nothing was exported")
        deadline = Deadline.after(TRANSFER_TIMEOUT_S)
        if spooled.path.is_file():
            _, imported = mover.import_from_spool(
                *(spooled, at.src),
                name="control-back-home",
                properties=travelling(spooled.facts.properties),
                deadline=deadline,
                progress=record.progress("uploaded"),
            )
            return _active(imported)
        return self._move(spooled.facts.image_id, at.src, "control-back-home", record)

    def _bring_over(self, golden: ImageRef, record: Record) -> str:
        """The golden image into the destination, as Anne's went."""
        at = self._at
        if mover.can_go_straight(golden):
            return self._move(golden.id, at.dst, "control-golden-image", record)
        spool = at.scratch / f"{at.src.name}-{at.dst.name}.golden"
        try:
            deadline = Deadline.after(TRANSFER_TIMEOUT_S)
            spooled = export_raw(at.src, golden.id, spool, deadline, record, shims_may=at.shims)
            _, imported = mover.import_from_spool(
                *(spooled, at.dst),
                name="control-golden-image",
                properties=travelling(spooled.facts.properties),
                deadline=deadline,
                progress=record.progress("uploaded"),
            )
        finally:
            spool.unlink(missing_ok=True)
        return _active(imported)

    def _move(self, image_id: str, destination: Cloud, name: str, record: Record) -> str:
        moved = mover.move(
            *(self._at.src, image_id, destination),
            name=name,
            properties=travelling,
            deadline=Deadline.after(TRANSFER_TIMEOUT_S),
            progress=record.progress("moved"),
        )
        if moved.imported is None:
            raise CloudError("what came out of the source was damaged, and nothing of it was kept")
        return _active(moved.imported)

    # -- asking

    def _ask(self, flow: GoldenFlow, trouble: Trouble, *, is_annes: bool) -> Answer:
        """Whether the same goes wrong: by the checks that failed, or by how far the story comes where none did."""
        checks = [one for one in trouble.checks if is_annes or one not in ABOUT_HOME]
        if trouble.checks and not checks:
            return Answer(Shown.UNKNOWN, "only Anne's image can be asked for what was at home")
        if trouble.stage is Stage.APPLICATION and not is_annes and not _has_app(flow):
            return Answer(Shown.UNKNOWN, "user data did not install Anne's app there")
        if not checks:
            return _how_far(flow, Stage.BOOT if trouble.at_home else trouble.stage)
        results = [judge(flow, self._guideline[one], self._checks[one]) for one in checks]
        failed = [one for one in results if one.outcome is Outcome.FAIL]
        passed = [one for one in results if one.outcome is Outcome.PASS]
        if len(passed) == len(results):
            return Answer(Shown.CLEAN, f"{_listed(passed)} pass")
        if failed and not passed:
            first = replace(failed[0].findings[0], remedy="")
            return Answer(Shown.SAME, shorten(f"{_listed(failed)} fail: {first}"))
        if failed:
            return Answer(Shown.UNKNOWN, f"{_listed(failed)} fail, {_listed(passed)} pass: this is not the same")
        unknown = next(one for one in results if one.outcome is not Outcome.PASS)
        return Answer(Shown.UNKNOWN, shorten(f"{unknown.check} {unknown.outcome.value}: {unknown.reason}"))

    @contextlib.contextmanager
    def _restarted(self, record: Record) -> Iterator[Ask]:
        """Anne's own instance at home, once more from its own disk."""
        at, source = self._at, self._anne.source
        if source.boot is None or source.profile is None or source.boot.report is None:
            raise CloudError("Anne's instance at home was never seen up")
        guest = Instance(
            *(at.src, at.journal, at.run_id, record.say),
            agent=load_agent(source.profile.agent),
            push_key=source.push_key,
        )
        guest.server_id, guest.address = source.boot.server_id, source.address
        if self._stopped_at_home:
            at.src.start(guest.server_id)
        else:
            power.stop_and_start(at.src, guest.server_id)
        deadline = Deadline.after(source.profile.boot_timeout_s)
        again = guest.testimony(source.boot, deadline, not_boot_ids={source.boot.report.boot_id})
        record.keep(f"{at.src.name}.anne-home.console.log", again.console, f"{at.src.name} os-getConsoleOutput")

        def ask(trouble: Trouble) -> Answer:
            if trouble.stage is Stage.BOOT:
                return self._came_up(guest, again)
            if trouble.stage in (Stage.USER_DATA, Stage.APPLICATION):
                return self._ask_app(guest)
            return Answer(Shown.UNKNOWN, f"it is not asked about {trouble.stage.title}")

        yield ask

    def _came_up(self, guest: Instance, again: BootFacts) -> Answer:
        """Nobody can log in to it any more: its key is gone. So silence says something only where its console does."""
        if again.report is not None:
            return Answer(Shown.CLEAN, "it reported again")
        if self._ask_app(guest).shown is Shown.CLEAN:
            return Answer(Shown.CLEAN, "her app answers")
        if ends_in_failure(again.console) or guest.reports():
            return Answer(Shown.SAME, f"it did not come up again; {what_the_console_tells(again.console)}")
        return Answer(Shown.UNKNOWN, "its console does not say whether it came up")

    def _ask_app(self, guest: Instance) -> Answer:
        """Whether Anne's data is on the disk from which the copy was made, and her app serves it."""
        url, access = url_of(guest.address, APP_PORT, "payload"), guest.cloud.profile.access
        try:
            answer = wait_for(
                "Anne's app at home",
                lambda: http_get(url, access, timeout_s=BODY_TIMEOUT_S, stalled_s=STALLED_S),
                deadline=Deadline.after(APP_TIMEOUT_S),
                until=lambda seen: seen.status is not None,
            )
        except WaitTimeout:
            return Answer(Shown.SAME, "her app does not answer")
        if answer.status == 200 and hashlib.sha256(answer.body).hexdigest() == self._anne.source.payload_sha256:
            return Answer(Shown.CLEAN, "her app answers, with her data")
        return Answer(Shown.SAME, f"her app answers {answer.status}, without her data")


def _has_app(flow: GoldenFlow) -> bool:
    """Whether an image that came without it has been given it. Not everywhere does user data reach a guest."""
    flow.reach(Stage.BOOT)
    boot = flow.facts.boot
    return boot is not None and boot.report is not None and boot.report.user_data.exit_code == 0


def _how_far(flow: GoldenFlow, stage: Stage) -> Answer:
    run = flow.reach(stage).run
    if run.outcome is Outcome.PASS:
        return Answer(Shown.CLEAN, f"{stage.title} went well")
    if run.outcome is Outcome.FAIL:
        return Answer(Shown.SAME, shorten(run.detail))
    return Answer(Shown.UNKNOWN, shorten(run.detail))


def _active(imported: ImportFacts) -> str:
    """The id of what was imported. Raises ``CloudError`` where it did not come to that."""
    if imported.final_status != "active" or not imported.image_id:
        raise CloudError(f"the image ended as {imported.final_status!r}: {imported.message or 'no reason given'}")
    return imported.image_id


def _found(find: Callable[[], ImageRef]) -> ImageRef | None:
    try:
        return find()
    except InteropError:
        return None


def _is_one(one: ImageRef | None, other: ImageRef | None) -> bool:
    """By name or by hash; what could not be looked up is another one."""
    if one is None or other is None:
        return False
    digests = (one.os_hash_value, other.os_hash_value)
    return one.name == other.name or (None not in digests and digests[0] == digests[1])


def _listed(results: Sequence[Result]) -> str:
    return ", ".join(one.check for one in results)
