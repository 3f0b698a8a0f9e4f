"""Keys and signatures, against OpenSSH's and OpenSSL's own programs."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from golden_flows.errors import UsageError
from reports.certificate import signing
from reports.certificate.signing import Signed, load_public_keys, load_signing_key, look_at, sign
from selftests.reports.certificate.conftest import needs_openssh, needs_openssl, pem_key, ssh_key

PAYLOAD = b'{"hello": "w\xc3\xb6rld"}\n'


@needs_openssh
@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_openssh_verifies_what_we_sign(tmp_path: Path, kind: str) -> None:
    path = ssh_key(tmp_path / "key", kind=kind)
    signed = sign(PAYLOAD, load_signing_key(path))
    (tmp_path / "sig").write_bytes(signing.detached(signed.signatures[0][1]))
    public = path.with_suffix(".pub").read_text("utf-8")
    (tmp_path / "allowed").write_text(f"somebody@example.org {public}", "utf-8")
    asked = ["ssh-keygen", "-Y", "verify", "-f", str(tmp_path / "allowed"), "-I", "somebody@example.org"]
    asked += ["-n", signing.NAMESPACE, "-s", str(tmp_path / "sig")]
    assert subprocess.run(asked, input=signed.content, check=False).returncode == 0
    assert subprocess.run(asked, input=signed.content + b" ", check=False, capture_output=True).returncode != 0


@needs_openssh
@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_we_verify_what_openssh_signs(tmp_path: Path, kind: str) -> None:
    path = ssh_key(tmp_path / "key", kind=kind)
    (tmp_path / "m").write_bytes(PAYLOAD)
    asked = ["ssh-keygen", "-q", "-Y", "sign", "-n", signing.NAMESPACE, "-f", str(path), str(tmp_path / "m")]
    subprocess.run(asked, check=True, capture_output=True)
    blob = base64.b64decode("".join((tmp_path / "m.sig").read_text("ascii").splitlines()[1:-1]))
    seal = look_at(blob, PAYLOAD, ())
    assert seal.holds
    assert seal.namespace == signing.NAMESPACE
    assert seal.key in load_public_keys(path.with_suffix(".pub"))
    assert not look_at(blob, PAYLOAD + b" ", ()).holds


@needs_openssl
def test_openssl_verifies_what_a_pem_key_signs(tmp_path: Path) -> None:
    path = pem_key(tmp_path / "key.pem")
    signed = sign(PAYLOAD, load_signing_key(path))
    (tmp_path / "sig").write_bytes(signing.detached(signed.signatures[0][1]))
    (tmp_path / "signed").write_bytes(signed.content)
    public = Path(f"{path}.pub")
    asked = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", str(public), "-rawin"]
    asked += ["-in", str(tmp_path / "signed"), "-sigfile", str(tmp_path / "sig")]
    assert subprocess.run(asked, check=False, capture_output=True).returncode == 0
    assert look_at(signed.signatures[0][1], signed.content, load_public_keys(public)).holds


def test_a_plain_signature_of_a_key_that_is_not_at_hand_holds_for_nobody(tmp_path: Path) -> None:
    signed = sign(PAYLOAD, load_signing_key(pem_key(tmp_path / "key.pem")))
    other = load_signing_key(pem_key(tmp_path / "other.pem")).public
    seal = look_at(signed.signatures[0][1], signed.content, (other,))
    assert not seal.holds
    assert seal.key is None


@needs_openssh
def test_fingerprints_are_those_of_ssh_keygen(tmp_path: Path) -> None:
    path = ssh_key(tmp_path / "key")
    told = subprocess.run(["ssh-keygen", "-l", "-f", str(path)], capture_output=True, text=True, check=True).stdout
    assert told.split()[1] == load_signing_key(path).public.fingerprint


def test_an_envelope_is_read_as_it_was_written(tmp_path: Path) -> None:
    signed = sign(PAYLOAD, load_signing_key(ssh_key(tmp_path / "key")))
    assert Signed.from_json(signed.as_json()) == signed
    assert signed.content == b"DSSEv1 28 application/vnd.in-toto+json %d %b" % (len(PAYLOAD), PAYLOAD)


@pytest.mark.parametrize(
    "text",
    ["[]", "{}", '{"payload": "e30=", "payloadType": "x", "signatures": 5}', '{"payload": "%", "signatures": []}'],
)
def test_what_is_no_envelope_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"envelope|base64"):
        Signed.from_json(text)


@pytest.mark.parametrize("blob", [b"SSHSIG", b"SSHSIG" + b"\xff" * 200, b"", b"x" * 63])
def test_what_is_no_signature_is_told(blob: bytes) -> None:
    with pytest.raises(ValueError, match="SSHSIG"):
        look_at(blob, PAYLOAD, ())


def test_an_encrypted_key_wants_its_passphrase(tmp_path: Path) -> None:
    path = ssh_key(tmp_path / "key", passphrase="over the hills")
    assert signing.needs_passphrase(path)
    assert load_signing_key(path, "over the hills").public in load_public_keys(path.with_suffix(".pub"))
    with pytest.raises(UsageError, match="is encrypted, and no passphrase was given"):
        load_signing_key(path)
    with pytest.raises(UsageError, match="cannot be unlocked with this passphrase"):
        load_signing_key(path, "far away")


def test_a_file_that_is_no_key_is_named(tmp_path: Path) -> None:
    (tmp_path / "note").write_text("no key", "utf-8")
    with pytest.raises(UsageError, match="note holds no private key that can sign"):
        load_signing_key(tmp_path / "note")
    with pytest.raises(UsageError, match="note holds no public key"):
        load_public_keys(tmp_path / "note")
    with pytest.raises(UsageError, match=r"cannot read the key .*absent"):
        load_signing_key(tmp_path / "absent")
    with pytest.raises(UsageError, match="not an Ed25519 one"):
        load_signing_key(_rsa_in_pem(tmp_path / "rsa.pem"))


def _rsa_in_pem(path: Path) -> Path:
    key = rsa.generate_private_key(65537, 2048)
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path.write_bytes(key.private_bytes(pem, pkcs8, serialization.NoEncryption()))
    return path
