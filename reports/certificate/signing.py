"""Keys, signatures, and the DSSE envelope around them.

A statement is signed in one of two ways, by the form of the key's file:

- an OpenSSH key (Ed25519, ECDSA, RSA) makes an SSHSIG, as ``ssh-keygen -Y sign -n golden-flows-certificate`` does, and
  ``ssh-keygen -Y verify`` verifies it;
- an Ed25519 key in PEM makes a plain signature, as in-toto's own tools and ``openssl pkeyutl`` verify it.

What is signed are the bytes of the envelope's pre-authentication encoding, which begin with ``DSSEv1``.

Sources: https://github.com/secure-systems-lab/dsse, OpenSSH's PROTOCOL.sshsig.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from paramiko import Message, PKey, SSHException
from paramiko.pkey import UnknownKeyType
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import Error as DsseError
from securesystemslib.signer import Signature  # type: ignore[attr-defined]  # exported, without saying so

from golden_flows.errors import UsageError

NAMESPACE = "golden-flows-certificate"
"""What SSHSIG signatures are made for: a signature of the same key for mail or for git is none of a certificate."""

PAYLOAD_TYPE = "application/vnd.in-toto+json"

_MAGIC = b"SSHSIG"
_HASH = "sha512"
_ARMOUR_COLUMNS = 70
_ED25519 = "ssh-ed25519"
_PUBLIC_LINE = re.compile(r"(?:^|\s)((?:ssh|ecdsa|sk)-[a-z0-9@.-]+) ([A-Za-z0-9+/]+=*)")

JSON = dict[str, Any]


@dataclass(frozen=True)
class PublicKey:
    """Whose signature it is."""

    blob: bytes
    """In OpenSSH's wire form."""

    @property
    def fingerprint(self) -> str:
        """``SHA256:…``, as ``ssh-keygen -l`` says it."""
        return f"SHA256:{base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip('=')}"

    @property
    def text(self) -> str:
        """A line as in ``authorized_keys``."""
        return f"{Message(self.blob).get_text()} {base64.b64encode(self.blob).decode()}"

    @property
    def plain(self) -> Ed25519PublicKey | None:
        """None for a key of another kind."""
        message = Message(self.blob)
        return Ed25519PublicKey.from_public_bytes(message.get_string()) if message.get_text() == _ED25519 else None


@dataclass(frozen=True)
class SigningKey:
    """A private key, and what kind of signature it makes."""

    private: PKey | Ed25519PrivateKey
    public: PublicKey

    def sign(self, content: bytes) -> bytes:
        """An SSHSIG (not armoured), or 64 bytes of plain Ed25519."""
        if isinstance(self.private, Ed25519PrivateKey):
            return self.private.sign(content)
        algorithm = "rsa-sha2-512" if self.private.get_name() == "ssh-rsa" else None
        inner = self.private.sign_ssh_data(_to_be_signed(NAMESPACE, _HASH, content), algorithm)
        outer = Message()
        outer.add_bytes(_MAGIC)
        outer.add_int(1)
        for field in (self.public.blob, NAMESPACE, "", _HASH, inner.asbytes()):
            outer.add_string(field)
        return outer.asbytes()


def _to_be_signed(namespace: str, hash_name: str, content: bytes) -> bytes:
    message = Message()
    message.add_bytes(_MAGIC)
    for field in (namespace, "", hash_name, hashlib.new(hash_name, content).digest()):
        message.add_string(field)
    return message.asbytes()


def load_signing_key(path: Path, passphrase: str | None = None) -> SigningKey:
    """Raises ``UsageError`` where the file cannot be read, holds no key that can sign, or wants a passphrase."""
    content = _read(path)
    password = passphrase.encode() if passphrase else None
    try:
        if b"BEGIN OPENSSH PRIVATE KEY" not in content:
            pem = serialization.load_pem_private_key(content, password)
            if not isinstance(pem, Ed25519PrivateKey):
                raise UsageError(f"{path} is a PEM key, and not an Ed25519 one", _HOW_TO_MAKE_ONE)
            return SigningKey(pem, _public(pem.public_key()))
        private = PKey.from_path(str(path), password)  # type: ignore[arg-type]  # it hands it on to who wants bytes
        return SigningKey(private, PublicKey(private.asbytes()))
    except TypeError as error:  # both libraries' word for: encrypted, and no passphrase was given (or one too many)
        if passphrase:
            raise UsageError(f"{path} is not encrypted", "leave the passphrase out") from error
        raise UsageError(f"{path} is encrypted, and no passphrase was given", _HOW_TO_UNLOCK) from error
    except (ValueError, SSHException, UnknownKeyType, UnsupportedAlgorithm) as error:
        if passphrase:
            raise UsageError(f"{path} cannot be unlocked with this passphrase", _HOW_TO_UNLOCK) from error
        raise UsageError(f"{path} holds no private key that can sign", _HOW_TO_MAKE_ONE) from error


_HOW_TO_MAKE_ONE = "make one: ssh-keygen -t ed25519 -f certificate-key"
_HOW_TO_UNLOCK = "put its passphrase into GOLDEN_FLOWS_KEY_PASSPHRASE, or give the command at a terminal, which asks"


def needs_passphrase(path: Path) -> bool:
    """Whether the key is encrypted. Raises as ``load_signing_key`` where it is no key at all."""
    try:
        load_signing_key(path)
    except UsageError as error:
        if isinstance(error.__cause__, TypeError):
            return True
        raise
    return False


