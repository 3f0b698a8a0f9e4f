"""The xenstore tree is nova's, key by key."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from metadata_shims import xenstore
from metadata_shims.instance import Instance, Vif, ec2_id

FIRST = Vif(
    mac="fa:16:3e:00:00:01",
    label="flat",
    cidr="192.168.1.0/24",
    ips=("192.168.1.100",),
    gateway="192.168.1.1",
    cidr6="2001:db8:0:1::/64",
    ip6s=("2001:db8:0:1:dcad:beff:feef:1",),
    gateway6="2001:db8:0:1::1",
    routes=(("10.9.0.0/16", "192.168.1.2"),),
    dns=("192.168.1.3",),
)
SECOND = Vif(mac="fa:16:3e:00:00:02", label="multi", cidr="192.168.2.0/24", ips=("192.168.2.7",))
INSTANCE = Instance(
    uuid="11111111-2222-3333-4444-555555555555",
    ec2_id=ec2_id(1),
    name="anne",
    hostname="anne.novalocal",
    project_id="p",
    meta={"role": "wéb=1", "a/b c": 'quote "'},
    admin_pass="canary-of-the-password",
    vifs=(FIRST, SECOND),
)


def test_a_nic_is_told_in_novas_words() -> None:
    record = json.loads(xenstore.tree(INSTANCE)["networking/fa163e000001"])
    assert record == {
        "label": "flat",
        "mac": "fa:16:3e:00:00:01",
        "gateway": "192.168.1.1",
        "broadcast": "192.168.1.255",
        "ips": [{"ip": "192.168.1.100", "enabled": "1", "netmask": "255.255.255.0", "gateway": "192.168.1.1"}],
        "gateway_v6": "2001:db8:0:1::1",
        "ip6s": [{"ip": "2001:db8:0:1:dcad:beff:feef:1", "enabled": "1", "netmask": 64, "gateway": "2001:db8:0:1::1"}],
        "routes": [{"route": "10.9.0.0", "netmask": "255.255.0.0", "gateway": "192.168.1.2"}],
        "dns": ["192.168.1.3"],
    }


def test_a_network_without_gateway_says_null_and_tells_no_ipv6() -> None:
    record = json.loads(xenstore.tree(INSTANCE)["networking/fa163e000002"])
    assert record["gateway"] is None
    assert record["ips"][0]["gateway"] is None
    assert not {"gateway_v6", "ip6s", "routes", "dns"} & set(record)


def test_a_port_without_addresses_is_told_by_its_mac_alone() -> None:
    assert xenstore.networking(Vif(mac="fa:16:3e:00:00:03", label="x")) == {"label": "x", "mac": "fa:16:3e:00:00:03"}


def test_metadata_values_are_json_and_keys_are_cleaned() -> None:
    tree = xenstore.tree(INSTANCE)
    assert tree["user-metadata/role"] == '"w\\u00e9b=1"'
    assert json.loads(tree["user-metadata/a_b_c"]) == 'quote "'


def test_the_host_name_has_no_domain_and_the_disk_is_left_alone() -> None:
    tree = xenstore.tree(INSTANCE)
    assert (tree["hostname"], tree["auto-disk-config"]) == ("anne", "False")
    assert xenstore.tree(replace(INSTANCE, auto_disk_config=True))["auto-disk-config"] == "True"


@pytest.mark.parametrize(("key", "clean"), [("a-b_c@d9", "a-b_c@d9"), ("a/b", "a_b"), ("é.", "__")])
def test_a_key_keeps_what_xenstore_takes(key: str, clean: str) -> None:
    assert xenstore.clean_key(key) == clean


def test_no_password_is_in_the_tree() -> None:
    assert "canary" not in str(xenstore.tree(INSTANCE))
