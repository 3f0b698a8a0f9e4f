"""One run over two machines: pytest-xdist's SSH gateways into hosts that are network namespaces of this one.

Each host has its own SSH server, journal and reference clouds; what they share with the controller is a network cable.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from golden_flows.model.outcome import ExitCode
from reports.read import read_run

pytestmark = [pytest.mark.qemu, pytest.mark.nightly]

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
UP_TIMEOUT_S = 20.0
RUN_TIMEOUT_S = 1200.0


@dataclass(frozen=True)
class Machine:
    """A network namespace of its own, held open by a process."""

    pid: int

    def command(self, *argv: str) -> list[str]:
        return ["nsenter", "--target", str(self.pid), "--net", "--mount", *argv]

    def run(self, *argv: str) -> None:
        subprocess.run(self.command(*argv), check=True, capture_output=True)


@contextlib.contextmanager
def machine() -> Iterator[Machine]:
    """With its loopback up; nothing else reaches it until somebody plugs in a cable."""
    holder = subprocess.Popen(["unshare", "--net", "--mount", "sleep", "infinity"])
    try:
        made = Machine(holder.pid)
        own = os.readlink("/proc/self/ns/net")
        until_s = time.monotonic() + UP_TIMEOUT_S
        while os.readlink(f"/proc/{holder.pid}/ns/net") == own and time.monotonic() < until_s:
            time.sleep(0.05)
        made.run("ip", "link", "set", "lo", "up")
        yield made
    finally:
        holder.terminate()
        holder.wait()


def plug(home: Machine, far: Machine, number: int) -> str:
    """A cable between the two; the far end's address."""
    near, other = f"10.77.{number}.1/24", f"10.77.{number}.2/24"
    subprocess.run(
        [
            *("ip", "link", "add", f"far{number}", "netns", str(home.pid), "type", "veth"),
            *("peer", "name", "home", "netns", str(far.pid)),
        ],
        check=True,
    )
    for one, name, address in ((home, f"far{number}", near), (far, "home", other)):
        one.run("ip", "address", "add", address, "dev", name)
        one.run("ip", "link", "set", name, "up")
    return other.partition("/")[0]


@contextlib.contextmanager
def ssh_server(far: Machine, address: str, folder: Path, public_key: str) -> Iterator[None]:
    folder.mkdir()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "host")], check=True)
    (folder / "keys").write_text(public_key, "utf-8")
    cache = os.environ.get("XDG_CACHE_HOME")
    lines = [
        f"ListenAddress {address}",
        f"HostKey {folder / 'host'}",
        f"AuthorizedKeysFile {folder / 'keys'}",
        f"PidFile {folder / 'pid'}",
        "StrictModes no",
        "UsePAM no",
        "PermitRootLogin prohibit-password",
        *([f"SetEnv XDG_CACHE_HOME={cache}"] if cache else []),
    ]
    (folder / "sshd_config").write_text("\n".join(lines) + "\n", "utf-8")
    Path("/run/sshd").mkdir(exist_ok=True)  # where Debian's sshd wants to be locked up
    daemon = subprocess.Popen(far.command(str(SSHD), "-D", "-e", "-f", str(folder / "sshd_config")))
    try:
        yield
    finally:
        daemon.terminate()
        daemon.wait()


@pytest.mark.skipif(SSHD is None or bool(os.geteuid()), reason="hosts in namespaces: for root with openssh-server")
def test_two_machines_tell_a_run_s_stories_and_the_journal_is_one(tmp_path: Path) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    public = key.with_suffix(".pub").read_text("utf-8")
    config, hosts = tmp_path / "ssh_config", ("one", "two")
    with contextlib.ExitStack() as stack:
        home = stack.enter_context(machine())
        lines: list[str] = []
        for number, name in enumerate(hosts, 1):
            far = stack.enter_context(machine())
            address = plug(home, far, number)
            stack.enter_context(ssh_server(far, address, tmp_path / name, public))
            known = (tmp_path / name / "host.pub").read_text("utf-8").split()
            (tmp_path / "known_hosts").open("a").write(f"{address} {known[0]} {known[1]}\n")
            lines += [f"Host {name}", f"  HostName {address}", "  User root", f"  IdentityFile {key}"]
        lines += ["Host *", f"  UserKnownHostsFile {tmp_path / 'known_hosts'}", "  ConnectionAttempts 10"]
        config.write_text("\n".join(lines) + "\n", "utf-8")
        gateways = [f"--tx=ssh={name}//ssh_config={config}//python={sys.executable}" for name in hosts]
        done = subprocess.run(
            home.command(
                *(sys.executable, "-m", "pytest", "--pyargs", "interop_tests.test_golden_flow"),
                *("-p", "no:cacheprovider", "--src", "private", "--dst", "private,public-lite"),
                *("--results", str(tmp_path / "results"), "-d", *gateways),
            ),
            cwd=tmp_path,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=RUN_TIMEOUT_S,
            check=False,
        )
    assert done.returncode == 0, done.stdout[:6000]
    folder = (tmp_path / "results" / "latest").resolve()
    run = read_run(folder)
    assert run.exit_code is ExitCode.CERTIFIED, done.stdout
    assert len(run.cells) == 2
    events = [json.loads(line) for line in (folder / "journal.jsonl").read_text("utf-8").splitlines()]
    told = [event["text"] for event in events if event["event"] == "note" and event["text"].startswith("worker ")]
    assert len(told) == 2, "each machine says what it is"
    assert sum(event["event"] == "run_started" for event in events) == 1
    assert not run.doubts, "nothing of what was written far away is missing here"
    kept = {event["sha256"] for event in events if event["event"] == "evidence"}
    assert kept == {path.name for path in (folder / "evidence").iterdir()}, "evidence came along"
