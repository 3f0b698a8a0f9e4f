"""Whether a certificate is what it says, with everything that is wrong with it named apart.

It trusts nothing but the signer's public key: who made the files, and on which machine, does not matter. What the
journal says is judged again, so that a statement that claims more than its evidence shows is found out, whoever signed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path

from golden_flows.errors import InteropError, UsageError
from golden_flows.guideline import guideline_sha256, parse_guideline
from golden_flows.journal import read_events
from golden_flows.model.cloud import Profile
from reports.certificate import certify, earning, manifest, places, statement
from reports.certificate.signing import NAMESPACE, PAYLOAD_TYPE, PublicKey, Seal, Signed, load_public_keys, look_at
from reports.read import profile_of, read_run
from reports.rows import active_variants


class Flaw(Enum):
    """What can be wrong with a certificate."""

    TRUNCATED = "truncated"
    """It stops before its end."""
    EDITED = "edited"
    """The signature is not of these bytes."""
    UNSIGNED = "unsigned"
    OTHER_KEY = "signed by another key"
    WRONG_NAMESPACE = "signed for something else"
    UNKNOWN_PREDICATE = "unknown predicate"
    OTHER_RUN = "evidence of another run"
    MANIFEST_EDITED = "manifest edited"
    EVIDENCE_MISSING = "evidence missing"
    EVIDENCE_ALTERED = "evidence altered"
    FLIPPED_VERDICT = "flipped verdict"
    """The journal does not say what the statement claims."""
    GUIDELINE_CHANGED = "guideline changed"
    EXPIRED = "expired"
    NOT_YET_VALID = "not yet valid"


@dataclass(frozen=True)
class Wrong:
    """One thing that is wrong."""

    flaw: Flaw
    detail: str

    def __str__(self) -> str:
        return f"{self.flaw.value}: {self.detail}"


@dataclass(frozen=True)
class Verification:
    """What came out for one certificate."""

    path: Path
    claim: statement.Claim | None = None
    signer: PublicKey | None = None
    wrong: tuple[Wrong, ...] = ()
    doubts: tuple[str, ...] = ()
    """What could not be found out; with any of it, the certificate is not accepted."""


def verify(
    path: Path,
    trusted: Sequence[PublicKey] = (),
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Verification:
    """Verify the attestation in this file, and the evidence in the run's folder around it.

    ``trusted``: keys of which one must have signed; without any, who has signed stays in doubt. Raises ``UsageError``
    where the file cannot be read, or is something else than a certificate.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path}: {error}", f"give the {certify.ATTESTATION} of a certificate") from error
    found = Verification(path)
    signed = _open(text, path)
    if isinstance(signed, Wrong):
        return replace(found, wrong=(signed,))
    sealed = _seal(signed, path, trusted)
    if isinstance(sealed, Wrong):
        return replace(found, wrong=(sealed,))
    found = replace(found, signer=sealed.key)
    if sealed.namespace != NAMESPACE:
        detail = f"an SSH signature for {sealed.namespace!r}, not for {NAMESPACE!r}"
        return replace(found, wrong=(Wrong(Flaw.WRONG_NAMESPACE, detail),))
    if trusted and sealed.key not in trusted:
        return replace(found, wrong=(_other_key(sealed, trusted),))
    if not trusted and sealed.key:
        found = replace(found, doubts=(f"nobody vouches for the key {sealed.key.fingerprint}: give --key PUB",))
    if signed.payload_type != PAYLOAD_TYPE:
        return replace(found, wrong=(Wrong(Flaw.UNKNOWN_PREDICATE, f"the envelope holds {signed.payload_type!r}"),))
    try:
        claim = statement.parse(signed.payload)
    except statement.UnknownPredicate as error:
        return replace(found, wrong=(Wrong(Flaw.UNKNOWN_PREDICATE, str(error)),))
    except ValueError as error:
        raise UsageError(f"{path}: {error}", "was it written by another version of the suite?") from error
    doubt = _unknown_guideline(claim)
    return replace(
        found,
        claim=claim,
        wrong=(*_time(claim, now()), *_evidence(claim, path, signed)),
        doubts=(*found.doubts, *([doubt] if doubt else [])),
    )


