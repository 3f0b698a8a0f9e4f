"""Waiting for a guest's word, over one boot or two."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from golden_flows.agents import Agent, reference
from golden_flows.clouds.cloud import Cloud
from golden_flows.errors import GuestError
from golden_flows.flows.instance import Instance
from golden_flows.journal import Journal
from golden_flows.model.cloud import Profile
from golden_flows.model.facts import BootFacts
from golden_flows.model.guest import AgentPhase, Drivers, GuestReport, Link
from golden_flows.waiting import Clock, Deadline

LAST = (AgentPhase(name="userdata", verdict="ok"),)
FACTS = BootFacts(
    server_id="s-1",
    name="anne",
    status="ACTIVE",
    statuses_seen=("ACTIVE",),
    fault="",
    console="",
    console_marker="@",
    report=None,
    ports=(),
    seconds_to_active=1.0,
    seconds_to_report=None,
)


class FewReports:
    """An agent whose guest reports so many times, one more at every look."""

    CONSOLE_MARKER = "@"

    def __init__(self, reports: list[GuestReport]) -> None:
        self._reports, self._looks = reports, 0

    def from_console(self, text: str, run: str | None) -> tuple[GuestReport, ...]:
        self._looks += 1
        return tuple(self._reports[: self._looks])

    def says_done(self, console: str) -> bool:
        return False

    def progress(self, console: str) -> str:
        return ""

    def links_on(self, console: str) -> tuple[Link, ...]:
        return ()

    def is_last(self, report: GuestReport) -> bool:
        return reference.is_last(report)


class SilentCloud:
    """No console worth reading; the agent above makes it all up."""

    profile = Profile(cloud="c", boot_timeout_s=30.0)

    def read_console(self, server_id: str) -> str:
        return "console"


def report(boot_id: str, *, reboot: str | None = None, phases: tuple[AgentPhase, ...] = LAST) -> GuestReport:
    drivers = Drivers(verdict="ok", reboot=reboot)
    return GuestReport(run="r", boot_id=boot_id, kernel="6.1", verdict="ok", phases=phases, drivers=drivers)


def hear(reports: list[GuestReport], folder: Path, known: tuple[str, ...] = ()) -> tuple[BootFacts, list[str]]:
    said: list[str] = []
    journal = Journal(folder)
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    try:
        guest = Instance(cast(Cloud, SilentCloud()), journal, "r", said.append, cast(Agent, FewReports(reports)))
        deadline = Deadline.after(30.0, Clock(lambda: now[0], sleep))
        return guest.testimony(FACTS, deadline, not_boot_ids=known), said
    finally:
        journal.close()


def test_one_boot_is_one_report(tmp_path: Path) -> None:
    facts, _ = hear([report("b-1", phases=()), report("b-1")], tmp_path)
    assert facts.report == report("b-1")
    assert facts.earlier is None


def test_a_guest_that_reboots_for_its_drivers_is_followed_and_both_reports_are_kept(tmp_path: Path) -> None:
    pending = report("b-1", reboot="pending", phases=())
    done = report("b-2", reboot="done")
    facts, said = hear([pending, pending, pending, done], tmp_path)
    assert facts.report == done
    assert facts.earlier == pending
    assert "reboots" in said[-1]


def test_metadata_is_offered_again_to_a_guest_that_reboots_for_its_drivers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that states no uuid has kept nothing of the boot before."""
    pushed: list[bytes] = []

    def push(address: str, access: str | None, key: bytes, body: bytes) -> bool:
        pushed.append(body)
        return True

    monkeypatch.setattr("golden_flows.shims.push.push", push)
    journal = Journal(tmp_path)
    agent = cast(Agent, FewReports([report("b-1", reboot="pending"), report("b-2", reboot="done")]))
    guest = Instance(cast(Cloud, SilentCloud()), journal, "r", lambda text: None, agent, push_key="00")
    guest._metadata, guest.address = b"told", "192.0.2.1"
    assert guest.testimony(FACTS, Deadline.after(30.0)).earlier is not None
    assert pushed == [b"told", b"told"], "once in each boot"
    journal.close()


def test_a_reboot_that_never_comes_leaves_the_first_report(tmp_path: Path) -> None:
    pending = report("b-1", reboot="pending")
    facts, _ = hear([pending], tmp_path)
    assert facts.report == pending
    assert facts.earlier is None


