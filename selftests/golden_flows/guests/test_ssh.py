"""Log-ins are accepted, refused, or never happened; commands end, or are ended."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from golden_flows.errors import GuestError
from golden_flows.guests.ssh import CommandResult, GuestShell, KeyPair, generate_key, host_fingerprint, try_login
from golden_flows.waiting import Deadline
from selftests.golden_flows.guests.conftest import PASSWORD, Socks, Ssh

HERE = "127.0.0.1"


@pytest.fixture
def key(ssh: Ssh) -> KeyPair:
    key = generate_key()
    ssh.authorized.add(key.public_text.split()[1])
    return key


def shell_of(ssh: Ssh, key: KeyPair) -> GuestShell:
    return GuestShell.open(HERE, ssh.port, key=key, deadline=Deadline.after(10))


def test_a_command_runs_with_output_errors_and_exit_code(ssh: Ssh, key: KeyPair) -> None:
    with shell_of(ssh, key) as shell:
        assert shell.run("printf out; printf err >&2; exit 3") == CommandResult(3, b"out", b"err")
        assert shell.run("cat", stdin=b"\x00\xff").stdout == b"\x00\xff"


def test_large_output_on_both_streams_does_not_stall(ssh: Ssh, key: KeyPair) -> None:
    with shell_of(ssh, key) as shell:
        result = shell.run("head -c 5000000 /dev/zero; head -c 5000000 /dev/zero >&2")
    assert (len(result.stdout), len(result.stderr)) == (5_000_000, 5_000_000)


def test_a_command_that_does_not_end_is_given_up(ssh: Ssh, key: KeyPair) -> None:
    with shell_of(ssh, key) as shell, pytest.raises(GuestError, match="did not end within 0 s"):
        shell.run("sleep 5", timeout_s=0.3)


def test_a_file_is_read_and_a_missing_one_is_none(ssh: Ssh, key: KeyPair, tmp_path: Path) -> None:
    path = tmp_path / "it's a $(file)"
    path.write_bytes(b"\x00content")
    with shell_of(ssh, key) as shell:
        assert shell.read_file(str(path)) == b"\x00content"
        assert shell.read_file(str(path), limit_bytes=3) == b"\x00co"
        assert shell.read_file(str(tmp_path / "none")) is None
        with pytest.raises(GuestError, match="cannot read"):
            shell.read_file(str(tmp_path))


def test_a_password_logs_in(ssh: Ssh) -> None:
    with GuestShell.open(HERE, ssh.port, password=PASSWORD, deadline=Deadline.after(10)) as shell:
        assert shell.host_key_fingerprint == ssh.host_fingerprint


def test_a_refused_key_is_told_at_once_and_no_password_is_tried(ssh: Ssh) -> None:
    with pytest.raises(GuestError, match="refused the key"):
        shell_of(ssh, generate_key())


def test_a_host_key_that_the_guest_did_not_report_is_refused(ssh: Ssh, key: KeyPair) -> None:
    with pytest.raises(GuestError, match="host key"):
        GuestShell.open(HERE, ssh.port, key=key, known_fingerprints={"SHA256:other"}, deadline=Deadline.after(10))
    GuestShell.open(
        HERE, ssh.port, key=key, known_fingerprints={ssh.host_fingerprint}, deadline=Deadline.after(10)
    ).close()


def test_an_sshd_that_never_comes_ends_with_the_last_trouble(closed_port: int) -> None:
    with pytest.raises(GuestError, match="refused"):
        GuestShell.open(HERE, closed_port, key=generate_key(), deadline=Deadline.after(0.1))


def test_a_shell_opens_through_the_proxy(ssh: Ssh, key: KeyPair, socks: Socks) -> None:
    deadline = Deadline.after(10)
    with GuestShell.open("guest.test", ssh.port, key=key, access=socks.url, deadline=deadline) as shell:
        assert shell.run("echo through").stdout == b"through\n"
    assert socks.asked == [("guest.test", ssh.port)]


def test_a_login_is_accepted_or_refused(ssh: Ssh, key: KeyPair) -> None:
    good = try_login(HERE, ssh.port, method="key", key=key)
    assert (good.accepted, good.host_key_fingerprint) == (True, ssh.host_fingerprint)
    assert try_login(HERE, ssh.port, method="other-key", key=generate_key()).accepted is False
    assert try_login(HERE, ssh.port, method="password", password=PASSWORD).accepted is True
    wrong = try_login(HERE, ssh.port, method="wrong-password", password="guess")
    assert wrong.accepted is False
    assert "guess" not in repr(wrong)


@pytest.mark.parametrize("access", [None, "proxy", "dead proxy"])
def test_a_login_that_reached_nobody_is_neither(access: str | None, closed_port: int, socks: Socks) -> None:
    way = {"proxy": socks.url, "dead proxy": f"socks5h://127.0.0.1:{closed_port}"}.get(access or "")
    attempt = try_login(HERE, closed_port, method="key", key=generate_key(), access=way, timeout_s=2)
    assert attempt.accepted is None
    assert attempt.error


def test_a_port_that_is_no_ssh_is_neither(web: int, silent_port: int) -> None:
    assert try_login(HERE, web, method="key", key=generate_key(), timeout_s=1).accepted is None
    assert try_login(HERE, silent_port, method="key", key=generate_key(), timeout_s=0.3).accepted is None


def test_a_host_key_is_seen_without_logging_in(ssh: Ssh, closed_port: int) -> None:
    assert host_fingerprint(HERE, ssh.port) == ssh.host_fingerprint
    assert host_fingerprint(HERE, closed_port) is None


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_a_generated_key_is_in_openssh_form_and_shows_no_secret(kind: str) -> None:
    key = generate_key(kind)
    assert key.public_text.startswith(f"ssh-{kind} AAAA")
    assert "private" not in repr(key)
    assert generate_key("ed25519").public_text != generate_key("ed25519").public_text
    assert hashlib.sha256(repr(key).encode()) is not None


def test_a_result_is_not_a_truth_value() -> None:
    with pytest.raises(TypeError):
        bool(CommandResult(0, b"", b""))
