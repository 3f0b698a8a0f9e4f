"""A real cloud application served by uvicorn on loopback, with a node that records instead of booting guests."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import openstack
import pytest
import requests
import uvicorn
from metadata_shims.instance import Instance
from refclouds import profile
from refclouds.app import create_app
from refclouds.bootstrap import Golden, bootstrap
from refclouds.cloud import Cloud
from refclouds.faults import Faults
from refclouds.identity.accounts import Account
from refclouds.node import (
    CloudPaths,
    DiskFormat,
    GuestChannel,
    GuestError,
    GuestSpec,
    HostEntry,
    NetworkSpec,
    NicSpec,
    Node,
    PortRules,
    TapHandle,
)
from refclouds.profile import Profile
from refclouds.store import Store
from refclouds.variants import Variants

PASSWORD = "correct horse"
GUEST_WRITES_AT, GUEST_WRITES = 2 << 20, b"written by the guest"
RAW_BYTES = 4 << 20
PROJECTS = {"anne": "demo", "rita": "demo", "bob": "other", "admin": "admin"}


class RecordingHypervisor:
    """Makes real disks with qemu-img and pretends that guests run on them."""

    evidence = "a recording double"

    def __init__(self) -> None:
        self.on_exit: Callable[[str, int], None] | None = None
        self.on_lost: Callable[[str, str], None] | None = None
        self.started: list[GuestSpec] = []
        self.starts: dict[str, dict[str, object]] = {}
        self.running: set[str] = set()
        self.log: list[str] = []
        self.images: list[Path] = []
        self.refuse_start = False
        self.calm = asyncio.Event()
        """Until it is set, every guest that was started still boots."""
        self.calm.set()
        self.says = b"one\r\ntwo\x1b[0m\r\nthree\r\n"
        self.gate = asyncio.Event()
        self.gate.set()

    def warm(self) -> None:
        self.log.append("warm")

    async def create_disk(self, image: Path, image_format: DiskFormat, disk: Path, size_bytes: int) -> DiskFormat:
        await self.gate.wait()
        self.images.append(image)
        subprocess.run(["qemu-img", "convert", "-f", image_format, "-O", "raw", image, disk], check=True)
        with disk.open("r+b") as file:
            # A running guest writes: its disk is not its image any more.
            file.seek(GUEST_WRITES_AT)
            file.write(GUEST_WRITES)
        return "raw"

    async def start(self, spec: GuestSpec) -> None:
        if self.refuse_start:
            raise GuestError("the guest did not start")
        self.log.append("start")
        self.started.append(spec)
        self.running.add(spec.id)

    async def booted(self, guest_id: str, *, limit_s: float) -> None:
        await self.calm.wait()

    async def stop(self, guest_id: str, *, graceful_s: float) -> None:
        self.log.append("stop" if graceful_s else "kill")
        self.running.discard(guest_id)

    async def reset(self, guest_id: str) -> None:
        self.log.append("reset")

    async def attach_nic(self, guest_id: str, nic: NicSpec) -> None:
        if self.refuse_start:
            raise GuestError("the guest takes no NIC")
        self.log.append(f"attach {nic.mac}")

    async def detach_nic(self, guest_id: str, port_id: str) -> None:
        await self.gate.wait()
        self.log.append(f"detach {port_id}")

    async def pause(self, guest_id: str) -> None:
        self.log.append("pause")

    async def resume(self, guest_id: str) -> None:
        self.log.append("resume")

    async def snapshot_disk(
        self, guest_id: str, disk: Path, disk_format: DiskFormat, out: Path, out_format: DiskFormat
    ) -> None:
        await self.gate.wait()
        exact = ["-o", "force_size=on"] if out_format == "vpc" else []
        subprocess.run(["qemu-img", "convert", "-f", disk_format, "-O", out_format, *exact, disk, out], check=True)

    def drop_template(self, template: str) -> None:
        self.log.append(f"drop {template}")

    async def destroy(self, guest_id: str) -> None:
        self.running.discard(guest_id)

    def console(self, guest_id: str) -> bytes:
        return self.says

    def is_running(self, guest_id: str) -> bool:
        return guest_id in self.running

    async def close(self) -> None:
        self.running.clear()


class RecordingFabric:
    """Remembers what was asked of it."""

    def __init__(self) -> None:
        self.networks: list[NetworkSpec] = []
        self.plugged: dict[str, tuple[NicSpec, PortRules]] = {}
        self.reserved: dict[str, HostEntry] = {}
        self.floating: dict[str, str] = {}
        self.slow_s = 0.0
        """How long it takes to lead a floating address somewhere."""

    async def start(self, networks: Sequence[NetworkSpec]) -> None:
        self.networks = list(networks)

    async def stop(self) -> None:
        self.networks = []

    async def reserve(self, entry: HostEntry) -> None:
        self.reserved[entry.mac] = entry

    async def release(self, network_id: str, mac: str) -> None:
        self.reserved.pop(mac, None)

    async def plug(self, nic: NicSpec, allowed: PortRules) -> TapHandle:
        self.plugged[nic.port_id] = (nic, allowed)
        return TapHandle(f"tap{nic.port_id[:11]}")

    async def unplug(self, port_id: str) -> None:
        self.plugged.pop(port_id, None)

    async def update_rules(self, rules: Mapping[str, PortRules]) -> None:
        self.plugged |= {port_id: (self.plugged[port_id][0], one) for port_id, one in rules.items()}

    async def associate_floating(self, floating_ip: str, fixed_ip: str) -> None:
        await asyncio.sleep(self.slow_s)
        self.floating[floating_ip] = fixed_ip

    async def disassociate_floating(self, floating_ip: str) -> None:
        self.floating.pop(floating_ip, None)


class RecordingMetadata:
    """Remembers what guests would be told, by the guest's real id."""

    def __init__(self) -> None:
        self.told: dict[str, Instance] = {}
        self.ec2: dict[str, Instance | None] = {}
        self.passwords: dict[str, str] = {}

    def publish(self, instance: Instance, *, guest_id: str = "", ec2: Instance | None = None) -> None:
        self.told[guest_id or instance.uuid] = instance
        self.ec2[guest_id or instance.uuid] = ec2

    def withdraw(self, instance_id: str) -> None:
        self.told.pop(instance_id, None)

    def posted_password(self, instance_id: str) -> str:
        return self.passwords.get(instance_id, "")

    def clear_password(self, instance_id: str) -> None:
        self.passwords.pop(instance_id, None)


