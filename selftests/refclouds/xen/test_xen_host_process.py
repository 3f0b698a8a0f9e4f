"""How a Xen host starts, is talked to and dies, with a process in QEMU's place; the real one is in test_xen_host."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from golden_images import HostImage
from refclouds import programs
from refclouds.xen import host as host_module
from refclouds.xen import saved as saved_module
from refclouds.xen.host import XenHost, XenHostError
from refclouds.xen.saved import NotSaved, Shelf

FAKE = Path(__file__).with_name("fake_host.py")
PORT = "0123abcd-4567-89ab-cdef-0123456789ab"
Scenario = Callable[[XenHost, list[str]], Awaitable[None]]


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Runs a scenario against a host whose QEMU behaves as told."""
    binary = tmp_path / "bin/qemu-system-x86_64"
    binary.parent.mkdir()
    binary.write_text(f"#!{sys.executable}\n{FAKE.read_text()}")
    binary.chmod(0o755)
    monkeypatch.setattr(programs, "SEARCH_PATH", f"{binary.parent}{os.pathsep}{programs.SEARCH_PATH}")

    def play(scenario: Scenario, **behaviour: Any) -> None:
        told = {"silent": False, "exit_at_start": None, "programs": {}, **behaviour}
        (binary.parent / "behaviour.json").write_text(json.dumps(told))
        image = HostImage("xen-host", Path("/x"), Path("/k"), Path("/i"), {}, "4.17.7+13-g1", "6.1", "0")
        saves = tmp_path / "saves" if behaviour.get("saving") else None
        host = XenHost(image, tmp_path / "consoles", share=tmp_path / "share", guest_memory_mib=64, saves=saves)
        deaths: list[str] = []
        host.on_death = deaths.append

        async def whole() -> None:
            try:
                async with asyncio.timeout(20):
                    await scenario(host, deaths)
            finally:
                await host.close()

        asyncio.run(whole())

    return play


def monitored(host: XenHost) -> list[Any]:
    folder = host.console.parent.parent / "bin"
    noted: list[Any] = json.loads((folder / "monitor.json").read_text())
    return noted


async def kill(host: XenHost, deaths: list[str], number: int) -> None:
    machine = host._running()
    assert machine is not None
    machine.process.send_signal(signal.SIGKILL)
    while len(deaths) < number:
        await asyncio.sleep(0.01)


def test_a_program_s_output_and_exit_code_come_back(stage: Callable[..., None]) -> None:
    async def scenario(host: XenHost, deaths: list[str]) -> None:
        await host.ensure()
        ran = await host.run(["xl", "list"])
        assert (ran.code, ran.out) == (3, "no domains")
        assert (await host.run(["cat"], stdin="grüße".encode())).out == "grüße"

    stage(scenario, programs={"xl": [3, "no domains", 0]})


def test_check_says_which_program_failed_and_what_it_said(stage: Callable[..., None]) -> None:
    async def scenario(host: XenHost, deaths: list[str]) -> None:
        await host.ensure()
        with pytest.raises(XenHostError, match=r"xl create ended with 3: no such\b.* file"):
            await host.check(["xl", "create", "secret"])

    stage(scenario, programs={"xl": [3, "no such\nfile", 0]})


def test_several_programs_run_at_once(stage: Callable[..., None]) -> None:
    async def scenario(host: XenHost, deaths: list[str]) -> None:
        await host.ensure()
        began_s = time.monotonic()
        await asyncio.gather(*(host.run(["slow"]) for _ in range(10)))
        assert time.monotonic() - began_s < 3

    stage(scenario, programs={"slow": [0, "", 0.5]})


def test_a_program_that_takes_too_long_is_killed_and_named(stage: Callable[..., None]) -> None:
    async def scenario(host: XenHost, deaths: list[str]) -> None:
        await host.ensure()
        with pytest.raises(XenHostError, match="xl list did not end within 0 s"):
            await host.run(["xl", "list"], timeout_s=0.3)
        assert (await host.run(["true"])).code == 0

    stage(scenario, programs={"xl": [0, "", 1000]})


def test_everybody_waits_for_one_boot_even_when_one_of_them_gives_up(stage: Callable[..., None]) -> None:
    async def scenario(host: XenHost, deaths: list[str]) -> None:
        impatient = asyncio.create_task(host.ensure())
        others = [asyncio.create_task(host.ensure()) for _ in range(3)]
        await asyncio.sleep(0)
        impatient.cancel()
        await asyncio.gather(*others)
        assert host.console.read_text().count("Xen version") == 1

    stage(scenario)


def test_nothing_runs_before_somebody_needed_the_host(stage: Callable[..., None]) -> None:
    async def scenario(host: XenHost, deaths: list[str]) -> None:
        with pytest.raises(XenHostError, match="does not run"):
            await host.run(["true"])
        await host.detach_nic(PORT)
        assert not host.console.exists()

    stage(scenario)


def test_a_host_that_ends_at_once_is_told_with_its_console(stage: Callable[..., None]) -> None:
    async def scenario(host: XenHost, deaths: list[str]) -> None:
        with pytest.raises(XenHostError, match=r"ended with 7 before it was ready; .*@dom0 1\.00 user space"):
            await host.ensure()
        assert deaths == []

    stage(scenario, exit_at_start=7)


def test_a_host_that_never_gets_ready_is_given_up(stage: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_module, "READY_TIMEOUT_S", 1.0)

    async def scenario(host: XenHost, deaths: list[str]) -> None:
        for _ in range(2):
            with pytest.raises(XenHostError, match=r"was not ready within 1 s; console-dom0\.log ends: "):
                await host.ensure()
        with pytest.raises(XenHostError, match="has died 2 times and is given up"):
            await host.ensure()

    stage(scenario, silent=True)


