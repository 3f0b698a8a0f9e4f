"""Does the way between the clouds cost what it should?"""

from __future__ import annotations

from golden_flows.errors import shorten
from golden_flows.model import vhd
from golden_flows.model.check import check, given
from golden_flows.model.facts import Facts
from golden_flows.model.finding import Finding, NotApplicable, NotObserved, Said
from golden_flows.model.transfer import CUT_AT

MIB = 1 << 20

COPIES_PER_CHUNK = 2
"""A chunk can exist at once on its way in and on its way out: in the HTTP library, in the queue, in the hash."""

ALLOWANCE_BYTES = 64 * MIB
"""What Python, TLS and lazily imported modules take in a transfer of any size."""


BLOCK_OVERHEAD = 1.1
"""Tables and headers beside the blocks; VHD's bitmaps are 512 bytes for 2 MiB, qcow2's tables less than 1 %."""

NO_ANSWER = (None, 401, 429, 502, 503, 504)
"""Trouble on the way, which says nothing of Range; what answers 500 has been asked for something it cannot do."""

SPARSE_FORMATS = ("qcow2", *vhd.NAMES, "vmdk")


@check("TX-1", needs=("export",))
def a_part_is_that_part_or_refused(facts: Facts) -> Said:
    """A Range request gets those bytes, or a refusal: rbd, swift and s3 stores cannot read parts, and say 400.

    The whole image in place of a part is allowed in HTTP, and ruins whoever appends it; Glance documents the others.
    """
    probe = given(facts.export).range_probe
    if probe is None:
        return NotApplicable("the exported image is too small to ask for a part of it")
    if probe.status in NO_ANSWER:
        return NotObserved(f"no answer to Range: {probe.asked}: {shorten(probe.message, 200)}")
    subject = f"GET /v2/images/{{id}}/file on {facts.src.cloud} with Range: {probe.asked}"
    right = f"206 with {probe.expected_content_range} and those bytes, or 400"
    if probe.status == 400:
        return ()
    if probe.status != 206:
        told = "the whole image" if probe.status == 200 else shorten(probe.message, 100) or "no reason given"
        remedy = "let the proxy before Glance pass Range on and 206 back (no caching, no buffering of whole answers)"
        return (Finding(subject, right, f"{probe.status}, {told}", remedy),)
    if probe.content_range != probe.expected_content_range:
        actual = f"206 with {shorten(probe.content_range, 80) or 'no Content-Range'}"
        return (Finding(subject, right, actual, "look at what the proxy or the store makes of Content-Range"),)
    if probe.received_bytes != probe.asked_bytes:
        told = "fewer" if (probe.received_bytes or 0) < probe.asked_bytes else "more"
        actual = f"206 with that Content-Range, and {told} than {probe.asked_bytes} bytes"
        return (Finding(subject, right, actual, "compare what the store and each proxy before it make of this part"),)
    if probe.is_right is None:
        return NotObserved("the whole image did not come as far as that part (see EX-2)")
    if not probe.is_right:
        actual = f"206, {probe.asked_bytes} bytes that are not the image's there"
        return (Finding(subject, right, actual, "read the same part from the store itself: does it count from 0?"),)
    return ()


@check("TX-3", needs=("export",))
def a_cut_download_goes_on(facts: Facts) -> Said:
    """Cut at 37 % by us, where the cloud did not do so before: what follows, and what was there, make the image."""
    export = given(facts.export)
    resume = export.resume
    if resume is None:
        if export.size_bytes is not None and int(export.size_bytes * CUT_AT) == 0:
            return NotApplicable(f"{export.size_bytes} bytes are too few to be cut")
        return NotObserved("it ended before the place where we cut it, or nobody says how long it is: see EX-2")
    who = "cut by us" if resume.by_us else "cut by the cloud or on the way"
    subject = f"download of {export.image_id} from {facts.src.cloud}, {who} at byte {resume.cut_at_bytes}"
    way = {"range": "by a Range request", "whole": "sent again from its beginning"}.get(resume.continued_by, "no way")
    if resume.is_whole:
        return ()
    if resume.error:
        remedy = "read the image at that place on the store itself; look for a proxy's limit of time or size"
        return (Finding(subject, "the rest, when it is asked for again", shorten(resume.error, 300), remedy),)
    if resume.is_whole is False:
        remedy = "ask for the same part twice and compare: TX-1 says what is wrong with it"
        actual = f"went on {way}, and is another image; asked for in one piece it is whole"
        return (Finding(subject, "the image's hash in the end", actual, remedy),)
    return NotObserved(f"it went on {way}, and nobody can tell whether it is whole: see EX-2 and EX-3")


