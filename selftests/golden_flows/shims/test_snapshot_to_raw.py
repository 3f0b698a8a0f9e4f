"""Snapshots in the hypervisor's own format become the RAW disk that travels, or one line says why not."""

from __future__ import annotations

import hashlib
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from golden_flows.clouds.mover import Spooled
from golden_flows.errors import InteropError
from golden_flows.model.image_facts import ExportFacts
from golden_flows.shims import snapshot_to_raw
from golden_flows.shims.export import find, to_raw
from selftests.golden_flows.checks.facts_builder import export

DISK = bytes(1024 * 1024) + os.urandom(1024 * 1024) + bytes(2 * 1024 * 1024)
OPTIONS = {"qcow2": (), "vhd": ("-o", "subformat=dynamic,force_size=on")}


def exported(disk_format: str, **changes: object) -> ExportFacts:
    return replace(export(), disk_format=disk_format, **changes)  # type: ignore[arg-type]  # fields


def image(folder: Path, disk_format: str) -> Path:
    raw, made = folder / "disk", folder / "image"
    raw.write_bytes(DISK)
    driver = {"vhd": "vpc"}.get(disk_format, disk_format)
    subprocess.run(
        ["qemu-img", "convert", "-f", "raw", "-O", driver, *OPTIONS[disk_format], str(raw), str(made)], check=True
    )
    raw.unlink()
    return made


def shim(path: Path, disk_format: str) -> Spooled:
    facts = exported(disk_format)
    make_raw = find(facts)
    assert make_raw is snapshot_to_raw.make_raw
    return to_raw(Spooled(facts, path, 1.0, None, None), make_raw)


@pytest.mark.parametrize("disk_format", list(OPTIONS))
def test_the_disk_comes_out_whole_and_its_shim_is_named(tmp_path: Path, disk_format: str) -> None:
    spooled = shim(image(tmp_path, disk_format), disk_format)
    facts = spooled.facts.shim
    assert facts is not None
    assert (facts.name, facts.error) == (f"{disk_format}-to-raw", "")
    assert spooled.path.read_bytes() == DISK
    assert spooled.facts.raw.sha256 == hashlib.sha256(DISK).hexdigest()
    assert (spooled.facts.raw.size_bytes, spooled.facts.raw.tail) == (len(DISK), DISK[-512:])
    assert facts.chain[0].startswith(f"{disk_format}: ")
    assert facts.chain[0].endswith(f"a disk of {len(DISK)} bytes")
    assert [one.name for one in tmp_path.iterdir()] == ["image"]


def test_an_overlay_without_its_base_is_the_source_s_fault(tmp_path: Path) -> None:
    path = image(tmp_path, "qcow2")
    subprocess.run(["qemu-img", "rebase", "-u", "-f", "qcow2", "-F", "raw", "-b", "base", str(path)], check=True)
    before = path.read_bytes()
    facts = shim(path, "qcow2").facts.shim
    assert facts is not None
    assert facts.error == "not expanded: it names a backing file"
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["image"]


def test_bytes_that_are_no_qcow2_are_the_source_s_fault(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(b"QFI\xfb" + bytes(600))
    facts = shim(path, "qcow2").facts.shim
    assert facts is not None
    assert "no qcow2 header" in facts.error


def test_a_full_disk_here_is_no_finding_about_a_cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A qemu-img that says what the real one says then."""
    path = image(tmp_path, "qcow2")
    program = tmp_path / "bin" / "qemu-img"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'qemu-img: error while writing: No space left on device' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    with pytest.raises(InteropError, match="no room"):
        shim(path, "qcow2")
    assert path.exists()


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param(export(), id="RAW already"),
        pytest.param(exported("qcow2", downloaded_bytes=1), id="cut short"),
        pytest.param(exported("qcow2", container_format="ovf"), id="in a container"),
        pytest.param(exported("iso"), id="no disk"),
        pytest.param(exported("ploop"), id="nothing of ours can read it"),
    ],
)
def test_nothing_else_gets_the_shim(facts: ExportFacts) -> None:
    assert not snapshot_to_raw.applies(facts)
