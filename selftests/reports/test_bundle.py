"""A run in one file: whole, the same every time, and with no secret in it."""

from __future__ import annotations

import base64
import gzip
import io
import json
import secrets
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from requests.adapters import BaseAdapter

from golden_flows.clouds import transcript
from golden_flows.clouds.transcript import Transcript
from golden_flows.errors import InteropError, UsageError
from golden_flows.journal import REDACTED, Journal
from golden_flows.model.cloud import Pair
from golden_flows.model.stage import Stage
from reports import bundle
from reports.certificate import certify
from reports.certificate.signing import load_public_keys, load_signing_key
from reports.certificate.verification import Flaw
from reports.leaks import FORMS, leak
from reports.write import write_all
from selftests.reports.certificate.conftest import NOW, Earned, ssh_key

if TYPE_CHECKING:
    from selftests.reports.conftest import JournalBuilder


@pytest.fixture
def certified(journal: JournalBuilder, tmp_path: Path) -> Path:
    folder = Earned(journal).all()
    certify.certify(folder, load_signing_key(ssh_key(tmp_path / "key")), now=lambda: NOW)
    write_all(folder)
    return folder


def contents(path: Path) -> dict[str, bytes]:
    """Every file of a bundle by its path in it."""
    with tarfile.open(path) as archive:
        return {one.name: file.read() for one in archive for file in (archive.extractfile(one),) if file}


def test_a_bundle_holds_the_run_and_sha256sum_says_so(certified: Path, tmp_path: Path) -> None:
    packed = bundle.pack(certified, tmp_path / "run.tar.gz")
    names = {name.removeprefix("run-1/") for name in contents(packed.path)}
    assert {"journal.jsonl", "matrix.html", "results.json", "SHA256SUMS"} <= names
    assert "certificates/private+public/certificate.pdf" in names
    assert {one.name for one in (certified / "evidence").iterdir()} == {
        name.removeprefix("evidence/") for name in names if name.startswith("evidence/")
    }
    subprocess.run(["tar", "-xzf", str(packed.path), "-C", str(tmp_path)], check=True)
    subprocess.run(["sha256sum", "--quiet", "--strict", "-c", "SHA256SUMS"], cwd=tmp_path / "run-1", check=True)


def test_the_same_folder_gives_the_same_bytes(certified: Path, tmp_path: Path) -> None:
    first = bundle.pack(certified, tmp_path / "first.tar.gz")
    for path in certified.rglob("*"):
        path.touch()
    assert bundle.pack(certified, tmp_path / "second.tar.gz").sha256 == first.sha256


def test_what_somebody_left_in_the_folder_stays_there(certified: Path, tmp_path: Path) -> None:
    (certified / "clouds.yaml").write_text("clouds: {}", "utf-8")
    (certified / "evidence" / "notes.txt").write_text("remember the milk", "utf-8")
    packed = bundle.pack(certified, tmp_path / "run.tar.gz")
    assert not [name for name in contents(packed.path) if name.endswith((".yaml", "notes.txt"))]


def test_a_bundle_is_genuine_on_another_machine(certified: Path, tmp_path: Path) -> None:
    packed = bundle.pack(certified, tmp_path / "run.tar.gz")
    whole, certificate = bundle.verify_bundle(packed.path, load_public_keys(tmp_path / "key.pub"), now=lambda: NOW)
    assert whole.wrong == certificate.wrong == ()
    assert whole.doubts == certificate.doubts == ()


