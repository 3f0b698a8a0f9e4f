"""A run that has earned a certificate by the guideline in force, and keys to sign it with."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from golden_flows import suite
from golden_flows.guideline import guideline_sha256, load_guideline
from golden_flows.model.cloud import Pair
from golden_flows.model.plan import Plan
from golden_flows.model.stage import Stage
from reports.certificate import certify
from reports.certificate.signing import load_signing_key

if TYPE_CHECKING:
    from selftests.reports.conftest import JournalBuilder

NOW = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
"""Three days after the runs of ``JournalBuilder``."""
PAIR = Pair("private", "public")
FOLDER = "certificates/private+public"

CHECKS = tuple(one.id for one in load_guideline().requirements if not one.option)


class Earned:
    """A journal in which every check of the guideline passed, but those that are told otherwise."""

    def __init__(self, journal: JournalBuilder) -> None:
        self.journal = journal
        self.pairs: tuple[tuple[str, str], ...] = (("private", "public"),)
        self.fields: dict[str, object] = {}

    def start(self) -> JournalBuilder:
        cells = tuple(Pair(*one) for one in self.pairs)
        told = {
            "suite_version": suite.version(),
            "suite_sha256": suite.sources_sha256(),
            "guideline_sha256": guideline_sha256("2026.11"),
            "plan_sha256": Plan(cells, CHECKS, "2026.11").sha256,
            **self.fields,
        }
        return self.journal.start(*self.pairs, plan=list(CHECKS), **told)

    def judge(self, *, src: str = "private", dst: str = "public", but: tuple[str, ...] = ()) -> JournalBuilder:
        self.journal.evidence(Stage.BOOT, f"{dst}.console.log", f"{src} to {dst}: up\n".encode(), src=src, dst=dst)
        self.journal.evidence(Stage.PRIMARY_NIC, "dhcp.leases", f"{src} {dst} 192.0.2.7\n".encode(), src=src, dst=dst)
        for check in CHECKS:
            if check not in but:
                self.journal.result(check, src=src, dst=dst)
        return self.journal

    def all(self) -> Path:
        self.start()
        self.judge()
        return self.journal.end().folder


@pytest.fixture
def earned(journal: JournalBuilder) -> Earned:
    return Earned(journal)


needs_openssh = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


def ssh_key(path: Path, *, passphrase: str = "", kind: str = "ed25519") -> Path:
    """As ``ssh-keygen -t KIND -N PASSPHRASE -f PATH`` makes it."""
    private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | Ed25519PrivateKey
    if kind == "rsa":
        private = rsa.generate_private_key(65537, 2048)
    else:
        private = ec.generate_private_key(ec.SECP256R1()) if kind == "ecdsa" else Ed25519PrivateKey.generate()
    lock = serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else serialization.NoEncryption()
    openssh = serialization.PrivateFormat.OpenSSH
    path.write_bytes(private.private_bytes(serialization.Encoding.PEM, openssh, lock))
    path.chmod(0o600)
    public = private.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    Path(f"{path}.pub").write_bytes(public + b" certifier\n")
    return path


def pem_key(path: Path) -> Path:
    """As ``openssl genpkey -algorithm ed25519 -out PATH`` makes it, with the public half in ``PATH.pub``."""
    private = Ed25519PrivateKey.generate()
    pem, info = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    path.write_bytes(private.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    Path(f"{path}.pub").write_bytes(private.public_key().public_bytes(pem, info))
    return path


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return ssh_key(tmp_path / "key")


@pytest.fixture
def certified(earned: Earned, key: Path) -> Path:
    """The folder of a run with a signed certificate of its only pair."""
    folder = earned.all()
    _, (decision,) = certify.certify(folder, load_signing_key(key), now=lambda: NOW)
    assert decision.reasons == ()
    return folder
