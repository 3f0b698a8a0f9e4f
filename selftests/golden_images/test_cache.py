"""The cache of built images, and the build itself."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest
from golden_images import ImageBuildError, cache, ensure, pocket, programs_of
from golden_images.manifest import DriverBundle, GoldenImage, read_manifest, sha256_file, write_manifest
from golden_images.programs import missing_packages


def make_cached(folder: Path) -> GoldenImage:
    folder.mkdir(parents=True)
    (folder / "image.raw").write_bytes(b"image")
    (folder / "drivers-6.1.tar").write_bytes(b"tar")
    tar = folder / "drivers-6.1.tar"
    bundle = DriverBundle(tar, sha256_file(tar), "6.1", "vmware", ("vmxnet3",))
    sha256 = sha256_file(folder / "image.raw")
    image = GoldenImage("pocket", folder / "image.raw", sha256, "6.1", (bundle,), "0" * 64)
    write_manifest(image, folder)
    return image


def test_a_manifest_survives_a_move_of_its_folder(tmp_path: Path) -> None:
    make_cached(tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "b")
    image = read_manifest(tmp_path / "b")
    assert image.image == tmp_path / "b" / "image.raw"
    assert image.drivers[0].path.exists()


def test_a_whole_cached_image_is_found(tmp_path: Path) -> None:
    image = make_cached(tmp_path / "a")
    assert cache._cached(pocket.RECIPE, tmp_path / "a", lambda line: None) == image


@pytest.mark.parametrize("damaged", ["image.raw", "drivers-6.1.tar", "manifest.json"])
def test_a_damaged_cached_image_is_said_and_removed(tmp_path: Path, damaged: str) -> None:
    make_cached(tmp_path / "a")
    (tmp_path / "a" / damaged).write_bytes(b"?")
    said: list[str] = []
    assert cache._cached(pocket.RECIPE, tmp_path / "a", said.append) is None
    assert "damaged" in said[0]
    assert not (tmp_path / "a").exists()


def test_what_nobody_used_for_a_month_goes_and_what_was_used_stays(tmp_path: Path) -> None:
    for name, days in (("old", cache.UNUSED_DAYS + 1), ("new", cache.UNUSED_DAYS - 1)):
        make_cached(tmp_path / "pocket" / name)
        used_s = time.time() - days * 86_400
        os.utime(tmp_path / "pocket" / name, (used_s, used_s))
    make_cached(tmp_path / "apt" / "old")
    os.utime(tmp_path / "apt" / "old", (0, 0))
    said: list[str] = []
    cache._forget_unused(tmp_path, said.append)
    assert [path.name for path in (tmp_path / "pocket").iterdir()] == ["new"]
    assert (tmp_path / "apt" / "old").exists(), "no result of a recipe"
    assert len(said) == 1
    assert "pocket: removing old" in said[0]


def test_an_unknown_image_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ImageBuildError, match="pocket"):
        ensure("suitcase", tmp_path, lambda line: None)


def test_an_error_says_what_and_the_remedy() -> None:
    error = ImageBuildError("no space left", "free some")
    assert str(error) == "no space left\n  remedy: free some"


LACKING = missing_packages(programs_of("pocket"))


@pytest.mark.slow
@pytest.mark.skipif(bool(LACKING), reason=f"needs the packages {', '.join(LACKING)}")
def test_two_builds_of_the_same_inputs_have_the_same_sha256(tmp_path: Path) -> None:
    try:
        first = ensure("pocket", tmp_path / "one", lambda line: None)
    except ImageBuildError as error:
        if "cannot be resolved" in error.what:
            pytest.skip(f"needs a Debian package archive: {error.what[:200]}")
        raise
    # The second starts from the same packages, in another place, under another umask and folder order.
    shutil.copytree(tmp_path / "one/golden_images/apt", tmp_path / "a longer name/golden_images/apt")
    umask = os.umask(0o077)
    try:
        second = ensure("pocket", tmp_path / "a longer name", lambda line: None)
    finally:
        os.umask(umask)
    assert first.inputs_digest == second.inputs_digest
    assert first.sha256 == second.sha256
    assert [b.sha256 for b in first.drivers] == [b.sha256 for b in second.drivers]
    assert not list((tmp_path / "one/golden_images").glob("building-*"))
