"""DHCPv6 as a client speaks it, and IPv6 in network_data.json."""

from __future__ import annotations

import socket
import struct
from typing import Any

import pytest
from guest_agent import dhcp6, http, network

MAC = "fa:16:3e:00:00:0a"
SERVER = bytes.fromhex("000100013299c9ac02fe0a3c0000")
TRANSACTION = b"\x01\x02\x03"
ADDRESS = "fd00:61::10"
LINK = {"id": "tap0", "type": "bridge", "ethernet_mac_address": MAC, "mtu": None}


def reply(*parts: bytes, kind: int = dhcp6.REPLY, mac: str = MAC) -> bytes:
    head = struct.pack("!B3s", kind, TRANSACTION) + dhcp6.option(dhcp6.CLIENT_ID, dhcp6.duid(mac))
    return head + dhcp6.option(dhcp6.SERVER_ID, SERVER) + b"".join(parts)


def identity(*parts: bytes, t1_s: int = 43200) -> bytes:
    head = dhcp6.identity_of(MAC)[:4] + struct.pack("!II", t1_s, 0)
    return dhcp6.option(dhcp6.IA_NA, head + b"".join(parts))


def address(ip: str = ADDRESS, preferred_s: int = 86400, valid_s: int = 90000) -> bytes:
    packed = socket.inet_pton(socket.AF_INET6, ip) + struct.pack("!II", preferred_s, valid_s)
    return dhcp6.option(dhcp6.IA_ADDRESS, packed)


def test_a_client_is_known_by_its_mac_alone() -> None:
    assert dhcp6.duid(MAC).hex() == "00030001fa163e00000a"


def test_a_request_names_server_and_offered_address() -> None:
    asked = dhcp6.message(dhcp6.REQUEST, TRANSACTION, MAC, server=SERVER, identity=dhcp6.identity_of(MAC, ADDRESS))
    told = dict(dhcp6.options(asked[4:]))
    assert asked[:4] == b"\x03" + TRANSACTION
    assert (told[dhcp6.CLIENT_ID], told[dhcp6.SERVER_ID]) == (dhcp6.duid(MAC), SERVER)
    assert socket.inet_pton(socket.AF_INET6, ADDRESS) in told[dhcp6.IA_NA]


def test_an_information_request_asks_for_no_address() -> None:
    asked = dhcp6.message(dhcp6.INFORMATION_REQUEST, TRANSACTION, MAC)
    assert dhcp6.IA_NA not in dict(dhcp6.options(asked[4:]))


def test_a_reply_is_a_lease() -> None:
    dns = dhcp6.option(dhcp6.DNS, socket.inet_pton(socket.AF_INET6, "fd00::1") * 2)
    kind, lease = dhcp6.parse(reply(identity(address()), dns), TRANSACTION, MAC)
    assert (kind, lease["ip"], lease["t1_s"], lease["valid_s"]) == (dhcp6.REPLY, ADDRESS, 43200, 90000)
    assert (lease["dns"], lease["server_duid"]) == (["fd00::1", "fd00::1"], SERVER.hex())
    assert dhcp6.renew_after_s(lease) == 43200


@pytest.mark.parametrize(
    ("data", "transaction", "mac"),
    [
        (reply(), b"\0\0\0", MAC),
        (reply(mac="fa:16:3e:00:00:0b"), TRANSACTION, MAC),
        (reply() + b"\0\x05\0\xff", TRANSACTION, MAC),
        (b"", TRANSACTION, MAC),
    ],
    ids=["another transaction", "another client", "cut short", "empty"],
)
def test_what_is_not_for_us_is_passed_over(data: bytes, transaction: bytes, mac: str) -> None:
    with pytest.raises(ValueError, match=r"another|cut short"):
        dhcp6.parse(data, transaction, mac)


@pytest.mark.parametrize("inside", [True, False])
def test_a_server_that_says_no_is_quoted(inside: bool) -> None:
    status = dhcp6.option(dhcp6.STATUS, b"\0\x02no addresses available")
    with pytest.raises(dhcp6.Dhcp6Error, match="status 2: no addresses available"):
        dhcp6.parse(reply(identity(status) if inside else status), TRANSACTION, MAC)


def test_a_lease_without_end_is_asked_for_again_all_the_same() -> None:
    _, lease = dhcp6.parse(reply(identity(address(preferred_s=dhcp6.INFINITY_S), t1_s=0)), TRANSACTION, MAC)
    assert dhcp6.renew_after_s(lease) == dhcp6.REFRESH_S


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("ipv6_slaac", "slaac"),
        ("ipv6_dhcpv6-stateless", "dhcpv6-stateless"),
        ("ipv6_dhcpv6-stateful", "dhcpv6-stateful"),
        ("ipv6_dhcp", "dhcpv6-stateful"),
    ],
)
def test_each_type_of_the_metadata_is_a_mode(kind: str, mode: str) -> None:
    document: dict[str, Any] = {"links": [LINK], "networks": [{"link": "tap0", "type": kind, "ip_address": ADDRESS}]}
    (nic,) = network.plan(document)
    assert (nic.mode6, nic.foreseen6, nic.wanted, nic.problems, nic.has_ipv6) == (mode, ADDRESS, mode, [], True)
    assert network.wants_ipv6([nic])


def test_ipv6_is_tried_unless_only_ipv4_is_told() -> None:
    document = {"links": [LINK], "networks": [{"link": "tap0", "type": "ipv4_dhcp"}]}
    assert not network.wants_ipv6(network.plan(document))
    assert network.wants_ipv6([])


def test_a_link_local_service_is_named_with_its_zone() -> None:
    client = http.Client(http.HOST6, interface="eth0")
    assert client.endpoint == "http://[fe80::a9fe:a9fe%25eth0]"
    assert http.Client().endpoint == "http://169.254.169.254"


def test_no_nic_has_a_service_where_there_is_no_such_nic() -> None:
    assert http.find6(["no-such-nic"]) is None
    assert http.find6([]) is None
