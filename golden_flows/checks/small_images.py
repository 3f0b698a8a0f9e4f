"""Does the destination take small images that are sound or odd, refuse those that are hostile, and say why?"""

from __future__ import annotations

import re

from golden_flows.errors import shorten
from golden_flows.model.check import check, given, verdict
from golden_flows.model.facts import Facts
from golden_flows.model.finding import Finding, NotApplicable, NotObserved, Said
from golden_flows.model.import_seen import (
    FIXED_VHD,
    HOSTILE,
    NO_IMAGE,
    PLAIN_GPT,
    UNUSUAL_MBR,
    WEB,
    DeletedImport,
    ImportProbes,
    SmallImport,
)

NAMES_MBR = re.compile(r"\bmbr\b|\bgpt\b|partition", re.IGNORECASE)
TAKEN_FOR_RAW = re.compile(r"\braw\b", re.IGNORECASE)
FILTERED = re.compile(r"filter|not allowed|disallow|forbidden|blocked", re.IGNORECASE)
CLOSED = (403, 404, 405)
"""What policy closes to tenants, or is not there."""
TOO_LARGE = (403, 413)


@check("IM-1", needs=("import_probes",))
def import_methods_are_told_alike(facts: Facts) -> Said:
    """``GET /v2/info/import`` and the header ``OpenStack-image-import-methods`` of a create name the same methods."""
    probes = given(facts.import_probes)
    if probes.trouble:
        return NotObserved(probes.trouble)
    if not probes.tried:
        return NotObserved("no image was asked for")
    header, endpoint = probes.header_methods, probes.endpoint_methods
    if not header and not endpoint:
        return NotApplicable("neither GET /v2/info/import nor the answer to a create names an import method")
    if sorted(header or ()) == sorted(endpoint):
        return ()
    remedy = "look for a proxy that drops headers, and for image workers with different enabled_import_methods"
    actual = "no such header" if header is None else ", ".join(map(shorten, header)) or "none"
    expected = ", ".join(map(shorten, endpoint)) or "none"
    return (Finding("OpenStack-image-import-methods of POST /v2/images", expected, actual, remedy),)


@check("IM-3", needs=("import_probes",))
def a_failed_import_ends(facts: Facts) -> Said:
    """An import that cannot succeed puts the image back and names the stores; it does not go on for ever."""
    tried = _failed(given(facts.import_probes))
    if not isinstance(tried, SmallImport):
        return tried
    subject = f"import of {tried.words}"
    remedy = "restart the import's worker; have glance-api's revert put the image back (see its log)"
    if tried.image_status not in ("queued", "killed"):
        task = f", its task: {tried.task_status}" if tried.task_status else ""
        actual = f"still {shorten(tried.image_status or 'not shown', 40)}{task}"
        return (Finding(subject, "an image that is queued again", actual, remedy),)
    if not tried.failed_in:
        return (Finding(f"os_glance_failed_import after the {subject}", "the store's name", "empty", remedy),)
    return ()


@check("IM-4", needs=("import_probes",))
def a_failed_import_says_why(facts: Facts) -> Said:
    """``GET /v2/images/{id}/tasks`` has the reason: it is all that the image's owner has to go by."""
    tried = _failed(given(facts.import_probes))
    if not isinstance(tried, SmallImport):
        return tried
    if tried.tasks_status in CLOSED:
        return NotApplicable(f"GET /v2/images/{{id}}/tasks answered {tried.tasks_status}: closed to tenants")
    if tried.tasks_status != 200 or tried.task_status is None:
        return NotObserved(f"GET /v2/images/{{id}}/tasks answered {tried.tasks_status} and showed no task")
    if tried.task_message.strip():
        return ()
    remedy = "let the task's message say what the image was refused for"
    return (Finding(f"task of the import of {tried.words}", "a message", "none", remedy),)


@check("IM-6", needs=("import_probes",))
def unusual_mbrs_are_taken_or_refused_by_name(facts: Facts) -> Said:
    """Disks that every firmware boots: a strict reader may refuse them, and then has to say that it is the MBR."""
    probes = given(facts.import_probes)
    if probes.trouble:
        return NotObserved(probes.trouble)
    if closed := _closed(probes):
        return closed
    control = probes.find(PLAIN_GPT)
    if control is None or not control.is_active:
        why = control.reason if control is not None else ""
        return NotObserved(f"a GPT disk as it should be was not taken either: {shorten(why, 200) or 'no reason given'}")
    findings: list[Finding] = []
    unseen: list[str] = []
    for tried in probes.of(UNUSUAL_MBR):
        if tried.is_active or (tried.is_refused and NAMES_MBR.search(tried.reason)):
            continue
        if not tried.is_refused:
            unseen.append(_undecided(tried))
            continue
        remedy = "accept it, or let the refusal say that it is for the MBR (oslo.utils' safety check names it)"
        actual = f"refused: {shorten(tried.reason, 160) or 'no reason given'}"
        findings.append(Finding(tried.words, "accepted, or refused for its MBR by name", actual, remedy))
    if not findings and not unseen and not probes.of(UNUSUAL_MBR):
        unseen.append("no such disk was tried")
    return verdict(findings, unseen)


