from __future__ import annotations

from dataclasses import replace

import pytest

from golden_flows.checks.boot import what_the_console_tells
from golden_flows.model.check import given
from golden_flows.model.facts import Facts
from golden_flows.model.finding import NotApplicable, NotObserved
from golden_flows.model.guest import Consoles, Getty, Link
from selftests.golden_flows.checks.facts_builder import (
    failing,
    healthy_facts,
    said,
    with_block,
    with_boot,
    with_dst,
    with_files,
    with_identity,
    with_report,
)

UNBOOTABLE = (
    "SeaBIOS (version 1.16)\nBooting from Hard Disk...\nBoot failed: not a bootable disk\nNo bootable device.\n"
)


def test_a_server_in_error_is_a_finding_with_its_fault() -> None:
    facts = with_boot(status="ERROR", statuses_seen=("BUILD", "ERROR"), fault="No valid host", report=None, console="")
    assert failing(facts) == {"BT-1"}
    found = said("BT-1", facts)
    assert isinstance(found, tuple)
    assert "No valid host" in found[0].actual
    assert isinstance(said("BT-4", facts), NotObserved)


def test_active_without_a_bootable_disk_is_a_finding() -> None:
    assert failing(with_boot(report=None, console=UNBOOTABLE)) == {"BT-1", "BT-2"}


def test_active_and_silent_after_the_kernel_is_a_finding() -> None:
    assert failing(with_boot(report=None, console="Linux version 6.1.0\nstarting")) == {"BT-1"}


@pytest.mark.parametrize(
    ("addresses", "is_wrong"),
    [((), True), (("fe80::f816:3eff:fe00:1/64",), True), (("192.168.100.10/24",), False)],
    ids=["none", "link-local", "its own"],
)
def test_a_guest_whose_console_says_that_it_has_no_address_is_a_finding(
    addresses: tuple[str, ...], is_wrong: bool
) -> None:
    """As stock cloud-init leaves it where network_data.json is empty; with an address, it is somebody's else."""
    port = given(healthy_facts().boot).ports[0]
    assert port.fixed_ip is not None
    own = tuple(one if "192" not in one else f"{port.fixed_ip}/24" for one in addresses)
    link = Link(name="ens2", mac=port.mac, addresses=own)
    facts = with_boot(report=None, console="Cloud-init v. 22.4.2 finished", console_links=(link,))
    facts = replace(facts, boot=replace(given(facts.boot), console_marker="Cloud-init v. "))
    assert failing(facts) == ({"BT-1"} if is_wrong else set())


@pytest.mark.parametrize("console", ["", "@ICT1 run-1 0 1/9 damaged"], ids=["mute", "half a report"])
def test_a_guest_of_which_nothing_is_known_earns_neither_pass_nor_blame(console: str) -> None:
    assert isinstance(said("BT-1", with_boot(report=None, console=console)), NotObserved)


@pytest.mark.parametrize(
    "line",
    [
        "[  190.1] dracut-initqueue[300]: Warning: dracut-initqueue timeout - starting timeout scripts",
        "ALERT!  UUID=1-2 does not exist.  Dropping to a shell!",
        "VFS: Unable to mount root fs on unknown-block(0,0)",
        "grub rescue> ",
        "You are in emergency mode. After logging in, type",
        "Kernel panic - not syncing: VFS",
        "initramfs: NO ROOT after 10 s",
        "initramfs: no file system with UUID 1-2; found:",
    ],
)
def test_words_of_a_failed_boot_are_a_finding(line: str) -> None:
    facts = with_boot(console=f"Linux version\n{line}\n@ICT1 x\n")
    assert failing(facts) == {"BT-2"}


def test_firmware_that_tries_the_optical_drive_first_is_no_failed_boot() -> None:
    console = "Boot failed: Could not read from CDROM (code 0003)\nLinux version\n@ICT1 x\n"
    assert failing(with_boot(console=console)) == set()


PVGRUB_ASKS = """\
\x1b[30m\x1b[47mWelcome to GRUB!

\x1b[37m\x1b[40merror: no such device: /boot/grub/grub.cfg.
\x1b[H\x1b[J\x1b[1;1H\x1b[2;24HGNU GRUB  version 2.06-13+deb12u2

   Minimal BASH-like line editing is supported. For the first word, TAB
grub> """
"""Of Xen's pvgrub on a disk without a partition table, as seen."""


@pytest.mark.parametrize("console", [PVGRUB_ASKS, "Welcome to GRUB!\n\ngrub> "], ids=["whole", "the prompt alone"])
def test_a_boot_loader_that_asks_for_commands_is_a_failed_boot(console: str) -> None:
    assert failing(with_boot(report=None, console=console)) == {"BT-1", "BT-2"}


def test_a_device_that_grub_tried_before_the_right_one_is_no_failed_boot() -> None:
    assert failing(with_boot(console="error: no such device: fd0.\nLinux version\n@ICT1 x\n")) == set()


def test_a_console_full_of_panics_is_told_in_a_few_findings() -> None:
    console = "@ICT1\n" + "\n".join(f"Kernel panic {at}" for at in range(1000))
    found = said("BT-2", with_boot(console=console))
    assert isinstance(found, tuple)
    assert 1 <= len(found) <= 5


@pytest.mark.parametrize("name", ["cmdline_root", "fstab_root"])
@pytest.mark.parametrize("root", ["/dev/sda1", "/dev/vda1", "/dev/xvda2", "/dev/disk/by-path/pci-0000", "0801"])
def test_a_root_named_by_device_is_a_finding(name: str, root: str) -> None:
    assert failing(with_block(**{name: root})) == {"BT-3"}


