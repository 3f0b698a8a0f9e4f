"""Does the image tell what it is, and is what is in it fit for another machine?"""

from __future__ import annotations

from golden_flows.errors import shorten
from golden_flows.model.check import check, given
from golden_flows.model.facts import Facts
from golden_flows.model.file_system import FileSystemSeen
from golden_flows.model.finding import Finding, NotApplicable, NotObserved, Said
from golden_flows.model.image_facts import ExportFacts
from golden_flows.model.residue import RENEWED

KEPT = frozenset(
    (
        "hw_disk_bus",
        "hw_vif_model",
        "hw_scsi_model",
        "hw_firmware_type",
        "hw_machine_type",
        "hw_rng_model",
        "hw_qemu_guest_agent",
        "hw_vif_multiqueue_enabled",
        "img_config_drive",
        "os_type",
        "os_distro",
        "os_admin_user",
        "os_secure_boot",
    )
)
"""Properties by which the next cloud knows how to run the image. Source: nova's image metadata, ``ImageMetaProps``."""
GIB = 1 << 30


@check("EX-5", needs=("export",))
def properties_survive_the_snapshot(facts: Facts) -> Said:
    """What Anne's image said of itself her snapshot says too: in its words, or in those of the hardware it ran on."""
    export = given(facts.export)
    if export.started_from is None:
        return NotObserved("the image that Anne started from was not shown")
    told = {name: value for name, value in export.started_from.items() if name in KEPT}
    if not told:
        return NotApplicable(f"the image that Anne started from says none of: {', '.join(sorted(KEPT))}")
    remedy = "take them off nova's non_inheritable_image_properties, or set them on the image abroad"
    return tuple(
        Finding(f"property {name} of exported image {export.image_id}", shorten(told[name], 60), "none", remedy)
        for name in sorted(told)
        if not export.properties.get(name)
    )


@check("EX-6", needs=("export",))
def the_image_says_how_large_a_disk_it_needs(facts: Facts) -> Said:
    """Whoever picks a flavor goes by ``virtual_size`` and ``min_disk``: too little, and the guest does not fit."""
    export = given(facts.export)
    if export.shim is not None and export.shim.error:
        return NotObserved(f"the disk in it is not known: {shorten(export.shim.error, 160)} (see EX-1)")
    if export.size_bytes is not None and export.downloaded_bytes != export.size_bytes:
        return NotObserved("the download is not whole (see EX-2)")
    disk_bytes, findings = export.raw.size_bytes, []
    subject = f"exported image {export.image_id}, a disk of {disk_bytes} bytes"
    remedy = "let Glance read it from the image itself (virtual_size), and nova set min_disk of snapshots"
    if export.virtual_size_bytes is not None and export.virtual_size_bytes != disk_bytes and not _is_packed(export):
        findings.append(Finding(f"virtual_size of {subject}", f"{disk_bytes}", f"{export.virtual_size_bytes}", remedy))
    if export.min_disk_bytes and export.min_disk_bytes < disk_bytes:
        needs = f"at least {-(-disk_bytes // GIB)} GiB, or unset"
        findings.append(Finding(f"min_disk of {subject}", needs, f"{export.min_disk_bytes // GIB} GiB", remedy))
    return tuple(findings)


@check("EX-7", needs=("exported_disk",))
def the_file_system_can_be_mounted(facts: Facts) -> Said:
    """A snapshot of a running guest is as after a power cut: its journal mends that, where there is one."""
    disk = given(facts.exported_disk)
    if disk.error:
        return NotObserved(f"the exported disk could not be read: {shorten(disk.error, 200)}")
    if not disk.file_systems:
        return NotApplicable(f"no ext2, ext3 or ext4 begins with one of the disk's {disk.partitions} partitions")
    asked = (given(facts.export).started_from or {}).get("os_require_quiesce", "") if facts.export else ""
    findings: list[Finding] = []
    for one in disk.file_systems:
        subject = f"file system {one.uuid} in the exported disk"
        if trouble := _trouble(one, quiesced=asked.lower() in ("yes", "true", "1")):
            remedy = "snapshot with hw_qemu_guest_agent and os_require_quiesce, or of a server that is stopped"
            findings.append(Finding(subject, "unmounted, or with a journal to be replayed", trouble, remedy))
    return tuple(findings)


@check("EX-8", needs=("export",))
def the_image_holds_nothing_of_one_machine(facts: Facts) -> Said:
    """Names of NICs by their MACs, histories, a cloud-init that believes to be elsewhere: they travel, and bite.

    What every instance has and its agent makes anew (host keys, machine-id, leases) is listed in the evidence.
    """
    export = given(facts.export)
    if export.residue is None:
        if not facts.src.auth:
            return NotApplicable(f"the server on {facts.src.cloud} was launched with no way in: nobody was to look")
        return NotObserved("the instance at home could not be looked at")
    remedy = "clean the image before the export: virt-sysprep, cloud-init clean, rm of the files named"
    return tuple(
        Finding("the disk at home, just before its snapshot", f"no {one.kind}", shorten(one.path, 120), remedy)
        for one in export.residue
        if one.kind not in RENEWED
    )


def _trouble(one: FileSystemSeen, *, quiesced: bool) -> str:
    if one.has_errors:
        return "the kernel has noted errors in it"
    if one.needs_recovery and quiesced:
        return "mounted, though os_require_quiesce promises that it is frozen first"
    if not one.has_journal and not one.is_valid:
        return "mounted, and it has no journal"
    return ""


def _is_packed(export: ExportFacts) -> bool:
    """Glance does not look into containers."""
    return export.container_format not in (None, "bare")
