"""XenServer's chains and archives as the reference cloud makes and takes them."""

from __future__ import annotations

import os
import subprocess
import tracemalloc
from pathlib import Path

import pytest
from refclouds.images import archive, vhd_chain
from refclouds.images.archive import ArchiveError
from refclouds.images.vhd import Vhd, VhdError

from selftests.vhd_archives import BREAK, HOSTILE, MIB, Chain, make_chain


@pytest.fixture
def chain(tmp_path: Path) -> Chain:
    return make_chain(tmp_path)


def test_a_chain_amounts_to_the_disk_it_was_made_of(chain: Chain) -> None:
    raw = chain.folder / "back.raw"
    assert vhd_chain.coalesce(chain.links, raw) == len(chain.disk)
    assert raw.read_bytes() == chain.disk


def test_a_difference_holds_only_what_differs_and_names_its_parent(chain: Chain) -> None:
    with Vhd(chain.links[0], "0.vhd") as leaf, Vhd(chain.links[1], "1.vhd") as base:
        assert leaf.parent is not None
        assert (leaf.parent.uuid, leaf.parent.name) == (base.uuid, "1.vhd")
        assert [(run.disk_offset, run.length) for run in leaf.runs()] == [
            (0, 4096),
            (2 * MIB - 4096, 4096),
            (2 * MIB, 4096),
            (3 * MIB, 8192),
            (len(chain.disk) - 512, 512),
        ]


def test_an_archive_has_the_layout_of_tar_on_the_staging_folder(chain: Chain) -> None:
    listing = subprocess.run(["tar", "-tzf", chain.packed()], capture_output=True, text=True, check=True).stdout
    assert listing.split() == ["./", "./0.vhd", "./1.vhd"]
    links = archive.unpack(chain.packed(), lambda at: chain.folder / f"out-{at}")
    assert [path.read_bytes() for path in links] == [path.read_bytes() for path in chain.links]


@pytest.mark.parametrize("defect", [one for one in HOSTILE if one != "links that are no VHDs"])
def test_a_bad_archive_is_refused_and_leaves_nothing(chain: Chain, defect: str) -> None:
    path = chain.packed()
    path.write_bytes(HOSTILE[defect](path.read_bytes()))
    with pytest.raises(ArchiveError) as refused:
        archive.unpack(path, lambda at: chain.folder / f"out-{at}")
    assert "\n" not in str(refused.value)
    assert not list(chain.folder.glob("out-*"))


@pytest.mark.parametrize("defect", BREAK)
def test_a_broken_chain_is_refused_and_leaves_nothing(chain: Chain, defect: str) -> None:
    BREAK[defect](chain)
    raw = chain.folder / "back.raw"
    with pytest.raises(VhdError, match=r"\.vhd "):
        vhd_chain.coalesce(chain.links, raw)
    assert not raw.exists()


def test_memory_does_not_grow_with_the_disk(tmp_path: Path) -> None:
    base, disk = tmp_path / "base.raw", tmp_path / "disk.raw"
    for path in (base, disk):
        noise = os.urandom(MIB)
        with path.open("wb") as file:
            for _ in range(24):
                file.write(noise)
    options = "subformat=dynamic,force_size=on"
    parent = tmp_path / "1.vhd"
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "vpc", "-o", options, base, parent], check=True)
    tracemalloc.start()
    try:
        vhd_chain.write_difference(disk, base, parent, "1.vhd", tmp_path / "0.vhd")
        archive.pack([tmp_path / "0.vhd", parent], tmp_path / "image.tgz")
        links = archive.unpack(tmp_path / "image.tgz", lambda at: tmp_path / f"out-{at}")
        vhd_chain.coalesce(links, tmp_path / "back.raw")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 * MIB
