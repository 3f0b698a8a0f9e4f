"""Documents and numbers out of a guest: of any form and depth they are read or refused, and rubbish passes nothing."""

from __future__ import annotations

import contextlib
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden_flows.agents import reference
from golden_flows.agents.fields import Fields
from golden_flows.errors import GuestError
from golden_flows.flows import hotplug, ipv6, nics_inside, platform
from golden_flows.model import network_data, network_schema, untrusted

NAMES = st.sampled_from(
    (
        *("links", "networks", "services", "routes", "id", "type", "link", "mtu", "vlan_id", "vlan_link"),
        *("netmask", "network", "gateway", "address", "ethernet_mac_address", "vlan_mac_address", "bond_links"),
        *("ip_address", "vif_id"),
    )
)
WORDS = (
    "vlan",
    "bond",
    "phy",
    "ipv4",
    "ipv6_slaac",
    "0.0.0.0",
    "::",
    "ffff::",
    "10.0.0.1/24",
    "9" * 5000,
    "\u0662\u0664",
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS) | st.text(max_size=9)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=6), max_leaves=24
)


def nested(depth: int, leaf: object = 1) -> object:
    for _ in range(depth):
        leaf = [leaf]
    return leaf


@given(st.dictionaries(NAMES, VALUES, max_size=8))
def test_any_network_document_has_an_opinion(document: dict[str, object]) -> None:
    for strict in (True, False):
        network_schema.defects(document, strict=strict)
    assert network_schema.opinion(document)
    network_data.served_macs(document)
    network_data.served_vlans(document)
    network_data.served_mtus(document)
    network_data.served_addresses(document)
    network_data.served_types(document)
    network_data.served_defaults(document)


def network(netmask: object) -> dict[str, object]:
    link = {"id": "l", "type": "phy", "ethernet_mac_address": "fa:16:3e:00:00:01", "mtu": None}
    entry = {"id": "n", "link": "l", "network_id": "x", "type": "ipv4", "ip_address": "10.0.0.5", "netmask": netmask}
    return {"links": [link], "networks": [entry], "services": []}


def test_a_netmask_is_a_number_of_our_digits() -> None:
    assert network_schema.defects(network("24"), strict=False) == ()
    for rubbish in ("9" * 5000, "\u0662\u0664", "\u00b2", "-1", ""):
        assert network_schema.defects(network(rubbish), strict=False) != (), rubbish


@pytest.mark.parametrize("depth", [40, 200, 400, 800, 950])
def test_what_lies_too_deep_is_cut_and_everything_goes_on(depth: int) -> None:
    served = Fields({"network_data": {"links": nested(depth)}}).untrusted("network_data")
    assert json.dumps(dict(served), indent=1)
    assert network_schema.defects(served, strict=False) != ()
    for read in (Fields({"x": nested(depth)}).text, Fields({"x": nested(depth)}).integer):
        with pytest.raises(GuestError, match="status"):
            read("x")
    found = nics_inside.document(json.dumps({"links": nested(min(depth, 400))}).encode())
    assert found is not None
    assert json.dumps(found, indent=1)


@pytest.mark.parametrize("served", [[], ["links"], "links", 0, False])
def test_a_document_that_is_no_object_has_no_documented_form(served: object) -> None:
    report = Fields({"network_data": served}).untrusted("network_data")
    assert network_schema.defects(report, strict=False) != ()


def test_nothing_served_is_nothing() -> None:
    assert Fields({}).untrusted("network_data") == {}


@given(st.text(max_size=30) | st.sampled_from(("nan", "inf", "-inf", "1e999", "0x10", "1_0", "\u00b2", "9" * 5000)))
def test_a_number_is_one_or_nothing(text: str) -> None:
    whole, finite = untrusted.whole_number(text), untrusted.finite_number(text)
    assert whole is None or (text.isascii() and text.isdigit() and whole == int(text))
    assert finite is None or math.isfinite(finite)
    assert untrusted.whole_number(text, 8) is None or set(text) <= set("01234567")


@pytest.mark.parametrize("word", ["nan", "inf", "-inf", "\u0662", "1e999"])
def test_a_nic_did_not_come_after_nan_seconds(word: str) -> None:
    """It was taken for one that came: no comparison with it is true."""
    with pytest.raises(GuestError, match="without a word"):
        hotplug.times(f"1.0 2.0 {word}".encode(), 3)
    assert hotplug.times(b"1.0 - 2.5", 3) == [1.0, None, 2.5]


@given(st.binary(max_size=300) | st.lists(st.sampled_from((b"nic ", b"addr ", b"route ", b"a ", b"\n"))).map(b"".join))
def test_any_lines_of_nics_are_read(content: bytes) -> None:
    nics_inside.parse(content.decode("utf-8", "replace"))
    nics_inside.parse("nic eth0 fa:16:3e:00:00:01 " + "9" * 5000)
    nics_inside.document(content)


@given(VALUES)
def test_any_answer_of_a_probe_is_read_or_refused(document: object) -> None:
    for parse in (platform.parse, ipv6.parse):
        with contextlib.suppress(GuestError):
            parse(document)
    with contextlib.suppress(GuestError):
        platform.parse({"queues": {"eth0": "9" * 5000, "eth1": document}})
    if isinstance(document, dict):
        with pytest.raises(GuestError):  # a report of rubbish is none
            reference.parse_status(document)
