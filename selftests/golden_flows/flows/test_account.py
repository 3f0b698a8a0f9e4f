"""A posted password on its way to the owner, and the rules of its place, asked of the reference clouds' own service."""

from __future__ import annotations

import base64
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from refclouds.metadata_service import MetadataService

from golden_flows.errors import GuestError
from golden_flows.flows import account
from golden_flows.flows.account import Metadata, another_host, fetch, probe_rules, receive_password
from golden_flows.flows.instance import Instance, Login
from golden_flows.guests.ssh import KeyPair, generate_key
from golden_flows.journal import Journal
from golden_flows.model.account import PostedPassword
from golden_flows.model.facts import LoginAttempt
from golden_flows.model.guest import GuestReport
from selftests.loopback_metadata import GUEST, metadata_service

RSA, ED25519 = generate_key("rsa"), generate_key()
PASSWORD = "of the guest"


@dataclass
class Cloud:
    """The API of one server, over the metadata service that its guest posts to."""

    service: MetadataService
    refuses_to_clear: bool = False

    def read_posted_password(self, server_id: str) -> tuple[int, str]:
        return 200, self.service.posted_password(server_id)

    def clear_posted_password(self, server_id: str) -> int:
        if self.refuses_to_clear:
            return 403
        self.service.clear_password(server_id)
        return 204


@dataclass
class Guest:
    cloud: Cloud
    login: Login = field(default_factory=lambda: Login("root", RSA, None, awaits_post=True))
    server_id: str = GUEST


def here(port: int) -> Metadata:
    """A guest's command, run on this host."""

    def run(command: str, stdin: bytes) -> bytes:
        return subprocess.run(["sh", "-c", command], input=stdin, capture_output=True, check=True).stdout

    return Metadata(run, f"http://127.0.0.1:{port}/openstack/latest/password")


def encrypted(key: KeyPair, text: str) -> str:
    secret = key.private.key  # type: ignore[attr-defined]  # paramiko's RSAKey; PKey is what KeyPair knows
    assert isinstance(secret, rsa.RSAPrivateKey)
    return base64.b64encode(secret.public_key().encrypt(text.encode(), padding.PKCS1v15())).decode()


def probed(guest: Guest, port: int) -> PostedPassword:
    before = PostedPassword(key_type="ssh-rsa", api_status=200, text_bytes=512)
    return probe_rules(before, cast(Instance, guest), here(port))


def outcome(seen: PostedPassword) -> list[tuple[int | None, bool | None] | None]:
    return [(one.status, one.kept) if one else None for one in (seen.second, seen.oversized, seen.again)]


def test_the_rules_of_a_good_service_and_the_password_is_there_afterwards() -> None:
    with metadata_service() as (service, port):
        here(port).ask("POST", text := encrypted(RSA, PASSWORD).encode())
        assert outcome(probed(Guest(Cloud(service)), port)) == [(409, True), (400, True), (200, True)]
        assert service.posted_password(GUEST) == text.decode()


def test_a_service_that_overwrites_is_seen() -> None:
    with metadata_service("pw_overwrite") as (service, port):
        here(port).ask("POST", encrypted(RSA, PASSWORD).encode())
        assert outcome(probed(Guest(Cloud(service)), port)) == [(200, False), (400, True), (200, True)]


def test_where_nothing_is_kept_nothing_is_probed() -> None:
    with metadata_service("pw_lost") as (service, port):
        assert here(port).ask("POST", encrypted(RSA, PASSWORD).encode())[0] == 200
        assert outcome(probed(Guest(Cloud(service)), port)) == [None, None, None]
        assert fetch(cast(Instance, Guest(Cloud(service))), cast(Journal, None))[0].text_bytes == 0


def test_a_first_password_that_cannot_be_cleared_ends_the_probe() -> None:
    with metadata_service() as (service, port):
        here(port).ask("POST", encrypted(RSA, PASSWORD).encode())
        seen = probed(Guest(Cloud(service, refuses_to_clear=True)), port)
        assert (seen.cleared_status, outcome(seen)) == (403, [(409, True), None, None])


def test_a_guest_without_python_is_told() -> None:
    def run(command: str, stdin: bytes) -> bytes:
        raise GuestError("no python3")

    with metadata_service() as (service, port):
        here(port).ask("POST", b"text")
        before = PostedPassword(key_type="ssh-rsa", api_status=200)
        seen = probe_rules(before, cast(Instance, Guest(Cloud(service))), Metadata(run))
        assert seen.trouble == "no python3"


def test_what_was_posted_becomes_a_way_in_and_is_hidden(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    with metadata_service() as (service, port):
        here(port).ask("POST", encrypted(RSA, PASSWORD).encode())
        guest = Guest(Cloud(service))
        posted = receive_password(cast(Instance, guest), journal)
        assert (posted.text_bytes if posted else 0, guest.login.posted) == (512, PASSWORD)
        assert PASSWORD not in repr(guest.login.posted and posted)
    journal.write("note", text=f"it is {PASSWORD}")
    assert PASSWORD not in journal.path.read_text("utf-8")
    journal.close()


@pytest.mark.parametrize("text", ["not base64!", "AAAA", encrypted(generate_key("rsa"), PASSWORD)])
def test_what_the_key_does_not_open_is_no_password(text: str, tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    with metadata_service() as (service, port):
        here(port).ask("POST", text.encode())
        posted, password = fetch(cast(Instance, Guest(Cloud(service))), journal)
        # A newer OpenSSL answers a wrong key with random bytes instead of an error; they may happen to be text.
        assert posted.unreadable or password != PASSWORD
    journal.close()


def test_a_key_that_only_signs_opens_nothing() -> None:
    with pytest.raises(GuestError, match="decrypts nothing"):
        ED25519.decrypt(b"x" * 384)


def test_a_guest_that_was_not_to_post_is_not_asked_about() -> None:
    guest = Guest(cast(Cloud, None), Login("root", RSA, None))
    assert receive_password(cast(Instance, guest), cast(Journal, None)) is None
    assert guest.login.asked == ("key",)
    assert Login("root", None, None).asked == ()


def test_a_host_that_the_report_does_not_name_is_another() -> None:
    report = GuestReport(run="r", boot_id="b", kernel="", verdict="ok", host_key_fingerprints=("SHA256:own",))
    own, other = (
        LoginAttempt(method="key", user="root", accepted=True, host_key_fingerprint=key)
        for key in ("SHA256:own", "SHA256:other")
    )
    assert another_host(report, (own,)) == ""
    assert another_host(report, (own, other)) == "SHA256:other"
    assert another_host(None, (other,)) == ""
    assert account.CACHE_S > 15
