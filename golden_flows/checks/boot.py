"""Did the guest come up on the destination, and does it know where it is?"""

from __future__ import annotations

import re

from golden_flows.errors import shorten
from golden_flows.model.check import SILENT_GUEST, check, given, unseen_inside, verdict
from golden_flows.model.facts import BootFacts, Facts
from golden_flows.model.finding import Finding, NotApplicable, NotObserved, Said
from golden_flows.model.guest import canonical_mac
from golden_flows.model.network_data import bare_ip
from golden_flows.model.xen import HypervisorSeen

NO_ROOT = (
    r"dracut-initqueue.*timeout",
    r"ALERT!.*does not exist",
    r"VFS: Unable to mount root",
    r"VFS: Cannot open root device",
    r"\bNO ROOT\b",
    r"no file system with UUID",
    r"(?:in|entering) emergency mode",
    r"Kernel panic",
    r"grub rescue>",
    r"error: unknown filesystem",
    r"\bvbd-\d+ has no driver",
)
"""Said by boot loaders, kernels and initramfs that will not go on."""

NO_DISK = (
    r"No bootable device",
    r"Boot failed",
    r"Operating System not found",
    r"not a bootable disk",
    r"error: no such device",
    r"^grub>",
)
"""Said by firmware and GRUB of each device they try, so it counts only where the guest never came up in the end.

GRUB without a configuration (Xen's pvgrub on a disk that it cannot read) asks somebody for commands.
"""

FAILED = re.compile("|".join((*NO_ROOT, *NO_DISK)), re.IGNORECASE | re.MULTILINE)
_NO_ROOT = re.compile("|".join(NO_ROOT), re.IGNORECASE | re.MULTILINE)
FAILURE_LINES = 3
"""An initramfs that gives up says so, names the device, and offers a shell."""

STABLE_ROOT = re.compile(r"(UUID|LABEL|PARTUUID|PARTLABEL)=|/dev/disk/by-(uuid|label|partuuid|partlabel)/|/dev/mapper/")
"""by-id and by-path name the bus of one hypervisor; LVM names travel with the disk."""

OPENSTACK_PRODUCTS = ("OpenStack Nova", "OpenStack Compute", "OpenStack Foundation")
"""SMBIOS product names by which guests recognise OpenStack. Source: cloud-init tools/ds-identify."""

XEN_KERNEL = re.compile(
    r"paravirtualized kernel on Xen|Hypervisor detected: Xen|\bXen version: |xen device vbd-\d+|\bvbd-\d"
)
"""Words of a kernel or an initramfs that runs on Xen."""

BLKFRONT = re.compile(r"\bblkfront: xvd")
"""xen-blkfront's word on every disk that it drives."""

RESPAWNS_MAX = 2
"""A getty ends when somebody logs out; one that ends oftener within a boot has no console to stand on."""

LINES_MAX = 5
LOGIN_PROMPT = re.compile(r"^\S+ login: ?$", re.MULTILINE)
"""As getty writes it."""


@check("BT-1", needs=("boot",))
def server_is_active_and_guest_is_up(facts: Facts) -> Said:
    """ACTIVE means that a process runs. Only the guest's own report shows that the kernel found its disk."""
    boot = given(facts.boot)
    subject = f"server {boot.server_id} on {facts.dst.cloud}"
    if boot.status != "ACTIVE":
        way = " → ".join(boot.statuses_seen) or boot.status
        actual = f"{way}{f' ({shorten(boot.fault, 200)})' if boot.fault else ''}"
        return (Finding(subject, "ACTIVE", actual, "read the server's fault and nova-compute's log"),)
    if boot.report is not None:
        return ()
    if unreachable := _without_address(boot):
        return unreachable
    if boot.console_marker in boot.console:
        return NotObserved("the guest agent began to report on the console, but no whole report reached us")
    if not boot.console.strip():
        return NotObserved("no report over SSH and an empty console: a dead guest cannot be told from a mute one")
    remedy = "read the console: does the firmware find the disk, and the initramfs a driver for it?"
    if LOGIN_PROMPT.search(boot.console):
        remedy = f"the guest did boot: is its agent {facts.dst.agent!r}, and did it run? (image property interop_agent)"
    expected = f"a report of its agent within {facts.dst.boot_timeout_s:.0f} s"
    waited = f" for {boot.waited_s:.0f} s" if boot.waited_s is not None else ""
    return (Finding(subject, expected, f"ACTIVE and silent{waited}; {what_the_console_tells(boot.console)}", remedy),)


