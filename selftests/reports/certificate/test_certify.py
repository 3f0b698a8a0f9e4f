"""Who earns a certificate, who does not and why, and what stands on it."""

from __future__ import annotations

import io
import json
import resource
import subprocess
import sys
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pypdf
import pytest

from golden_flows import suite
from golden_flows.errors import InteropError, UsageError
from golden_flows.guideline import load_guideline
from golden_flows.journal import Journal
from golden_flows.merging import merge
from golden_flows.model.guideline import Level
from reports.certificate import certify, statement
from reports.certificate.places import folder_name
from reports.certificate.signing import Signed, load_signing_key
from reports.read import open_run
from selftests.reports.certificate.conftest import CHECKS, FOLDER, NOW, Earned
from selftests.reports.conftest import BEGAN, finding

FILES = {
    *("certificate.html", "certificate.pdf", "attestation.intoto.json", "statement.signed", "statement.sig"),
    *("signer.pub", "SHA256SUMS", "guideline-2026.11.toml", "src.profile.json", "dst.profile.json"),
}


ADVISORY = next(one.id for one in load_guideline().requirements if one.level is Level.ADVISORY and not one.option)

WAIVER = {
    "id": "W-7",
    "check": "MD-3",
    "cells": ["private->*"],
    "reason": "the fix comes in December",
    "owner": "anne@example.org",
    "until": "2026-12-31",
}


def reasons(folder: Path) -> str:
    """Why the only pair of a run was refused."""
    _, (decision,) = certify.certify(folder, None, now=lambda: NOW)
    assert decision.folder is None
    assert not (folder / "certificates").exists()
    return "\n".join(decision.reasons)


def test_a_pair_that_has_earned_it_is_certified(certified: Path) -> None:
    assert {one.name for one in (certified / FOLDER).iterdir()} == FILES


def test_the_statement_is_one_of_in_toto(certified: Path) -> None:
    """By the reference implementation's own types."""
    from google.protobuf import json_format
    from in_toto_attestation.predicates.test_result.v0 import test_result_pb2
    from in_toto_attestation.v1 import statement as in_toto
    from in_toto_attestation.v1 import statement_pb2

    signed = Signed.from_json((certified / FOLDER / "attestation.intoto.json").read_text("utf-8"))
    document = json.loads(signed.payload)
    in_toto.Statement.copy_from_pb(json_format.ParseDict(document, statement_pb2.Statement())).validate()
    result = json_format.ParseDict(document["predicate"], test_result_pb2.TestResult())
    assert set(result.passed_tests) == set(CHECKS)
    assert list(result.failed_tests) == []
    names = [one["name"] for one in document["subject"]]
    version = suite.version()
    wanted = ["src.profile.json", "dst.profile.json", "plan", "guideline-2026.11.toml", f"golden-flows@{version}"]
    assert names == [*wanted, "SHA256SUMS"]


def test_the_suite_is_told_to_the_byte() -> None:
    """As the documented line of shell says it."""
    root = Path(certify.__file__).parents[2]
    line = (
        r"find golden_flows interop_tests reports \( -name '*.py' -o -name '*.toml' \) | LC_ALL=C sort"
        " | xargs sha256sum | sha256sum"
    )
    told = subprocess.run(["sh", "-c", line], cwd=root, capture_output=True, text=True, check=True).stdout
    assert told.split()[0] == suite.sources_sha256()