def _repacked(path: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    content = contents(path)
    change(content)
    with tarfile.open(path, "w:gz") as archive:
        for name, one in content.items():
            member = tarfile.TarInfo(name)
            member.size = len(one)
            archive.addfile(member, io.BytesIO(one))
    return path


def _without_evidence(content: dict[str, bytes]) -> None:
    del content[next(name for name in content if "/evidence/" in name)]


def _with_other_evidence(content: dict[str, bytes]) -> None:
    content[next(name for name in content if "/evidence/" in name)] = b"all is well"


def _with_more(content: dict[str, bytes]) -> None:
    content["run-1/evidence/extra"] = b"by the way"


def _without_list(content: dict[str, bytes]) -> None:
    del content["run-1/SHA256SUMS"]


def _with_torn_list(content: dict[str, bytes]) -> None:
    content["run-1/SHA256SUMS"] += b"xyz\n"


@pytest.mark.parametrize(
    ("change", "flaw"),
    [
        (_without_evidence, Flaw.EVIDENCE_MISSING),
        (_with_other_evidence, Flaw.EVIDENCE_ALTERED),
        (_with_more, Flaw.MANIFEST_EDITED),
        (_without_list, Flaw.EVIDENCE_MISSING),
        (_with_torn_list, Flaw.MANIFEST_EDITED),
    ],
)
def test_a_bundle_that_was_changed_is_told(
    certified: Path, tmp_path: Path, change: Callable[[dict[str, bytes]], None], flaw: Flaw
) -> None:
    path = _repacked(bundle.pack(certified, tmp_path / "run.tar.gz").path, change)
    whole, *_ = bundle.verify_bundle(path, now=lambda: NOW)
    assert {one.flaw for one in whole.wrong} == {flaw}


def test_a_bundle_that_was_cut_is_told(certified: Path, tmp_path: Path) -> None:
    path = bundle.pack(certified, tmp_path / "run.tar.gz").path
    path.write_bytes(path.read_bytes()[:-4000])
    (whole,) = bundle.verify_bundle(path)
    assert [one.flaw for one in whole.wrong] == [Flaw.TRUNCATED]


def test_a_bundle_without_a_certificate_leaves_a_doubt(journal: JournalBuilder, tmp_path: Path) -> None:
    packed = bundle.pack(Earned(journal).all(), tmp_path / "run.tar.gz")
    (whole,) = bundle.verify_bundle(packed.path)
    assert whole.doubts == ("there is no certificate in it",)


def _tar(path: Path, *members: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for one in members:
            archive.addfile(one)
    return path


def _link(name: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return member


def test_an_archive_that_is_no_bundle_leaves_nothing_behind(tmp_path: Path) -> None:
    outside = _tar(tmp_path / "outside.tar.gz", tarfile.TarInfo("run/../../escaped"))
    for path in (outside, _tar(tmp_path / "link.tar.gz", _link("run/journal.jsonl"))):
        with pytest.raises(UsageError):
            bundle.verify_bundle(path)
    two = _tar(tmp_path / "two.tar.gz", tarfile.TarInfo("a/x"), tarfile.TarInfo("b/x"))
    root = _tar(tmp_path / "root.tar.gz", tarfile.TarInfo("/run/journal.jsonl"))
    for path in (two, root):  # of the second, the one folder would be this machine's own root
        with pytest.raises(UsageError, match="not laid out like a bundle"):
            bundle.verify_bundle(path)
    assert not (tmp_path.parent / "escaped").exists()
    plain = tmp_path / "plain.gz"
    plain.write_bytes(gzip.compress(b"no archive " * 200))
    assert [one.flaw for one in bundle.verify_bundle(plain)[0].wrong] == [Flaw.TRUNCATED]


# -- secrets


def _canaries() -> dict[str, bytes]:
    """What a run knows and nobody else may, each made for this test alone."""
    private = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    return {
        "password": f'can"ary\\{secrets.token_hex(8)}'.encode(),
        "token": b"gAAAAA" + secrets.token_urlsafe(120).encode(),
        "private key": private,
        "user data": f"#!/bin/sh\necho 'canary {secrets.token_hex(8)}'\n".encode() + b"\xff\xfe\x00 raw\n",
    }


def _told_by_clouds_and_guests(secret: bytes) -> Iterator[bytes]:
    """A secret as it comes by: on a console, in a header, as JSON in JSON, as the Compute API shows user data."""
    text = secret.decode("utf-8", "replace")
    yield b"login: root\nPassword: " + secret + b"\nLast login\n"
    yield json.dumps({"meta": {"said": text}}).encode()
    yield json.dumps({"meta": {"said": text}}, ensure_ascii=False).encode()
    yield json.dumps({"OS-EXT-SRV-ATTR:user_data": base64.b64encode(secret).decode()}).encode()
    yield text.encode()


class _Telltale(BaseAdapter):
    """A cloud that says back, in every form and under innocent names, what it is told."""

    def __init__(self, secret: bytes) -> None:
        super().__init__()
        self._said = {
            str(at): one.decode("utf-8", "replace") for at, one in enumerate(_told_by_clouds_and_guests(secret))
        }

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        response = requests.Response()
        response.status_code, response._content = 200, json.dumps(self._said).encode()
        return response

    def close(self) -> None:
        pass


def _transcript_with(secret: bytes, journal: Journal) -> bytes:
    """What is kept of a request that carries the secret wherever the APIs carry one, and of its answer."""
    text, in_base64 = secret.decode("utf-8", "replace"), base64.b64encode(secret).decode()
    told, session = Transcript("public"), requests.Session()
    session.mount("https://", _Telltale(secret))
    told.listen(session)
    asked = {
        "server": {"name": text, "adminPass": text, "user_data": in_base64, "personality": [{"contents": in_base64}]}
    }
    asking = [
        {"server": {"adminPass": text}},
        asked,
        {"auth": {"identity": {"password": {"user": {"password": text}}}}},
    ]
    for body in asking:
        headers = {"X-Auth-Token": secret.split(b"\n")[0]}
        session.request("POST", "https://cloud.example/v2.1/servers", json=body, headers=headers)
    return transcript.render([told.take()], journal.redact).encode()


@pytest.mark.parametrize("name", ["password", "token", "private key", "user data"])
def test_no_canary_of_the_run_is_in_its_bundle(tmp_path: Path, name: str) -> None:
    """The journal is the real one, and everybody tells it everything that they should not."""
    secret, pair, folder = _canaries()[name], Pair("private", "public"), tmp_path / "run-9"
    journal = Journal(folder)
    journal.hide(secret)
    text = secret.decode("utf-8", "replace")
    journal.write(
        "run_started", run="run-9", suite_version="0.1.0", guideline="2026.11", plan=["AU-5"], cells=[pair_names(pair)]
    )
    journal.write("stage_started", src=pair.src, dst=pair.dst, stage=Stage.AUTH)
    for number, said in enumerate(_told_by_clouds_and_guests(secret)):
        journal.evidence(pair, Stage.AUTH, f"said-{number}.txt", said, source="a test")
    api = _transcript_with(secret, journal)
    assert api.count(b"/v2.1/servers") == 3
    journal.evidence(pair, Stage.AUTH, "api.jsonl", api, source="a test", media_type=transcript.MEDIA_TYPE)
    finding = {"subject": "console", "expected": "silence", "actual": f"it says {text}", "remedy": json.dumps(text)}
    journal.write("result", src=pair.src, dst=pair.dst, check="AU-5", outcome="fail", findings=[finding], reason=text)
    journal.write("note", text=f"a cloud answered: {text}")
    journal.write("run_ended", exit_code=0, reason="")
    journal.close()
    write_all(folder)
    everything = b"\n".join(contents(bundle.pack(folder, tmp_path / "run.tar.gz").path).values())
    assert everything.count(REDACTED.encode()) >= 5
    for form in (*_told_by_clouds_and_guests(secret), base64.b64encode(secret)):
        assert form not in everything
    for part in secret.split(b"\n"):
        assert len(part) < 12 or part not in everything


def pair_names(pair: Pair) -> list[str]:
    return [pair.src, pair.dst]


LEAKS = {
    "a private key": "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA",
    "a private key in Base64": base64.b64encode(b"-----BEGIN RSA PRIVATE KEY-----\nMIIE").decode(),
    "a Fernet token": "X-Subject: gAAAAABn" + "k3" * 60,
    "a JSON web token": f"Bearer eyJ{'a1' * 12}.eyJ{'b2' * 12}.{'c3' * 12}",
    "a token of Keystone": "X-Auth-Token: 5f2d7c1e9b8a4d3c",
    "an administrator's password": '{"server": {"adminPass": "hunter2!"}}',
    "a password of clouds.yaml": "clouds:\n  mine:\n    auth:\n      password: hunter2!\n",
    "a secret in JSON": '{"application_credential_secret": "s3cr3t-of-mine"}',
    "a password in a URL": "socks5h://me:hunter2!@jump.example.org:1080",
    "user data": '{"user_data": "IyEvYmluL3NoCmVjaG8gaGVsbG8K"}',
}


@pytest.mark.parametrize("kind", FORMS)
def test_every_known_form_of_a_secret_stops_the_bundle_and_names_the_file(
    journal: JournalBuilder, tmp_path: Path, kind: str
) -> None:
    earned = Earned(journal)
    earned.start()
    digest = journal.evidence(Stage.BOOT, "console.log", f"boot\n{LEAKS[kind]}\n".encode())
    folder = earned.judge().end().folder
    with pytest.raises(UsageError, match=f"evidence/{digest} seems to hold {kind}: nothing was packed"):
        bundle.pack(folder, tmp_path / "run.tar.gz")
    assert not (tmp_path / "run.tar.gz").exists()


def test_a_token_on_a_line_of_a_json_string_is_seen() -> None:
    assert leak(json.dumps({"console": f"boot\n{'gAAAAABn' + 'k3' * 60}\n"}).encode()) == "a Fernet token"


@pytest.mark.parametrize(
    "innocent",
    [
        f'{{"adminPass": "{REDACTED}"}}',
        'asked: adminPass, answered: none; "auth": ["password"], "password": ""',
        "the server was launched with password: its guest was not to make one",
        "ssh://ubuntu@jump.example.org:22?key=~/.ssh/id_ed25519",
        "-----BEGIN SSH SIGNATURE-----",
        f"the middle of a signature: U1NIU0lHgAAAAAEAAAAz{'k3' * 60}",
        "2026-11-28T13:17:29 cloud-init[312]: user_data: 1204 bytes",
    ],
)
def test_what_only_speaks_of_secrets_stops_nothing(innocent: str) -> None:
    assert leak(innocent.encode()) == ""


# -- bad input


def test_evidence_that_is_gone_or_altered_is_told(journal: JournalBuilder, tmp_path: Path) -> None:
    folder = Earned(journal).all()
    evidence = next((folder / "evidence").iterdir())
    evidence.write_bytes(b"all is well")
    with pytest.raises(InteropError, match="was altered since the run"):
        bundle.pack(folder, tmp_path / "run.tar.gz")
    evidence.unlink()
    with pytest.raises(InteropError, match="is missing in"):
        bundle.pack(folder, tmp_path / "run.tar.gz")
    assert not (tmp_path / "run.tar.gz").exists()


def test_a_full_disk_leaves_the_old_bundle_whole(certified: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    target = tmp_path / "out" / "run.tar.gz"
    target.write_bytes(b"the old one")
    asked = ["sh", "-c", 'ulimit -f 8 && exec golden-flows bundle "$0" --output "$1"', str(certified), str(target)]
    ran = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert ran.returncode == 3
    assert f"error: cannot write {target}" in ran.stderr
    assert target.read_bytes() == b"the old one"
    assert list(target.parent.iterdir()) == [target]
