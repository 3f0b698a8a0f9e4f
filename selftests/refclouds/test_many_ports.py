"""The packet filter of a cloud with several dozen guests, in a namespace whose root is an ordinary user."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from refclouds import host, programs
from refclouds.errors import UsageError
from refclouds.fabric import namespace, rules
from refclouds.node import OPEN_RULES, IngressRule, PortRules

PORTS = 80
ADDRESSES = [f"10.0.0.{number}" for number in range(10, 10 + PORTS)]
GROUP = PortRules(tuple(IngressRule("tcp", 22, 22, f"{address}/32") for address in ADDRESSES))
"""What a group of 80 lets in of its own members."""


def port(number: int, allowed: PortRules) -> rules.FilteredPort:
    return rules.FilteredPort(f"tap{number}", f"fa:16:3e:00:00:{number:02x}", ADDRESSES[number], allowed, True)


def test_members_of_a_group_are_one_rule() -> None:
    text = rules.port_ruleset(port(0, GROUP))
    [line] = [line for line in text.splitlines() if "dport 22" in line]
    assert line.strip() == f"ip saddr {{ {', '.join(f'{one}/32' for one in ADDRESSES)} }} tcp dport 22-22 accept"


def test_allowances_of_other_ports_and_ranges_stay_rules_of_their_own() -> None:
    allowed = PortRules(
        (
            IngressRule("tcp", 22, 22, "10.0.0.1/32"),
            IngressRule("tcp", 23, 23, "10.0.0.2/32"),
            IngressRule("tcp", 22, 22, "10.0.0.0/8"),
            IngressRule("udp"),
        )
    )
    found = [line.strip() for line in rules.port_ruleset(port(0, allowed)).splitlines()]
    assert "ip saddr 10.0.0.1/32 tcp dport 22-22 accept" in found
    assert "ip saddr 10.0.0.2/32 tcp dport 23-23 accept" in found
    assert "ip saddr 10.0.0.0/8 tcp dport 22-22 accept" in found
    assert "ip protocol udp accept" in found


def test_eighty_ports_fit_and_go_again(tmp_path: Path) -> None:
    if programs.find("nft") is None:
        pytest.skip("not installed: nft")
    try:
        options = host.unshare_options()
    except UsageError as error:
        pytest.skip(str(error))
    argv = ["unshare", *options, "--", sys.executable, "-m", __name__, str(tmp_path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120, env=programs.environment())
    assert done.stdout.split() == ["160", "158", "156", "0"], done.stderr


async def _story(folder: Path) -> None:
    fabric = namespace.NamespaceFabric(folder)
    await namespace._load(rules.empty_ruleset())
    for number in range(PORTS):
        await fabric._replace_filters({str(number): port(number, PortRules())})
    await fabric.update_rules({str(number): GROUP for number in range(PORTS)})
    print(await _chains())
    await fabric.update_rules({"3": OPEN_RULES})
    print(await _chains())
    # Each waits for the one before it: a port whose rules come after its end does not come back.
    await asyncio.gather(
        fabric.update_rules({"4": PortRules()}), fabric.unplug("5"), fabric.update_rules({"5": PortRules()})
    )
    print(await _chains())
    for number in range(PORTS):
        await fabric.unplug(str(number))
    print(await _chains())


async def _chains() -> int:
    return (await programs.run(["nft", "list", "ruleset"])).count("_tap") // 2


if __name__ == "__main__":
    asyncio.run(_story(Path(sys.argv[1])))