def _open(text: str, path: Path) -> Signed | Wrong:
    try:
        return Signed.from_json(text)
    except json.JSONDecodeError as error:
        if error.pos >= len(text.rstrip()) or "Unterminated" in error.msg or not text.strip():
            return Wrong(Flaw.TRUNCATED, f"{path.name} stops after {len(text)} characters")
        raise UsageError(f"{path} is no JSON: {error}", f"give the {certify.ATTESTATION} of a certificate") from error
    except ValueError as error:
        raise UsageError(f"{path} is {error}", f"give the {certify.ATTESTATION} of a certificate") from error


def _seal(signed: Signed, path: Path, trusted: Sequence[PublicKey]) -> Seal | Wrong:
    """Of several signatures the one by a trusted key, else the first."""
    if not signed.signatures:
        return Wrong(Flaw.UNSIGNED, "nobody has signed this certificate")
    beside = path.with_name(certify.SIGNER)
    known = (*trusted, *(load_public_keys(beside) if beside.is_file() else ()))
    seals = [_one_seal(signed, keyid, signature, known) for keyid, signature in signed.signatures]
    return next((one for one in seals if isinstance(one, Seal) and one.key in trusted), seals[0])


def _one_seal(signed: Signed, keyid: str, signature: bytes, known: Sequence[PublicKey]) -> Seal | Wrong:
    try:
        seal = look_at(signature, signed.content, known)
    except ValueError as error:
        return Wrong(Flaw.EDITED, f"its signature is {error}")
    if seal.holds:
        return seal
    if seal.key is None and keyid not in [one.fingerprint for one in known]:
        return Wrong(Flaw.OTHER_KEY, f"its plain signature is of {keyid}, and that key is not at hand")
    return Wrong(Flaw.EDITED, f"the signature of {keyid} is not of what the certificate says now")


def _other_key(seal: Seal, trusted: Sequence[PublicKey]) -> Wrong:
    wanted = " or ".join(one.fingerprint for one in trusted)
    return Wrong(Flaw.OTHER_KEY, f"signed by {seal.key.fingerprint if seal.key else 'nobody'}, not by {wanted}")


def _time(claim: statement.Claim, now: datetime) -> Iterator[Wrong]:
    if now > claim.valid_until:
        yield Wrong(Flaw.EXPIRED, f"valid until {claim.valid_until:%Y-%m-%d %H:%M} UTC")
    if now < claim.valid_from:
        yield Wrong(Flaw.NOT_YET_VALID, f"valid from {claim.valid_from:%Y-%m-%d %H:%M} UTC; is this clock right?")


def _unknown_guideline(claim: statement.Claim) -> str:
    """Where this suite cannot say whether it is the published text: the reason; else empty."""
    try:
        guideline_sha256(claim.guideline)
    except UsageError:
        return f"guideline {claim.guideline} is not among those of this suite, so its text could not be compared"
    return ""


def _evidence(claim: statement.Claim, path: Path, signed: Signed) -> Iterator[Wrong]:
    """The folder of the run is two above the certificate's."""
    own, root = path.absolute().parent, path.absolute().parents[2]
    copy = path.with_name(certify.SIGNED)
    if copy.is_file() and copy.read_bytes() != signed.content:
        yield Wrong(Flaw.EDITED, f"{copy.name} is not what {path.name} holds")
    journal = root / "journal.jsonl"
    if not journal.is_file():
        yield Wrong(Flaw.EVIDENCE_MISSING, f"{journal.name} is not in {root}: verify it in the folder of its run")
        return
    if (run_id := _run_of(journal)) != claim.run_id:
        yield Wrong(Flaw.OTHER_RUN, f"the journal is of run {run_id}, the certificate of run {claim.run_id}")
        return
    sums = _sums(claim, own)
    if isinstance(sums, Wrong):
        yield sums
        return
    whole = True
    for one in manifest.broken(sums, root):
        whole = False
        yield _broken(one, own, root)
    published = claim.subjects.get(certify.guideline_name(claim.guideline))
    if not _unknown_guideline(claim) and published != guideline_sha256(claim.guideline):
        whole = False
        yield Wrong(Flaw.GUIDELINE_CHANGED, f"{claim.guideline} of this suite is another text than it was judged by")
    if whole:
        yield from _judged_again(claim, own, root)


def _run_of(journal: Path) -> str:
    """Empty where it tells of no run."""
    try:
        return next((str(one.get("run")) for one in read_events(journal) if one["event"] == "run_started"), "")
    except InteropError:
        return ""


