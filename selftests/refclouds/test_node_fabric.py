"""The fabric in real namespaces: what passes between ports, and what does not. No guest, no QEMU."""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from refclouds import host, programs
from refclouds.errors import UsageError

PROBE = Path(__file__).with_name("fabric_probe.py")


@cache
def _options() -> tuple[str, ...]:
    try:
        return host.unshare_options()
    except UsageError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module", params=["tap", "relay"])
def probed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    if lacking := set(programs.missing()) & {"ip", "nft", "dnsmasq", "unshare"}:
        pytest.skip(f"not installed: {sorted(lacking)}")
    more = ["--no-tun"] if request.param == "relay" else []
    argv = ["unshare", *_options(), "--", sys.executable, str(PROBE), str(tmp_path_factory.mktemp("net")), *more]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, env=programs.environment())
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    if result["backend"] != request.param:
        pytest.skip("/dev/net/tun is closed here")
    return result


PASSES = (
    *("allowed", "end_of_range", "established", "dns_reply", "arp", "metadata_answers", "closed_after_opening"),
    *("lease", "lease_of_an_address_given_back", "vlan_lease_by_tag_42", "vlan_answers_have_the_tag"),
    *("vlan_lease_after_another_plug",),
    *("v6_allowed", "v6_established", "v6_from_link_local", "v6_solicitation", "v6_duplicate_detection"),
    *("v6_advertisement", "v6_metadata_answers", "v6_router_says_so", "v6_lease", "v6_lease_of_an_address_given_back"),
)
DROPPED = (
    *("closed", "other_remote", "spoofed_address", "spoofed_mac", "udp", "dhcp_server", "ping"),
    *("arp_of_gateway", "ipv6", "metadata_from_isolated", "vlan_lease_by_tag_0", "vlan_lease_by_tag_43"),
    *("v6_closed", "v6_other_remote", "v6_spoofed_address", "v6_spoofed_mac", "v6_udp", "v6_dhcp_server", "v6_ping"),
    *("v6_router", "v6_advertisement_of_another", "v4_on_it"),
)


@pytest.mark.parametrize("case", PASSES)
def test_passes(probed: dict[str, Any], case: str) -> None:
    assert probed["seen"][case]


@pytest.mark.parametrize("case", DROPPED)
def test_is_dropped(probed: dict[str, Any], case: str) -> None:
    assert not probed["seen"][case]


def test_every_case_is_judged(probed: dict[str, Any]) -> None:
    assert set(probed["seen"]) == {*PASSES, *DROPPED}


def test_nothing_is_left_after_stop(probed: dict[str, Any]) -> None:
    assert probed["left"] == []
