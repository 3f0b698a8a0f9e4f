"""Can every hypervisor of a cloud of qcow2 read what the import made?"""

from __future__ import annotations

from golden_flows.model.check import check, given
from golden_flows.model.facts import Facts
from golden_flows.model.finding import Finding, NotApplicable, NotObserved, Said
from golden_flows.model.qcow2 import COMPRESSIONS, VERSION, NotAQcow2, read_header

FORMAT = "qcow2"


@check("CV-6", needs=("conversion",))
def qcow2_is_of_the_common_kind(facts: Facts) -> Said:
    """Version 3, standing for itself, without a feature that some hypervisor must refuse.

    A compression by zstd is one: QEMU before 5.1 does not open the image, and a cloud's hosts are seldom all alike.
    """
    conversion = given(facts.conversion)
    if conversion.disk_format is None:
        return NotObserved("Glance names no disk_format for the imported image")
    if conversion.disk_format != FORMAT:
        return NotApplicable(f"the image is stored as {conversion.disk_format}, not as qcow2")
    subject = "header of the stored qcow2"
    try:
        header = read_header(conversion.head)
    except NotAQcow2 as error:
        remedy = "look at what the store holds: it is not what Glance says"
        return (Finding(subject, "a qcow2 header", str(error), remedy),)
    findings: list[Finding] = []
    if header.version != VERSION:
        remedy = "convert with qemu-img -o compat=1.1"
        findings.append(Finding(f"version in the {subject}", str(VERSION), str(header.version), remedy))
    if header.has_backing_file:
        remedy = "flatten it: qemu-img convert -O qcow2"
        findings.append(Finding(subject, "no other file named", "a backing file", remedy))
    told = f" ({header.compression})" if header.compression != COMPRESSIONS[0] else ""
    remedy = "convert with qemu-img -O qcow2 and no further options; mend a dirty one with qemu-img check -r"
    findings += [
        Finding(f"features in the {subject}", "none that readers must know", f"{one}{told}", remedy)
        for one in header.features()
    ]
    return tuple(findings)
