"""A status document is parsed by type; what is wrong is named, what is unknown is ignored."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden_flows.agents.reference import parse_status
from golden_flows.errors import GuestError
from golden_flows.model.xen import XenstoreCommand

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
    "config_drive": {
        "device": "/dev/sr0",
        "mode": "0600",
        "filesystem": "iso9660",
        "label": "config-2",
        "extensions": ["joliet"],
        "names": ["openstack/"],
        "error": "",
        "admin_pass": True,
        "kept": {"/etc/shadow": "0600"},
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
    "hypervisor": {"type": "xen", "guest_type": "PV", "uuid": "u"},
    "xenstore": {
        "vifs": {"0": "4"},
        "pvaddons": {"MajorVersion": "7"},
        "commands": [{"name": "keyinit", "returncode": "D0", "message": "5", "at_s": 9.0}],
        "networking": [
            {
                "mac": "FA-16-3E-00-00-01",
                "label": "flat",
                "ips": ["10.0.0.5/24"],
                "ip6s": ["fd00::5/64"],
                "gateway": "10.0.0.1",
                "gateway6": "fd00::1",
                "gateway6_key": "gateway_v6",
            }
        ],
    },
    "tools": {"bundle": None, "verdict": "ok", "reason": "", "running": True, "version": "7.0"},
    "consoles": {"active": ["hvc0"], "gettys": [{"line": "hvc0", "exists": True, "respawns": 0}]},
    "services": [{"name": "guest-tools", "state": "running", "restarts": 0}],
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


def test_a_config_drive_and_vendor_data_are_read() -> None:
    drive = parse_status(STATUS).config_drive
    assert drive is not None
    assert (drive.label, drive.extensions, drive.mode, drive.admin_pass) == ("config-2", ("joliet",), "0600", True)
    assert drive.kept == {"/etc/shadow": "0600"}
    assert parse_status({**STATUS, "config_drive": None}).config_drive is None
    channel = {**STATUS["channels"][0], "vendor_data2": {"static": 2, "inventory": None}}
    assert parse_status(STATUS).channels[0].vendor_parts is None
    assert parse_status({**STATUS, "channels": [channel]}).channels[0].vendor_parts == {"static": 2, "inventory": None}


def test_what_a_guest_tells_of_xen_is_read() -> None:
    report = parse_status(STATUS)
    assert report.hypervisor is not None
    assert report.hypervisor.is_xen
    assert report.xenstore is not None
    assert report.xenstore.networking[0].mac == "fa:16:3e:00:00:01"
    assert report.xenstore.networking[0].gateway6_key == "gateway_v6"
    assert report.xenstore.last("keyinit") == XenstoreCommand(name="keyinit", returncode="D0", message="5", at_s=9.0)
    assert report.xenstore.last("password") is None
    assert report.tools is not None
    assert report.tools.running
    assert report.consoles is not None
    assert report.consoles.gettys[0].line == "hvc0"
    assert report.services is not None
    assert report.services[0].state == "running"


def test_silence_about_xen_is_told_from_the_word_that_there_is_none() -> None:
    silent = parse_status({"schema": 1, "boot_id": "b", "verdict": "ok"})
    assert (silent.hypervisor, silent.xenstore, silent.services, silent.consoles) == (None, None, None, None)
    spoken = parse_status({"schema": 1, "boot_id": "b", "verdict": "ok", "hypervisor": {"type": None}, "services": []})
    assert spoken.hypervisor is not None
    assert not spoken.hypervisor.is_xen
    assert spoken.services == ()


@pytest.mark.parametrize(("reboot", "awaited"), [(None, False), ("pending", True), ("done", False)])
def test_a_guest_that_is_about_to_reboot_for_its_drivers_says_so(reboot: str | None, awaited: bool) -> None:
    report = parse_status({**STATUS, "drivers": {"verdict": "ok", "reboot": reboot, "previous_boot_id": "b-0"}})
    assert report.awaits_reboot is awaited
    assert report.drivers.previous_boot_id == "b-0"


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
        (("hypervisor",), "xen", "status.hypervisor"),
        (("xenstore", "vifs"), {"0": 4}, "status.xenstore.vifs"),
        (("xenstore", "vifs"), {str(n): "4" for n in range(1000)}, "status.xenstore.vifs"),
        (("xenstore", "commands"), [{"name": "x"}] * 1000, "status.xenstore.commands"),
        (("xenstore", "commands", 0, "returncode"), 0, "status.xenstore.commands[0].returncode"),
        (("xenstore", "networking", 0, "ip6s"), "fd00::5/64", "networking[0].ip6s"),
        (("tools", "running"), "yes", "status.tools.running"),
        (("consoles", "gettys", 0, "respawns"), "many", "gettys[0].respawns"),
        (("services", 0, "name"), None, "services[0].name"),
        (("config_drive", "names"), "openstack/", "status.config_drive.names"),
        (("config_drive", "admin_pass"), "secret", "status.config_drive.admin_pass"),
        (("channels", 0, "vendor_data2"), {"static": "2"}, "vendor_data2.static"),
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
