"""What a host has written into the disk: read by the agent, and told from what came along with the image."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from guest_agent import injected, interfaces
from metadata_shims import interfaces as written
from metadata_shims.instance import Instance, Vif

MAC1, MAC2 = "fa:16:3e:00:00:01", "fa:16:3e:00:00:02"
PRESENT = {MAC2: "eth0", MAC1: "eth1"}
"""The names in the file are the other way round."""
KEY, OLD_KEY = "ssh-ed25519 NEW anne", "ssh-ed25519 OLD home"
VIFS = (
    Vif(
        *(MAC1, "office", "192.168.110.0/24", ("192.168.110.10",), "192.168.110.1"),
        *("fd00::/64", ("fd00::10",), "fd00::1"),
        routes=(("10.9.0.0/16", "192.168.110.2"),),
        dns=("192.168.110.1", "9.9.9.9"),
        flat_injected=True,
    ),
    Vif(MAC2, "storage", "192.168.120.0/24", ("192.168.120.10",), flat_injected=True),
)
UUID, OTHER = "11111111-2222-4333-8444-555555555555", "99999999-2222-4333-8444-555555555555"


def text(*vifs: Vif) -> str:
    return written.text(Instance(UUID, "i-1", "anne", "anne", "p", vifs=vifs))


def inject(root: Path, *, meta: object = None, at_s: int = 1_700_000_000, password: bool = True) -> None:
    """As the host does: all within a second or two."""
    (root / "etc/network").mkdir(parents=True, exist_ok=True)
    (root / "root/.ssh").mkdir(parents=True, exist_ok=True)
    files = {
        "meta.js": json.dumps({"interop_run": "r-1"} if meta is None else meta),
        "etc/network/interfaces": text(*VIFS),
        "root/.ssh/authorized_keys": f"{OLD_KEY}\n\n{injected.HEADING}\n{KEY}\n",
    }
    if password:
        files["etc/shadow"] = "root:$6$of-the-host:1:0:99999:7:::\n"
    for name, content in files.items():
        (root / name).write_text(content)
        os.utime(root / name, (at_s, at_s + 1))


def read(root: Path, uuid: str = UUID) -> injected.Injected:
    return injected.read(uuid, PRESENT, str(root), str(root / "state"))


def test_nics_are_found_by_mac_and_have_both_families_and_routes() -> None:
    first, second = interfaces.plan(text(*VIFS), PRESENT)
    assert (first.mac, first.addresses) == (MAC1, ["192.168.110.10/24", "fd00::10/64"])
    assert first.routes == [("default", "192.168.110.1"), ("10.9.0.0/16", "192.168.110.2"), ("default", "fd00::1")]
    assert first.dns == ["192.168.110.1", "9.9.9.9"]
    assert (second.mac, second.addresses, second.routes) == (MAC2, ["192.168.120.10/24"], [])
    assert first.problems == second.problems == []


def test_a_stanza_without_a_mac_counts_by_its_name_and_an_unknown_name_for_nothing() -> None:
    config = "iface eth1 inet static\n address 10.0.0.5/24\niface eth7 inet static\n address 10.0.0.6/24\n"
    assert [(nic.mac, nic.addresses) for nic in interfaces.plan(config, PRESENT)] == [(MAC1, ["10.0.0.5/24"])]


def test_dhcp_and_mtu_are_understood_and_the_loopback_is_left_alone() -> None:
    (nic,) = interfaces.plan(f"auto lo\niface lo inet loopback\niface e inet dhcp\n hwaddress {MAC1}\n mtu 1400\n", {})
    assert (nic.mac, nic.uses_dhcp, nic.mtu) == (MAC1, True, 1400)


@pytest.mark.parametrize("line", ["address nonsense", "address 10.0.0.5", "address 10.0.0.5\n netmask 1.2.3.4", ""])
def test_a_stanza_that_makes_no_sense_is_a_problem_of_its_nic(line: str) -> None:
    (nic,) = interfaces.plan(f"iface eth0 inet static\n hwaddress ether {MAC1}\n {line}\n", {})
    assert nic.problems
    assert nic.addresses == []


def test_what_was_injected_is_a_channel_with_metadata_key_and_nics(tmp_path: Path) -> None:
    inject(tmp_path)
    channel = read(tmp_path)
    assert channel.meta == {"meta": {"interop_run": "r-1"}, "public_keys": [KEY]}
    assert [nic.mac for nic in channel.nics] == [MAC1, MAC2]
    assert set(channel.key_digests()) == {"meta", "xenstore_meta", "public_keys"}


def test_a_disk_without_anything_injected_has_no_such_channel(tmp_path: Path) -> None:
    (tmp_path / "etc/network").mkdir(parents=True)
    (tmp_path / "etc/network/interfaces").write_text("# Debian's own\nauto lo\niface lo inet loopback\n")
    assert not read(tmp_path).is_present


def test_what_was_injected_at_home_is_not_this_instance_s(tmp_path: Path) -> None:
    inject(tmp_path)
    assert read(tmp_path).is_present
    abroad = read(tmp_path, OTHER)
    assert not abroad.is_present
    assert "of another instance" in abroad.reason
    assert not read(tmp_path, OTHER).is_present, "nor at its second boot"
    assert read(tmp_path).is_present, "a reboot at home"


def test_what_is_injected_again_abroad_is(tmp_path: Path) -> None:
    inject(tmp_path)
    read(tmp_path)
    inject(tmp_path, at_s=1_700_000_100)  # the very same content, later
    assert read(tmp_path, OTHER).is_present


def test_an_older_key_and_password_end_and_the_injected_ones_stay_over_reboots(tmp_path: Path) -> None:
    inject(tmp_path)
    assert injected.take_over(read(tmp_path), str(tmp_path)) is True
    assert (tmp_path / "root/.ssh/authorized_keys").read_text() == f"{injected.TAKEN_OVER}\n{KEY}\n"
    assert "$6$of-the-host" in (tmp_path / "etc/shadow").read_text()
    assert read(tmp_path).public_keys() == [KEY]


def test_keys_that_were_taken_over_at_home_end_where_others_are_injected(tmp_path: Path) -> None:
    inject(tmp_path)
    injected.take_over(read(tmp_path), str(tmp_path))
    kept = (tmp_path / "root/.ssh/authorized_keys").read_text()
    inject(tmp_path, at_s=1_700_000_100)
    path = tmp_path / "root/.ssh/authorized_keys"
    both = "".join(f"\n{injected.HEADING}\n{key}\n" for key in ("ssh-ed25519 A", "ssh-ed25519 B"))
    path.write_text(kept + both)
    os.utime(path, (1_700_000_100, 1_700_000_100))
    assert read(tmp_path, OTHER).public_keys() == ["ssh-ed25519 A", "ssh-ed25519 B"]


def test_a_password_that_came_along_in_the_image_ends(tmp_path: Path) -> None:
    inject(tmp_path, password=False)
    (tmp_path / "etc/shadow").write_text("root:$6$of-home:1:0:99999:7:::\n")
    assert injected.take_over(read(tmp_path), str(tmp_path)) is False
    assert (tmp_path / "etc/shadow").read_text().startswith("root:*:")


def test_a_key_that_came_along_in_the_image_is_nobody_s(tmp_path: Path) -> None:
    inject(tmp_path)
    os.utime(tmp_path / "root/.ssh/authorized_keys", (1_600_000_000, 1_600_000_000))
    channel = read(tmp_path)
    assert channel.public_keys() == []
    injected.take_over(channel, str(tmp_path))
    assert (tmp_path / "root/.ssh/authorized_keys").read_text() == ""


@pytest.mark.parametrize("meta", ["no object", [1]], ids=str)
def test_metadata_that_is_no_object_is_none(meta: object, tmp_path: Path) -> None:
    inject(tmp_path, meta=meta)
    channel = read(tmp_path)
    assert channel.meta is not None
    assert channel.meta["meta"] == {}