@check("IM-7", needs=("import_probes",))
def hostile_images_are_refused(facts: Facts) -> Said:
    """What names another file, or is not what it is called, makes a hypervisor read what is not the tenant's."""
    probes = given(facts.import_probes)
    if probes.trouble:
        return NotObserved(probes.trouble)
    if not probes.owned:
        return NotApplicable(f"a hostile check, and nobody said --i-own-this-cloud {facts.dst.cloud}")
    if closed := _closed(probes):
        return closed
    findings: list[Finding] = []
    unseen: list[str] = []
    for tried in probes.of(HOSTILE):
        if tried.is_active:
            remedy = "switch on require_image_format_match and update oslo.utils' format_inspector"
            findings.append(Finding(tried.words, "refused at its upload or import", "active", remedy))
        elif not tried.is_refused:
            unseen.append(_undecided(tried))
    if not findings and not unseen and not probes.of(HOSTILE):
        unseen.append("no such image was tried")
    return verdict(findings, unseen)


@check("IM-8", needs=("import_probes",))
def the_cloud_is_not_led_astray(facts: Facts) -> Said:
    """web-download reads what a tenant names, from where no tenant is: never its own machine, however that is written.

    A canary of ours listens on this machine; where the cloud runs elsewhere its words alone tell what it did.
    """
    probes = given(facts.import_probes)
    if probes.trouble:
        return NotObserved(probes.trouble)
    if probes.web_untried:
        return NotApplicable(probes.web_untried)
    if not probes.owned:
        return NotApplicable(f"a hostile check, and nobody said --i-own-this-cloud {facts.dst.cloud}")
    tried = probes.of(WEB)
    if not tried:
        return NotObserved("nothing was asked for by web-download")
    findings: list[Finding] = []
    unseen: list[str] = []
    remedy = "name allowed_ports and disallowed_hosts under [import_filtering_opts], and update Glance"
    for one in tried:
        if one.was_read or one.is_active:
            actual = "read from there" if one.was_read else "an active image"
            findings.append(Finding(one.words, "refused", actual, remedy))
        elif one.create_status != 201 or one.import_status is None:
            unseen.append(f"{one.words}: {shorten(one.message, 120) or 'not asked for'}")
        elif one.import_status == 202 and not FILTERED.search(one.task_message):
            actual = f"tried: {shorten(one.task_message, 120) or one.image_status or 'no reason given'}"
            findings.append(Finding(one.words, "refused before anything is read", actual, remedy))
        elif one.import_status not in (202, 400, 403):
            unseen.append(f"{one.words}: HTTP {one.import_status} {shorten(one.message, 120)}")
    return verdict(findings, unseen)


@check("IM-10", needs=("import_probes",))
def a_fixed_vhd_is_known_by_its_footer(facts: Facts) -> Said:
    """It looks like a RAW disk but for its last sector. It may be refused as a VHD, and not for being RAW."""
    probes = given(facts.import_probes)
    if probes.trouble:
        return NotObserved(probes.trouble)
    tried = probes.find(FIXED_VHD)
    if tried is None:
        return NotObserved("no fixed VHD was tried")
    if tried.create_status == 400:
        return NotApplicable(f"no image may be called vhd here: {shorten(tried.reason, 160) or 'HTTP 400'}")
    if closed := _closed(probes):
        return closed
    if tried.is_active:
        return ()
    if not tried.is_refused:
        return NotObserved(_undecided(tried))
    if tried.reason and not TAKEN_FOR_RAW.search(tried.reason):
        return ()
    remedy = "look for the footer in the last 512 bytes, or tell that fixed VHDs are not taken"
    actual = f"refused: {shorten(tried.reason, 160) or 'no reason given'}"
    return (Finding(tried.words, "accepted, or refused as a VHD", actual, remedy),)


