"""Is the disk that the destination made of the image still the same disk?"""

from __future__ import annotations

from golden_flows.errors import shorten
from golden_flows.model.check import check, given, verdict
from golden_flows.model.facts import Facts
from golden_flows.model.finding import Finding, NotApplicable, NotObserved, Said
from golden_flows.model.image_facts import ConversionFacts
from golden_flows.model.vhd import (
    CHS_MAX_BYTES,
    DYNAMIC,
    FIXED,
    NAMES,
    NotAVhdFooter,
    VhdFooter,
    read_footer,
)

SECTOR_BYTES = 512
MIB = 1024 * 1024
GZIP = b"\x1f\x8b"

IMPORT_FREE_S = 120.0
IMPORT_RATE_MIN_BYTES_S = 1 << 20
"""A MiB a second: an image of 20 GiB takes six hours then."""


@check("CV-1", needs=("conversion",))
def format_changes_only_as_declared(facts: Facts) -> Said:
    """An image that silently becomes another format has another hash and another size."""
    conversion = given(facts.conversion)
    declared = facts.dst.image_format
    if conversion.disk_format is None:
        return NotObserved("Glance names no disk_format for the imported image")
    expected = declared or conversion.asked_format
    if conversion.disk_format == expected:
        return ()
    why = f"{expected}, which the profile declares" if declared else f"{expected}, as asked: no conversion is declared"
    remedy = "set image_conversion.output_format in Glance to it, or declare image_format in the cloud's profile"
    return (Finding(f"disk_format after import on {facts.dst.cloud}", why, conversion.disk_format, remedy),)


@check("CV-2", needs=("conversion",))
def conversion_keeps_every_byte(facts: Facts) -> Said:
    """The stored image, expanded to RAW, is the original; what lies beyond its end is zero."""
    conversion = given(facts.conversion)
    remedy = "convert the original by hand with the same qemu-img and compare; then suspect memory or the store"
    findings: list[Finding] = []
    unseen: list[str] = []
    if conversion.expanded_sha256 is None:
        unseen.append(_not_expanded(conversion))
    elif conversion.expanded_sha256 != conversion.original_sha256:
        subject = f"sha256 of the first {conversion.original_bytes} bytes after conversion"
        findings.append(Finding(subject, conversion.original_sha256, conversion.expanded_sha256, remedy))
    if conversion.extra_tail_is_zero is False:
        findings.append(Finding("bytes beyond the end of the original", "zeros only", "other bytes", remedy))
    elif conversion.extra_tail_is_zero is None and (conversion.expanded_bytes or 0) > conversion.original_bytes:
        unseen.append("bytes beyond the end of the original were not read")
    return verdict(findings, unseen)


@check("CV-3", needs=("conversion",))
def conversion_keeps_the_size(facts: Facts) -> Said:
    """The disk is as large as before. A VHD that grew to whole cylinders lost its backup partition table."""
    conversion = given(facts.conversion)
    expanded, original = conversion.expanded_bytes, conversion.original_bytes
    if expanded is None:
        return NotObserved(_not_expanded(conversion))
    findings: list[Finding] = []
    if expanded != original:
        is_vhd = conversion.disk_format in NAMES and expanded > original
        why = ": VHD geometry (CHS) rounds up to whole cylinders" if is_vhd else ""
        remedy = "convert with qemu-img -O vpc -o force_size=on" if is_vhd else "convert without a size option"
        actual = f"{expanded} bytes ({expanded - original:+d} bytes{why})"
        findings.append(Finding("virtual size after conversion", f"{original} bytes", actual, remedy))
    told = conversion.api_virtual_size_bytes
    if told is not None and told != expanded:
        remedy = "Glance inspected another file than it stores: look for a conversion after the inspection"
        findings.append(Finding("virtual_size in Glance", f"{expanded} bytes, as stored", f"{told} bytes", remedy))
    return tuple(findings)


@check("CV-4", needs=("conversion",))
def vhd_footer_is_valid(facts: Facts) -> Said:
    """Xen and Azure read the footer strictly: cookie, checksum, whole-disk type, size, creator application.

    A disk that came in whole MiB stays so (Azure refuses others, XenServer rounds them up); one that came otherwise
    keeps its size, which is CV-3's rule. The creator application decides where readers look for the size.
    """
    conversion = given(facts.conversion)
    if conversion.disk_format is None:
        return NotObserved("Glance names no disk_format for the imported image")
    if conversion.disk_format not in NAMES:
        return NotApplicable(f"the image is stored as {conversion.disk_format}, not as VHD")
    if conversion.head.startswith(GZIP):
        return NotObserved("the image is stored as a gzip'd archive (XenServer's form); the VHD inside was not read")
    try:
        footer = read_footer(conversion.footer)
    except NotAVhdFooter as error:
        return (
            Finding("last 512 bytes of the stored VHD", "a VHD footer", str(error), "convert with qemu-img -O vpc"),
        )
    unseen = [] if conversion.expanded_bytes is not None else [_not_expanded(conversion)]
    return verdict(_defects(footer, conversion), unseen)


