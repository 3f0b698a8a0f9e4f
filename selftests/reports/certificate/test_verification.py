"""Every way to tamper with a certificate is refused by its own name, and stock tools verify it without us."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from golden_flows import suite
from golden_flows.errors import UsageError
from reports.certificate import certify, signing
from reports.certificate.signing import Signed, load_public_keys, load_signing_key
from reports.certificate.verification import Flaw, Verification, verify
from selftests.reports.certificate.conftest import FOLDER, NOW, PAIR, Earned, needs_openssh, pem_key, ssh_key

ATTESTATION = f"{FOLDER}/attestation.intoto.json"


@dataclass
class Given:
    """What a verifier has been given, and may have been tampered with."""

    run: Path
    key: Path
    """The signer's private key, which a tamperer may have as well."""
    now: datetime = NOW

    @property
    def own(self) -> Path:
        return self.run / FOLDER

    @property
    def attestation(self) -> Path:
        return self.run / ATTESTATION

    def sign_again(self, change: Callable[[Any], None], key: Path | None = None) -> None:
        """Change the statement and sign it afresh, as only who has a key can."""
        document = json.loads(Signed.from_json(self.attestation.read_text("utf-8")).payload)
        change(document)
        self._seal(json.dumps(document).encode(), key or self.key)

    def _seal(self, payload: bytes, key: Path) -> None:
        signed = signing.sign(payload, load_signing_key(key))
        self.attestation.write_text(signed.as_json(), "utf-8")
        (self.own / "statement.signed").write_bytes(signed.content)

    def sign_manifest_again(self) -> None:
        """Write the manifest of the files as they are now, and sign that."""
        sums = self.own / "SHA256SUMS"
        paths = [line.split("  ")[1] for line in sums.read_text("utf-8").splitlines()]
        lines = [f"{hashlib.sha256((self.run / path).read_bytes()).hexdigest()}  {path}\n" for path in paths]
        sums.write_text("".join(lines), "utf-8")
        digest = hashlib.sha256(sums.read_bytes()).hexdigest()

        def change(document: Any) -> None:
            next(one for one in document["subject"] if one["name"] == "SHA256SUMS")["digest"]["sha256"] = digest

        self.sign_again(change)

    def verify(self) -> Verification:
        return verify(self.attestation, load_public_keys(Path(f"{self.key}.pub")), now=lambda: self.now)


@pytest.fixture
def given(certified: Path, key: Path) -> Given:
    return Given(certified, key)


def test_what_nobody_touched_is_genuine(given: Given) -> None:
    found = given.verify()
    assert found.wrong == ()
    assert found.doubts == ()
    assert found.claim
    assert found.claim.pair == PAIR
    assert found.signer == load_signing_key(given.key).public


def test_without_a_key_nobody_vouches_for_the_signer(given: Given) -> None:
    found = verify(given.attestation, now=lambda: NOW)
    assert found.wrong == ()
    assert "nobody vouches for the key SHA256:" in found.doubts[0]