@pytest.mark.parametrize("root", ["LABEL=root", "PARTUUID=1", "/dev/disk/by-uuid/1", "/dev/mapper/vg-root"])
def test_stable_names_of_the_root_pass(root: str) -> None:
    assert said("BT-3", with_block(cmdline_root=root, fstab_root=None)) == ()


def test_an_empty_console_is_a_finding_of_the_console_check_only() -> None:
    facts = with_boot(console="")
    assert failing(facts) == {"BT-4"}
    assert isinstance(said("BT-2", facts), NotObserved)


def test_a_console_without_the_marker_of_a_guest_that_reports_is_a_finding() -> None:
    assert failing(with_boot(console="Linux version 6.1\n")) == {"BT-4"}


def test_a_cloud_that_offers_no_console_is_not_judged_for_it() -> None:
    facts = with_dst(console=False)
    found = said("BT-4", replace(facts, boot=with_boot(console="").boot))
    assert isinstance(found, NotApplicable)
    assert "console" in found.proof


def test_generic_hardware_is_a_finding() -> None:
    assert failing(with_identity(smbios_product="Standard PC (i440FX + PIIX, 1996)")) == {"BT-8"}


def test_another_uuid_in_the_firmware_is_told_by_both_who_need_it() -> None:
    assert failing(with_identity(smbios_uuid="6f1d2c3b-0000-4000-8000-00000000ffff")) == {"BT-8", "MD-3"}


@pytest.mark.parametrize("uuid", [None, "Not Settable", "00000000-0000-0000-0000-000000000000"])
def test_a_firmware_without_uuid_earns_no_pass_but_is_not_the_metadata_s_fault(uuid: str | None) -> None:
    facts = with_identity(smbios_uuid=uuid)
    assert isinstance(said("BT-8", facts), NotObserved)
    assert said("MD-3", facts) == ()


ON_XEN = "Linux version 6.1.0\n[    0.0] Booting paravirtualized kernel on Xen\n"


@pytest.mark.parametrize(
    "lines",
    [
        "initramfs: xen device vbd-51712 has no driver (xen_blkfront is not in this initramfs)\n",
        f"{ON_XEN}ALERT!  UUID=1-2 does not exist.  Dropping to a shell!\n",
        f"{ON_XEN}VFS: Unable to mount root fs on unknown-block(0,0)\n",
    ],
    ids=["pocket", "Debian", "no initramfs"],
)
def test_a_guest_without_xen_blkfront_is_told_so_by_name(lines: str) -> None:
    facts = with_boot(report=None, console=lines)
    assert failing(facts) == {"BT-1", "BT-2"}
    found = said("BT-2", facts)
    assert isinstance(found, tuple)
    assert "put xen-blkfront into the initramfs" in found[0].remedy


def test_another_missing_root_on_xen_is_not_blamed_on_the_driver() -> None:
    console = f"{ON_XEN}blkfront: xvda: flush diskcache: enabled\nALERT!  UUID=1-2 does not exist.\n"
    found = said("BT-2", with_boot(report=None, console=console))
    assert isinstance(found, tuple)
    assert "blkfront" not in found[0].remedy


def with_gettys(*gettys: Getty) -> Facts:
    return with_files(consoles=Consoles(active=("ttyS0",), gettys=gettys))


def test_a_getty_that_does_not_stay_up_is_a_finding() -> None:
    facts = with_gettys(Getty(line="ttyS0", exists=True, respawns=0), Getty(line="hvc0", exists=False, respawns=12))
    assert failing(facts) == {"BT-5"}
    found = said("BT-5", facts)
    assert isinstance(found, tuple)
    assert [one.subject for one in found] == ["getty on hvc0"]


def test_a_getty_that_was_started_on_no_console_is_a_finding_before_it_ends() -> None:
    resting, started = (Getty(line="hvc0", exists=False, respawns=0, started=one) for one in (False, True))
    there = Getty(line="ttyS0", exists=True, respawns=0)
    assert said("BT-5", with_gettys(there, resting)) == ()
    assert failing(with_gettys(there, started)) == {"BT-5"}


def test_gettys_that_all_rest_are_a_finding() -> None:
    assert failing(with_gettys(Getty(line="hvc0", exists=False, respawns=0, started=False))) == {"BT-5"}


def test_somebody_who_logged_out_is_no_failed_getty() -> None:
    assert said("BT-5", with_gettys(Getty(line="ttyS0", exists=True, respawns=2))) == ()


def test_a_guest_without_gettys_proves_it_and_one_that_does_not_tell_earns_no_pass() -> None:
    assert isinstance(said("BT-5", with_gettys()), NotApplicable)
    assert isinstance(said("BT-5", with_files(consoles=None)), NotObserved)
    told = with_report(consoles=Consoles(gettys=(Getty(line="ttyS0", exists=True, respawns=9),)))
    assert "BT-5" in failing(replace(told, auth=with_files(consoles=None).auth))


def test_of_a_guest_that_never_reports_the_console_is_judged() -> None:
    assert what_the_console_tells("  \n") == "its console is empty"
    assert what_the_console_tells("SeaBIOS\nBoot failed: not a bootable disk\n\nretrying\n") == (
        "its console says 'Boot failed: not a bootable disk'"
    )
    assert "no agent that is read here" in what_the_console_tells("Debian GNU/Linux 12 anne ttyS0\n\nanne login: ")
    assert what_the_console_tells("one\ntwo\n") == "its console ends 'two'"


def test_a_guest_that_booted_without_our_agent_is_told_apart_from_one_that_did_not() -> None:
    found = said("BT-1", with_boot(report=None, console="Linux\n\ncirros login: "))
    assert isinstance(found, tuple)
    assert "shows a login prompt" in found[0].actual
    assert "interop_agent" in found[0].remedy
