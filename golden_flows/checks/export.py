"""Did the source cloud hand out the disk it says it handed out?"""

from __future__ import annotations

from golden_flows.errors import shorten
from golden_flows.model.check import check, given, verdict
from golden_flows.model.disk_signature import foreign_formats
from golden_flows.model.facts import Facts
from golden_flows.model.finding import Finding, NotApplicable, NotObserved, Said, WithShim
from golden_flows.model.image_facts import ExportFacts, ShimFacts, same_hash


@check("EX-1", needs=("export",))
def export_has_the_format_asked_for(facts: Facts) -> Said:
    """A snapshot is whatever the hypervisor's disk is, unless the cloud makes it what was asked."""
    export = given(facts.export)
    if export.shim is not None:
        return _shimmed(export, export.shim)
    findings: list[Finding] = []
    unseen: list[str] = []
    for name, asked, found in (
        ("disk_format", export.asked_disk_format, export.disk_format),
        ("container_format", export.asked_container_format, export.container_format),
    ):
        if found is None:
            unseen.append(f"Glance names no {name}")
        elif found != asked:
            remedy = f"set snapshot_image_format = {asked} in nova.conf, or convert the export and say so with a shim"
            findings.append(Finding(f"{name} of {_image(export)}", asked, found, remedy))
    return verdict(findings, unseen)


@check("EX-2", needs=("export",))
def export_is_as_long_as_it_says(facts: Facts) -> Said:
    """Glance's ``size``, the Content-Length and the bytes that came are one number.

    A proxy may send chunked and thus no Content-Length; ``size`` against the bytes still proves the whole came.
    """
    export = given(facts.export)
    size, length, came = export.size_bytes, export.content_length, export.downloaded_bytes
    if size is None:
        return NotObserved("Glance names no size for the export")
    if came == size and length in (None, size):
        return ()
    actual = f"{came} bytes downloaded, Content-Length {'absent' if length is None else length}"
    if export.error:
        actual += f": {shorten(export.error, 200)}"
    remedy = "look for a proxy that cuts long answers (timeout, buffer limit) and for a store that lost the end"
    return (Finding(_image(export), f"{size} bytes, Glance's size", actual, remedy),)


@check("EX-3", needs=("export",))
def export_has_the_hash_it_says(facts: Facts) -> Said:
    """Bytes against ``os_hash_value``, and against the MD5 where Glance still keeps one."""
    export = given(facts.export)
    if export.size_bytes is not None and export.downloaded_bytes != export.size_bytes:
        return NotObserved("the download is not whole (see EX-2), so its hash says nothing")
    remedy = "read the image again; if it stays wrong, the store has damaged it: check the backend, take a new snapshot"
    hashes = (
        (export.os_hash_algo, export.os_hash_value, export.computed_hash),
        ("md5", export.checksum, export.computed_md5),
    )
    unseen: list[str] = []
    if same_hash(export.os_hash_value, export.computed_hash) is None:
        unseen.append(
            f"no hash to compare with (os_hash_algo {export.os_hash_algo}, images from before Rocky have none)"
        )
    for name, told, computed in hashes:
        if same_hash(told, computed) is False:  # where both differ, the better one says it all
            return (Finding(f"{name} of {_image(export)}", str(told), str(computed), remedy),)
    return verdict([], unseen)


@check("EX-4", needs=("export",))
def raw_export_holds_no_other_format(facts: Facts) -> Said:
    """A disk that is called raw and looks like something else makes a prober open files of the host.

    CVE-2022-47951, CVE-2024-32498, CVE-2024-40767. A fixed VHD shows only in its last 512 bytes.
    """
    export = given(facts.export)
    if export.disk_format is None:
        return NotObserved("Glance names no disk_format")
    if export.disk_format != "raw":
        return NotApplicable(f"the export is labelled {export.disk_format}, not raw")
    if not export.head or not export.tail:
        return NotObserved("no bytes of the export were kept")
    remedy = "label images by what they are, and convert to raw with the source format stated (qemu-img convert -f)"
    head = shorten(export.head[:8].hex(" "))
    return tuple(
        Finding(f"{_image(export)}, labelled raw", "no signature of another format", f"{name}; begins {head}", remedy)
        for name in foreign_formats(export.head, export.tail)
    )


def _shimmed(export: ExportFacts, shim: ShimFacts) -> Said:
    """It is not what was asked for; with the shim the cell works all the same, and says so."""
    found = f"{export.disk_format}/{export.container_format}"
    if not shim.error:
        return WithShim(shim.name, f"{_image(export)} is {found}; the shim made RAW of it: {'; '.join(shim.chain)}")
    remedy = "export the snapshot anew, flat; on XenServer look at the chain with vhd-util check"
    return (Finding(f"{_image(export)}, {found}", f"a whole disk, for shim {shim.name}", shim.error, remedy),)


def _image(export: ExportFacts) -> str:
    return f"exported image {export.image_id}"