def test_a_server_in_error_is_not_waited_for_and_its_console_is_kept(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    guest = Instance(cast(Cloud, SilentCloud()), journal, "r", pytest.fail, cast(Agent, FewReports([])))
    facts = guest.testimony(replace(FACTS, status="ERROR"), Deadline.after(30.0))
    assert (facts.report, facts.console) == (None, "console")
    journal.close()


@pytest.mark.parametrize(("word", "waited_s"), [("finished", 0.0), ("running 'init'", 30.0)])
def test_an_image_that_does_not_say_its_agent_is_found_out_by_its_console(
    tmp_path: Path, word: str, waited_s: float
) -> None:
    """At once where that agent has finished; where it is at work only when the time is up."""

    class CloudInitConsole(SilentCloud):
        def read_console(self, server_id: str) -> str:
            return f"Cloud-init v. 22.4.2 {word} at Wed, 25 Nov 2026 16:00:40 +0000.\n"

    now = [0.0]
    clock = Clock(lambda: now[0], lambda seconds: now.__setitem__(0, now[0] + seconds))
    journal = Journal(tmp_path)
    guest = Instance(cast(Cloud, CloudInitConsole()), journal, "r", lambda text: None)
    with pytest.raises(GuestError, match="is cloud_init's") as caught:
        guest.testimony(FACTS, Deadline.after(30.0, clock))
    assert "interop_agent=cloud_init" in caught.value.remedy
    assert now[0] == pytest.approx(waited_s, abs=1.0)
    journal.close()


NO_DISK = "SeaBIOS (version 1.16)\nBooting from Hard Disk...\nBoot failed: not a bootable disk\n\nNo bootable device.\n"


@pytest.mark.parametrize(
    ("console", "waited_s"),
    [
        (NO_DISK, 30.0),
        ("[ 1.0] Begin: Mounting root\nALERT! UUID=1 does not exist. Dropping to a shell!\n\n(initramfs) ", 30.0),
        ("grub> ", 30.0),
        # What the firmware said of one device is not the end: GRUB is silent while it reads.
        (NO_DISK.replace("No bootable device.", "Booting from Hard Disk...\nGRUB loading.\nWelcome\nLoading"), 300.0),
        ("Booting from DVD/CD...\nBoot failed: Could not read from CDROM\nBooting from Hard Disk...\n", 300.0),
        ("error: no such device: 1234.\nLoading Linux ...\nLoading initial ramdisk ...\n", 300.0),
        ("", 300.0),
        ("[ 1.0] Linux version 6.1", 300.0),
    ],
)
def test_a_guest_whose_console_ends_in_a_failed_boot_is_not_waited_for_to_the_end(
    tmp_path: Path, console: str, waited_s: float
) -> None:
    class Dead(SilentCloud):
        def read_console(self, server_id: str) -> str:
            return console

    now = [0.0]
    clock = Clock(lambda: now[0], lambda seconds: now.__setitem__(0, now[0] + seconds))
    journal = Journal(tmp_path)
    guest = Instance(cast(Cloud, Dead()), journal, "r", lambda text: None, cast(Agent, FewReports([])))
    facts = guest.testimony(FACTS, Deadline.after(300.0, clock))
    assert facts.report is None
    assert facts.waited_s == now[0] == pytest.approx(waited_s, abs=1.0)
    journal.close()


def test_a_guest_that_goes_on_after_all_is_waited_for(tmp_path: Path) -> None:
    """The firmware tries one device after the other, and says of each that it failed."""

    class Slow(SilentCloud):
        def read_console(self, server_id: str) -> str:
            return "Boot failed: could not read\n" * (1 + int(now[0] // 20))

    now = [0.0]
    clock = Clock(lambda: now[0], lambda seconds: now.__setitem__(0, now[0] + seconds))
    journal = Journal(tmp_path)
    guest = Instance(cast(Cloud, Slow()), journal, "r", lambda text: None, cast(Agent, FewReports([])))
    guest.testimony(FACTS, Deadline.after(100.0, clock))
    assert now[0] == pytest.approx(100.0, abs=1.0)
    journal.close()


def test_boots_that_are_known_do_not_count(tmp_path: Path) -> None:
    known = [report("b-1"), replace(report("b-2"), verdict="degraded")]
    facts, _ = hear([*known, report("b-3")], tmp_path, ("b-1", "b-2"))
    assert facts.report == report("b-3")
