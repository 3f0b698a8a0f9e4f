"""What a cloud offers of its images' driver bundles."""

from __future__ import annotations

from pathlib import Path

from golden_images.manifest import DriverBundle, GoldenImage
from refclouds.assembly import driver_index, offered_bundles
from refclouds.faults import Faults


def make_image(name: str, *platforms: str) -> GoldenImage:
    bundles = tuple(
        DriverBundle(Path(f"/{name}/drivers-{platform}-6.1.tar"), name, "6.1", platform, ("module",))
        for platform in platforms
    )
    return GoldenImage(name, Path(f"/{name}/image.raw"), "0", "6.1", bundles, "0")


def test_a_platform_and_kernel_is_offered_once_from_the_first_image() -> None:
    images = [make_image("one", "vmware"), make_image("two", "vmware", "xen")]
    assert {(bundle.platform, bundle.sha256) for bundle in offered_bundles(images)} == {
        ("vmware", "one"),
        ("xen", "two"),
    }


def test_the_index_names_kernel_platform_and_address() -> None:
    (entry,) = driver_index([make_image("one", "xen")])
    assert entry == {
        "kernel": "6.1",
        "platform": "xen",
        "url": "http://169.254.169.254/drivers/drivers-xen-6.1.tar",
        "sha256": "one",
        "modules": ["module"],
    }


def test_a_bundle_can_be_for_another_kernel() -> None:
    (entry,) = driver_index([make_image("one", "xen")], Faults.parse(["bad_bundle=other_kernel"], "xen:hvm"))
    assert entry["kernel"] == "6.1-other"


def test_without_images_nothing_is_offered() -> None:
    assert driver_index([]) == []
