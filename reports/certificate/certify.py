"""From a finished run to a certificate for each pair that has earned one.

``RUN/certificates/SRC+DST/`` holds::

    certificate.html, certificate.pdf   for people
    attestation.intoto.json             for machines: the statement in its DSSE envelope
    statement.signed, statement.sig     the signed bytes and their signature as files of their own, for stock tools
    signer.pub                          the key that signed; whose it is, its owner must tell
    SHA256SUMS                          journal, evidence and the files above that were there to be hashed
    guideline-2026.11.toml, src.profile.json, dst.profile.json
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from golden_flows import suite
from golden_flows.errors import UsageError
from golden_flows.guideline import guideline_sha256, read_guideline
from golden_flows.model.cloud import Pair
from golden_flows.model.matrix import Cell, Run
from reports.atomic import put_bytes, put_folder
from reports.certificate import earning, face, manifest, pdf, statement
from reports.certificate.places import FOLDER, PAGES, folder_name
from reports.certificate.signing import SigningKey, detached, sign
from reports.read import open_run
from reports.rows import active_variants

ATTESTATION = "attestation.intoto.json"
SIGNED, SIGNATURE, SIGNER = "statement.signed", "statement.sig", "signer.pub"
PROFILES = ("src.profile.json", "dst.profile.json")
VALID_DAYS, VALID_DAYS_MAX = 365, 1095
KILL_MATRIX = "kill-matrix.json"


def guideline_name(version: str) -> str:
    return f"guideline-{version}.toml"


def suite_name(version: str) -> str:
    return f"golden-flows@{version}"


@dataclass(frozen=True)
class Decision:
    """What became of one pair."""

    pair: Pair
    folder: Path | None
    """None where it was refused."""
    reasons: tuple[str, ...] = ()


def certify(
    folder: Path,
    key: SigningKey | None,
    *,
    valid_days: int = VALID_DAYS,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> tuple[Run, tuple[Decision, ...]]:
    """Certify every pair of the run that has earned it.

    Each certificate is written whole or not at all, in place of an older one. Raises as ``open_run``, and
    ``InteropError`` when one cannot be written.
    """
    run = open_run(folder)
    return run, tuple(_decide(run, cell, folder, key, valid_days, now()) for cell in run.cells)


def _decide(run: Run, cell: Cell, folder: Path, key: SigningKey | None, valid_days: int, now: datetime) -> Decision:
    reasons = [*earning.refusals(run, cell, folder, now)]
    if run.suite_version != suite.version():
        reasons.append(f"suite {run.suite_version} has judged, and this is {suite.version()}: certify with that one")
    elif run.suite_sha256 != suite.sources_sha256():
        reasons.append("the sources of this suite are not those that have judged: certify with those")
    if run.guideline_sha256 != guideline_sha256(run.guideline.version):
        reasons.append(f"guideline {run.guideline.version} of this suite is not the text that the run was judged by")
    until = valid_until(run, cell, valid_days)
    if until and until <= now:
        reasons.append(f"what was seen then is too old: it would have been valid until {until:%Y-%m-%d}")
    if reasons or until is None:
        return Decision(cell.pair, None, tuple(reasons))
    files = _draw_up(run, cell, folder, key, until, now)

    def fill(partial: Path) -> None:
        for name, content in files.items():
            put_bytes(partial / name, content)

    parent = folder / FOLDER
    try:
        parent.mkdir(exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write to {parent}: {error.strerror}", "free some space there") from error
    return Decision(cell.pair, put_folder(parent / folder_name(cell.pair), fill))


def valid_until(run: Run, cell: Cell, valid_days: int) -> datetime | None:
    """Counted from when the pair was judged, not from the signature; never beyond a waiver. None where it never was.

    Nor from the run's end: runs that were put together end with the last of them.
    """
    if cell.judged_at is None:
        return None
    ends = [cell.judged_at + timedelta(days=valid_days)]
    for waiver in earning.waivers(run, cell):
        ends.append(datetime(waiver.until.year, waiver.until.month, waiver.until.day, tzinfo=UTC) + timedelta(days=1))
    return min(ends)


def _draw_up(
    run: Run, cell: Cell, folder: Path, key: SigningKey | None, until: datetime, now: datetime
) -> Mapping[str, bytes]:
    """Every file of a certificate by its name."""
    if cell.src is None or cell.dst is None or run.ended_at is None or cell.judged_at is None:
        raise ValueError("a pair that has not earned a certificate")
    said = statement.said(run, cell)
    claim = statement.Claim(
        run_id=run.id,
        pair=cell.pair,
        evidence_level=statement.level_words(cell),
        guideline=run.guideline.version,
        suite_version=run.suite_version,
        plan_sha256=run.plan_sha256,
        result=said.result,
        said=said,
        variants=active_variants(cell),
        run_began=run.started_at,
        run_ended=run.ended_at,
        issued_at=now,
        valid_from=cell.judged_at,
        valid_until=until,
    )
    guideline = guideline_name(run.guideline.version)
    files = {
        guideline: read_guideline(run.guideline.version),
        PROFILES[0]: statement.profile_document(cell.src),
        PROFILES[1]: statement.profile_document(cell.dst),
    }
    journal = manifest.sha256_of(folder / "journal.jsonl")
    digests = [
        ("Plan sha256", run.plan_sha256),
        ("Guideline sha256", _sha256(files[guideline])),
        ("Journal sha256", journal),
        *([("Kill matrix sha256", run.kill_matrix.sha256)] if run.kill_matrix else []),
    ]
    printed = face.draw_up(run, cell, claim, tuple(digests), key.public.fingerprint if key else "")
    files |= {PAGES[0]: face.as_html(printed).encode("utf-8", "replace"), PAGES[1]: pdf.as_pdf(printed)}
    at = f"{FOLDER}/{folder_name(cell.pair)}"
    sums = {"journal.jsonl": journal}
    sums |= {f"evidence/{one.sha256}": one.sha256 for one in earning.evidence_of(cell)}
    sums |= {f"{at}/{name}": _sha256(content) for name, content in files.items()}
    files[manifest.NAME] = manifest.render(sums)
    signed = sign(statement.as_bytes(claim, *_resources(run, cell, files)), key)
    files |= {ATTESTATION: signed.as_json().encode(), SIGNED: signed.content}
    if key:
        files |= {SIGNATURE: detached(signed.signatures[0][1]), SIGNER: f"{key.public.text}\n".encode()}
    return files


def _resources(run: Run, cell: Cell, files: Mapping[str, bytes]) -> tuple[list[statement.JSON], list[statement.JSON]]:
    """The statement's subjects, and the configuration that they were judged by."""
    guideline = guideline_name(run.guideline.version)
    by = {
        "name": suite_name(run.suite_version),
        "uri": f"pkg:pypi/{suite_name(run.suite_version)}",
        "digest": {"sha256": run.suite_sha256},
    }
    kill = [statement.subject(KILL_MATRIX, run.kill_matrix.sha256)] if run.kill_matrix else []
    judged_by = [statement.subject(guideline, _sha256(files[guideline])), by, *kill]
    subjects = [
        statement.subject(PROFILES[0], _sha256(files[PROFILES[0]]), cloud=cell.pair.src, role="source"),
        statement.subject(PROFILES[1], _sha256(files[PROFILES[1]]), cloud=cell.pair.dst, role="destination"),
        statement.subject("plan", run.plan_sha256),
        *judged_by,
        statement.subject(manifest.NAME, _sha256(files[manifest.NAME])),
    ]
    return subjects, judged_by


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
