"""Benign variants change something, are refused where they would not, and a cloud shows what it was told to be."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import refclouds
from metadata_shims import openstack
from refclouds import profile
from refclouds.compute.actions import coloured, printable
from refclouds.compute.instances import UNHEARD_OF
from refclouds.errors import UsageError
from refclouds.faults import FAULTS
from refclouds.variants import LONG, VARIANTS, Variants

from selftests.refclouds.api.conftest import StartCloud, golden, start_cloud, wait

__all__ = ["golden", "start_cloud", "wait"]

ROOM = Path(refclouds.__file__).parent
PRIVATE = profile.find("private")


def asked_for() -> set[str]:
    """Names in ``….variants.active("x")`` and its like."""
    return {
        str(node.args[0].value)
        for file in ROOM.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("active", "value", "number")
        and "variants" in ast.unparse(node.func.value)
        and isinstance(node.args[0], ast.Constant)
    }


def shaping() -> set[str]:
    """Variants that make another profile of the private cloud's."""
    return {name for name in VARIANTS if Variants.parse([name]).shaped(PRIVATE) != PRIVATE}


def test_every_variant_is_a_behaviour_and_none_is_a_fault() -> None:
    assert asked_for() | shaping() == set(VARIANTS)
    assert not set(VARIANTS) & set(FAULTS)


@pytest.mark.parametrize(
    ("spec", "cloud", "told"),
    [
        ("slwo", "private", "unknown variant 'slwo'"),
        ("slow=3", "private", "takes no value"),
        ("token_ttl=x", "private", "takes a number"),
        ("export_format=iso", "private", "does not know 'iso'"),
        ("nic_order", "public", "changes nothing about public"),
        ("nic_order", "private", "changes nothing about private"),
        ("nic_order", "vlan", "changes nothing about vlan"),
        ("vd_down", "public-lite", "changes nothing about public-lite"),
        ("extra_metadata", "ec2-only", "changes nothing about ec2-only"),
        ("extra_metadata", "injected", "changes nothing about injected"),
        ("other_key_type", "public-lite", "changes nothing about public-lite"),
        ("export_format=raw", "private", "changes nothing about private"),
    ],
)
def test_a_variant_that_means_nothing_there_is_refused(spec: str, cloud: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        Variants.parse([spec], profile.find(cloud))
    assert told in caught.value.what
    assert caught.value.remedy


@pytest.mark.parametrize("name", profile.names())
def test_profiles_stay_whole_in_every_shape(name: str) -> None:
    """Networks that guests are to have are there under the names that are told."""
    chosen = profile.find(name)
    for variant in VARIANTS:
        shaped = Variants.parse([variant]).shaped(chosen)
        assert set(shaped.interop["networks"]) <= {one.name for one in shaped.networks}
        assert len(shaped.networks) == len({one.name for one in shaped.networks})


def test_a_cloud_of_many_variants_has_what_they_say(start_cloud: StartCloud) -> None:
    names = ["other_flavor", "larger_disk", "long_names", "extra_network", "extra_groups", "more_images", "overlay_mtu"]
    cloud = start_cloud(variants=names)
    connection: Any = cloud.connect()
    flavors = list(connection.compute.flavors())
    assert {(one.name, one.disk) for one in flavors} == {("gp3.1x256-p", 1), ("gp3.1x512-s", 2)}
    networks = {one.name: one.mtu for one in connection.network.networks()}
    assert networks[LONG.format("private")] == 1450
    assert "old-lab" in {name.partition(" ")[0] for name in networks}
    assert {one.name for one in connection.network.security_groups()} == {"default", "office"}
    images = list(connection.image.images())
    assert len(images) > 30
    assert [one.status for one in images if one.name == "golden-pocket"].count("active") == 1


def test_escape_sequences_stand_between_lines_and_break_none() -> None:
    raw = b"".join(b"line %d\r\n" % number for number in range(30))
    lines = printable(coloured(raw), None).split("\n")
    assert [one for one in lines if one.startswith("line")] == [f"line {number}" for number in range(30)]
    assert sum("Reached target" in one for one in lines) == 4
    longer = coloured(raw + b"line 30\r\n")
    assert longer.startswith(coloured(raw)[:-1]), "what was said once stays where it is"


def test_metadata_of_a_nova_to_come_is_what_it_was_with_keys_more(start_cloud: StartCloud, wait: Any) -> None:
    cloud = start_cloud(variants=["extra_metadata"])
    connection: Any = cloud.connect()
    image = connection.image.find_image("golden-pocket")
    flavor = connection.compute.find_flavor("pocket")
    network = connection.network.find_network("private")
    server = connection.compute.create_server(
        name="one", image_id=image.id, flavor_id=flavor.id, networks=[{"uuid": network.id}]
    )
    wait("ACTIVE", lambda: connection.compute.get_server(server.id).status == "ACTIVE")
    (told,) = cloud.metadata.told.values()
    plain, extended = (openstack.meta_data(one, openstack.LATEST, bytes) for one in (replace(told, extra={}), told))
    assert extended == {**UNHEARD_OF, **plain}
