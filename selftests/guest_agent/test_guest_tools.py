"""Guest tools: offered, proved, installed, started by the agent; and what they tell the host."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from golden_images import bundles
from guest_agent import tools
from guest_agent.xenstore import XenStore
from xen_guest_tools import __main__ as program
from xen_guest_tools import facts

from selftests.xenstored import Tree

HOME = "/local/domain/1"
IP_ADDR = """2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc pfifo_fast qlen 1000
    link/ether fa:16:3e:00:00:01 brd ff:ff:ff:ff:ff:ff
    inet 192.168.100.17/24 brd 192.168.100.255 scope global eth0
    inet6 fd00::17/64 scope global
       valid_lft forever preferred_lft forever
    inet6 fe80::1/64 scope link
"""

# what they tell


def test_the_addresses_of_a_nic_are_numbered_in_each_family() -> None:
    assert facts.addresses("0", IP_ADDR) == {
        "attr/vif/0/ipv4/0": "192.168.100.17",
        "attr/vif/0/ipv6/0": "fd00::17",
        "attr/vif/0/ipv6/1": "fe80::1",
    }


def test_the_host_is_told_what_it_takes_for_pv_drivers() -> None:
    told = facts.addons()
    assert {key.rpartition("/")[2] for key in told if key.startswith("attr/PVAddons/")} == {
        *("Installed", "MajorVersion", "MinorVersion", "MicroVersion", "BuildVersion")
    }
    assert all(told.values())


def test_a_system_without_os_release_is_told_by_its_kernel() -> None:
    assert facts.operating_system("", "6.1.0")["data/os_name"] == "Linux 6.1.0"
    debian = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12.4"\nID=debian\n'
    told = facts.operating_system(debian, "6.1.0")
    assert (told["data/os_distro"], told["data/os_majorver"], told["data/os_minorver"]) == ("debian", "12", "4")


def test_memory_is_in_kib() -> None:
    text = "MemTotal:         249856 kB\nMemAvailable:     180000 kB\n"
    assert facts.memory(text) == {"data/meminfo_total": "249856", "data/meminfo_free": "180000"}


def test_only_changes_are_written_and_what_is_gone_is_removed(store: XenStore, tree: Tree) -> None:
    before = program.publish(store, {}, {"attr/a": "1", "attr/b": "1"})
    tree.write(f"{HOME}/attr/a", "marker")
    after = program.publish(store, before, {"attr/a": "1", "attr/c": "2"})
    assert after == {"attr/a": "1", "attr/c": "2"}
    assert [tree.text(f"{HOME}/attr/{name}") for name in "abc"] == ["marker", None, "2"]
    assert tree.text(f"{HOME}/data/updated")


def test_a_key_the_host_forbids_does_not_cost_the_others(store: XenStore, tree: Tree) -> None:
    published = program.publish(store, {}, {"control/feature-balloon": "1", "attr/PVAddons/Installed": "1"})
    assert published == {"attr/PVAddons/Installed": "1"}


# the bundle


def test_the_bundle_is_the_same_bytes_wherever_it_is_made(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = bundles.write_tools(tmp_path / "a"), bundles.write_tools(tmp_path / "b")
    assert first.sha256 == second.sha256 == hashlib.sha256(first.path.read_bytes()).hexdigest()
    assert first.path.name == f"xen-guest-tools-{first.version}.pyz"


def test_the_bundle_runs_by_itself_and_says_that_this_is_no_xen_guest(tmp_path: Path) -> None:
    bundle = bundles.write_tools(tmp_path)
    names = zipfile.ZipFile(bundle.path).namelist()
    assert "guest_agent/xenstore.py" in names
    done = subprocess.run([sys.executable, "-I", "-S", "-B", str(bundle.path)], capture_output=True, timeout=30)
    assert (done.returncode, done.stderr) == (program.NO_XENSTORE, b"")


# the agent's part


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(tools, "PID_FILE", str(tmp_path / "pid"))
    monkeypatch.setattr(tools, "LOG_FILE", str(tmp_path / "log"))
    monkeypatch.setattr(tools, "START_LIMIT_S", 5.0)
    yield
    if (tmp_path / "pid").exists():
        pid = int((tmp_path / "pid").read_text())
        try:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        except (ProcessLookupError, ChildProcessError):
            return


def offer(server: Any, data: bytes, **changes: Any) -> list[Any]:
    server.answers["/drivers/tools.pyz"] = data
    host, port = server.server_address
    url, sha256 = f"http://{host}:{port}/drivers/tools.pyz", hashlib.sha256(data).hexdigest()
    bundle = {"platform": "xen", "version": "1.0.0-1", "url": url, "sha256": sha256, **changes}
    return [None, {"static": {"guest_tools": [{"platform": "vmware"}, bundle]}}]


SLEEPER = b"import time\ntime.sleep(30)\n"


def test_tools_are_fetched_proved_installed_and_started(
    store: XenStore, tree: Tree, metadata_server: Any, tmp_path: Path
) -> None:
    tree.write(f"{HOME}/data/updated", "now")
    path = tmp_path / "tools.py"
    result = tools.run(offer(metadata_server, SLEEPER), store, str(path))
    assert (result["verdict"], result["running"], result["version"]) == ("ok", True, "1.0.0-1")
    assert result["bundle"]["sha256_actual"] == result["bundle"]["sha256_expected"]
    assert path.read_bytes() == SLEEPER


def test_installed_tools_are_not_fetched_again(
    store: XenStore, tree: Tree, metadata_server: Any, tmp_path: Path
) -> None:
    tree.write(f"{HOME}/data/updated", "now")
    path = tmp_path / "tools.py"
    path.write_bytes(SLEEPER)
    offered = offer(metadata_server, SLEEPER)
    metadata_server.answers.clear()
    assert tools.run(offered, store, str(path))["verdict"] == "ok"


def test_without_an_offer_there_are_no_tools(store: XenStore, tmp_path: Path) -> None:
    result = tools.run([{}, None, {"guest_tools": "x"}], store, str(tmp_path / "absent"))
    assert (result["verdict"], result["running"], "offers no guest tools" in result["reason"]) == (
        "skipped",
        False,
        True,
    )


def test_a_corrupt_bundle_is_not_installed(store: XenStore, metadata_server: Any, tmp_path: Path) -> None:
    result = tools.run(offer(metadata_server, SLEEPER, sha256="0" * 64), store, str(tmp_path / "tools.py"))
    assert (result["verdict"], "sha256" in result["reason"]) == ("failed", True)
    assert not (tmp_path / "tools.py").exists()


def test_a_full_disk_is_said_and_leaves_nothing(
    store: XenStore, metadata_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    result = tools.run(offer(metadata_server, SLEEPER), store, str(tmp_path / "tools.py"))
    assert (result["verdict"], result["reason"]) == ("failed", "cannot be installed: No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_tools_that_end_at_once_are_a_failure_with_their_last_words(
    store: XenStore, metadata_server: Any, tmp_path: Path
) -> None:
    result = tools.run(offer(metadata_server, b"raise SystemExit('no luck')\n"), store, str(tmp_path / "tools.py"))
    assert (result["verdict"], result["running"]) == ("failed", False)
    assert "no luck" in result["reason"]


def test_tools_that_tell_the_host_nothing_are_a_failure(
    store: XenStore, metadata_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tools, "START_LIMIT_S", 0.3)
    result = tools.run(offer(metadata_server, SLEEPER), store, str(tmp_path / "tools.py"))
    assert (result["verdict"], "nothing" in result["reason"]) == ("failed", True)


@pytest.mark.parametrize(
    ("report", "states"),
    [
        ({"verdict": "ok", "running": True}, ["running"]),
        ({"verdict": "failed", "running": False}, ["failed"]),
        ({"verdict": "skipped", "running": False}, []),
    ],
    ids=["running", "failed", "none"],
)
def test_the_tools_are_a_service_of_the_platform(report: dict[str, Any], states: list[str]) -> None:
    assert [one["state"] for one in tools.service(report)] == states