def load_public_keys(path: Path) -> tuple[PublicKey, ...]:
    """Those in a ``.pub``, ``authorized_keys`` or ``allowed_signers`` file, or one in PEM: any of them may have signed.

    Raises ``UsageError`` where there is none.
    """
    content = _read(path)
    if b"BEGIN PUBLIC KEY" in content:
        try:
            pem = serialization.load_pem_public_key(content)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise UsageError(f"{path} is no public key", _WHICH_PUBLIC) from error
        if not isinstance(pem, Ed25519PublicKey):
            raise UsageError(f"{path} is a PEM key, and not an Ed25519 one", _WHICH_PUBLIC)
        return (_public(pem),)
    lines = (line for line in content.decode("utf-8", "replace").splitlines() if not line.lstrip().startswith("#"))
    found = (_PUBLIC_LINE.search(line) for line in lines)
    keys = tuple(key for one in found if one for key in (_from_line(one.group(1), one.group(2)),) if key)
    if not keys:
        raise UsageError(f"{path} holds no public key", _WHICH_PUBLIC)
    return keys


_WHICH_PUBLIC = "give the signer's public key: a .pub file of ssh-keygen, or an Ed25519 key in PEM"


def _from_line(kind: str, encoded: str) -> PublicKey | None:
    try:
        blob = base64.b64decode(encoded, validate=True)
        return PublicKey(blob) if Message(blob).get_text() == kind else None
    except ValueError:
        return None


def _public(key: Ed25519PublicKey) -> PublicKey:
    line = key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return PublicKey(base64.b64decode(line.split()[1]))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read the key {path}: {error.strerror}", "name a file that you may read") from error


@dataclass(frozen=True)
class Signed:
    """A statement in its envelope, as it is written and read."""

    payload: bytes
    payload_type: str
    signatures: tuple[tuple[str, bytes], ...]
    """(key id, signature); none of an unsigned statement."""

    @property
    def content(self) -> bytes:
        """The bytes that are signed."""
        return Envelope(self.payload, self.payload_type, {}).pae()

    def as_json(self) -> str:
        signatures = {keyid: Signature(keyid, one.hex()) for keyid, one in self.signatures}
        return json.dumps(Envelope(self.payload, self.payload_type, signatures).to_dict(), indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Signed:
        """Raises ``ValueError`` for what is no envelope."""
        try:
            envelope = Envelope.from_dict(json.loads(text))
            return cls(
                envelope.payload,
                str(envelope.payload_type),
                tuple((keyid, bytes.fromhex(one.signature)) for keyid, one in envelope.signatures.items()),
            )
        except (DsseError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"not a DSSE envelope: {error!r}") from error


def sign(payload: bytes, key: SigningKey | None) -> Signed:
    """Without a key: an envelope that nobody signed, which is told wherever it is shown."""
    bare = Signed(payload, PAYLOAD_TYPE, ())
    if key is None:
        return bare
    return Signed(payload, PAYLOAD_TYPE, ((key.public.fingerprint, key.sign(bare.content)),))


def detached(signature: bytes) -> bytes:
    """A signature as a file of its own, for ``ssh-keygen -Y verify`` or ``openssl pkeyutl -verify``."""
    if not signature.startswith(_MAGIC):
        return signature
    text = base64.b64encode(signature).decode()
    lines = (text[at : at + _ARMOUR_COLUMNS] for at in range(0, len(text), _ARMOUR_COLUMNS))
    return "\n".join(("-----BEGIN SSH SIGNATURE-----", *lines, "-----END SSH SIGNATURE-----", "")).encode()


@dataclass(frozen=True)
class Seal:
    """What a signature turns out to be, whoever made it."""

    key: PublicKey | None
    """None: a plain signature, of a key that is not at hand."""
    namespace: str
    """Always ours for a plain signature, which has none."""
    holds: bool
    """Whether it is this key's signature of this content for this namespace."""


def look_at(signature: bytes, content: bytes, known: Sequence[PublicKey]) -> Seal:
    """``known``: keys that a plain signature may be of; an SSHSIG brings its own. Raises ``ValueError`` for neither."""
    if not signature.startswith(_MAGIC):
        if len(signature) != 64:
            raise ValueError("neither an SSHSIG nor a plain Ed25519 signature")
        signer = next((one for one in known if one.plain and _holds_plain(one.plain, signature, content)), None)
        return Seal(signer, NAMESPACE, holds=signer is not None)
    outer = Message(signature[len(_MAGIC) :])
    version = outer.get_int()
    key = PublicKey(outer.get_string())
    namespace, _, hash_name = outer.get_text(), outer.get_string(), outer.get_text()
    if version != 1 or hash_name not in ("sha256", "sha512"):
        raise ValueError(f"an SSHSIG of version {version} with hash {hash_name!r}")
    inner = Message(outer.get_string())
    try:
        ssh_key = PKey.from_type_string(Message(key.blob).get_text(), key.blob)
        holds = ssh_key.verify_ssh_sig(_to_be_signed(namespace, hash_name, content), inner)
    except (SSHException, UnknownKeyType) as error:
        raise ValueError(f"signed by a key of unknown kind: {error}") from error
    return Seal(key, namespace, holds=bool(holds))


def _holds_plain(key: Ed25519PublicKey, signature: bytes, content: bytes) -> bool:
    try:
        key.verify(signature, content)
    except InvalidSignature:
        return False
    return True