def test_flags_and_advisory_fails_warn_and_stand_on_the_face(earned: Earned, key: Path) -> None:
    earned.fields = {"waivers": [WAIVER]}
    earned.start()
    journal = earned.judge(but=("EX-1", "N2-1", ADVISORY, "MD-3"))
    journal.result("EX-1", flags=["shim=qcow2-to-raw"]).result("N2-1", flags=["flaky=2"])
    journal.result(ADVISORY, "fail", findings=[finding()]).result("MD-3", "fail", findings=[finding()])
    folder = journal.end().folder
    certify.certify(folder, load_signing_key(key), now=lambda: NOW)
    signed = Signed.from_json((folder / FOLDER / "attestation.intoto.json").read_text("utf-8"))
    claim = statement.parse(signed.payload)
    assert claim.result == "WARNED"
    assert set(claim.said.warned) == {"EX-1", "N2-1", ADVISORY, "MD-3"}
    assert claim.said.failed == ()
    assert f"{claim.valid_until:%Y-%m-%d}" == "2027-01-01", "a waiver that ends takes the certificate with it"
    page = (folder / FOLDER / "certificate.html").read_text("utf-8")
    paper = pdf_text(folder / FOLDER / "certificate.pdf")
    waived = "MD-3 failed: W-7 until 2026-12-31, anne@example.org: the fix comes in December"
    for words in (
        "EX-1: qcow2-to-raw",
        "N2-1: 2",
        f"{ADVISORY} (fail)",
        waived,
        "1 failed and somebody answers for it",
    ):
        assert words in page
        assert words in " ".join(paper.split())


def test_what_its_clouds_were_told_to_be_stands_on_the_face_and_in_the_statement(earned: Earned) -> None:
    earned.start()
    earned.journal.cloud("public", active_variants=["slow"])
    folder = earned.judge().end().folder
    certify.certify(folder, None, now=lambda: NOW)
    signed = Signed.from_json((folder / FOLDER / "attestation.intoto.json").read_text("utf-8"))
    assert statement.parse(signed.payload).variants == ("public: slow",)
    assert "public: slow" in (folder / FOLDER / "certificate.html").read_text("utf-8")
    assert "public: slow" in " ".join(pdf_text(folder / FOLDER / "certificate.pdf").split())


def pdf_text(path: Path) -> str:
    pages = pypdf.PdfReader(io.BytesIO(path.read_bytes())).pages
    assert len(pages) == 1
    return pages[0].extract_text()


def test_how_real_it_was_is_on_both_faces(certified: Path) -> None:
    page = (certified / FOLDER / "certificate.html").read_text("utf-8")
    assert "<strong>reference cloud on emulated hardware</strong>" in page
    paper = " ".join(pdf_text(certified / FOLDER / "certificate.pdf").split())
    assert "REFERENCE CLOUD ON EMULATED HARDWARE" in paper
    assert "this page certifies no cloud that anybody runs" in paper


def test_names_that_latin_1_does_not_know_leave_the_page_whole(earned: Earned) -> None:
    earned.pairs = (("облако", "雲 <script>alert(1)</script>"),)
    earned.start()
    earned.judge(src="облако", dst="雲 <script>alert(1)</script>")
    folder = earned.journal.end().folder
    _, (decision,) = certify.certify(folder, None, now=lambda: NOW)
    assert decision.folder
    page = (decision.folder / "certificate.html").read_text("utf-8")
    assert "<script" not in page
    assert "雲" in page
    assert r"\u96f2" in pdf_text(decision.folder / "certificate.pdf")


def test_a_page_with_much_to_say_is_still_one_page(earned: Earned) -> None:
    earned.start()
    earned.judge(but=CHECKS)
    for check in CHECKS:
        earned.journal.result(check, flags=["shim=a-shim-with-a-rather-long-name", "flaky=12"])
    folder = earned.journal.end().folder
    _, (decision,) = certify.certify(folder, None, now=lambda: NOW)
    assert decision.folder
    assert "Nobody has signed" in pdf_text(decision.folder / "certificate.pdf")


def _failed(earned: Earned) -> None:
    earned.start()
    earned.judge(but=("N2-1",)).result("N2-1", "fail", findings=[finding()]).end(0)


def _not_executed(earned: Earned) -> None:
    earned.start()
    earned.judge(but=("MD-3",)).end()


def _unplanned(earned: Earned) -> None:
    earned.start()
    earned.judge().result("ZZ-1").end()


def _no_proof(earned: Earned) -> None:
    earned.start()
    earned.judge(but=("MD-3",)).result("MD-3", "not-applicable", reason=" ").end()