def _cut(given: Given) -> None:
    whole = given.attestation.read_bytes()
    given.attestation.write_bytes(whole[: len(whole) // 2])


def _edited(given: Given) -> None:
    envelope = json.loads(given.attestation.read_text("utf-8"))
    payload = base64.b64decode(envelope["payload"]).replace(b'"PASSED"', b'"FAILED"')
    envelope["payload"] = base64.b64encode(payload).decode()
    given.attestation.write_text(json.dumps(envelope), "utf-8")


def _page_edited(given: Given) -> None:
    page = given.own / "certificate.html"
    page.write_text(page.read_text("utf-8").replace("reference cloud on emulated hardware", "real cloud"), "utf-8")


def _unsigned(given: Given) -> None:
    envelope = json.loads(given.attestation.read_text("utf-8"))
    given.attestation.write_text(json.dumps({**envelope, "signatures": []}), "utf-8")


def _signed_by_another(given: Given) -> None:
    given.sign_again(lambda document: None, ssh_key(given.run.parent / "other-key"))


def _signed_for_git(given: Given) -> None:
    content = Signed.from_json(given.attestation.read_text("utf-8")).content
    asked = ["ssh-keygen", "-q", "-Y", "sign", "-n", "git", "-f", str(given.key)]
    armoured = subprocess.run(asked, input=content, capture_output=True, check=True).stdout.decode("ascii")
    envelope = json.loads(given.attestation.read_text("utf-8"))
    envelope["signatures"][0]["sig"] = "".join(armoured.splitlines()[1:-1])
    given.attestation.write_text(json.dumps(envelope), "utf-8")


def _other_predicate(given: Given) -> None:
    given.sign_again(lambda document: document.update(predicateType="https://slsa.dev/provenance/v1"))


def _other_run(given: Given) -> None:
    journal = given.run / "journal.jsonl"
    journal.write_text(journal.read_text("utf-8").replace('"run-1"', '"run-2"'), "utf-8")


def _manifest_edited(given: Given) -> None:
    sums = given.own / "SHA256SUMS"
    sums.write_text("".join(sums.read_text("utf-8").splitlines(keepends=True)[1:]), "utf-8")


def _manifest_without_journal(given: Given) -> None:
    sums = given.own / "SHA256SUMS"
    sums.write_text(re.sub(r"(?m)^.*journal\.jsonl\n", "", sums.read_text("utf-8")), "utf-8")
    given.sign_manifest_again()


def _evidence_gone(given: Given) -> None:
    next((given.run / "evidence").iterdir()).unlink()


def _journal_gone(given: Given) -> None:
    (given.run / "journal.jsonl").unlink()


def _evidence_altered(given: Given) -> None:
    next((given.run / "evidence").iterdir()).write_bytes(b"all is well")


def _journal_altered(given: Given) -> None:
    with (given.run / "journal.jsonl").open("a", encoding="utf-8") as journal:
        journal.write('{"at": "2026-11-22T12:00:00+00:00", "event": "note", "text": "all is well"}\n')


def _verdict_flipped(given: Given) -> None:
    """By the signer: the journal has a failure, and the statement says that it passed."""
    journal = given.run / "journal.jsonl"
    text = journal.read_text("utf-8")
    flipped = text.replace('"check": "N2-1", "outcome": "pass"', '"check": "N2-1", "outcome": "fail"')
    assert flipped != text
    journal.write_text(flipped, "utf-8")
    given.sign_manifest_again()


def _notes(document: Any) -> Any:
    return next(one for one in document["predicate"]["configuration"] if "annotations" in one)["annotations"]


def _subject(document: Any, name: str) -> Any:
    return next(one for one in document["subject"] if one["name"] == name)["digest"]


def _claims_more(given: Given) -> None:
    given.sign_again(lambda document: _notes(document).update(evidenceLevel="real cloud"))


def _of_a_variant(given: Given) -> None:
    given.sign_again(lambda document: _notes(document).update(variants=["public: slow"]))


def _by_another_suite(given: Given) -> None:
    name = certify.suite_name(suite.version())
    given.sign_again(lambda document: _subject(document, name).update(sha256="ab" * 32))


def _valid_for_long(given: Given) -> None:
    given.sign_again(lambda document: _notes(document).update(validUntil="2031-01-01T00:00:00+00:00"))


def _issued_early(given: Given) -> None:
    given.sign_again(lambda document: _notes(document).update(issuedAt="2026-11-22T10:00:30+00:00"))


def _of_another_cloud(given: Given) -> None:
    """By the signer, with a profile that fits: the journal tells."""
    file = given.own / "dst.profile.json"
    file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), "hypervisor": "xen"}), "utf-8")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    given.sign_manifest_again()
    given.sign_again(lambda document: _subject(document, file.name).update(sha256=digest))


def _of_no_profile(given: Given) -> None:
    given.sign_again(lambda document: _subject(document, "src.profile.json").update(sha256="ab" * 32))


def _of_another_plan(given: Given) -> None:
    given.sign_again(lambda document: _subject(document, "plan").update(sha256="ab" * 32))


def _better_proved(given: Given) -> None:
    kill = {"name": "kill-matrix.json", "digest": {"sha256": "ab" * 32}}
    given.sign_again(lambda document: document["subject"].append(kill))


