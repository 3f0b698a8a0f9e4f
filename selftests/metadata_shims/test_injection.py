"""Files and flat networks: in a config drive, over HTTP, and as a host writes them into a disk."""

from __future__ import annotations

import json
from dataclasses import replace

from guest_agent import channels
from metadata_shims import config_drive, injection, interfaces, openstack
from metadata_shims.instance import Instance, Vif
from oslo_utils import secretutils

VIF = Vif("fa:16:3e:00:00:01", "office", "192.168.110.0/24", ("192.168.110.10",), "192.168.110.1", flat_injected=True)
INSTANCE = Instance(
    uuid="11111111-2222-3333-4444-555555555555",
    ec2_id="i-0000000a",
    name="anne",
    hostname="anne.novalocal",
    project_id="p",
    keys={"anne-key": "ssh-ed25519 AAAA anne\n"},
    meta={"role": "web"},
    admin_pass="canary",
    vifs=(VIF,),
    files=(("/srv/one", b"1"), ("/srv/two", b"\0\xff")),
)
SHADOW = b"root:*:19723:0:99999:7:::\nanne:*:19723:0:99999:7:::\n"


def drive(instance: Instance) -> dict[str, bytes]:
    return dict(config_drive.files(instance))


def test_nova_s_text_tells_mac_address_and_gateway() -> None:
    stanza = interfaces.text(INSTANCE).partition("auto eth0\n")[2].splitlines()
    assert stanza == [
        "iface eth0 inet static",
        "    hwaddress ether fa:16:3e:00:00:01",
        "    address 192.168.110.10",
        "    netmask 255.255.255.0",
        "    broadcast 192.168.110.255",
        "    gateway 192.168.110.1",
    ]


def test_networks_that_are_not_flat_injected_are_not_told() -> None:
    other = replace(INSTANCE, vifs=(replace(VIF, flat_injected=False),))
    assert interfaces.text(other) == ""
    assert "network_config" not in openstack.meta_data(other, "latest")
    assert openstack.answer(other, "/openstack/content/0000").status == 404


def test_the_drive_has_the_network_first_and_then_the_files() -> None:
    held = drive(INSTANCE)
    document = json.loads(held["openstack/latest/meta_data.json"])
    assert document["network_config"]["content_path"] == "/content/0000"
    assert document["files"] == [
        {"path": "/srv/one", "content_path": "/content/0001"},
        {"path": "/srv/two", "content_path": "/content/0002"},
    ]
    assert held["openstack/content/0000"] == interfaces.text(INSTANCE).encode()
    assert held["openstack/content/0002"] == b"\0\xff"


def test_files_are_never_told_over_http() -> None:
    document = json.loads(openstack.answer(INSTANCE, "/openstack/latest/meta_data.json").body)
    assert "files" not in document
    assert openstack.answer(INSTANCE, "/openstack/content/0000").body == interfaces.text(INSTANCE).encode()
    assert openstack.answer(INSTANCE, "/openstack/content/0001").status == 404


def test_the_agent_reads_from_a_drive_what_was_put_there() -> None:
    held = drive(INSTANCE)
    files = {name.partition("openstack/latest/")[2]: data for name, data in held.items() if "latest" in name}
    files |= {f"/content/{name[-4:]}": data for name, data in held.items() if "openstack/content" in name}
    channel = channels._fill(channels.Channel("config-drive"), files)
    assert channel.files == [("/srv/one", b"1"), ("/srv/two", b"\0\xff")]
    assert channel.network_config == interfaces.text(INSTANCE)


def test_a_host_writes_key_network_metadata_password_and_files() -> None:
    placed = {one.path: one for one in injection.placements(INSTANCE)}
    assert list(placed) == [
        *("/root/.ssh/authorized_keys", "/etc/network/interfaces", "/meta.js"),
        *("/etc/shadow", "/srv/one", "/srv/two"),
    ]
    assert placed["/root/.ssh/authorized_keys"].edit(b"old\n").startswith(b"old\n\n# The following ssh key")
    assert json.loads(placed["/meta.js"].edit(b"old")) == {"role": "web"}
    assert placed["/srv/two"].edit(b"old") == b"\0\xff"
    root, anne = placed["/etc/shadow"].edit(SHADOW).splitlines()
    hashed = root.split(b":")[1].decode()
    assert secretutils.crypt_password("canary", hashed) == hashed
    assert anne == SHADOW.splitlines()[1]


def test_what_there_is_not_is_not_written() -> None:
    bare = replace(INSTANCE, keys={}, meta={}, vifs=(), admin_pass=None, files=())
    assert list(injection.placements(bare)) == []
