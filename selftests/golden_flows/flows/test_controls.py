"""Controls on the real APIs of two reference clouds whose guests only report, or do not: who is asked, who is to blame,
and what is left.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from golden_flows.clouds import mover
from golden_flows.clouds.cloud import Cloud
from golden_flows.errors import CloudError, RecordError
from golden_flows.flows import controls
from golden_flows.flows.anne import Anne
from golden_flows.flows.controls import Controls
from golden_flows.flows.home import SourceImage
from golden_flows.flows.instance import Instance
from golden_flows.flows.setting import Setting
from golden_flows.flows.shared_source import SourceShelf
from golden_flows.guideline import load_checks, load_guideline
from golden_flows.journal import read_events
from golden_flows.ledger import read_ledger
from golden_flows.model.attribution import Answer, Control, Party, Shown, Trouble, attribute
from golden_flows.model.facts import BootFacts
from golden_flows.model.guest import GuestReport
from golden_flows.model.stage import Stage
from golden_flows.own_image import OwnImage
from golden_flows.waiting import Deadline
from selftests.golden_flows.checks.facts_builder import healthy_facts
from selftests.golden_flows.clouds.conftest import Drive, Driven, drive, golden

__all__ = ["drive", "golden"]

OWN, BACK, GOLDEN, RESTART = Control
HEALTHY = healthy_facts()
BOOT = Trouble(stage=Stage.BOOT, checks=("BT-1",), was_up_at_home=True)


@dataclass
class Story:
    """Anne's, told as far as her boot abroad."""

    home: Driven
    abroad: Driven
    anne: Anne
    at: Setting
    server_at_home: str

    @property
    def controls(self) -> Controls:
        return Controls(self.at, self.anne, load_guideline(), load_checks())

    def made(self, driven: Driven, kind: str) -> list[str]:
        """Names of what was made, without the run's prefix."""
        names = [one["name"] for one in read_events(driven.journal.path) if one["event"] == "resource_planned"]
        kinds = [one["kind"] for one in read_events(driven.journal.path) if one["event"] == "resource_planned"]
        return [name.removeprefix("interop-t1-") for name, its in zip(names, kinds, strict=True) if its == kind]

    def open(self, driven: Driven, kind: str) -> list[str]:
        return [one.name for one in read_ledger(driven.journal.path)[1] if one.kind == kind]


Tell = Callable[..., Story]


