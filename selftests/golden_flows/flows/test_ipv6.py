"""What a guest says of its IPv6 is read by type, and an answer that is none is said, never raised."""

from __future__ import annotations

from typing import Any

import pytest

from golden_flows.errors import GuestError
from golden_flows.flows.ipv6 import parse
from golden_flows.model.ipv6 import Address6, MetadataAnswer

NIC = {
    "name": "eth0",
    "mac": "FA-16-3E-00-00-01",
    "accept_ra": "1",
    "forwarding": "0",
    "flags": 0x20 | 0x40,
    "addresses": [{"ip": "fd00::1", "prefixlen": 64, "flags": 0x80}, {"ip": "fd00::2", "prefixlen": 128, "flags": 0}],
}


def seen(**changes: Any) -> dict[str, object]:
    answer = {"interface": "eth0", "status": 200, "uuid": "u", "error": ""}
    return {"nics": [{**NIC, **changes}], "metadata": [answer]}


def test_nics_carry_what_the_router_announced_and_which_addresses_have_no_end() -> None:
    facts = parse(seen())
    (nic,) = facts.nics
    assert (nic.mac, nic.accept_ra, nic.forwarding) == ("fa:16:3e:00:00:01", 1, False)
    assert (nic.heard, nic.managed, nic.other) == (True, True, False)
    assert nic.addresses == (
        Address6(ip="fd00::1", prefixlen=64, permanent=True),
        Address6(ip="fd00::2", prefixlen=128, permanent=False),
    )
    assert facts.metadata == (MetadataAnswer(interface="eth0", status=200, uuid="u", error=""),)


def test_flags_that_the_kernel_does_not_tell_are_unknown_not_false() -> None:
    (nic,) = parse(seen(flags=None)).nics
    assert (nic.heard, nic.managed, nic.other) == (None, None, None)


@pytest.mark.parametrize("text", [None, "", "two", "-1"])
def test_an_accept_ra_that_is_no_number_is_unknown(text: str | None) -> None:
    assert parse(seen(accept_ra=text)).nics[0].accept_ra is None


@pytest.mark.parametrize(
    "document", [[], {"nics": {}}, {"nics": [{"name": 1}]}, {"nics": [{"name": "a", "flags": "x"}]}]
)
def test_what_is_not_of_its_form_is_a_guest_s_error(document: object) -> None:
    with pytest.raises(GuestError):
        parse(document)