@dataclass
class Running:
    """One cloud that answers on loopback."""

    url: str
    cloud: Cloud
    state_dir: Path
    hypervisor: RecordingHypervisor
    fabric: RecordingFabric
    metadata: RecordingMetadata
    stop: Callable[[], None] = field(repr=False)

    def connect(self, user: str = "anne") -> Any:
        """An openstacksdk connection of this user."""
        return openstack.connect(load_yaml_config=False, load_envvars=False, **self.auth(user), region_name="RegionOne")

    def auth(self, user: str) -> dict[str, Any]:
        return {
            "auth": {
                "auth_url": f"{self.url}/identity/v3",
                "username": user,
                "password": PASSWORD,
                "project_name": PROJECTS[user],
                "user_domain_name": "Default",
                "project_domain_name": "Default",
            }
        }

    def token(self, user: str = "anne") -> str:
        """A token, got by hand."""
        project = {"name": PROJECTS[user], "domain": {"id": "default"}}
        account = {"name": user, "domain": {"id": "default"}, "password": PASSWORD}
        identity = {"methods": ["password"], "password": {"user": account}}
        body = {"auth": {"identity": identity, "scope": {"project": project}}}
        return requests.post(f"{self.url}/identity/v3/auth/tokens", json=body, timeout=10).headers["X-Subject-Token"]

    def call(
        self,
        method: str,
        path: str,
        *,
        user: str = "anne",
        json: Any = None,
        headers: dict[str, str] | None = None,
        data: Any = None,
    ) -> requests.Response:
        """One raw request with this user's token."""
        sent = {"X-Auth-Token": self.token(user), **(headers or {})}
        return requests.request(
            method, self.url + path, json=json, data=data, headers=sent, timeout=20, allow_redirects=False
        )


