"""Did the destination take the image in, and unaltered?"""

from __future__ import annotations

from collections.abc import Sequence

from golden_flows.errors import shorten
from golden_flows.model.check import check, given, verdict
from golden_flows.model.disk_signature import foreign_formats
from golden_flows.model.facts import Facts
from golden_flows.model.finding import Finding, NotApplicable, NotObserved, Said
from golden_flows.model.image_facts import ImportFacts, PutProbe

STATUSES = {
    "glance-direct": ("queued", "uploading", "importing", "active"),
    "web-download": ("queued", "importing", "active"),
    "copy-image": ("queued", "importing", "active"),
}
"""Order of image statuses by import method. Source: glance doc/source/user/statuses and the import API reference."""


@check("IM-2", needs=("export", "imported"))
def import_goes_forward_to_active(facts: Facts) -> Said:
    """Statuses go one way and end in ``active``. Polling may miss short ones; none may come back.

    A destination that refuses bytes which are not the RAW they are sent as is right to: the source is at fault.
    """
    export, imported = given(facts.export), given(facts.imported)
    offered = ", ".join(imported.methods_offered) or "none"
    if imported.method_used is None:
        if "glance-direct" in imported.methods_offered:
            return NotObserved(f"the cloud offers {offered}, and no import was tried")
        return NotApplicable(f"GET /v2/info/import offers: {offered}")
    order = STATUSES.get(imported.method_used)
    if order is None:
        return NotObserved(f"no order of statuses is known for method {imported.method_used}")
    foreign = foreign_formats(export.raw.head, export.raw.tail)
    if foreign and imported.final_status != "active":
        return NotObserved(f"what was exported is {', '.join(foreign)} and was rightly refused as RAW (see EX-1, EX-4)")
    findings, unseen = _answers(imported)
    seen = _without_repeats((*imported.statuses_seen, imported.final_status))
    if not seen:
        unseen.append("no status of the image was read")
    elif not _is_subsequence(seen, order) or seen[-1] != "active":
        findings.append(
            Finding(
                f"import of image {imported.image_id} by {imported.method_used}",
                " → ".join(order),
                " → ".join(shorten(one, 40) for one in seen) + _because(imported.message),
                "read /v2/images/{id}/tasks and glance-api's log: staging must be shared by all workers, "
                "or worker_self_reference_url set",
            )
        )
    return verdict(findings, unseen)


@check("IM-5", needs=("imported",))
def legacy_put_works(facts: Facts) -> Said:
    """``PUT /v2/images/{id}/file`` is open, or the profile says that policy closes it."""
    probe = given(facts.imported).probe
    if probe is None or probe.put_status is None:
        return NotObserved("no image was sent by PUT")
    if probe.put_status == 403 and not facts.dst.legacy_put:
        return NotApplicable(f"the profile says legacy_put = false, and PUT answered 403{_because(probe.message)}")
    subject = f"PUT /v2/images/{{id}}/file on {facts.dst.cloud}"
    if probe.put_status != 204:
        remedy = "open upload_image in Glance's policy, or declare legacy_put: false in the cloud's profile"
        return (Finding(subject, "204", f"{probe.put_status}{_because(probe.message)}", remedy),)
    if probe.image_status is None or probe.size_bytes is None:
        return NotObserved("PUT answered 204, and the image was not shown afterwards")
    if probe.image_status == "active" and (probe.size_bytes == probe.sent_bytes or probe.disk_format != "raw"):
        return ()
    actual = f"{probe.image_status}, {probe.size_bytes} bytes{_because(probe.message)}"
    return (Finding(subject, f"an active image of {probe.sent_bytes} bytes", actual, "read glance-api's log"),)


@check("IM-9", needs=("imported",))
def stored_image_is_what_was_sent(facts: Facts) -> Said:
    """Where nothing was converted, Glance's hash of what it stored is our hash of what we sent."""
    imported = given(facts.imported)
    findings: list[Finding] = []
    unseen: list[str] = []
    judged = 0
    for subject, disk_format, algo, stored, sent in _uploads(imported):
        if disk_format != "raw":
            continue
        if algo != "sha512" or stored is None or sent is None:
            unseen.append(f"{subject}: no SHA-512 to compare (os_hash_algo {algo})")
            continue
        judged += 1
        if stored.lower() != sent.lower():
            remedy = "the store altered the bytes between request and disk: check memory, proxy and backend"
            findings.append(Finding(f"sha512 of {subject}", sent, stored, remedy))
    if judged or unseen:
        return verdict(findings, unseen)
    return _nothing_kept_raw(facts, imported)


def _uploads(imported: ImportFacts) -> list[tuple[str, str | None, str | None, str | None, str | None]]:
    uploads: list[tuple[str, str | None, str | None, str | None, str | None]] = []
    if imported.final_status == "active":
        stored = (imported.stored_disk_format, imported.stored_hash_algo, imported.stored_hash_value)
        uploads.append((f"imported image {imported.image_id}", *stored, imported.sent_sha512))
    if (probe := imported.probe) is not None and probe.image_status == "active":
        kept = (probe.disk_format, probe.os_hash_algo, probe.os_hash_value)
        uploads.append(("image sent by PUT", *kept, probe.sent_sha512))
    return uploads


def _nothing_kept_raw(facts: Facts, imported: ImportFacts) -> Said:
    converted = f"the import was converted to {imported.stored_disk_format}"
    probe: PutProbe | None = imported.probe
    if imported.final_status != "active" or imported.stored_disk_format is None or probe is None:
        return NotObserved("no upload was seen that the cloud keeps as it was sent")
    if probe.put_status == 403:  # whether it may be closed is IM-5's question
        return NotApplicable(f"{converted}, and PUT answered 403: this cloud keeps no image as it was sent")
    if probe.image_status == "active" and probe.disk_format is not None:
        return NotApplicable(f"{converted}, and the image sent by PUT to {probe.disk_format}")
    return NotObserved(f"{converted}, and PUT answered {probe.put_status} (see IM-5)")


def _answers(imported: ImportFacts) -> tuple[list[Finding], list[str]]:
    findings: list[Finding] = []
    unseen: list[str] = []
    answers = [("POST /v2/images", 201, imported.create_status), ("POST import", 202, imported.import_status)]
    if imported.method_used == "glance-direct":
        answers.insert(1, ("PUT stage", 204, imported.stage_status))
    for request, wanted, status in answers:
        if status is None:
            unseen.append(f"no answer to {request} was recorded")
        elif status != wanted:
            findings.append(
                Finding(request, str(wanted), f"{status}{_because(imported.message)}", "read glance-api's log")
            )
    return findings, unseen


def _without_repeats(statuses: Sequence[str | None]) -> tuple[str, ...]:
    known = [one for one in statuses if one is not None]
    return tuple(one for at, one in enumerate(known) if at == 0 or one != known[at - 1])


def _is_subsequence(seen: Sequence[str], order: Sequence[str]) -> bool:
    rest = iter(order)
    return all(one in rest for one in seen)


def _because(message: str) -> str:
    return f" ({shorten(message, 200)})" if message else ""