def ends_in_failure(console: str) -> bool:
    """Whether the last that a guest said is that its boot failed.

    Firmware and GRUB go on with the next device or without what they miss, and say so: theirs must be the last line. It
    is no proof before the console has been quiet for a while.
    """
    last = [line for line in console.splitlines() if line.strip()][-FAILURE_LINES:]
    return bool(_NO_ROOT.search("\n".join(last)) or FAILED.search("".join(last[-1:])))


def what_the_console_tells(console: str) -> str:
    """Of a guest that never reported, the best there is: the words of a failed boot, a login prompt, or its end."""
    if not console.strip():
        return "its console is empty"
    lines = [line.strip() for line in console.splitlines() if line.strip()]
    failed = [line for line in lines if FAILED.search(line)]
    if failed:
        return f"its console says {shorten(failed[-1], 160)!r}"
    if LOGIN_PROMPT.search(console):
        return "its console shows a login prompt: it did boot, and no agent that is read here told of it"
    return f"its console ends {shorten(lines[-1], 160)!r}"


def _without_address(boot: BootFacts) -> tuple[Finding, ...]:
    """A guest that says on its console that its first NIC has no address can be reached by nobody."""
    port = boot.ports[0] if boot.ports else None
    link = next((one for one in boot.console_links if port and one.mac == canonical_mac(port.mac)), None)
    if port is None or link is None or port.fixed_ip is None:
        return ()
    told = [ip for one in link.addresses if (ip := bare_ip(one)) is not None]
    if port.fixed_ip in told or port.fixed_ip6 in told:
        return ()
    remedy = (
        "tell the guest of its NIC: an agent that finds network_data.json without links configures none, by DHCP either"
    )
    actual = f"{link.name} has {', '.join(told) or 'no address'}, so the guest can be reached by nobody"
    return (Finding(f"NIC {port.mac} as the console tells", f"{port.fixed_ip}", actual, remedy),)


@check("BT-2", needs=("boot",))
def console_shows_no_failed_boot(facts: Facts) -> Said:
    """The words by which firmware, boot loaders and initramfs say that they cannot find the disk."""
    boot = given(facts.boot)
    if not boot.console.strip():
        return NotObserved("the console is empty (see BT-4)")
    patterns = NO_ROOT if boot.report is not None else (*NO_ROOT, *NO_DISK)
    bad = re.compile("|".join(patterns), re.IGNORECASE)
    lines = dict.fromkeys(line.strip() for line in boot.console.splitlines() if bad.search(line))
    remedy = _remedy(boot.console)
    return tuple(
        Finding(f"console of server {boot.server_id}", "no message of a failed boot", repr(shorten(line, 160)), remedy)
        for line in list(lines)[:LINES_MAX]
    )


def _domain_is_the_server(boot: BootFacts, seen: HypervisorSeen) -> Said:
    if seen.uuid is None:
        return NotObserved("a Xen guest without SMBIOS, and /sys/hypervisor/uuid says nothing")
    if seen.uuid.strip().lower() != boot.server_id.lower():
        remedy = "let the hypervisor driver give the domain the server's id as uuid"
        return (Finding("/sys/hypervisor/uuid", boot.server_id, shorten(seen.uuid, 60), remedy),)
    return NotApplicable(f"Xen gives {seen.guest_type} guests no SMBIOS ({seen}); the domain's uuid is the server's id")


def _remedy(console: str) -> str:
    """On Xen, a kernel that found no root and drives no Xen disk lacks one module, and it has a name."""
    if XEN_KERNEL.search(console) and not BLKFRONT.search(console):
        return (
            "put xen-blkfront into the initramfs before the export (dracut --add-drivers, or"
            " /etc/initramfs-tools/modules): this guest runs on Xen, and nothing in it drives Xen's disks"
        )
    return "put the destination's disk driver into the initramfs, and name the root file system by UUID"


@check("BT-3", needs=("boot",))
def root_has_a_name_that_travels(facts: Facts) -> Said:
    """sda, vda and xvda are names of one hypervisor."""
    report = given(facts.boot).report
    if report is None:
        return SILENT_GUEST
    if report.block.cmdline_root is None:
        return NotObserved("the guest reported no root= of its kernel command line")
    remedy = "use root=UUID=… in the boot loader and UUID=… in /etc/fstab"
    return tuple(
        Finding(subject, "UUID or LABEL", repr(shorten(name, 120)), remedy)
        for subject, name in (
            ("root= on the kernel command line", report.block.cmdline_root),
            ("root file system in /etc/fstab", report.block.fstab_root),
        )
        if name is not None and not STABLE_ROOT.match(name)
    )


