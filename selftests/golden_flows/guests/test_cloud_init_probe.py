"""The probe over what stock cloud-init 22.4 wrote in a guest (``stock_guest``), beside a reference metadata service."""

from __future__ import annotations

import gzip
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from metadata_shims.instance import Instance
from refclouds.faults import Faults
from refclouds.metadata_service import MetadataService

from golden_flows.agents.cloud_init import parse_status
from golden_flows.flows.story import user_data_abroad, user_data_in_parts
from golden_flows.guests.probes.cloud_init import Records, report, user_data
from golden_flows.guests.probes.system import as_cidr, leases
from golden_flows.model.ec2 import FIRST_KEY, KEYS
from golden_flows.model.guest import Channel, GuestReport
from golden_flows.model.nova_metadata import EC2_RULES, NO_SUCH_FILE, OPENSTACK_RULES
from selftests.golden_flows.guests.test_metadata_probe import served

GUEST = Path(__file__).parent / "stock_guest"
BOOT = "86fd269e-7ef5-4606-9ca2-1817599cc901"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIN9MqY87NNFcYHsHEnRL90bkdVDd42buLvFZZ4E0QjVw interop"
SENT = user_data_abroad().noted()
ANNE = Instance(
    uuid="1b4e28ba-2fa1-11d2-883f-0016d3cca427",
    ec2_id="i-00000001",
    name="anne",
    hostname="anne.novalocal",
    project_id="p",
    keys={"anne": KEY},
    meta={"interop_run": "20261125-160000-0001"},
    user_data=SENT.content,
    fixed_ips=("127.0.0.1",),
    dynamic_vendor_data={"inventory": {"a": 1, "b": 2}, "dead": {}},
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A guest's file system as far as the records go; its user data is that of ``SENT``."""
    shutil.copytree(GUEST, tmp_path, dirs_exist_ok=True)
    kept = tmp_path / "var/lib/cloud/instance/user-data.txt"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(SENT.content)
    (tmp_path / "runs").write_text(f"other began {BOOT} 0 1\n{SENT.nonce} began {BOOT} 0 1\n{SENT.nonce} ended 0\n")
    return tmp_path


def told(root: Path, *channels: str, faults: tuple[str, ...] = ()) -> GuestReport:
    service = MetadataService(channels, Faults.parse(faults))
    service.publish(ANNE)
    with served(service) as port:
        found = report(str(root / "runs"), str(root), f"http://127.0.0.1:{port}")
    return parse_status(json.loads(json.dumps(found)))


def channel(seen: GuestReport, name: str) -> Channel:
    return next(one for one in seen.channels if one.name == name)


def test_every_path_that_the_checks_judge_is_asked_for_and_both_trees_agree(root: Path) -> None:
    seen = told(root, "openstack", "ec2")
    asked = {one.path for one in seen.requests}
    assert {one.path for one in (*OPENSTACK_RULES, *EC2_RULES)} | {KEYS, FIRST_KEY} <= asked
    assert [one.status for one in seen.requests if one.path == NO_SUCH_FILE] == [404]
    openstack, ec2 = channel(seen, "openstack-http"), channel(seen, "ec2-http")
    common = set(openstack.keys) & set(ec2.keys)
    assert common == {"hostname", "public_keys", "user_data"}
    assert {key: openstack.keys[key] for key in common} == {key: ec2.keys[key] for key in common}
    assert seen.identity.ec2_instance_id == "i-00000001"
    assert (seen.listing[KEYS] or "").startswith("0=")
    assert openstack.vendor_parts == {"static": 0, "inventory": 2, "dead": 0}


def test_a_tree_that_is_not_served_is_not_there(root: Path) -> None:
    seen = told(root, "openstack")
    assert channel(seen, "openstack-http").present
    assert not channel(seen, "ec2-http").present
    assert seen.identity.ec2_instance_id is None


def test_cloud_init_s_records_say_who_it_is_and_by_what_it_was_configured(root: Path) -> None:
    seen = told(root, "openstack")
    assert (seen.run, seen.identity.uuid, seen.identity.name) == ("20261125-160000-0001", ANNE.uuid, "anne")
    assert Records(str(root)).is_by_drive
    assert not channel(seen, "openstack-http").used, "it is there, and was not what this boot was configured by"
    assert (seen.verdict, len(seen.authorized_key_fingerprints or ())) == ("ok", 1)
    by_name = {phase.name: phase for phase in seen.phases}
    assert {phase.verdict for phase in by_name.values()} == {"ok"}
    assert by_name["network"].began_s == by_name["init-local"].ended_s


def test_errors_of_cloud_init_degrade_the_report(root: Path) -> None:
    errors = ["('scripts-user', RuntimeError('Runparts: 1 failures (part-001) in 1 attempted commands'))"]
    result = {"v1": {"datasource": "DataSourceOpenStackLocal [net,ver=2]", "errors": errors}}
    (root / "run/cloud-init/result.json").write_text(json.dumps(result))
    seen = told(root, "openstack")
    assert (seen.verdict, seen.reasons) == ("degraded", tuple(errors))


def test_a_guest_without_records_is_no_reason_to_stumble(tmp_path: Path) -> None:
    records = Records(str(tmp_path))
    assert (records.errors, records.told, records.user_data, records.files()) == ([], {}, b"", [])
    assert {one["verdict"] for one in records.phases(1.0)[1:]} == {"skipped"}


def test_the_metadata_s_faults_show(root: Path) -> None:
    assert "<html>" in (told(root, "openstack", faults=("md_listing_html",)).listing["/openstack"] or "")
    assert [one.status for one in told(root, "openstack", faults=("404_as_500",)).requests if one.status == 500]
    stale = replace(ANNE, hostname="other.novalocal")
    service = MetadataService(("openstack", "ec2"))
    service.publish(ANNE, ec2=stale)
    with served(service) as port:
        seen = parse_status(report(str(root / "runs"), str(root), f"http://127.0.0.1:{port}"))
    assert channel(seen, "openstack-http").keys["hostname"] != channel(seen, "ec2-http").keys["hostname"]


def test_a_script_is_known_by_its_nonce_however_it_is_packed(root: Path) -> None:
    run = user_data(SENT.content, BOOT, str(root / "runs"))
    wanted = {"present": True, "run_count": 1, "ran_this_boot": True, "exit_code": 0, "uid": 0, "network_up": True}
    assert {key: run[key] for key in wanted} == wanted
    assert run["sha256"] == SENT.sha256
    assert user_data(gzip.decompress(SENT.content), "another boot", str(root / "runs"))["ran_this_boot"] is False
    assert user_data(b"", BOOT, str(root / "runs"))["present"] is False


@pytest.mark.parametrize(
    ("lines", "mended"), [("{nonce} mended\n", 1), ("f00dbabe mended\n", 0), ("", 0), ("{nonce} ended\n\n{nonce}\n", 0)]
)
def test_a_part_with_cr_lf_that_ran_has_noted_it(tmp_path: Path, lines: str, mended: int) -> None:
    parts = user_data_in_parts()
    (tmp_path / "runs").write_text(lines.format(nonce=parts.nonce))
    run: dict[str, Any] = user_data(parts.content, BOOT, str(tmp_path / "runs"))
    assert (run["mended_parts"], run["run_count"]) == (mended, 0)


LEASE = """\
# This is private data. Do not parse.
ADDRESS=10.10.0.10
NETMASK=255.255.255.0
ROUTER=10.10.0.1
SERVER_ADDRESS=10.10.0.1
MTU=1500
LIFETIME=86400
DNS=10.10.0.1
CLASSLESS_ROUTES=169.254.169.254/32,10.10.0.1 0.0.0.0/0,10.10.0.1
"""
"""As systemd-networkd 252 keeps it."""


@pytest.mark.parametrize("name", ["CLASSLESS_ROUTES", "ROUTES"])
def test_a_lease_is_read_with_its_classless_routes_whatever_systemd_calls_them(tmp_path: Path, name: str) -> None:
    (tmp_path / "1").write_text(LEASE.replace("CLASSLESS_ROUTES", name))
    (tmp_path / "999").write_text(LEASE)  # of a NIC that has gone
    (lease,) = leases([{"name": "lo", "mac": "fa:16:3e:00:00:01"}], str(tmp_path))
    assert (lease["ip"], lease["prefixlen"], lease["routers"], lease["mtu"]) == ("10.10.0.10", 24, ["10.10.0.1"], 1500)
    assert {"destination": "0.0.0.0/0", "gateway": "10.10.0.1"} in lease["classless_routes"]


@pytest.mark.parametrize(
    ("printed", "whole"),
    [
        ("169.254.169.254", "169.254.169.254/32"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("fe80::1", "fe80::1/128"),
        ("default", "default"),
        ("", ""),
    ],
)
def test_routes_to_one_address_are_told_as_the_lease_tells_them(printed: str, whole: str) -> None:
    assert as_cidr(printed) == whole