def _nothing_applies(earned: Earned) -> None:
    earned.start()
    earned.judge(but=CHECKS)
    for check in CHECKS:
        earned.journal.result(check, "not-applicable", reason="the cloud offers none of it")
    earned.journal.end()


def _killed(earned: Earned) -> None:
    earned.start()
    earned.judge()


def _interrupted(earned: Earned) -> None:
    earned.start()
    earned.judge().end(3, "interrupted")


def _faulty(earned: Earned) -> None:
    earned.start()
    earned.journal.cloud("public", active_faults=["nd_empty"])
    earned.judge().end()


def _other_plan(earned: Earned) -> None:
    earned.fields = {"plan_sha256": "ab" * 32}
    earned.all()


def _two_runs(earned: Earned) -> None:
    folder = earned.all()
    whole = (folder / "journal.jsonl").read_text("utf-8")
    (folder / "journal.jsonl").write_text(whole + whole.replace('"run-1"', '"run-2"'), "utf-8")


def _waiver_over(earned: Earned) -> None:
    earned.fields = {"waivers": [{**WAIVER, "until": "2026-11-24"}]}
    earned.start()
    earned.judge(but=("MD-3",)).result("MD-3", "fail", findings=[finding()]).end()


def _waiver_of_nobody(earned: Earned) -> None:
    earned.start()
    earned.judge(but=("MD-3",)).result("MD-3", flags=["waiver=W-7 until 2026-12-31"]).end()


def _other_suite(earned: Earned) -> None:
    earned.fields = {"suite_version": "0.0.9"}
    earned.all()


def _changed_suite(earned: Earned) -> None:
    earned.fields = {"suite_sha256": "ab" * 32}
    earned.all()


def _other_guideline(earned: Earned) -> None:
    earned.fields = {"guideline_sha256": "ab" * 32}
    earned.all()


def _no_evidence(earned: Earned) -> None:
    earned.start()
    for check in CHECKS:
        earned.journal.result(check)
    earned.journal.end()


def _evidence_gone(earned: Earned) -> None:
    next((earned.all() / "evidence").iterdir()).unlink()


def _evidence_altered(earned: Earned) -> None:
    next((earned.all() / "evidence").iterdir()).write_bytes(b"all is well")


def _undescribed(earned: Earned) -> None:
    folder = earned.all()
    lines = (folder / "journal.jsonl").read_text("utf-8").splitlines(keepends=True)
    kept = [line for line in lines if not ('"event": "cloud"' in line and '"public"' in line)]
    (folder / "journal.jsonl").write_text("".join(kept), "utf-8")


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (_failed, "N2-1 fail: port fa:16:3e:01:02:03: expected a link, found none"),
        (_not_executed, "planned and never executed: MD-3"),
        (_unplanned, "executed and not in the plan: ZZ-1"),
        (_no_proof, "MD-3 is called not applicable without a proof"),
        (_nothing_applies, "nothing was shown to work"),
        (_killed, "the run has not ended"),
        (_interrupted, "the run itself ended with exit code 3"),
        (_faulty, "a cloud was told to misbehave: public: nd_empty"),
        (_other_plan, "the plan in the journal is not the one that was hashed"),
        (_two_runs, "the journal holds 2 runs"),
        (_waiver_over, "MD-3: waiver W-7 ended on 2026-11-24"),
        (_waiver_of_nobody, "MD-3: waiver=W-7 until 2026-12-31, and the run knows of no such waiver"),
        (_other_suite, "suite 0.0.9 has judged"),
        (_changed_suite, "the sources of this suite are not those that have judged"),
        (_other_guideline, "guideline 2026.11 of this suite is not the text"),
        (_no_evidence, "no evidence was kept of this pair"),
        (_evidence_gone, "is missing"),
        (_evidence_altered, "was altered since the run"),
        (_undescribed, "the journal never describes cloud public"),
    ],
)
def test_what_has_not_earned_it_is_refused_and_told_why(
    earned: Earned, made: Callable[[Earned], None], told: str
) -> None:
    made(earned)
    assert told in reasons(earned.journal.folder)