@check("BT-4", needs=("boot",))
def console_carries_what_the_guest_prints(facts: Facts) -> Said:
    """Without a serial console nobody learns why a guest that cannot be reached is silent."""
    boot = given(facts.boot)
    if not facts.dst.console:
        return NotApplicable(f"the profile of {facts.dst.cloud} says console = false")
    if boot.console_marker in boot.console:
        return ()
    if boot.status != "ACTIVE":
        return NotObserved(f"the server is {boot.status}, so nothing prints (see BT-1)")
    subject = f"os-getConsoleOutput of server {boot.server_id}"
    expected = f"the agent's mark {boot.console_marker!r}"
    if not boot.console.strip():
        remedy = "give guests a serial console: console=ttyS0 or hvc0 in the image, a log file on the hypervisor"
        return (Finding(subject, expected, "an empty console", remedy),)
    if boot.report is None:
        return NotObserved("the guest never reported, so its agent may never have printed (see BT-1)")
    remedy = "make the console ring larger, and name the cloud's console device on the kernel command line"
    return (Finding(subject, expected, f"{len(boot.console)} characters without it", remedy),)


@check("BT-5", needs=("boot", "auth"))
def login_prompts_are_on_consoles_that_exist(facts: Facts) -> Said:
    """A getty for a console of another cloud ends, after seconds or at once, and init starts it again for ever."""
    report = given(facts.boot).report
    consoles = given(facts.auth).files.consoles or (report.consoles if report is not None else None)
    if consoles is None:
        return SILENT_GUEST if report is None else unseen_inside(facts, "the guest did not tell of its login prompts")
    if not consoles.gettys:
        return NotApplicable(f"init keeps no login prompt up; the kernel prints on {_listed(consoles.active)}")
    remedy = (
        "start gettys only on consoles that exist (systemd's getty generator does), or take the line out of inittab"
    )
    findings: list[Finding] = []
    for one in consoles.gettys:
        if one.respawns > RESPAWNS_MAX or (one.started and not one.exists):
            there = "there" if one.exists else "no such console"
            actual = f"{there}; started again {one.respawns} times in this boot"
            findings.append(
                Finding(f"getty on {shorten(one.line, 40)}", "up, on a console that exists", actual, remedy)
            )
    if not findings and not any(one.exists for one in consoles.gettys):
        lines = _listed(tuple(one.line for one in consoles.gettys))
        remedy = "add a getty for the console that this cloud gives its guests"
        findings.append(Finding("login prompts", "one on a console that exists", f"{lines}: none exists", remedy))
    return tuple(findings)


def _listed(names: tuple[str, ...]) -> str:
    return shorten(", ".join(names), 120) or "nothing"


@check("BT-8", needs=("boot",))
def hardware_says_openstack(facts: Facts) -> Said:
    """Guests decide by SMBIOS whether to ask for OpenStack metadata, and whose it must be.

    Xen builds none for PV and PVH guests: the domain's uuid then stands alone for the server.
    """
    boot = given(facts.boot)
    if boot.report is None:
        return SILENT_GUEST
    identity, seen = boot.report.identity, boot.report.hypervisor
    if seen is not None and seen.is_xen and seen.guest_type in ("PV", "PVH") and identity.smbios_product is None:
        return _domain_is_the_server(boot, seen)
    findings: list[Finding] = []
    unseen: list[str] = []
    uuid = identity.stated_smbios_uuid
    if uuid is None:
        unseen.append("the guest sees no SMBIOS system uuid")
    elif uuid != boot.server_id.lower():
        remedy = "let the hypervisor driver set the SMBIOS system uuid to the server's id"
        findings.append(Finding("SMBIOS system uuid", boot.server_id, shorten(uuid, 60), remedy))
    if identity.smbios_product is None:
        unseen.append("the guest sees no SMBIOS product name")
    elif identity.smbios_product.strip() not in OPENSTACK_PRODUCTS:
        remedy = "let nova set sysinfo (product OpenStack Nova), else cloud-init does not look for OpenStack metadata"
        product = repr(shorten(identity.smbios_product, 60))
        findings.append(Finding("SMBIOS product name", " or ".join(OPENSTACK_PRODUCTS[:2]), product, remedy))
    return verdict(findings, unseen)
