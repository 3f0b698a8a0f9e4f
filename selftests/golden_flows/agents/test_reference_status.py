"""A status document is parsed by type; what is wrong is named, what is unknown is ignored."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden_flows.agents.reference import parse_status
from golden_flows.errors import GuestError

STATUS: dict[str, Any] = {
    "schema": 1,
    "agent": "1",
    "run": "r1",
    "boot_id": "b-1",
    "kernel": "6.1.0-41-amd64",
    "uptime_s": 9.5,
    "verdict": "ok",
    "reasons": [],
    "phases": [{"name": "userdata", "verdict": "ok", "reason": "", "began_s": 1.0, "ended_s": 2}],
    "identity": {"uuid": "u", "hostname": "anne", "name": "anne", "smbios_uuid": "u", "launch_index": 0},
    "channels": [{"name": "config-drive", "present": True, "used": True, "reason": "", "keys": {"hostname": "00"}}],
    "metadata": {
        "listing": {"/": "1.0\nlatest", "/openstack": None},
        "requests": [{"path": "/", "status": 200, "content_type": "text/plain", "bytes": 3, "json_ok": None}],
    },
    "network_data": {"links": []},
    "dhcp": [
        {
            "interface": "eth0",
            "mac": "FA-16-3E-00-00-01",
            "ip": "10.0.0.5",
            "prefixlen": 24,
            "routers": ["10.0.0.1"],
            "dns": [],
            "mtu": None,
            "lease_s": 3600,
            "server_id": "10.0.0.2",
            "classless_routes": [{"destination": "169.254.169.254/32", "gateway": "10.0.0.2"}],
        }
    ],
    "links": [{"name": "eth0", "mac": "fa:16:3e:00:00:01", "driver": "e1000", "addresses": ["10.0.0.5/24"]}],
    "links_before_drivers": [],
    "routes": [{"family": 4, "destination": "default", "gateway": "10.0.0.1", "interface": "eth0"}],
    "drivers": None,
    "block": {"root_device": "/dev/sda1", "root_driver": "ata_piix"},
    "auth": {"keys": 1, "password_set": True, "host_keys": [{"type": "ssh-ed25519", "fingerprint": "SHA256:x"}]},
    "user_data": {"present": True, "bytes": 5, "ran_this_boot": True, "run_count": 1, "exit_code": 0, "uid": 0},
    "clock": {"epoch_s": 1.0},
}


def test_a_report_is_read() -> None:
    report = parse_status(STATUS)
    assert report.boot_id == "b-1"
    assert report.leases[0].mac == "fa:16:3e:00:00:01"
    assert report.leases[0].classless_routes == (("169.254.169.254/32", "10.0.0.2"),)
    assert report.listing == {"/": "1.0\nlatest", "/openstack": None}
    assert report.host_key_fingerprints == ("SHA256:x",)
    assert report.password_set is True
    assert report.drivers.verdict == "skipped"
    assert report.user_data.run_count == 1


def test_unknown_keys_are_ignored_and_absent_parts_have_defaults() -> None:
    report = parse_status({"schema": 1, "boot_id": "b", "verdict": "ok", "future": {"x": [1]}})
    assert report.phases == ()
    assert report.identity.uuid is None


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (("schema",), 2, "schema"),
        (("boot_id",), None, "boot_id"),
        (("verdict",), 5, "status.verdict"),
        (("phases",), {"a": 1}, "status.phases"),
        (("phases", 0, "began_s"), "soon", "status.phases[0].began_s"),
        (("phases", 0, "began_s"), float("nan"), "status.phases[0].began_s"),
        (("channels", 0, "keys"), {"a": 1}, "status.channels[0].keys"),
        (("metadata", "requests", 0, "status"), "200", "requests[0].status"),
        (("links",), [{"name": "l"}] * 1000, "status.links"),
        (("dhcp", 0, "routers"), "10.0.0.1", "routers"),
        (("auth",), [], "status.auth"),
        (("user_data", "run_count"), True, "run_count"),
        (("user_data", "bytes"), 2**70, "bytes"),
    ],
)
def test_a_wrong_type_is_named(path: tuple[str | int, ...], value: object, named: str) -> None:
    document = copy.deepcopy(STATUS)
    parent: Any = document
    for step in path[:-1]:
        parent = parent[step]
    parent[path[-1]] = value
    with pytest.raises(GuestError) as caught:
        parse_status(document)
    assert named in str(caught.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(STATUS)), json_values)
def test_any_value_anywhere_is_read_or_refused(key: str, value: object) -> None:
    named = ""
    try:
        parse_status({**STATUS, key: value})
    except GuestError as error:
        named = str(error)
    assert not named or key in named