def _guideline_edited(given: Given) -> None:
    file = given.own / "guideline-2026.11.toml"
    file.write_text(file.read_text("utf-8").replace('level = "required"', 'level = "advisory"', 1), "utf-8")


def _by_another_guideline(given: Given) -> None:
    """By the signer: with a text of it that nobody has published."""
    _guideline_edited(given)
    digest = hashlib.sha256((given.own / "guideline-2026.11.toml").read_bytes()).hexdigest()
    given.sign_manifest_again()
    given.sign_again(lambda document: _subject(document, "guideline-2026.11.toml").update(sha256=digest))


def _late(given: Given) -> None:
    given.now = NOW + timedelta(days=400)


def _early(given: Given) -> None:
    given.now = NOW - timedelta(days=10)


TAMPERED: Mapping[str, tuple[Callable[[Given], None], Flaw, str]] = {
    "truncated": (_cut, Flaw.TRUNCATED, "stops after"),
    "edited": (_edited, Flaw.EDITED, "is not of what the certificate says now"),
    "page edited": (_page_edited, Flaw.EDITED, "certificate.html is not as it was signed"),
    "unsigned": (_unsigned, Flaw.UNSIGNED, "nobody has signed"),
    "another key": (_signed_by_another, Flaw.OTHER_KEY, "not by SHA256:"),
    "for git": (_signed_for_git, Flaw.WRONG_NAMESPACE, "for 'git'"),
    "another predicate": (_other_predicate, Flaw.UNKNOWN_PREDICATE, "slsa.dev"),
    "another run": (_other_run, Flaw.OTHER_RUN, "the journal is of run run-2"),
    "manifest edited": (_manifest_edited, Flaw.MANIFEST_EDITED, "is not the one that was signed"),
    "manifest short": (_manifest_without_journal, Flaw.MANIFEST_EDITED, "leaves out journal.jsonl"),
    "evidence gone": (_evidence_gone, Flaw.EVIDENCE_MISSING, "evidence/"),
    "journal gone": (_journal_gone, Flaw.EVIDENCE_MISSING, "journal.jsonl is not in"),
    "evidence altered": (_evidence_altered, Flaw.EVIDENCE_ALTERED, "evidence/"),
    "journal altered": (_journal_altered, Flaw.EVIDENCE_ALTERED, "journal.jsonl"),
    "verdict flipped": (_verdict_flipped, Flaw.FLIPPED_VERDICT, "N2-1 fail"),
    "claims more": (_claims_more, Flaw.FLIPPED_VERDICT, "evidence level"),
    "valid for long": (_valid_for_long, Flaw.FLIPPED_VERDICT, "good until 2031-01-01"),
    "issued early": (_issued_early, Flaw.FLIPPED_VERDICT, "the run ended after that, at 2026-11-22"),
    "another cloud": (_of_another_cloud, Flaw.FLIPPED_VERDICT, "dst.profile.json"),
    "no profile": (_of_no_profile, Flaw.FLIPPED_VERDICT, "src.profile.json"),
    "another plan": (_of_another_plan, Flaw.FLIPPED_VERDICT, "the plan's digest"),
    "better proved": (_better_proved, Flaw.FLIPPED_VERDICT, "the kill matrix"),
    "a variant": (_of_a_variant, Flaw.FLIPPED_VERDICT, "variants"),
    "another suite": (_by_another_suite, Flaw.FLIPPED_VERDICT, "its sources"),
    "guideline edited": (_guideline_edited, Flaw.GUIDELINE_CHANGED, "guideline-2026.11.toml"),
    "another guideline": (_by_another_guideline, Flaw.GUIDELINE_CHANGED, "2026.11 of this suite is another text"),
    "expired": (_late, Flaw.EXPIRED, "valid until 2027-11-22"),
    "not yet valid": (_early, Flaw.NOT_YET_VALID, "valid from 2026-11-22"),
}


