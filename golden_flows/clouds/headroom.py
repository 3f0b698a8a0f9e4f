"""Reads what bounds the number of servers in a project. Nothing is made.

Sources: Compute API ``GET /limits`` (-1: unlimited; RAM in MiB); Networking API ``GET /v2.0/quotas/{project}/details``,
``allocation_pools`` of subnets.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from golden_flows.clouds.records import FlavorRef, NetworkRef
from golden_flows.clouds.session import ApiSession
from golden_flows.errors import CloudError, Unreachable
from golden_flows.model.headroom import Limit


def read(
    api: ApiSession, networks: Sequence[NetworkRef], flavor: FlavorRef, *, floating: str | None
) -> tuple[Limit, ...]:
    """Whatever this tenant may read; raises ``Unreachable`` only. What is unlimited, or not told, is left out."""
    found: list[Limit] = []
    parts: tuple[Callable[[], list[Limit]], ...] = (
        lambda: _compute(api, flavor),
        lambda: _network(api, len(networks), floating),
    )
    for part in parts:
        try:
            found += part()
        except Unreachable:
            raise
        except CloudError:  # a tenant who may not read a limit learns of it when it is hit
            continue
    return (*found, *_addresses(api, networks))


def _compute(api: ApiSession, flavor: FlavorRef) -> list[Limit]:
    limits = api.read("compute", "/limits").get("limits")
    absolute: Any = limits.get("absolute") if isinstance(limits, dict) else None
    rows = (
        ("quota of instances", "maxTotalInstances", "totalInstancesUsed", 1),
        ("quota of cores", "maxTotalCores", "totalCoresUsed", flavor.vcpus),
        ("quota of memory in MiB", "maxTotalRAMSize", "totalRAMUsed", flavor.ram_mib),
    )
    return list(_limits(rows, absolute))


def _network(api: ApiSession, ports_each: int, floating: str | None) -> list[Limit]:
    with api.guard("asking for the project"):
        project = str(api.sdk.session.get_project_id())
    quota: Any = api.read("network", f"/quotas/{project}/details").get("quota")
    flat: dict[str, object] = {}
    for name, row in quota.items() if isinstance(quota, dict) else ():
        if isinstance(row, dict):
            flat[name], flat[f"{name} used"] = row.get("limit"), row.get("used")
    rows = [("quota of ports", "port", "port used", ports_each)]
    if floating:
        rows.append(("quota of floating IPs", "floatingip", "floatingip used", 1))
    return list(_limits(rows, flat))


def _limits(rows: Sequence[tuple[str, str, str, int]], told: Any) -> Iterator[Limit]:
    for what, total_key, used_key, each in rows:
        total, used = (told.get(key) if isinstance(told, dict) else None for key in (total_key, used_key))
        if isinstance(total, int) and total >= 0 and each > 0:
            yield Limit(what, total, used if isinstance(used, int) else 0, each)


def _addresses(api: ApiSession, networks: Sequence[NetworkRef]) -> Iterator[Limit]:
    """IPv4 only: a pool of IPv6 addresses has no end. What other projects have there nobody tells a tenant."""
    with api.guard("listing subnets"):
        subnets = [one for one in api.sdk.network.subnets() if one.ip_version == 4]
        ports = list(api.sdk.network.ports())
    for network in dict.fromkeys(networks):
        mine = [one for one in subnets if one.network_id == network.id]
        pools = [_Pool.of(pool) for one in mine for pool in one.allocation_pools or ()]
        taken = {
            str(fixed.get("ip_address")) for port in ports for fixed in port.fixed_ips or () if _is_of(fixed, mine)
        }
        used = sum(any(address in pool for pool in pools) for address in taken)
        if pools:
            yield Limit(f"addresses on {network.name}", sum(one.size for one in pools), used, networks.count(network))


def _is_of(fixed: Mapping[str, object], subnets: Sequence[Any]) -> bool:
    return any(fixed.get("subnet_id") == one.id for one in subnets)


@dataclass(frozen=True)
class _Pool:
    start: ipaddress.IPv4Address
    end: ipaddress.IPv4Address
    """The last one that is in it."""

    @classmethod
    def of(cls, pool: Mapping[str, str]) -> _Pool:
        return cls(ipaddress.IPv4Address(pool["start"]), ipaddress.IPv4Address(pool["end"]))

    def __contains__(self, address: str) -> bool:
        return self.start <= ipaddress.IPv4Address(address) <= self.end

    @property
    def size(self) -> int:
        return int(self.end) - int(self.start) + 1
