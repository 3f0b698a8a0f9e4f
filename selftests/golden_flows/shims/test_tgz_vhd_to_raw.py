"""The shim reads what another hand wrote, and says in one line what is wrong with what it cannot read."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from golden_flows.clouds.mover import Spooled
from golden_flows.model.image_facts import ExportFacts
from golden_flows.shims import tgz_vhd_to_raw
from golden_flows.shims.export import to_raw
from selftests.golden_flows.checks.facts_builder import export
from selftests.vhd_archives import BREAK, HOSTILE, MIB, Chain, make_chain


@pytest.fixture
def chain(tmp_path: Path) -> Chain:
    return make_chain(tmp_path)


def packed(**changes: object) -> ExportFacts:
    return replace(export(), disk_format="vhd", container_format="ovf", **changes)  # type: ignore[arg-type]  # fields


def shim(archive: Path) -> Spooled:
    return to_raw(Spooled(packed(), archive, 1.0, None, None), tgz_vhd_to_raw.make_raw)


def error_of(archive: Path) -> str:
    before = {one.name for one in archive.parent.iterdir()}
    facts = shim(archive).facts.shim
    assert facts is not None
    assert {one.name for one in archive.parent.iterdir()} == before, "nothing is left beside the archive"
    return facts.error


def test_the_disk_comes_out_as_the_guest_left_it(chain: Chain) -> None:
    spooled = shim(chain.packed())
    facts = spooled.facts.shim
    assert facts is not None
    assert (facts.error, spooled.path.read_bytes() == chain.disk) == ("", True)
    assert spooled.facts.raw.sha256 == hashlib.sha256(chain.disk).hexdigest()
    assert (spooled.facts.raw.size_bytes, spooled.facts.raw.tail) == (len(chain.disk), chain.disk[-512:])
    assert [line.split(",")[0] for line in facts.chain] == ["0.vhd: differencing", "1.vhd: dynamic"]


def test_an_archive_of_gnu_tar_with_the_links_in_any_order_is_read(chain: Chain) -> None:
    path = chain.folder / "by-tar.tgz"
    swap = chain.folder / "swap.vhd"
    swap.write_bytes(b"an old version's swap disk")
    subprocess.run(
        ["tar", "--format=gnu", "-C", chain.folder, "-czf", path, "./1.vhd", "./swap.vhd", "./0.vhd"], check=True
    )
    assert shim(path).path.read_bytes() == chain.disk


@pytest.mark.parametrize("subformat", ["dynamic", "fixed"])
def test_a_chain_of_one_whole_disk_is_read(chain: Chain, subformat: str) -> None:
    options = f"subformat={subformat},force_size=on"
    disk, only = chain.folder / "disk.raw", chain.folder / "0.vhd"
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "vpc", "-o", options, disk, only], check=True)
    path = chain.folder / "one.tgz"
    subprocess.run(["tar", "--format=gnu", "-C", chain.folder, "-czf", path, "0.vhd"], check=True)
    assert shim(path).path.read_bytes() == chain.disk


@pytest.mark.parametrize("defect", HOSTILE)
def test_a_bad_archive_is_one_error(chain: Chain, defect: str) -> None:
    path = chain.packed()
    path.write_bytes(HOSTILE[defect](path.read_bytes()))
    error = error_of(path)
    assert error.startswith("the archive")
    assert "\n" not in error


@pytest.mark.parametrize("defect", BREAK)
def test_a_broken_chain_is_one_error(chain: Chain, defect: str) -> None:
    BREAK[defect](chain)
    error = error_of(chain.packed())
    assert error.startswith("the archive's chain is broken: ")
    assert ".vhd" in error


def test_a_bomb_is_given_up_before_it_has_unpacked(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    path = chain.packed()
    path.write_bytes(HOSTILE["a bomb"](b""))
    assert "more than 67108864 bytes" in error_of(path)


def test_only_a_whole_export_that_says_what_it_is_gets_the_shim() -> None:
    assert tgz_vhd_to_raw.applies(packed())
    assert not tgz_vhd_to_raw.applies(export())
    assert not tgz_vhd_to_raw.applies(packed(downloaded_bytes=MIB))
    assert not tgz_vhd_to_raw.applies(replace(packed(), container_format="bare"))
