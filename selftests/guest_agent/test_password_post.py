"""A password made in the guest reaches its owner, and nobody else; or nobody, and then the account stays locked."""

from __future__ import annotations

import base64
import contextlib
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from guest_agent import identity, password_post
from guest_agent.http import Client
from refclouds.metadata_service import MetadataService

from selftests.loopback_metadata import GUEST, metadata_service

ANNE = rsa.generate_private_key(public_exponent=65537, key_size=2048)
Served = Callable[..., tuple[MetadataService, Client]]


def public(private: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> str:
    encoding, form = serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    return private.public_key().public_bytes(encoding, form).decode()


ED25519 = public(ed25519.Ed25519PrivateKey.generate())


@pytest.fixture
def served() -> Iterator[Served]:
    with contextlib.ExitStack() as stack:

        def serve(*faults: str) -> tuple[MetadataService, Client]:
            service, port = stack.enter_context(metadata_service(*faults))
            return service, Client("127.0.0.1", port)

        yield serve


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/shadow").write_text("root:*:1:0:99999:7:::\n")
    return tmp_path


@pytest.fixture(autouse=True)
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords that were hashed; Debian's busybox has mkpasswd, this host may not."""
    seen: list[str] = []

    def hash_password(password: str) -> str:
        seen.append(password)
        return f"$6${len(seen)}"

    monkeypatch.setattr(identity, "hash_password", hash_password)
    return seen


def test_the_owner_decrypts_what_was_posted(served: Served, root: Path, hashed: list[str]) -> None:
    service, client = served()
    done = password_post.run(client, [ED25519, f"no-pty {public(ANNE)} anne"], str(root))
    assert (done["verdict"], done["status"]) == ("posted", 200)
    text = service.posted_password(GUEST)
    assert ANNE.decrypt(base64.b64decode(text), padding.PKCS1v15()).decode() == hashed[0]
    assert identity.has_password(str(root))
    assert stat.S_IMODE((root / "etc/shadow").stat().st_mode) == 0o600
    assert hashed[0] not in str(done) + str(client.requests)


def test_a_second_password_is_not_taken_and_the_first_stays(served: Served, root: Path) -> None:
    service, client = served()
    password_post.run(client, [public(ANNE)], str(root))
    text, shadow = service.posted_password(GUEST), (root / "etc/shadow").read_text()
    done = password_post.run(client, [public(ANNE)], str(root))
    assert (done["verdict"], done["status"]) == ("conflict", 409)
    assert (service.posted_password(GUEST), (root / "etc/shadow").read_text()) == (text, shadow)


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ([ED25519, "ecdsa-sha2-nistp256 AAAA"], "ssh-ed25519, ecdsa-sha2-nistp256 cannot encrypt"),
        ([], "no key cannot encrypt"),
        (["ssh-rsa not*base64", "ssh-rsa AAAA", "ssh-rsa"], "ssh-rsa cannot encrypt"),
        ([public(rsa.generate_private_key(public_exponent=3, key_size=1024))[:40]], "ssh-rsa cannot encrypt"),
    ],
)
def test_a_key_that_cannot_encrypt_is_said_and_nothing_is_posted(
    served: Served, root: Path, keys: list[str], reason: str
) -> None:
    service, client = served()
    done = password_post.run(client, keys, str(root))
    assert (done["verdict"], done["reason"], done["status"]) == ("unsupported-key", reason, None)
    assert service.posted_password(GUEST) == ""
    assert not identity.has_password(str(root))


@pytest.mark.parametrize(("bits", "fits"), [(4096, True), (8192, False)])
def test_ciphertext_longer_than_the_service_takes_is_not_posted(
    served: Served, root: Path, bits: int, fits: bool
) -> None:
    modulus = (1 << bits) - 1  # nobody needs to decrypt it
    blob = b"".join(
        len(one).to_bytes(4, "big") + one for one in (b"ssh-rsa", b"\1\0\1", b"\0" + modulus.to_bytes(bits // 8, "big"))
    )
    _, client = served()
    done = password_post.run(client, [f"ssh-rsa {base64.b64encode(blob).decode()}"], str(root))
    assert done["verdict"] == ("posted" if fits else "unsupported-key")
    assert fits or done["reason"] == "1368 characters of ciphertext, and the service takes 1020"


def test_a_service_that_does_not_answer_leaves_the_account_locked(root: Path) -> None:
    done = password_post.run(Client("127.0.0.1", 9, timeout_s=0.5), [public(ANNE)], str(root))
    assert (done["verdict"], done["status"]) == ("refused", None)
    assert not identity.has_password(str(root))


def test_an_answer_that_was_lost_is_looked_up(served: Served, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service, client = served()
    post = client.post

    def lossy(path: str, body: bytes) -> object:
        post(path, body)
        return post(path, body)  # as if a proxy had sent it twice: the second answer is 409

    monkeypatch.setattr(client, "post", lossy)
    assert password_post.run(client, [public(ANNE)], str(root))["verdict"] == "posted"
    assert service.posted_password(GUEST)


def test_padding_holds_no_zero_and_is_new_each_time() -> None:
    numbers = ANNE.private_numbers()
    modulus, secret = numbers.public_numbers.n, numbers.d
    blocks = set()
    for _ in range(20):
        cipher = password_post.encrypt(modulus, 65537, b"secret")
        block = pow(int.from_bytes(cipher, "big"), secret, modulus).to_bytes(256, "big")
        assert (block[:2], block[-7:]) == (b"\0\2", b"\0secret")
        assert b"\0" not in block[2:-7]
        blocks.add(block)
    assert len(blocks) == 20
    with pytest.raises(password_post.UnsupportedKeyError, match="too short"):
        password_post.encrypt(1 << 127, 3, b"secret")


def test_a_password_that_the_cloud_loses_looks_posted_to_the_guest(served: Served, root: Path) -> None:
    service, client = served("pw_lost")
    assert password_post.run(client, [public(ANNE)], str(root))["verdict"] == "posted"
    assert service.posted_password(GUEST) == ""


def test_a_cloud_that_overwrites_takes_every_password(served: Served, root: Path) -> None:
    service, client = served("pw_overwrite")
    password_post.run(client, [public(ANNE)], str(root))
    assert client.post(password_post.PATH, b"another").status == 200
    assert service.posted_password(GUEST) == "another"