class StartCloud(Protocol):
    """Starts one cloud; a second call with the same state folder is a restart."""

    def __call__(
        self,
        name: str = "private",
        *,
        faults: Sequence[str] = (),
        variants: Sequence[str] = (),
        state_dir: Path | None = None,
        channel: GuestChannel | None = None,
        change: Callable[[Profile], Profile] = lambda usual: usual,
    ) -> Running: ...


@pytest.fixture(scope="session")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small raw image that looks like a disk: a boot sector, some data, holes."""
    path = tmp_path_factory.mktemp("golden") / "golden.raw"
    with path.open("wb") as file:
        file.write(bytes(range(256)) + bytes(254) + b"\x55\xaa")
        file.seek(1 << 20)
        file.write(b"guest data " * 10_000)
        file.truncate(RAW_BYTES)
    return path


@pytest.fixture
def start_cloud(tmp_path: Path, golden: Path) -> Iterator[StartCloud]:
    running: list[Running] = []

    def start(
        name: str = "private",
        *,
        faults: Sequence[str] = (),
        variants: Sequence[str] = (),
        state_dir: Path | None = None,
        channel: GuestChannel | None = None,
        change: Callable[[Profile], Profile] = lambda usual: usual,
    ) -> Running:
        folder = state_dir or tmp_path / f"{name}{len(running)}"
        cloud = serve(name, faults, folder, golden, channel, change, variants)
        running.append(cloud)
        return cloud

    yield start
    for cloud in running:
        cloud.stop()


@pytest.fixture
def private(start_cloud: StartCloud) -> Running:
    return start_cloud("private")


@pytest.fixture
def public(start_cloud: StartCloud) -> Running:
    return start_cloud("public-lite")


@pytest.fixture
def wait() -> Callable[[str, Callable[[], Any]], Any]:
    """Poll until the probe is true, at most ten seconds."""

    def until(what: str, probe: Callable[[], Any]) -> Any:
        end = time.monotonic() + 10
        while not (seen := probe()):
            if time.monotonic() > end:
                pytest.fail(f"waited 10 s for {what}")
            time.sleep(0.02)
        return seen

    return until


def serve(
    name: str,
    faults: Sequence[str],
    state_dir: Path,
    golden: Path,
    channel: GuestChannel | None = None,
    change: Callable[[Profile], Profile] = lambda usual: usual,
    variants: Sequence[str] = (),
) -> Running:
    """Bootstrap and serve in a thread of its own; returns when it answers."""
    paths = CloudPaths(state_dir)
    paths.create()
    hypervisor, fabric, metadata = RecordingHypervisor(), RecordingFabric(), RecordingMetadata()
    store = Store(state_dir / "cloud.db")
    node = Node(hypervisor, fabric, metadata, guest_channel=channel)
    usual = change(profile.find(name))
    varied = Variants.parse(variants, usual)
    cloud = Cloud(varied.shaped(usual), store, node, paths, Faults.parse(faults), varied)
    listener = socket.create_server(("127.0.0.1", 0))
    people = [
        Account("anne", PASSWORD, "demo", "member"),
        Account("rita", PASSWORD, "demo", "reader"),
        Account("bob", PASSWORD, "other", "member"),
        Account("admin", PASSWORD, "admin", "admin"),
    ]
    started = threading.Event()
    server: list[uvicorn.Server] = []

    async def main() -> None:
        await bootstrap(cloud, people, [Golden("pocket", golden)])
        config = uvicorn.Config(create_app(cloud), log_level="warning", lifespan="on", timeout_graceful_shutdown=2)
        server.append(uvicorn.Server(config))
        started.set()
        await server[0].serve(sockets=[listener])

    thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
    thread.start()
    assert started.wait(20), "the cloud did not bootstrap"
    end = time.monotonic() + 10
    while not server[0].started and time.monotonic() < end:
        time.sleep(0.01)
    stopped = threading.Event()

    def stop() -> None:
        if not stopped.is_set():
            stopped.set()
            server[0].should_exit = True
            thread.join(10)
            store.close()

    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    return Running(url, cloud, state_dir, hypervisor, fabric, metadata, stop)