@pytest.mark.parametrize(
    "name", [pytest.param(one, marks=needs_openssh) if one == "for git" else one for one in TAMPERED]
)
def test_tampering_is_refused_by_its_own_name(given: Given, name: str) -> None:
    tamper, flaw, told = TAMPERED[name]
    tamper(given)
    found = given.verify()
    assert {one.flaw for one in found.wrong} == {flaw}
    assert any(told in one.detail for one in found.wrong)


def test_every_flaw_has_a_variant_that_shows_it() -> None:
    assert {flaw for _, flaw, _ in TAMPERED.values()} == set(Flaw)


def test_a_certificate_in_the_folder_of_another_run_is_told(given: Given, earned: Earned, tmp_path: Path) -> None:
    there = type(earned.journal)(tmp_path / "runs" / "run-2", "run-2")
    other = Earned(there).all()
    shutil.copytree(given.run / "certificates", other / "certificates")
    given.run = other
    assert [one.flaw for one in given.verify().wrong] == [Flaw.OTHER_RUN]


def test_what_is_no_certificate_is_a_usage_error(tmp_path: Path, given: Given) -> None:
    for text, told in (("{]", "is no JSON"), ('{"results": []}', "not a DSSE envelope")):
        (tmp_path / "x.json").write_text(text, "utf-8")
        with pytest.raises(UsageError, match=told):
            verify(tmp_path / "x.json")
    with pytest.raises(UsageError, match="cannot read"):
        verify(tmp_path / "absent.json")


def test_a_guideline_that_this_suite_does_not_know_leaves_a_doubt(given: Given) -> None:
    given.sign_again(lambda document: _notes(document).update(guideline="2031.05"))
    assert "guideline 2031.05 is not among those of this suite" in given.verify().doubts[0]


def test_a_plain_ed25519_key_works_as_well(earned: Earned, tmp_path: Path) -> None:
    folder = earned.all()
    key = load_signing_key(pem_key(tmp_path / "key.pem"))
    certify.certify(folder, key, now=lambda: NOW)
    assert verify(folder / ATTESTATION, (key.public,), now=lambda: NOW).wrong == ()
    other = load_public_keys(Path(f"{ssh_key(tmp_path / 'other')}.pub"))
    assert [one.flaw for one in verify(folder / ATTESTATION, other, now=lambda: NOW).wrong] == [Flaw.OTHER_KEY]


def test_a_second_signer_may_stand_beside_the_first(given: Given) -> None:
    other = load_signing_key(ssh_key(given.run.parent / "other-key"))
    signed = Signed.from_json(given.attestation.read_text("utf-8"))
    both = (*signing.sign(signed.payload, other).signatures, *signed.signatures)
    given.attestation.write_text(Signed(signed.payload, signed.payload_type, both).as_json(), "utf-8")
    found = given.verify()
    assert found.wrong == ()
    assert found.signer == load_signing_key(given.key).public


@needs_openssh
def test_stock_tools_alone_verify_it(given: Given, tmp_path: Path) -> None:
    """The three lines of docs/verify.md, in a shell that has nothing of ours."""
    page = (Path(__file__).parents[3] / "docs" / "verify.md").read_text("utf-8")
    block = re.search(r"```sh\n(# stock tools.*?)```", page, re.DOTALL)
    assert block, "docs/verify.md shows the commands"
    public = Path(f"{given.key}.pub").read_text("utf-8")
    (tmp_path / "allowed_signers").write_text(f"certifier@example.org {public}", "utf-8")
    script = block.group(1).replace("private+public", PAIR_FOLDER).replace("SIGNERS", str(tmp_path / "allowed_signers"))

    def told() -> int:
        asked = ["env", "-i", "PATH=/usr/bin:/bin", "sh", "-euc", script]
        return subprocess.run(asked, cwd=given.run, capture_output=True, check=False).returncode

    assert told() == 0
    evidence = next((given.run / "evidence").iterdir())
    content = evidence.read_bytes()
    evidence.write_bytes(b"all is well")
    assert told() != 0
    evidence.write_bytes(content)
    assert told() == 0
    _manifest_edited(given)
    assert told() != 0


PAIR_FOLDER = FOLDER.partition("/")[2]
