"""Is the machine what the image asks for, and is it ready when the guest is: firmware, clock, disk, entropy?"""

from __future__ import annotations

from golden_flows.errors import shorten
from golden_flows.model.check import SILENT_GUEST, check, given
from golden_flows.model.facts import Facts
from golden_flows.model.finding import Finding, NotApplicable, NotObserved, Said
from golden_flows.model.platform_seen import QGA_PORT, PlatformSeen

FIRMWARE = "hw_firmware_type"
CLOCK_OFFSET_MAX_S = 5.0
CRNG_MAX_S = 30.0
"""Kernels since 5.4 make entropy of their own within a second; older ones without a source wait for minutes."""
METADATA_MAX_S = 50.0
"""What the first timeout of a metadata service costs an agent that believes in it. Source: cloud-init."""
NOT_GROWN_BYTES = 64 << 20
"""What partitioning programs leave at a disk's end is less."""
MIB = 1 << 20


@check("BT-6", needs=("platform",))
def firmware_is_the_image_s(facts: Facts) -> Said:
    """An image made for UEFI has no boot sector, and one made for BIOS no loader that UEFI finds.

    A paravirtual Xen guest has neither firmware, which is as good as a BIOS to its image.
    """
    seen = given(facts.platform)
    asked = seen.image.get(FIRMWARE, "")
    if not asked:
        return NotApplicable(f"the image says no {FIRMWARE}, and its guest runs: whatever firmware there is, it fits")
    if seen.has_efi is None:
        return _unseen(seen, "its firmware")
    found = "uefi" if seen.has_efi else "bios"
    if asked == found:
        return ()
    remedy = "boot what the image says: nova takes hw_firmware_type; look for a flavor or a host that overrides it"
    actual = f"{found} (/sys/firmware/efi is {'there' if seen.has_efi else 'not there'})"
    return (Finding(f"firmware of the guest on {facts.dst.cloud}", f"{asked}, by {FIRMWARE}", actual, remedy),)


@check("BT-7", needs=("platform",))
def the_root_disk_is_used_to_its_end(facts: Facts) -> Said:
    """Where the flavor's disk is larger than the image, what is in the image to grow it has grown it."""
    seen = given(facts.platform)
    root = seen.root
    if root.disk_bytes is None or root.end_bytes is None:
        return _unseen(seen, "its root disk")
    left = root.disk_bytes - root.end_bytes
    if left < NOT_GROWN_BYTES:
        return () if root.grower else NotApplicable(f"the disk is as large as the image: {left} bytes behind it")
    if not root.grower:
        return NotApplicable(
            f"{left // MIB} MiB are left, and nothing in the image grows it (growpart, systemd-growfs)"
        )
    remedy = "read cloud-init's log of growpart: a backup GPT in the middle of the disk stops it (see CV-5)"
    return (Finding("partition of /", f"to the end of the disk, by {root.grower}", f"{left // MIB} MiB left", remedy),)


@check("BT-9", needs=("platform",))
def the_clock_is_right(facts: Facts) -> Said:
    """TLS certificates and tokens are judged by the guest's clock, which begins as the host tells it."""
    seen = given(facts.platform)
    if seen.clock_offset_s is None:
        return _unseen(seen, "its clock")
    offset_s, slack_s = abs(seen.clock_offset_s), seen.clock_uncertainty_s
    if offset_s <= CLOCK_OFFSET_MAX_S + slack_s:
        return ()
    way = "ahead of" if seen.clock_offset_s > 0 else "behind"
    remedy = "set the host's clock by NTP and let its RTC tell UTC; run chrony in the image"
    actual = f"{offset_s:.0f} s {way} the API's Date"
    return (Finding("the guest's clock", f"within {CLOCK_OFFSET_MAX_S:.0f} s", actual, remedy),)