def test_what_was_seen_long_ago_is_no_certificate_of_today(earned: Earned) -> None:
    folder = earned.all()
    _, (decision,) = certify.certify(folder, None, valid_days=30, now=lambda: BEGAN + timedelta(days=31))
    assert decision.folder is None
    assert "too old" in decision.reasons[0]


def test_a_merge_makes_no_pair_younger(tmp_path: Path, earned: Earned) -> None:
    """What was seen 300 days before the other is certified for the 65 days that are left of its year."""
    earned.pairs = (("private", "vlan"),)
    earned.start()
    old = earned.judge(dst="vlan").end().folder
    young = Earned(type(earned.journal)(tmp_path / "runs" / "run-2", "run-2", BEGAN + timedelta(days=300))).all()
    folder = merge([old, young], tmp_path / "merged")
    now = BEGAN + timedelta(days=301)
    _, decisions = certify.certify(folder, None, now=lambda: now)
    assert [_validity(one) for one in decisions] == [
        (BEGAN.date(), (BEGAN + timedelta(days=365)).date()),
        ((BEGAN + timedelta(days=300)).date(), (BEGAN + timedelta(days=665)).date()),
    ]
    _, (late, _) = certify.certify(folder, None, now=lambda: BEGAN + timedelta(days=366))
    assert "too old" in late.reasons[0]


def _validity(decision: certify.Decision) -> tuple[date, date]:
    assert decision.folder, decision.reasons
    signed = Signed.from_json((decision.folder / "attestation.intoto.json").read_text("utf-8"))
    claim = statement.parse(signed.payload)
    return claim.valid_from.date(), claim.valid_until.date()


def test_a_pair_that_failed_takes_nothing_from_the_others(earned: Earned) -> None:
    earned.pairs = (("private", "public"), ("private", "vlan"))
    earned.start()
    earned.judge()
    earned.judge(dst="vlan", but=("N2-1",)).result("N2-1", "fail", dst="vlan", findings=[finding()])
    folder = earned.journal.end(0).folder
    _, (good, bad) = certify.certify(folder, None, now=lambda: NOW)
    assert good.folder
    assert bad.folder is None
    assert len(bad.reasons) == 1


def test_pairs_whose_names_run_together_have_folders_of_their_own() -> None:
    from golden_flows.model.cloud import Pair

    assert folder_name(Pair("a-b", "c")) != folder_name(Pair("a", "b-c"))
    assert folder_name(Pair("a+b", "c")) != folder_name(Pair("a", "b+c"))
    assert "/" not in folder_name(Pair("../..", "/etc"))


def test_a_run_at_work_and_a_folder_without_one_are_told(tmp_path: Path, earned: Earned) -> None:
    with pytest.raises(UsageError, match=r"holds no journal\.jsonl"):
        open_run(tmp_path)
    folder = earned.all()
    at_work = Journal(folder)
    try:
        with pytest.raises(UsageError, match="still at work"):
            open_run(folder)
    finally:
        at_work.close()


def test_a_run_of_a_newer_suite_is_told(earned: Earned) -> None:
    earned.fields = {"schema": 99}
    with pytest.raises(InteropError, match="schema 99 is newer"):
        open_run(earned.all())


def test_a_full_disk_leaves_the_old_certificate_whole(certified: Path, key: Path) -> None:
    before = {one.name: one.read_bytes() for one in (certified / FOLDER).iterdir()}
    code = (
        "import resource, sys, pathlib; resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192));"
        "from reports.certificate import certify, signing;"
        "certify.certify(pathlib.Path(sys.argv[1]), signing.load_signing_key(pathlib.Path(sys.argv[2])))"
    )
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    ran = subprocess.run(
        [sys.executable, "-c", code, str(certified), str(key)], capture_output=True, text=True, check=False
    )
    assert "InteropError" in ran.stderr
    assert "cannot write" in ran.stderr
    assert {one.name: one.read_bytes() for one in (certified / FOLDER).iterdir()} == before
    assert [one.name for one in (certified / "certificates").iterdir()] == ["private+public"]
