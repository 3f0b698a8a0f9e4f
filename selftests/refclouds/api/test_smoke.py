from __future__ import annotations

import base64
from typing import Any


def test_openstacksdk_takes_the_cloud_for_openstack(private: Any) -> None:
    anne = private.connect()
    assert {item["type"] for item in anne.service_catalog} == {"identity", "image", "compute", "network"}
    assert [image.name for image in anne.image.images()] == ["golden-pocket"]
    assert {network.name for network in anne.network.networks()} == {"private", "public"}
    assert {flavor.name for flavor in anne.compute.flavors()} == {"pocket", "small"}


def test_a_server_lives_from_create_to_delete(private: Any) -> None:
    anne = private.connect()
    image, flavor = anne.image.find_image("golden-pocket"), anne.compute.find_flavor("pocket")
    network = anne.network.find_network("private")
    blob = b"\0\0\0\x0bssh-ed25519\0\0\0 " + bytes(32)
    anne.compute.create_keypair(name="key", public_key=f"ssh-ed25519 {base64.b64encode(blob).decode()} anne\n")
    server = anne.compute.create_server(
        name="web", image_id=image.id, flavor_id=flavor.id, networks=[{"uuid": network.id}], key_name="key"
    )
    server = anne.compute.wait_for_server(server, interval=0.1, wait=10)
    assert server.addresses["private"][0]["addr"].startswith("10.10.0.")
    anne.compute.stop_server(server)
    anne.compute.wait_for_server(server, status="SHUTOFF", interval=0.1, wait=10)
    anne.compute.start_server(server)
    anne.compute.wait_for_server(server, interval=0.1, wait=10)
    snapshot = anne.compute.create_server_image(server, "copy", wait=True, timeout=10)
    assert (snapshot.disk_format, snapshot.visibility, snapshot.status) == ("raw", "private", "active")
    anne.compute.delete_server(server)
    anne.compute.wait_for_delete(server, interval=0.1, wait=10)
    assert list(anne.network.ports()) == []