@check("CV-7", needs=("conversion",))
def too_large_a_disk_is_refused(facts: Facts) -> Said:
    """A disk that no VHD can hold is refused by its header, not cut, and not after hours of copying.

    Seen by a qcow2 of 2041 GiB that holds nothing; one of 1 MiB beside it shows that qcow2 as such is taken.
    """
    conversion = given(facts.conversion)
    if facts.dst.image_format not in NAMES:
        stored = facts.dst.image_format or "what it is given"
        return NotApplicable(f"the profile says that {facts.dst.cloud} stores {stored}, not VHD")
    probe = conversion.size_probe
    if probe is None:
        return NotObserved("no image of such a size was tried")
    if probe.status == "active":
        actual = f"active as {probe.disk_format}, {_bytes(probe.virtual_size_bytes)}"
        remedy = "compare the header's size with the target format's limit before converting"
        return (Finding(f"import of a disk of {probe.asked_bytes} bytes", "refused", actual, remedy),)
    if probe.control_status != "active":
        return NotObserved(
            f"a qcow2 of 1 MiB was refused as well: {shorten(probe.control_message, 200) or 'no reason'}"
        )
    if probe.status != "queued":
        return NotObserved(f"the import ended as {probe.status}: {shorten(probe.message, 200) or 'no reason'}")
    if not probe.message:
        remedy = "let the task's message say which limit was exceeded"
        return (Finding(f"refusal of a disk of {probe.asked_bytes} bytes", "a reason", "none", remedy),)
    return ()


@check("CV-9", needs=("imported",))
def an_import_s_time_is_on_record(facts: Facts) -> Said:
    """From the create to active. Reported, and graded only where it took so long that tokens and patience end."""
    imported = given(facts.imported)
    if imported.final_status != "active":
        return NotObserved("the import did not end in an active image (see IM-2)")
    allowed_s = IMPORT_FREE_S + imported.sent_bytes / IMPORT_RATE_MIN_BYTES_S
    if imported.seconds <= allowed_s:
        return ()
    remedy = "give image workers more processors and a faster staging store; do not convert what is stored as RAW"
    subject = f"import of {imported.sent_bytes} bytes, stored as {imported.stored_disk_format}"
    return (Finding(subject, f"within {allowed_s:.0f} s", f"{imported.seconds:.0f} s", remedy),)


def _bytes(number: int | None) -> str:
    return f"{number} bytes" if number is not None else "of a size that Glance does not tell"


def _defects(footer: VhdFooter, conversion: ConversionFacts) -> list[Finding]:
    expanded_bytes = conversion.expanded_bytes
    findings: list[Finding] = []
    if footer.checksum != footer.computed_checksum:
        expected, actual = f"{footer.computed_checksum:#010x}", f"{footer.checksum:#010x}"
        findings.append(Finding("VHD footer checksum", expected, actual, "write the footer anew (qemu-img convert)"))
    if footer.disk_type not in (FIXED, DYNAMIC):
        remedy = "coalesce the chain; a differencing disk does not travel"
        findings.append(Finding("VHD disk type", "2 (fixed) or 3 (dynamic)", str(footer.disk_type), remedy))
    size = footer.current_bytes
    if size % SECTOR_BYTES:
        findings.append(Finding("VHD current size", "whole 512-byte sectors", f"{size} bytes", "resize the disk"))
    elif expanded_bytes is not None and size != expanded_bytes:
        remedy = "write the size into the footer, as qemu-img -o force_size=on does"
        findings.append(Finding("VHD current size", f"{expanded_bytes} bytes, as expanded", f"{size} bytes", remedy))
    elif size % MIB and not conversion.original_bytes % MIB:
        remedy = "convert with qemu-img -O vpc -o force_size=on"
        actual = f"{size} bytes, {size % MIB} too many"
        findings.append(Finding("VHD current size", "whole MiB, as the original has", actual, remedy))
    if footer.geometry_is_the_size and footer.chs_bytes != min(size, CHS_MAX_BYTES):
        seen = f"{footer.creator!r}, so {footer.chs_bytes} bytes by the geometry and {size} by the size field"
        remedy = "convert with qemu-img -O vpc -o force_size=on, which names itself qem2"
        findings.append(Finding("VHD creator application", "one whose readers agree on the size", seen, remedy))
    return findings


def _not_expanded(conversion: ConversionFacts) -> str:
    return f"the stored image could not be expanded: {shorten(conversion.expand_error, 200) or 'no reason given'}"
