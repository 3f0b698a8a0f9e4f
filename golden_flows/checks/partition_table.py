"""Is a disk's partition table still right when the disk has another size?"""

from __future__ import annotations

from golden_flows.errors import shorten
from golden_flows.model.check import check, given
from golden_flows.model.facts import Facts
from golden_flows.model.finding import Finding, NotApplicable, NotObserved, Said
from golden_flows.model.gpt import SECTOR_BYTES
from golden_flows.model.import_seen import PLAIN_GPT, GptAfterwards


@check("CV-5", needs=("import_probes",))
def the_backup_table_stays_at_the_end(facts: Facts) -> Said:
    """A disk that grows in conversion has its backup GPT in the middle: growpart and parted refuse it then.

    Judged by a small disk with a GPT that every destination gets, whatever Anne's own disk has.
    """
    probes = given(facts.import_probes)
    if probes.trouble:
        return NotObserved(probes.trouble)
    if probes.gpt is not None:
        return _judged(probes.gpt)
    tried = probes.find(PLAIN_GPT)
    if tried is not None and tried.upload_status in (403, 404, 405):
        return NotApplicable(f"{probes.way} answered {tried.upload_status}: closed to tenants")
    why = shorten(tried.reason, 160) if tried is not None else ""
    return NotObserved(f"no disk with a GPT became an image: {why or 'no reason given'}")


def _judged(seen: GptAfterwards) -> Said:
    if seen.expanded_bytes is None:
        return NotObserved(f"the disk could not be read back: {shorten(seen.error, 200) or 'no reason given'}")
    last = seen.expanded_bytes // SECTOR_BYTES - 1
    subject = f"a GPT disk of {seen.asked_bytes} bytes, stored as {seen.stored_format}"
    remedy = "keep the size in conversion (qemu-img -O vpc -o force_size=on), or move the backup table (sgdisk -e)"
    findings: list[Finding] = []
    if not seen.backup_at_end or seen.alternate_lba != last:
        told = (
            "no primary header" if seen.alternate_lba is None else f"the backup is said to be at {seen.alternate_lba}"
        )
        findings.append(Finding(f"{subject}: backup header", f"in the last sector, {last}", told, remedy))
    if seen.protective_sectors != last:
        actual = f"{seen.protective_sectors} sectors"
        findings.append(Finding(f"{subject}: protective MBR", f"{last} sectors", actual, remedy))
    return tuple(findings)