def _sums(claim: statement.Claim, own: Path) -> dict[str, str] | Wrong:
    try:
        content = (own / manifest.NAME).read_bytes()
    except OSError:
        return Wrong(Flaw.EVIDENCE_MISSING, f"{manifest.NAME} is not in {own}")
    if hashlib.sha256(content).hexdigest() != claim.subjects.get(manifest.NAME):
        return Wrong(Flaw.MANIFEST_EDITED, f"{manifest.NAME} is not the one that was signed")
    try:
        sums = manifest.parse(content)
    except ValueError as error:
        return Wrong(Flaw.MANIFEST_EDITED, str(error))
    at = f"{places.FOLDER}/{own.name}"
    own_files = (certify.guideline_name(claim.guideline), *places.PAGES, *certify.PROFILES)
    needed = ("journal.jsonl", *(f"{at}/{one}" for one in own_files))
    left_out = [one for one in needed if one not in sums]
    return Wrong(Flaw.MANIFEST_EDITED, f"it leaves out {', '.join(left_out)}") if left_out else sums


def _broken(one: manifest.Broken, own: Path, root: Path) -> Wrong:
    file = root / one.path
    if one.is_missing:
        return Wrong(Flaw.EVIDENCE_MISSING, one.path)
    if file.parent == own:
        flaw = Flaw.GUIDELINE_CHANGED if file.name.startswith("guideline-") else Flaw.EDITED
        return Wrong(flaw, f"{file.name} is not as it was signed")
    return Wrong(Flaw.EVIDENCE_ALTERED, one.path)


def _judged_again(claim: statement.Claim, own: Path, root: Path) -> Iterator[Wrong]:
    """By the guideline that was signed, whatever this suite knows of it."""
    text = (own / certify.guideline_name(claim.guideline)).read_bytes()
    try:
        run = read_run(root, load=lambda _: parse_guideline(text))
    except (InteropError, ValueError, KeyError) as error:
        yield Wrong(Flaw.FLIPPED_VERDICT, f"the journal cannot be judged again: {error}")
        return
    cell = next((one for one in run.cells if one.pair == claim.pair), None)
    if cell is None:
        yield Wrong(Flaw.FLIPPED_VERDICT, f"the run never tried {claim.pair}")
        return
    for reason in earning.refusals(run, cell, root, claim.issued_at):
        yield Wrong(Flaw.FLIPPED_VERDICT, f"{claim.pair} has not earned it: {reason}")
    said = statement.said(run, cell)
    for what, claimed, seen in (
        ("the checks", claim.said, said),
        ("variants", claim.variants, active_variants(cell)),
        ("the result", claim.result, said.result),
        ("the plan", claim.plan_sha256, run.plan_sha256),
        ("the suite", claim.suite_version, run.suite_version),
        ("its sources", claim.subjects.get(certify.suite_name(claim.suite_version)), run.suite_sha256),
        ("the run's end", claim.run_ended, run.ended_at),
        ("when the pair was judged", claim.valid_from, cell.judged_at),
        ("the plan's digest", claim.subjects.get("plan"), run.plan_sha256),
        ("the kill matrix", claim.subjects.get(certify.KILL_MATRIX), run.kill_matrix and run.kill_matrix.sha256),
    ):
        if claimed != seen:
            yield Wrong(Flaw.FLIPPED_VERDICT, f"the statement says of {what} what the journal does not: {claimed}")
    longest = certify.valid_until(run, cell, certify.VALID_DAYS_MAX)
    if longest is None or claim.valid_until > longest:
        yield Wrong(Flaw.FLIPPED_VERDICT, f"nothing that was seen is good until {claim.valid_until:%Y-%m-%d %H:%M} UTC")
    for name, profile in zip(certify.PROFILES, (cell.src, cell.dst), strict=True):
        content = (own / name).read_bytes()
        if hashlib.sha256(content).hexdigest() != claim.subjects.get(name) or not _describes(content, profile):
            yield Wrong(Flaw.FLIPPED_VERDICT, f"{name} is not what was signed, or not what the journal says")
    if claim.evidence_level != statement.level_words(cell):
        detail = f"the statement says {claim.evidence_level!r}, the journal {statement.level_words(cell)!r}"
        yield Wrong(Flaw.FLIPPED_VERDICT, f"evidence level: {detail}")


def _describes(content: bytes, profile: Profile | None) -> bool:
    """Read as the journal is: whoever wrote it may not have had all that this suite knows of a cloud."""
    try:
        return profile is not None and statement.profile_document(profile_of(json.loads(content))) == (
            statement.profile_document(profile)
        )
    except (ValueError, TypeError, AttributeError, RecursionError):
        return False
