"""Real guests from a template: each is its own machine, with its own random numbers, NICs, drive and the right time."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openstack
import pytest
from refclouds import host, programs
from refclouds.compute.starts import WORTH_IT
from refclouds.errors import UsageError

pytestmark = [pytest.mark.qemu, pytest.mark.nightly]

UP_LIMIT_S = 900.0  # a cold cache builds the golden image first, and others may use this machine
SEEN, UP = "seen-by-user-data", "guest: ssh started"
FORKED = "crng reseeded due to virtual machine fork"
"""What Linux says when it has heard of a new VM generation ID, and its random numbers are those of the machine that it
was copied from no more. Source: drivers/char/random.c, ``add_vmfork_randomness``
"""
OLD_S = 10.0
SCRIPT = f"""#!/bin/sh
set -- "$(cat /sys/class/dmi/id/product_uuid)" "$(cat /sys/class/dmi/id/product_serial)"
set -- "$@" "$(cat /proc/sys/kernel/random/boot_id)" "$(head -c 16 /dev/urandom | hexdump -v -e '1/1 "%02x"')"
set -- "$@" "$(date +%s)" "$(cat /sys/class/net/eth*/address | tr '\\n' ,)"
set -- "$@" "$(cat /sys/block/sr0/size)" "$(dmesg | grep -c '{FORKED}')"
echo "\n{SEEN} $*" >/dev/console
"""


@dataclass(frozen=True)
class Said:
    """What a guest says of itself."""

    uuid: str
    serial: str
    boot_id: str
    random: str
    clock_s: int
    macs: tuple[str, ...]
    drive_sectors: int
    forks: int  # how often its kernel has drawn new random numbers because it is a copy
    heard_s: float  # when we heard it, by the clock of this machine


@dataclass(frozen=True)
class Running:
    """A cloud that is up."""

    ready: dict[str, Any]
    state_dir: Path
    api: Any  # an openstacksdk connection

    def console(self, server_id: str) -> str:
        try:
            return (self.state_dir / "disks/consoles" / f"console-{server_id}.log").read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def starts(self) -> dict[str, dict[str, Any]]:
        with urllib.request.urlopen(f"{self.ready['api_url']}/evidence/starts.json") as answer:
            found: dict[str, dict[str, Any]] = json.load(answer)
        return found


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    if lacking := programs.missing():
        pytest.skip(f"not installed: {sorted(lacking)}")
    try:
        host.unshare_options()
    except UsageError as error:
        pytest.skip(str(error))
    argv = [sys.executable, "-m", "refclouds", "up", "public-lite", "--state-dir", str(tmp_path), "--until-eof"]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", ready["clouds_yaml"])
        yield Running(ready, tmp_path, openstack.connect(cloud="public-lite"))
    finally:
        process.communicate()


def test_guests_from_a_template_are_machines_of_their_own(cloud: Running) -> None:
    turns = max(2, len(os.sched_getaffinity(0)))
    ids = launch(cloud, turns + WORTH_IT)
    heard = hear(cloud, ids)
    starts = cloud.starts()
    copies = [one for one in ids if starts[one]["from"] == "template"]
    assert len(copies) >= WORTH_IT
    assert len(copies) < len(ids)  # the first has booted

    # Long after the template was made: a clock that had stopped with it would be late by that.
    first_heard_s = min(heard[one].heard_s for one in copies)
    wait(lambda: time.time() - first_heard_s > OLD_S, "the template to be old")
    [late] = launch(cloud, 1)
    wait(lambda: cloud.console(copies[0]).count(UP) == 1, "the copy to be up")  # its user data spoke before
    cloud.api.compute.reboot_server(copies[0], "HARD")
    heard |= hear(cloud, [late])
    assert cloud.starts()[late]["from"] == "template"
    age_s = heard[late].heard_s - first_heard_s
    assert abs(heard[late].heard_s - heard[late].clock_s) < age_s / 2

    assert all(said.uuid == said.serial == server_id for server_id, said in heard.items())
    for field in ("boot_id", "random"):
        assert len({getattr(said, field) for said in heard.values()}) == len(heard), field
    assert {one for one, said in heard.items() if said.forks} == {*copies, late}
    for server_id, said in heard.items():
        ports = cloud.api.network.ports(device_id=server_id)
        assert sorted(said.macs) == sorted(port.mac_address for port in ports)
        drive = cloud.state_dir / "disks" / server_id / "config-drive"
        assert said.drive_sectors * 512 == drive.stat().st_size

    # A reset is a boot of its own, of what is on its disk.
    wait(lambda: cloud.console(copies[0]).count(UP) == 2, "the copy to boot")
    assert cloud.starts()[copies[0]] == {"from": "boot"}


def launch(cloud: Running, count: int) -> list[str]:
    """Ids of new servers on both networks."""
    compute, network = cloud.api.compute, cloud.api.network
    image = cloud.api.image.find_image("golden-pocket", ignore_missing=False).id
    asked = {
        "name": "copy",
        "imageRef": image,
        "flavorRef": compute.find_flavor("pocket").id,
        "networks": [{"uuid": network.find_network(name).id} for name in ("flat", "multi")],
        "user_data": base64.b64encode(SCRIPT.encode()).decode(),
        "min_count": count,
        "return_reservation_id": True,
    }
    answer = compute.post("/servers", json={"server": asked}).json()
    found = compute.get(f"/servers?reservation_id={answer['reservation_id']}").json()["servers"]
    assert len(found) == count
    return [one["id"] for one in found]


def hear(cloud: Running, ids: list[str]) -> dict[str, Said]:
    """What each of them says, once all have."""
    heard: dict[str, Said] = {}

    def all_heard() -> bool:
        for server_id in set(ids) - set(heard):
            text = cloud.console(server_id)
            if words := re.search(SEEN + r" (\S+) (\S+) (\S+) (\S+) (\d+) (\S+) (\d+) (\d+)\r?\n", text):
                uuid, serial, boot_id, random, clock, macs, sectors, forks = words.groups()
                when, nics = time.time(), tuple(macs.strip(",").split(","))
                told = (uuid, serial, boot_id, random, int(clock), nics, int(sectors), int(forks))
                heard[server_id] = Said(*told, heard_s=when)
        return len(heard) == len(ids)

    wait(all_heard, "all guests to speak")
    return heard


def wait(probe: Any, what: str) -> None:
    end = time.monotonic() + UP_LIMIT_S
    while not probe():
        assert time.monotonic() < end, f"waited {UP_LIMIT_S:.0f} s for {what}"
        time.sleep(0.2)
