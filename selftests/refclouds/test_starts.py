"""What a cloud says of how its guests started, and how one ends whose start did not come to an end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from refclouds import assembly
from refclouds.faults import NO_FAULTS
from refclouds.hypervisors import HypervisorSetup
from refclouds.hypervisors.qemu import Qemu, _Guest

from selftests.refclouds.test_template_parts import SPEC


class Monitor:
    """Takes every command, and knows what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    async def execute(self, command: str) -> None:
        self.told.append(command)

    async def disconnect(self) -> None:
        self.told.append("disconnect")


async def with_guest(folder: Path, story: Callable[[Qemu, Monitor], Any]) -> None:
    """A guest that is a process, and that nobody watches over yet."""
    setup = HypervisorSetup(folder, lambda port: ("tap,fd=7", 7), share=folder)
    qemu, monitor = Qemu(setup), Monitor()
    process = await asyncio.create_subprocess_exec("sleep", "60")
    qemu._guests[SPEC.id] = _Guest(SPEC, process, monitor)  # type: ignore[arg-type]  # a small class in its place
    try:
        await story(qemu, monitor)
    finally:
        await qemu.close()
    assert process.returncode is not None


def test_a_guest_that_was_reset_is_one_that_booted(tmp_path: Path) -> None:
    async def story(qemu: Qemu, monitor: Monitor) -> None:
        qemu.starts[SPEC.id] = {"from": "template", "processor_s_of_template": 4.0}
        await qemu.reset(SPEC.id)
        assert monitor.told == ["system_reset"]
        assert qemu.starts == {SPEC.id: {"from": "boot"}}

    asyncio.run(with_guest(tmp_path, story))


def test_the_monitor_of_a_guest_that_is_destroyed_while_it_starts_is_left(tmp_path: Path) -> None:
    async def story(qemu: Qemu, monitor: Monitor) -> None:
        await qemu.destroy(SPEC.id)
        assert monitor.told == ["disconnect"]
        assert not qemu.is_running(SPEC.id)

    asyncio.run(with_guest(tmp_path, story))


def test_a_guest_that_starts_while_its_cloud_says_how_guests_started_breaks_nothing(tmp_path: Path) -> None:
    class Busy:
        """Another guest starts whenever one is looked at."""

        def __init__(self) -> None:
            self.starts: dict[str, dict[str, object]] = {"first": Looked(self)}

    class Looked(dict[str, object]):
        def __init__(self, busy: Busy) -> None:
            super().__init__({"from": "boot"})
            self.busy = busy

        def items(self) -> Any:
            self.busy.starts["second"] = {"from": "boot"}
            return super().items()

    class Fabric:
        def leases(self) -> bytes:
            return b""

        dhcp_packets = leases

    busy: Any = Busy()
    fabric: Any = Fabric()
    told = assembly._evidence(fabric, busy, tmp_path, NO_FAULTS, {}).find("starts.json")
    assert told is not None
    assert json.loads(told.read()) == {"first": {"from": "boot"}}
    assert set(busy.starts) == {"first", "second"}