def test_a_dead_host_is_told_once_and_restarted_once(stage: Callable[..., None]) -> None:
    async def scenario(host: XenHost, deaths: list[str]) -> None:
        await host.ensure()
        await kill(host, deaths, 1)
        with pytest.raises(XenHostError, match="does not run: it ended with -9"):
            await host.run(["true"])
        await host.ensure()
        assert (await host.run(["true"])).code == 0
        await kill(host, deaths, 2)
        with pytest.raises(XenHostError, match="has died 2 times and is given up"):
            await host.ensure()
        assert len(deaths) == 2
        assert "console-dom0.log ends" in deaths[0]

    stage(scenario)


def test_who_waits_for_a_program_hears_of_the_host_s_death(stage: Callable[..., None]) -> None:
    async def scenario(host: XenHost, deaths: list[str]) -> None:
        await host.ensure()
        waiting = asyncio.create_task(host.run(["xl", "create"]))
        await asyncio.sleep(0.2)
        await kill(host, deaths, 1)
        with pytest.raises(XenHostError, match="xl create could not be run"):
            await waiting

    stage(scenario, programs={"xl": [0, "", 1000]})


def test_a_closed_host_is_nobody_s_death_and_stays_closed(stage: Callable[..., None]) -> None:
    async def scenario(host: XenHost, deaths: list[str]) -> None:
        await host.ensure()
        await host.close()
        assert deaths == []
        with pytest.raises(XenHostError, match="closed"):
            await host.ensure()

    stage(scenario)


def test_a_port_is_handed_over_as_a_named_descriptor_once(stage: Callable[..., None]) -> None:
    async def scenario(host: XenHost, deaths: list[str]) -> None:
        await host.ensure()
        with Path(os.devnull).open() as tap:
            netdev = f"tap,fd={tap.fileno()},vhost=off"
            names = [await host.attach_nic(PORT, netdev, tap.fileno()) for _ in range(2)]
        assert names == ["xb0123abcd-45"] * 2
        commands = [entry for entry in monitored(host) if entry[0] != "qmp_capabilities"]
        assert [entry[0] for entry in commands] == ["descriptor", "getfd", "netdev_add", "device_add"]
        assert commands[2][1] == {"type": "tap", "id": "net-xb0123abcd-45", "fd": "xb0123abcd-45", "vhost": False}
        await host.detach_nic(PORT)
        assert [entry[0] for entry in monitored(host)][-2:] == ["device_del", "netdev_del"]

    stage(scenario)


def test_a_nic_that_dom0_does_not_see_is_taken_back(stage: Callable[..., None]) -> None:
    async def scenario(host: XenHost, deaths: list[str]) -> None:
        await host.ensure()
        with Path(os.devnull).open() as tap, pytest.raises(XenHostError, match=f"does not see the NIC of port {PORT}"):
            await host.attach_nic(PORT, f"tap,fd={tap.fileno()}", tap.fileno())
        assert [entry[0] for entry in monitored(host)][-2:] == ["device_del", "netdev_del"]

    stage(scenario, programs={"nic-attach": [1, "", 0]})


def starts(host: XenHost) -> list[str]:
    return (host.console.parent.parent / "bin/starts").read_text().split("\n")[:-1]


def test_the_first_start_saves_a_host_and_every_start_goes_on_from_it(stage: Callable[..., None]) -> None:
    async def scenario(host: XenHost, deaths: list[str]) -> None:
        await host.ensure()
        assert starts(host) == ["to be saved", "resumed"]
        await kill(host, deaths, 1)
        await host.ensure()
        assert (await host.run(["true"])).code == 0
        assert starts(host) == ["to be saved", "resumed", "resumed"]
        assert [path.name for path in (host.console.parent.parent / "saves").iterdir() if "making" in path.name] == []

    stage(scenario, saving=True)


def test_a_saved_host_of_no_use_is_dropped_and_one_is_booted(stage: Callable[..., None]) -> None:
    async def scenario(host: XenHost, deaths: list[str]) -> None:
        await host.ensure()
        assert (await host.run(["true"])).code == 0
        assert starts(host) == ["to be saved", "resumed"]
        assert list((host.console.parent.parent / "saves").iterdir()) == []
        assert deaths == []

    stage(scenario, saving=True, spoiled=True)


def test_saved_hosts_of_another_boot_of_the_machine_and_half_made_ones_are_cleared_away(tmp_path: Path) -> None:
    for name, age_s in (("0-other", 0), ("making-killed", 7200), ("making-now", 0)):
        (tmp_path / name / "saved").mkdir(parents=True)
        os.utime(tmp_path / name, (time.time() - age_s,) * 2)
    shelf = Shelf(tmp_path, "qemu", "7.2")
    assert shelf.find() is None
    with shelf.making() as saved:
        saved.ram.touch()
        saved.state.touch()
    assert shelf.find() is not None
    assert Shelf(tmp_path, "qemu", "8.0").find() is None
    assert {path.name[:7] for path in tmp_path.iterdir()} == {"making-", shelf._name[:7]}
    assert (tmp_path / "making-now").exists()


def test_a_host_that_was_not_saved_whole_is_not_found(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, "qemu")

    def make() -> None:
        with shelf.making() as saved:
            saved.ram.touch()
            saved.state.touch()
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        make()
    assert shelf.find() is None
    assert list(tmp_path.iterdir()) == []


def test_without_room_for_its_memory_no_host_is_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved_module, "ROOM_MIB", 1 << 40)
    with pytest.raises(NotSaved, match="MiB are free"), Shelf(tmp_path, "qemu").making():
        pass