@check("IM-11", needs=("import_probes",))
def what_is_over_the_quota_is_refused_whole(facts: Facts) -> Said:
    """Told by a length that is announced and not sent: refused in words, and nothing of it is an image."""
    probes = given(facts.import_probes)
    if probes.trouble:
        return NotObserved(probes.trouble)
    tried = probes.over_quota
    if tried is None:
        return NotObserved("no upload over the quota was tried")
    if tried.skipped:
        return NotApplicable(f"no cap to go over: {shorten(tried.skipped, 200)}")
    if tried.status in (401, 404, 405) or (tried.status == 403 and "quota" not in tried.message.lower()):
        return NotApplicable(f"PUT /file answered {tried.status}: closed to tenants (see IM-5)")
    subject = f"upload of {tried.announced_bytes} bytes, with {shorten(tried.limit, 80)}"
    remedy = "put an image whose upload broke off back to queued, and its bytes away; see glance-api's log"
    if tried.image_status == "active":
        actual = f"an active image of {tried.size_bytes} bytes, of which {tried.sent_bytes} were sent"
        return (Finding(subject, "no image", actual, remedy),)
    if tried.image_status is None:
        return NotObserved("the image was not shown afterwards")
    if tried.status is None or tried.status in (400, 408, 499):
        return NotApplicable(
            f"{facts.dst.cloud} waits for the bytes before it looks at the quota, and nobody sends so many for a "
            f"check; what was cut off is {tried.image_status}"
        )
    if tried.status not in TOO_LARGE or not tried.message:
        actual = f"HTTP {tried.status} {shorten(tried.message, 160)}".rstrip()
        return (Finding(subject, "413 or 403, and the reason", actual, "name the quota in the refusal"),)
    return ()


@check("IM-12", needs=("import_probes",))
def an_image_deleted_while_imported_stays_gone(facts: Facts) -> Said:
    """The import that still runs must not bring it back, nor leave bytes that nobody can delete."""
    probes = given(facts.import_probes)
    if probes.trouble:
        return NotObserved(probes.trouble)
    deleted = probes.deleted
    if deleted is None:
        return NotApplicable(f"GET /v2/info/import offers: {', '.join(probes.endpoint_methods) or 'none'}")
    return _stays_gone(deleted)


def _stays_gone(deleted: DeletedImport) -> Said:
    if deleted.status_before is None or deleted.delete_status is None:
        return NotObserved(f"no import was under way: {shorten(deleted.message, 200) or 'no reason given'}")
    if deleted.status_before != "importing":
        return NotApplicable(f"the import of 256 KiB was over before it could be deleted ({deleted.status_before})")
    subject = "an image deleted while it was imported"
    if deleted.delete_status in (403, 409):
        return NotApplicable(f"an image that is importing cannot be deleted: {shorten(deleted.message, 160)}")
    if deleted.delete_status not in (200, 202, 204):
        return (Finding(subject, "204", f"HTTP {deleted.delete_status}", "read glance-api's log"),)
    if deleted.status_after in (None, "deleted", "pending_delete"):
        return ()
    remedy = "let the import look whether its image is still there before it sets a status; clean the store"
    return (Finding(subject, "gone", f"{shorten(deleted.status_after or '', 40)} again", remedy),)


def _failed(probes: ImportProbes) -> SmallImport | NotApplicable | NotObserved:
    """The import that failed, as it should have."""
    if probes.trouble:
        return NotObserved(probes.trouble)
    tried = probes.find(NO_IMAGE)
    if tried is None or tried.create_status is None:
        return NotObserved("no import that must fail was tried")
    if tried.create_status != 201:
        return NotObserved(f"no image was made for it: HTTP {tried.create_status} {shorten(tried.message, 120)}")
    if tried.import_status is None and not tried.is_active:
        where = "refused at its upload" if tried.upload_status != 204 else "uploaded by PUT /file"
        return NotApplicable(f"no import failed: {tried.words}, {where} ({shorten(tried.reason, 120) or 'no reason'})")
    if tried.is_active:
        return NotApplicable(f"no import fails: even {tried.words} became an active image")
    if tried.import_status != 202:
        return NotApplicable(
            f"the import was refused at once: HTTP {tried.import_status} {shorten(tried.message, 120)}"
        )
    return tried


def _closed(probes: ImportProbes) -> NotApplicable | None:
    """Where no way of upload is open to the tenant, nothing was refused for what it is."""
    answers = [one.upload_status for one in probes.tried if one.create_status == 201]
    if not answers or any(one not in CLOSED for one in answers):
        return None
    return NotApplicable(f"{probes.way}: HTTP {answers[0]}, closed to tenants")


def _undecided(tried: SmallImport) -> str:
    status = tried.image_status or "not shown"
    return f"{tried.words}: neither taken nor refused, but {shorten(status, 40)} (see IM-3)"
