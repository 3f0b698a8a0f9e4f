"""Facts of a burst of three, and ways to bend them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from golden_flows.model.burst import BurstFacts, BurstNic, BurstServer, Told
from golden_flows.model.guest import Link

NONCE, SENT = "0a1b2c", "sha256-of-what-was-sent"


def one(number: int) -> BurstServer:
    """Up, and with everything of its own."""
    id, full = f"id-{number}", f"interop-run-1-burst-{number}"
    first, second = f"fa:16:3e:00:01:{number:02x}", f"fa:16:3e:00:02:{number:02x}"
    return BurstServer(
        name=f"burst-{number}",
        full_name=full,
        id=id,
        status="ACTIVE",
        nics=(
            BurstNic(network="flat", mac=first, addresses=(f"192.168.100.{40 + number}",)),
            BurstNic(network="multi", mac=second, addresses=(f"192.168.200.{40 + number}",)),
        ),
        active_s=2.0 * number,
        up_s=10.0 * number,
        answer=f"{NONCE} {full}.novalocal random-{number}",
        told=Told(
            uuid=id,
            hostname=f"{full}.novalocal",
            user_data_sha256=SENT,
            user_data_ran=True,
            boot_id=f"boot-{number}",
            links=(
                Link(name="eth0", mac=first, addresses=(f"192.168.100.{40 + number}/24",)),
                Link(name="eth1", mac=second, addresses=(f"192.168.200.{40 + number}/24",)),
            ),
            host_keys=(f"SHA256:{number}",),
        ),
        host_key=f"SHA256:{number}",
        machine_id=f"machine-{number}",
    )


def burst(*servers: BurstServer, **changes: Any) -> BurstFacts:
    """These, or three that have all come up."""
    servers = servers or (one(1), one(2), one(3))
    facts = BurstFacts(
        asked=len(servers),
        way="one request",
        servers=servers,
        nonce=NONCE,
        sent_sha256=SENT,
        waited_s=31.0,
        deleted=sum(bool(server.id) for server in servers),
    )
    return replace(facts, **changes)


def never_made(number: int, why: str = "") -> BurstServer:
    return BurstServer(name=f"burst-{number}", fault=why)


def silent(number: int, **changes: Any) -> BurstServer:
    """ACTIVE, and its app does not answer."""
    return replace(one(number), up_s=None, answer=None, told=None, host_key=None, machine_id=None, **changes)


def with_told(server: BurstServer, **changes: Any) -> BurstServer:
    assert server.told is not None
    return replace(server, told=replace(server.told, **changes))


def with_same_host_keys() -> BurstFacts:
    return burst(*(with_told(replace(one(n), host_key="SHA256:image"), host_keys=("SHA256:image",)) for n in (1, 2, 3)))


def with_neighbours() -> BurstFacts:
    """Each is told what belongs to the next."""
    servers = []
    for number in (1, 2, 3):
        other = one(number % 3 + 1)
        assert other.told is not None
        told = with_told(one(number), uuid=other.told.uuid, hostname=other.told.hostname)
        servers.append(replace(told, answer=f"{NONCE} {other.told.hostname} random-{number}"))
    return burst(*servers)


def with_first_nic_only() -> BurstFacts:
    servers = []
    for number in (1, 2, 3):
        told = one(number).told
        assert told is not None
        servers.append(with_told(one(number), links=told.links[:1]))
    return burst(*servers)