@check("BT-10", needs=("platform",))
def random_bytes_are_there_soon(facts: Facts) -> Said:
    """Key generation waits for them, and so does everything behind it."""
    seen = given(facts.platform)
    remedy = "give the image hw_rng_model=virtio, and the flavor hw_rng:allowed=True"
    if seen.crng_blocks:
        return (Finding("kernel log", "nobody waits for random bytes", shorten(seen.crng_blocks[0], 160), remedy),)
    if seen.crng_ready_s is None:
        if seen.kernel_log_is_whole:
            return (Finding("kernel log", "random: crng init done", "not there, though the log is whole", remedy),)
        return _unseen(seen, "the beginning of its kernel's log")
    if seen.crng_ready_s <= CRNG_MAX_S:
        return ()
    actual = f"{seen.crng_ready_s:.0f} s after the kernel's start"
    return (Finding("random: crng init done", f"within {CRNG_MAX_S:.0f} s", actual, remedy),)


@check("BT-11", needs=("boot",))
def no_stage_of_the_boot_waits_in_vain(facts: Facts) -> Said:
    """Kernel, agent, network, report: their times are on record. A metadata service that is silent costs a minute."""
    boot = given(facts.boot)
    if boot.report is None:
        return SILENT_GUEST
    timed = [one for one in boot.report.phases if one.began_s is not None and one.ended_s is not None]
    if not timed:
        return NotApplicable("the image's agent does not tell when it did what")
    findings: list[Finding] = []
    for one in timed:
        took_s = (one.ended_s or 0.0) - (one.began_s or 0.0)
        if one.name in ("detect", "network") and took_s > METADATA_MAX_S:
            remedy = (
                "let the metadata address refuse what it does not serve; drop nothing on the way to 169.254.169.254"
            )
            actual = f"{took_s:.0f} s ({shorten(one.verdict, 20)} {shorten(one.reason, 80)})"
            findings.append(Finding(f"phase {one.name} of the agent", f"under {METADATA_MAX_S:.0f} s", actual, remedy))
    return tuple(findings)


@check("PV-6", needs=("platform",))
def the_guest_agent_s_port_is_there(facts: Facts) -> Said:
    """Without the channel nova can neither set passwords nor quiesce, though the image says that it may."""
    seen = given(facts.platform)
    asked = seen.image.get("hw_qemu_guest_agent", "")
    if seen.error:
        return _unseen(seen, "its ports")
    has_port = QGA_PORT in seen.ports
    if asked.lower() not in ("yes", "true", "1", "on"):
        there = "there" if has_port else "not there"
        return NotApplicable(f"the image does not say hw_qemu_guest_agent=yes; port {QGA_PORT} is {there}")
    if has_port:
        return ()
    if facts.dst.hypervisor == "xen":
        return NotApplicable(f"{facts.dst.cloud} runs on Xen, which has another channel to its guests (PV-4)")
    remedy = "let the hypervisor give guests of such images the virtio serial port (nova's libvirt driver does)"
    actual = ", ".join(seen.ports) or "no virtio serial port"
    return (Finding("virtio serial ports of the guest", QGA_PORT, shorten(actual, 120), remedy),)


@check("PV-7", needs=("platform",))
def queues_are_as_many_as_asked(facts: Facts) -> Said:
    """Discards and queues are on record; they are judged only where the image asks for several queues."""
    seen = given(facts.platform)
    if seen.error or seen.cpus is None:
        return _unseen(seen, "its queues")
    asked = seen.image.get("hw_vif_multiqueue_enabled", "").lower() in ("yes", "true", "1", "on")
    if not asked or seen.cpus < 2:
        queues = ", ".join(f"{nic} {count}" for nic, count in sorted(seen.queues.items())) or "none seen"
        discard = seen.root.discard_max_bytes
        return NotApplicable(
            f"nothing asks for several queues ({seen.cpus} CPUs): {queues}; discards of {discard or 0} bytes at most"
        )
    remedy = "give the NIC as many queues as the guest has CPUs (hw_vif_multiqueue_enabled)"
    return tuple(
        Finding(f"receive queues of {shorten(nic, 40)}", "more than one", str(count), remedy)
        for nic, count in sorted(seen.queues.items())
        if count < 2
    )


def _unseen(seen: PlatformSeen, what: str) -> NotObserved:
    return NotObserved(f"the guest does not show {what}: {seen.error or 'no reason given'}")
