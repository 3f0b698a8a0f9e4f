"""Nova as it answers: states, refusals, microversions, and the faults that live in it."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

Wait = Callable[[str, Callable[[], Any]], Any]
KEY = "ssh-ed25519 " + base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0 " + bytes(32)).decode() + " anne\n"


def request_for(cloud: Any, **more: Any) -> dict[str, Any]:
    image = cloud.call("GET", "/image/v2/images?name=golden-pocket").json()["images"][0]["id"]
    return {"name": "web", "imageRef": image, "flavorRef": "1", **more}


def networks(cloud: Any, *names: str) -> list[dict[str, str]]:
    found = cloud.call("GET", "/network/v2.0/networks").json()["networks"]
    ids = {item["name"]: item["id"] for item in found}
    return [{"uuid": ids[name]} for name in names]


def boot(cloud: Any, wait: Wait, **more: Any) -> dict[str, Any]:
    """Create a server and wait until it is at rest."""
    asked = request_for(cloud, **more)
    answer = cloud.call("POST", "/compute/v2.1/servers", json={"server": asked})
    assert answer.status_code == 202, answer.text
    return rest(cloud, wait, answer.json()["server"]["id"])


def rest(cloud: Any, wait: Wait, server_id: str) -> dict[str, Any]:
    def probe() -> Any:
        server = show(cloud, server_id)
        return server if server["status"] != "BUILD" and server["OS-EXT-STS:task_state"] is None else None

    server: dict[str, Any] = wait("the server to rest", probe)
    return server


def show(cloud: Any, server_id: str, **headers: str) -> dict[str, Any]:
    answer = cloud.call("GET", f"/compute/v2.1/servers/{server_id}", headers=headers).json()
    server: dict[str, Any] = answer["server"]
    return server


def act(cloud: Any, server_id: str, body: Mapping[str, Any], **headers: str) -> Any:
    path = f"/compute/v2.1/servers/{server_id}/action"
    return cloud.call("POST", path, json=body, headers={key.replace("_", "-"): text for key, text in headers.items()})


def create(cloud: Any, version: str = "2.1", **more: Any) -> Any:
    headers = {"OpenStack-API-Version": f"compute {version}"}
    return cloud.call("POST", "/compute/v2.1/servers", json={"server": request_for(cloud, **more)}, headers=headers)


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"imageRef": "00000000-0000-0000-0000-000000000000"}, 400),
        ({"flavorRef": "none"}, 400),
        ({"key_name": "none"}, 400),
        ({"security_groups": [{"name": "none"}]}, 400),
        ({"availability_zone": "mars"}, 400),
        ({"networks": [{"uuid": "none"}]}, 400),
        ({"user_data": "x" * 65536}, 400),
        ({"name": ""}, 400),
        ({"min_count": 21}, 403),
        ({"user_data": "not base64!"}, 202),
    ],
)
def test_refusals_have_novas_codes(private: Any, more: dict[str, Any], status: int) -> None:
    assert create(private, **more).status_code == status


def test_a_fixed_address_in_use_is_400(private: Any, wait: Wait) -> None:
    wish = [{**networks(private, "private")[0], "fixed_ip": "10.10.0.77"}]
    boot(private, wait, networks=wish)
    answer = create(private, networks=wish)
    assert (answer.status_code, answer.json()["badRequest"]["message"]) == (
        400,
        "Fixed IP address 10.10.0.77 is already in use.",
    )


def test_a_guest_that_its_host_takes_along_leaves_its_server_in_error_with_the_reason(private: Any, wait: Wait) -> None:
    server = boot(private, wait)
    assert private.hypervisor.on_lost is not None
    private.hypervisor.on_lost(server["id"], "the Xen host ended with 137")
    shown = private.call("GET", f"/compute/v2.1/servers/{server['id']}").json()["server"]
    assert (shown["status"], shown["fault"]["message"]) == ("ERROR", "the Xen host ended with 137")


def test_a_host_warms_up_when_an_image_is_on_its_way_in(private: Any) -> None:
    body = {"name": "coming", "disk_format": "raw", "container_format": "bare"}
    assert private.call("POST", "/image/v2/images", json=body).status_code == 201
    assert private.hypervisor.log == ["warm"]


def test_networks_are_needed_from_2_37_and_ambiguous_before_it(public: Any) -> None:
    assert create(public).status_code == 409
    assert create(public, "2.37").status_code == 400
    assert create(public, "2.37", networks="none").status_code == 202


def test_microversions_are_named_in_both_headers_and_refused_beyond_the_last(private: Any) -> None:
    answer = private.call("GET", "/compute/v2.1/servers", headers={"OpenStack-API-Version": "compute 2.47"})
    assert answer.headers["OpenStack-API-Version"] == "compute 2.47"
    assert answer.headers["X-OpenStack-Nova-API-Version"] == "2.47"
    assert "OpenStack-API-Version" in answer.headers["Vary"]
    beyond = private.call("GET", "/compute/v2.1/servers", headers={"X-OpenStack-Nova-API-Version": "2.94"})
    assert beyond.status_code == 406


def test_a_flavor_is_embedded_from_2_47(private: Any, wait: Wait) -> None:
    server_id = boot(private, wait)["id"]
    assert set(show(private, server_id)["flavor"]) == {"id", "links"}
    new = show(private, server_id, **{"OpenStack-API-Version": "compute 2.47"})["flavor"]
    assert (new["original_name"], "id" in new) == ("pocket", False)


def test_a_build_passes_through_novas_states(private: Any, wait: Wait) -> None:
    private.hypervisor.gate.clear()
    server_id = create(private).json()["server"]["id"]
    wait("spawning", lambda: show(private, server_id)["OS-EXT-STS:task_state"] == "spawning")
    building = show(private, server_id)
    assert (building["status"], building["addresses"], building["hostId"]) == ("BUILD", {}, "")
    assert act(private, server_id, {"os-getConsoleOutput": {}}).status_code == 409
    assert act(private, server_id, {"createImage": {"name": "x"}}).status_code == 409
    private.hypervisor.gate.set()
    assert rest(private, wait, server_id)["status"] == "ACTIVE"


def test_a_server_is_deleted_in_the_middle_of_its_build(private: Any, wait: Wait) -> None:
    private.hypervisor.gate.clear()
    server_id = create(private).json()["server"]["id"]
    wait("spawning", lambda: show(private, server_id)["OS-EXT-STS:task_state"] == "spawning")
    path = f"/compute/v2.1/servers/{server_id}"
    assert private.call("DELETE", path).status_code == 204
    wait("404", lambda: private.call("GET", path).status_code == 404)
    assert private.call("GET", "/network/v2.0/ports").json()["ports"] == []


def test_stopping_twice_is_409(private: Any, wait: Wait) -> None:
    server_id = boot(private, wait)["id"]
    assert act(private, server_id, {"os-stop": None}).status_code == 202
    assert rest(private, wait, server_id)["status"] == "SHUTOFF"
    assert act(private, server_id, {"os-stop": None}).status_code == 409


def test_a_guest_that_ends_by_itself_is_shutoff(private: Any, wait: Wait) -> None:
    server_id = boot(private, wait)["id"]
    private.hypervisor.running.discard(server_id)
    private.hypervisor.on_exit(server_id, 0)
    assert show(private, server_id)["status"] == "SHUTOFF"


def test_reboots_soft_and_hard(private: Any, wait: Wait) -> None:
    server_id = boot(private, wait)["id"]
    for kind in ("SOFT", "HARD"):
        assert act(private, server_id, {"reboot": {"type": kind}}).status_code == 202
        assert rest(private, wait, server_id)["status"] == "ACTIVE"
    assert private.hypervisor.log == ["start", "stop", "start", "reset"]


def test_a_guest_that_does_not_start_is_an_error_with_a_reason(private: Any, wait: Wait) -> None:
    private.hypervisor.refuse_start = True
    server = boot(private, wait)
    assert (server["status"], server["fault"]["code"]) == ("ERROR", 500)
    assert server["fault"]["message"] == "the guest did not start"


def test_memory_runs_out_as_no_valid_host(private: Any, wait: Wait) -> None:
    found = [boot(private, wait) for _ in range(9)]
    assert [server["status"] for server in found] == ["ACTIVE"] * 8 + ["ERROR"]
    assert found[-1]["fault"]["message"] == "No valid host was found. There are not enough hosts available."


def test_bytes_that_are_not_what_the_image_says_abort_the_build(start_cloud: Any, wait: Wait, tmp_path: Path) -> None:
    cloud = start_cloud(faults=["inspector=off"])
    fake = tmp_path / "x.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", fake, "1M"], check=True)
    body = {"name": "fake", "disk_format": "raw", "container_format": "bare"}
    image = cloud.call("POST", "/image/v2/images", json=body).json()["id"]
    octets = {"Content-Type": "application/octet-stream"}
    cloud.call("PUT", f"/image/v2/images/{image}/file", data=fake.read_bytes(), headers=octets)
    server = boot(cloud, wait, imageRef=image)
    assert server["status"] == "ERROR"
    assert server["fault"]["message"].endswith("is unacceptable: Image not in a supported format")


def test_two_nics_list_the_default_group_twice_and_keep_their_order(public: Any, wait: Wait) -> None:
    server = boot(public, wait, networks=networks(public, "flat", "multi"))
    assert server["security_groups"] == [{"name": "default"}, {"name": "default"}]
    spec = public.hypervisor.started[0]
    assert [(nic.model, str(nic.ip).rpartition(".")[0]) for nic in spec.nics] == [
        ("e1000", "192.168.100"),
        ("vmxnet3", "192.168.200"),
    ]
    told = public.metadata.told[server["id"]]
    assert [item["type"] for item in told.networks] == ["ipv4_dhcp", "ipv4"]
    assert told.networks[1]["routes"] == []
    assert spec.config_drive is not None
    assert spec.config_drive.exists()


def test_the_console_has_no_control_characters_and_can_be_cut(private: Any, wait: Wait) -> None:
    server_id = boot(private, wait)["id"]
    assert act(private, server_id, {"os-getConsoleOutput": {}}).json() == {"output": "one\ntwo[0m\nthree\n"}
    assert act(private, server_id, {"os-getConsoleOutput": {"length": 1}}).json() == {"output": "three\n"}


def test_a_snapshot_answers_by_location_at_2_1_and_by_body_at_2_45(private: Any, wait: Wait) -> None:
    server_id = boot(private, wait)["id"]
    private.hypervisor.gate.clear()
    old = act(private, server_id, {"createImage": {"name": "old"}})
    assert (old.status_code, old.content) == (202, b"")
    assert "//images/" in old.headers["Location"].removeprefix("http://")
    assert act(private, server_id, {"createImage": {"name": "again"}}).status_code == 409
    private.hypervisor.gate.set()
    rest(private, wait, server_id)
    new = act(private, server_id, {"createImage": {"name": "new"}}, OpenStack_API_Version="compute 2.45")
    assert set(new.json()) == {"image_id"}
    assert "Location" not in new.headers
    rest(private, wait, server_id)
    image = private.call("GET", f"/image/v2/images/{new.json()['image_id']}").json()
    assert (image["image_type"], image["instance_uuid"], image["min_disk"]) == ("snapshot", server_id, 0)
    assert image["os_distro"] == "debian"


def snapshot(cloud: Any, wait: Wait) -> tuple[dict[str, Any], bytes]:
    primary = cloud.cloud.profile.networks[0].name
    server_id = boot(cloud, wait, networks=networks(cloud, primary))["id"]
    act(cloud, server_id, {"createImage": {"name": "copy"}})
    rest(cloud, wait, server_id)
    image = cloud.call("GET", "/image/v2/images?name=copy").json()["images"][0]
    return image, cloud.call("GET", f"/image/v2/images/{image['id']}/file").content


def test_export_format_makes_qcow2_snapshots(start_cloud: Any, wait: Wait) -> None:
    image, content = snapshot(start_cloud(variants=["export_format=qcow2"]), wait)
    assert (image["disk_format"], content[:4]) == ("qcow2", b"QFI\xfb")


def test_mislabel_declares_qcow2_raw(start_cloud: Any, wait: Wait) -> None:
    image, content = snapshot(start_cloud(faults=["mislabel"]), wait)
    assert (image["disk_format"], content[:4]) == ("raw", b"QFI\xfb")
    assert image["os_hash_value"] == hashlib.sha512(content).hexdigest()


def test_old_snapshot_is_of_the_image(start_cloud: Any, wait: Wait, golden: Path) -> None:
    _, honest = snapshot(start_cloud(), wait)
    _, old = snapshot(start_cloud(faults=["old_snapshot"]), wait)
    assert old == golden.read_bytes()
    assert honest != old  # the double's guest writes to its disk


def told(cloud: Any, wait: Wait, **more: Any) -> Any:
    """What the guest is told on the metadata service."""
    cloud.call("POST", "/compute/v2.1/os-keypairs", json={"keypair": {"name": "key", "public_key": KEY}})
    return cloud.metadata.told[boot(cloud, wait, key_name="key", **more)["id"]]


def test_a_guest_is_told_the_truth(private: Any, wait: Wait) -> None:
    data = bytes(range(256))
    instance = told(private, wait, user_data=base64.b64encode(data).decode(), metadata={"a": "b"}, adminPass="pw")
    assert (instance.keys, instance.user_data, instance.meta) == ({"key": KEY}, data, {"a": "b"})
    assert (instance.hostname, instance.uuid) == ("web.novalocal", private.hypervisor.started[0].id)
    assert instance.admin_pass is None


def test_wrong_key(start_cloud: Any, wait: Wait) -> None:
    keys = told(start_cloud(faults=["wrong_key"]), wait).keys
    assert list(keys) == ["key"]
    assert keys["key"] != KEY


def test_stale_key(start_cloud: Any, wait: Wait) -> None:
    keys = told(start_cloud(faults=["stale_key"]), wait).keys
    assert keys["key"] == KEY
    assert len(keys) == 2


def test_ud_utf8_and_ud_missing(start_cloud: Any, wait: Wait) -> None:
    data = base64.b64encode(b"#!\xff").decode()
    assert told(start_cloud(faults=["ud_utf8"]), wait, user_data=data).user_data == "#!ÿ".encode()
    assert told(start_cloud(faults=["ud_missing"]), wait, user_data=data).user_data is None


def test_swap_identity(start_cloud: Any, wait: Wait) -> None:
    cloud = start_cloud(faults=["swap_identity"])
    server = boot(cloud, wait)
    assert cloud.metadata.told[server["id"]].uuid != server["id"]


def test_ec2_stale(start_cloud: Any, wait: Wait) -> None:
    cloud = start_cloud(faults=["ec2_stale"])
    server = boot(cloud, wait)
    assert cloud.metadata.ec2[server["id"]].hostname == "stale.novalocal"
    assert cloud.metadata.told[server["id"]].hostname == "web.novalocal"


def drive(cloud: Any) -> bytes:
    content: bytes = cloud.hypervisor.started[-1].config_drive.read_bytes()
    return content


def test_cd_stale(start_cloud: Any, wait: Wait) -> None:
    cloud = start_cloud("public-lite", faults=["cd_stale"])
    server = boot(cloud, wait, networks=networks(cloud, "flat"))
    assert b"stale.novalocal" in drive(cloud)
    assert cloud.metadata.told[server["id"]].hostname == "web.novalocal"


def test_pw_ignored_keeps_the_password_out_of_the_config_drive(start_cloud: Any, wait: Wait) -> None:
    honest, faulty = start_cloud("public-lite"), start_cloud("public-lite", faults=["pw_ignored"])
    for cloud in (honest, faulty):
        boot(cloud, wait, networks=networks(cloud, "flat"), adminPass="hunter2hunter2")
    assert b"hunter2hunter2" in drive(honest)
    assert b"hunter2hunter2" not in drive(faulty)


def test_the_password_is_nowhere_in_the_state(public: Any, wait: Wait) -> None:
    boot(public, wait, networks=networks(public, "flat"), adminPass="hunter2hunter2")
    assert "hunter2hunter2" not in json.dumps(public.cloud.store.list("server"))


@pytest.mark.parametrize("name", ["private", "public-lite"])
def test_iid_changes_with_a_reboot(start_cloud: Any, wait: Wait, name: str) -> None:
    cloud = start_cloud(name, faults=["iid_changes"])
    first = networks(cloud, "private" if name == "private" else "flat")
    server_id = boot(cloud, wait, networks=first)["id"]
    assert cloud.metadata.told[server_id].uuid == server_id
    act(cloud, server_id, {"reboot": {"type": "HARD"}})
    rest(cloud, wait, server_id)
    changed = cloud.metadata.told[server_id].uuid
    assert changed != server_id
    assert name == "private" or changed.encode() in drive(cloud)


def two_nics(cloud: Any, wait: Wait) -> Any:
    return cloud.metadata.told[boot(cloud, wait, networks=networks(cloud, "flat", "multi"))["id"]]


def test_nd_empty(start_cloud: Any, wait: Wait) -> None:
    instance = two_nics(start_cloud("public-lite", faults=["nd_empty"]), wait)
    assert (instance.links, instance.networks) == ((), ())


def test_nd_first_only(start_cloud: Any, wait: Wait) -> None:
    instance = two_nics(start_cloud("public-lite", faults=["nd_first_only"]), wait)
    assert (len(instance.links), len(instance.networks)) == (1, 1)


def test_two_gw(start_cloud: Any, wait: Wait) -> None:
    routes = two_nics(start_cloud("public-lite", faults=["two_gw"]), wait).networks[1]["routes"]
    assert [route["gateway"] for route in routes] == ["192.168.200.1"]


def test_shuffle_links(start_cloud: Any, wait: Wait) -> None:
    cloud = start_cloud("public-lite", faults=["shuffle_links"])
    links = two_nics(cloud, wait).links
    real = [nic.mac for nic in cloud.hypervisor.started[0].nics]
    assert [link["ethernet_mac_address"] for link in links] == real[::-1]


def test_bus_and_nic2(start_cloud: Any, wait: Wait) -> None:
    cloud = start_cloud("public-lite", faults=["bus=virtio", "nic2=e1000"])
    two_nics(cloud, wait)
    spec = cloud.hypervisor.started[0]
    assert (spec.disk_bus, [nic.model for nic in spec.nics]) == ("virtio", ["e1000", "e1000"])


def test_console_none(start_cloud: Any, wait: Wait) -> None:
    cloud = start_cloud(faults=["console=none"])
    assert act(cloud, boot(cloud, wait)["id"], {"os-getConsoleOutput": {}}).json() == {"output": ""}


def test_delete_202_noop(start_cloud: Any, wait: Wait) -> None:
    cloud = start_cloud(faults=["delete_202_noop"])
    server_id = boot(cloud, wait)["id"]
    assert cloud.call("DELETE", f"/compute/v2.1/servers/{server_id}").status_code == 204
    assert rest(cloud, wait, server_id)["status"] == "ACTIVE"


def test_readers_may_not_write_and_strangers_see_nothing(private: Any, wait: Wait) -> None:
    server_id = boot(private, wait)["id"]
    path = f"/compute/v2.1/servers/{server_id}"
    assert private.call("GET", path, user="rita").status_code == 200
    assert private.call("DELETE", path, user="rita").status_code == 403
    assert private.call("GET", path, user="bob").status_code == 404
    assert private.call("GET", "/compute/v2.1/servers?all_tenants=1", user="bob").status_code == 403
    everything = private.call("GET", "/compute/v2.1/servers?all_tenants=1", user="admin").json()["servers"]
    assert [item["id"] for item in everything] == [server_id]


def test_the_list_is_paged(private: Any, wait: Wait) -> None:
    assert create(private, max_count=3, min_count=3).status_code == 202
    first = private.call("GET", "/compute/v2.1/servers?limit=2").json()
    href = first["servers_links"][0]["href"].removeprefix(private.url)
    second = private.call("GET", href).json()
    names = [item["name"] for item in first["servers"] + second["servers"]]
    assert sorted(names) == ["web-1", "web-2", "web-3"]
    assert "servers_links" not in second


def test_a_posted_password_is_read_and_cleared(private: Any, wait: Wait) -> None:
    server_id = boot(private, wait)["id"]
    private.metadata.passwords[server_id] = "cipher"
    path = f"/compute/v2.1/servers/{server_id}/os-server-password"
    assert private.call("GET", path).json() == {"password": "cipher"}
    assert private.call("DELETE", path).status_code == 204
    assert private.call("GET", path).json() == {"password": ""}


def test_a_password_of_nobody_s_is_shown_until_it_is_cleared(start_cloud: Any, wait: Wait) -> None:
    cloud = start_cloud(faults=["pw_foreign"])
    server_id = boot(cloud, wait)["id"]
    path = f"/compute/v2.1/servers/{server_id}/os-server-password"
    foreign = cloud.call("GET", path).json()["password"]
    cloud.metadata.passwords[server_id] = "cipher"
    assert (len(foreign), cloud.call("GET", path).json()) == (344, {"password": "cipher"})
    cloud.metadata.passwords.clear()
    cloud.call("DELETE", path)
    assert cloud.call("GET", path).json() == {"password": ""}


def test_key_pairs_follow_the_microversion(private: Any) -> None:
    def make(version: str, **more: str) -> Any:
        headers = {"OpenStack-API-Version": f"compute {version}"}
        body = {"keypair": {"name": f"key{version}", **more}}
        return private.call("POST", "/compute/v2.1/os-keypairs", json=body, headers=headers)

    assert (make("2.1").status_code, make("2.2", public_key=KEY).status_code) == (200, 201)
    assert (make("2.92").status_code, make("2.10", public_key="junk").status_code) == (400, 400)
    assert private.call("DELETE", "/compute/v2.1/os-keypairs/key2.1").status_code == 202


def public(kind: str) -> str:
    """A key as ssh-keygen writes it, without its comment."""
    keys: dict[str, Any] = {
        "rsa": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
        "ed25519": ed25519.Ed25519PrivateKey.generate,
        "ecdsa": lambda: ec.generate_private_key(ec.SECP256R1()),
    }
    made = keys[kind]().public_key()
    encoded: bytes = made.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return encoded.decode()


@pytest.mark.parametrize("kind", ["rsa", "ed25519", "ecdsa"])
@pytest.mark.parametrize("end", ["", "\n", " anne\r\n"])
def test_keys_of_every_kind_are_imported_as_they_are(private: Any, kind: str, end: str) -> None:
    key = public(kind) + end
    made = private.call("POST", "/compute/v2.1/os-keypairs", json={"keypair": {"name": "key", "public_key": key}})
    assert (made.status_code, made.json()["keypair"]["public_key"]) == (200, key)
    digest = hashlib.md5(base64.b64decode(key.split()[1])).hexdigest()
    assert made.json()["keypair"]["fingerprint"].replace(":", "") == digest


@pytest.mark.parametrize("key", ["", "ssh-rsa AAAA", "no-pty KEY", "KEY-of-another-kind", "ssh-ed25519"])
def test_what_is_no_key_is_refused(private: Any, key: str) -> None:
    told = key.replace("KEY-of-another-kind", KEY.replace("ssh-ed25519", "ssh-rsa")).replace("KEY", KEY)
    answer = private.call("POST", "/compute/v2.1/os-keypairs", json={"keypair": {"name": "key", "public_key": told}})
    assert answer.status_code == 400


def test_a_restart_keeps_everything_but_the_running_guests(start_cloud: Any, wait: Wait) -> None:
    before = start_cloud()
    server = boot(before, wait)
    port = before.call("GET", "/network/v2.0/ports").json()["ports"][0]["id"]
    external = networks(before, "public")[0]["uuid"]
    wish = {"floatingip": {"floating_network_id": external, "port_id": port}}
    floating = before.call("POST", "/network/v2.0/floatingips", json=wish).json()["floatingip"]
    images = before.call("GET", "/image/v2/images").json()
    before.stop()
    after = start_cloud(state_dir=before.state_dir)
    now = show(after, server["id"])
    assert (now["status"], now["OS-EXT-STS:power_state"]) == ("SHUTOFF", 4)
    assert after.call("GET", "/image/v2/images").json() == images
    assert after.fabric.floating == {floating["floating_ip_address"]: floating["fixed_ip_address"]}
    assert act(after, server["id"], {"os-start": None}).status_code == 202
    assert rest(after, wait, server["id"])["addresses"]["private"][0]["addr"] == floating["fixed_ip_address"]
    assert [nic.ip for nic in after.hypervisor.started[0].nics] == [floating["fixed_ip_address"]]


def test_a_server_outlives_the_deletion_of_its_image(private: Any, wait: Wait) -> None:
    # A guest's disk is an overlay over the image's bytes, and Glance lets an image in use be deleted.
    server = boot(private, wait)
    image_id = server["image"]["id"]
    assert private.call("DELETE", f"/image/v2/images/{image_id}", user="admin").status_code == 204
    assert not private.cloud.paths.images.joinpath(image_id).exists()
    backing = private.hypervisor.images[-1]
    assert backing.exists()
    private.call("DELETE", f"/compute/v2.1/servers/{server['id']}")
    wait("the base to go with the server", lambda: not backing.exists())