@check("TX-4", needs=("transfer", "conversion"))
def holes_stay_holes(facts: Facts) -> Said:
    """What is zero in the disk takes no room in a format that can leave it out; the logical size is CV-3's."""
    transfer, conversion = given(facts.transfer), given(facts.conversion)
    stored, data = conversion.downloaded_bytes, transfer.data
    if conversion.disk_format is None:
        return NotObserved("Glance names no disk_format for the imported image")
    if conversion.disk_format not in SPARSE_FORMATS:
        return NotApplicable(
            f"stored as {conversion.disk_format}, whose size is the disk's: no API tells what is allocated of it"
        )
    if data is None or not stored:
        return NotObserved("nobody counted what of the disk is not zero, or how large the stored image is")
    bound = int(data.blocks_bytes * BLOCK_OVERHEAD) + 4 * MIB
    if stored <= bound:
        return ()
    ratio = stored / max(1, data.data_bytes)
    return (
        Finding(
            f"stored {conversion.disk_format} on {facts.dst.cloud}",
            f"at most {bound // MIB} MiB for {data.data_bytes // MIB} MiB of data in blocks of 2 MiB",
            f"{stored // MIB} MiB, {ratio:.1f} times the data",
            "convert without preallocation and with detection of zeros (qemu-img convert, no -S 0)",
        ),
    )


@check("TX-5", needs=("token_death",))
def a_dead_token_leaves_no_half_image(facts: Facts) -> Said:
    """Who was let in may send to the end, or is refused. What is neither whole nor refused is taken for an image."""
    died = given(facts.token_death)
    if died.skipped:
        return NotApplicable(died.skipped)
    if died.image_status is None:
        return NotObserved(f"the image was not shown afterwards: {shorten(died.message, 200) or 'no reason given'}")
    if died.image_status != "active":
        return ()
    if died.kept_bytes is None:
        return NotObserved(f"the image is active as {died.disk_format}, and Glance does not say how large its disk is")
    if died.kept_bytes == died.sent_bytes:
        return ()
    answer = f"HTTP {died.upload_status}" if died.upload_status else "no answer"
    return (
        Finding(
            f"{died.way} on {facts.dst.cloud}, its token revoked half-way",
            f"all {died.sent_bytes} bytes, or an image that is not active",
            f"{answer}, and an active image of {died.kept_bytes} bytes",
            "let a request that was authorized send to its end, or put the image back to queued; see glance-api's log",
        ),
    )


@check("TX-6", needs=("transfer",))
def mover_holds_chunks_not_images(facts: Facts) -> Said:
    """Growth of our own resident memory stays under a bound that the image's size is no part of."""
    transfer = given(facts.transfer)
    if transfer.rss_before_bytes is None or transfer.rss_peak_bytes is None:
        return NotObserved("this system does not tell a process its peak memory")
    bound = transfer.chunk_bytes * transfer.workers * COPIES_PER_CHUNK + ALLOWANCE_BYTES
    grew = transfer.rss_peak_bytes - transfer.rss_before_bytes
    if grew > bound:
        return (
            Finding(
                f"the mover, {transfer.moved_bytes // MIB} MiB moved",
                f"at most {bound // MIB} MiB of memory for {transfer.workers} × {transfer.chunk_bytes} bytes",
                f"{grew // MIB} MiB",
                "this is a defect of the suite or of a library it uses, not of a cloud: report it",
            ),
        )
    if transfer.moved_bytes <= bound:
        return NotApplicable(
            f"{transfer.moved_bytes} bytes were moved: even a mover that holds all of them stays under {bound} bytes"
        )
    return ()