@pytest.fixture
def tell(drive: Drive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tell:
    """A story whose guests come up but for ``silent``: names of servers; ``twins``: how many more guests are abroad."""

    def told(
        *, silent: Collection[str] = (), twins: int = 0, own: str | None = "golden-pocket", at_home: bool = False
    ) -> Story:
        home, abroad = drive("private"), drive("public-lite")
        for driven, network, own_image in ((home, "private", "golden-pocket"), (abroad, "flat", own)):
            driven.cloud.profile = replace(driven.cloud.profile, networks=(network,), image="golden-pocket")
            driven.cloud.config = replace(driven.cloud.config, own_image=own_image)
        at = Setting(home.cloud, abroad.cloud, home.journal, tmp_path, "t1")
        anne = Anne(at, SourceShelf(tmp_path / "exports"))
        server = home.boot("anne-home")
        boot = replace(_boot_of(server.id), report=None if at_home else healthy_report())
        if not at_home:
            spool = tmp_path / "anne.raw"
            exported = home.cloud.snapshot(server.id, "anne-export", Deadline.after(30))
            spooled = mover.export_to_spool(home.cloud, exported, spool, deadline=Deadline.after(30))
            anne._source = SourceImage(spooled=spooled, boot=boot, profile=home.cloud.profile)
        abroad.boot("anne")
        for number in range(twins):
            abroad.boot(f"anne-twin-{number}")

        def testimony(
            guest: Instance, facts: BootFacts, deadline: Deadline, *, not_boot_ids: Collection[str] = ()
        ) -> BootFacts:
            name = facts.name.removeprefix("interop-t1-")
            up = name not in silent
            return replace(facts, report=healthy_report() if up else None, console="No bootable device.\n")

        monkeypatch.setattr(Instance, "testimony", testimony)
        monkeypatch.setattr(controls, "APP_TIMEOUT_S", 0.1)  # there is no guest, and so no app
        return Story(home, abroad, anne, at, server.id)

    return told


def _boot_of(server_id: str) -> BootFacts:
    boot = HEALTHY.boot
    assert boot is not None
    return replace(boot, server_id=server_id, name="interop-t1-anne-home", status="ACTIVE")


def healthy_report() -> GuestReport | None:
    assert HEALTHY.boot is not None
    return HEALTHY.boot.report


def shown(trouble: Trouble) -> dict[str, str]:
    return {control.value: answer.shown.value for control, answer in trouble.answers.items()}


COPIES = {"control-back-home"}


@pytest.mark.parametrize(
    ("silent", "answers", "party"),
    [
        ({"control-own-image"}, {"own-image": "same", "back-home": "clean"}, Party.DESTINATION),
        (COPIES, {"own-image": "clean", "back-home": "same", "restart-at-home": "clean"}, Party.SOURCE),
        (
            COPIES | {"anne-home"},
            {"own-image": "clean", "back-home": "same", "restart-at-home": "same"},
            Party.IMAGE,
        ),
        (
            {"control-golden-image"},
            {"own-image": "clean", "back-home": "clean", "golden-image": "same"},
            Party.CONVERSION,
        ),
        (set(), {"own-image": "clean", "back-home": "clean", "golden-image": "clean"}, None),
    ],
    ids=["destination", "source", "image", "conversion", "nobody alone"],
)
def test_a_fault_of_each_kind_is_laid_to_its_party(
    silent: set[str], answers: dict[str, str], party: Party | None, tell: Tell
) -> None:
    story = tell(silent=silent)
    (asked,) = story.controls.answer([BOOT])
    assert shown(asked) == answers, asked.answers
    assert attribute(asked).party is party
    assert (asked.own_is_annes, asked.own_is_golden) == (True, True)


def test_nothing_of_a_control_stays_but_what_is_in_the_ledger(tell: Tell) -> None:
    story = tell(silent=COPIES)
    story.controls.answer([BOOT])
    assert story.made(story.abroad, "server") == ["anne", "control-own-image"]
    assert story.made(story.home, "server") == ["anne-home", "control-back-home"]
    assert story.open(story.abroad, "server") == ["interop-t1-anne"]
    assert story.open(story.home, "server") == ["interop-t1-anne-home"]
    for driven in (story.home, story.abroad):
        assert driven.cloud.cleanup(Deadline.after(30)).failures == ()
        inventory = driven.cloud.inventory()
        assert [name for kind in inventory.values() for name in kind.values() if name.startswith("interop-")] == []


def test_controls_are_journalled_apart_from_the_story(tell: Tell) -> None:
    story = tell(silent={"control-own-image"})
    story.controls.answer([BOOT])
    events = list(read_events(story.home.journal.path))
    assert [one["control"] for one in events if one["event"] == "control"] == ["own-image", "back-home"]
    assert {one["event"] for one in events} & {"stage_started", "stage_ended", "result"} == set()
    steps = [one["text"] for one in events if one["event"] == "step"]
    assert steps
    assert all(one.startswith("control ") for one in steps)
    kept = {one["name"] for one in events if one["event"] == "evidence"}
    assert "control.own-image.public-lite.anne.console.log" in kept
    assert all(one.startswith("control.") for one in kept)


def test_guests_of_the_story_make_room_for_a_control(tell: Tell) -> None:
    """Anne's and a twin are all that a cloud was started for; at home it is hers alone."""
    story = tell(silent=COPIES, twins=1)
    story.controls.answer([BOOT])
    assert story.abroad.reference.hypervisor.log.count("stop") == 2
    assert "stop" in story.home.reference.hypervisor.log, "hers at home, and it is started again for the last control"


def test_a_destination_without_an_image_of_its_own_leaves_it_undecided(tell: Tell) -> None:
    story = tell(own=None)
    (asked,) = story.controls.answer([BOOT])
    assert "names no image of its own" in asked.answers[OWN].words
    assert asked.answers[OWN].shown is Shown.UNKNOWN
    assert attribute(asked).party is None


def test_an_instance_at_home_whose_console_says_nothing_is_no_proof(
    tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can log in to it any more."""
    story = tell(silent=COPIES | {"anne-home"})

    def testimony(
        guest: Instance, facts: BootFacts, deadline: Deadline, *, not_boot_ids: Collection[str] = ()
    ) -> BootFacts:
        up = facts.name.endswith("own-image")
        return replace(facts, report=healthy_report() if up else None, console="" if not_boot_ids else "grub> ")

    monkeypatch.setattr(Instance, "testimony", testimony)
    (asked,) = story.controls.answer([BOOT])
    assert asked.answers[RESTART].shown is Shown.UNKNOWN
    assert attribute(asked).suspects == (Party.SOURCE, Party.IMAGE)


def test_what_never_came_up_at_home_is_held_against_the_golden_image_there(tell: Tell) -> None:
    trouble = Trouble(stage=Stage.EXPORT, at_home=True)
    story = tell(at_home=True)
    story.at = replace(story.at, own_image=OwnImage(path=Path("app.qcow2"), size_bytes=1, sha256="", told="app.qcow2"))
    (asked,) = story.controls.answer([trouble])
    assert shown(asked)["golden-image"] == "clean"
    assert attribute(asked).party is Party.IMAGE
    assert story.made(story.home, "server")[-1] == "control-golden-image"


def test_where_anne_started_from_the_golden_image_there_is_no_other_at_home(tell: Tell) -> None:
    story = tell(at_home=True)
    (asked,) = story.controls.answer([Trouble(stage=Stage.EXPORT, at_home=True)])
    assert asked.answers[GOLDEN] == Answer(
        Shown.UNKNOWN,
        "could not be run: Anne's instance started from the golden image itself, and the source names no other",
    )
    assert attribute(asked).party is None


def test_only_anne_s_image_is_asked_for_what_was_at_home(tell: Tell) -> None:
    story = tell(silent=COPIES)  # nobody waits for an app then
    (asked,) = story.controls.answer([Trouble(stage=Stage.APPLICATION, checks=("AP-5",))])
    assert asked.answers[OWN] == Answer(Shown.UNKNOWN, "only Anne's image can be asked for what was at home")


def test_an_image_that_user_data_did_not_give_the_app_is_not_asked_for_it(
    tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a cloud without user data the destination's own image has no app, and that is nobody's fault."""
    story, report = tell(), healthy_report()
    assert report is not None
    without = replace(report, user_data=replace(report.user_data, exit_code=None))

    def testimony(guest: Instance, facts: BootFacts, deadline: Deadline) -> BootFacts:
        return replace(facts, report=without if facts.name.endswith("own-image") else None)

    monkeypatch.setattr(Instance, "testimony", testimony)
    (asked,) = story.controls.answer([Trouble(stage=Stage.APPLICATION, checks=("AP-1",))])
    assert asked.answers[OWN] == Answer(Shown.UNKNOWN, "user data did not install Anne's app there")


def test_several_troubles_share_the_boots(tell: Tell) -> None:
    story = tell(silent={"control-own-image"})
    second = Trouble(stage=Stage.BOOT, was_up_at_home=True)
    asked = story.controls.answer([BOOT, second])
    assert [attribute(one).party for one in asked] == [Party.DESTINATION, Party.DESTINATION]
    assert story.made(story.abroad, "server") == ["anne", "control-own-image"]


def test_no_control_is_begun_when_their_time_is_up(tell: Tell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controls, "CONTROLS_TIMEOUT_S", 0.0)
    story = tell()
    (asked,) = story.controls.answer([BOOT])
    assert {one.words for one in asked.answers.values()} == {"the time for controls was up"}
    assert story.made(story.abroad, "server") == ["anne"]


@pytest.mark.parametrize("error", [CloudError("HTTP 500"), KeyError("ports")])
def test_a_control_that_breaks_is_not_known_and_its_server_goes(
    error: Exception, tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = tell()

    def broken(cloud: Cloud, server_id: str, networks: object) -> object:
        raise error

    monkeypatch.setattr(Cloud, "list_ports", broken)
    (asked,) = story.controls.answer([BOOT])
    assert asked.answers[OWN].shown is Shown.UNKNOWN
    assert attribute(asked).party is None
    assert story.open(story.abroad, "server") == ["interop-t1-anne"]


def test_a_journal_that_cannot_be_written_ends_the_run(tell: Tell, monkeypatch: pytest.MonkeyPatch) -> None:
    story = tell()

    def full(*_: object, **__: object) -> None:
        raise RecordError("disk full")

    mine = story.controls
    monkeypatch.setattr(story.home.journal, "write", full)
    with pytest.raises(RecordError):
        mine.answer([BOOT])


def test_an_interrupt_ends_the_controls_and_takes_their_server_along(
    tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = tell()

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Instance, "testimony", interrupt)
    with pytest.raises(KeyboardInterrupt):
        story.controls.answer([BOOT])
    assert story.open(story.abroad, "server") == ["interop-t1-anne"]
    assert story.abroad.cloud.cleanup(Deadline.after(30)).failures == ()
    assert story.open(story.abroad, "keypair") == []
