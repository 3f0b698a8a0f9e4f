"""Does the way between the clouds cost what it should?"""

from __future__ import annotations

from golden_flows.errors import shorten
from golden_flows.model.check import check, given
from golden_flows.model.facts import Facts
from golden_flows.model.finding import Finding, NotApplicable, NotObserved, Said

MIB = 1 << 20

COPIES_PER_CHUNK = 4
"""A chunk can exist at once in the socket's buffer, in the HTTP library, in the queue and in the hash."""

ALLOWANCE_BYTES = 64 * MIB
"""What Python, TLS and lazily imported modules take in a transfer of any size."""


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
