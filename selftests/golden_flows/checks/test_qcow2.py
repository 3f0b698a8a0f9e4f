from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden_flows.model.facts import Facts
from golden_flows.model.finding import NotApplicable, NotObserved
from golden_flows.model.qcow2 import NotAQcow2, read_header
from selftests.golden_flows.checks.facts_builder import failing, qcow2_head, said, with_conversion, with_dst


def stored(head: bytes, disk_format: str | None = "qcow2") -> Facts:
    facts = with_conversion(disk_format=disk_format, head=head)
    return replace(facts, dst=with_dst(image_format="qcow2").dst)


def test_what_qemu_img_makes_by_default_passes() -> None:
    assert failing(stored(qcow2_head())) == set()
    assert said("CV-6", stored(qcow2_head())) == ()


@pytest.mark.parametrize(
    ("head", "word"),
    [
        (qcow2_head(version=2), "2"),
        (qcow2_head(backing=512), "backing file"),
        (qcow2_head(incompatible=1 << 0), "dirty"),
        (qcow2_head(incompatible=1 << 1), "corrupt"),
        (qcow2_head(incompatible=1 << 2), "data file"),
        (qcow2_head(incompatible=1 << 3, compression=1), "zstd"),
        (qcow2_head(incompatible=1 << 4), "extended L2"),
        (qcow2_head(incompatible=1 << 40), "bit 40"),
        (bytes(4096), "00000000"),
        (b"", "nothing"),
    ],
)
def test_what_some_reader_must_refuse_is_a_finding(head: bytes, word: str) -> None:
    facts = stored(head)
    assert failing(facts) == {"CV-6"}
    found = said("CV-6", facts)
    assert isinstance(found, tuple)
    assert word in found[0].actual


def test_other_formats_are_not_judged_and_no_format_earns_no_pass() -> None:
    assert isinstance(said("CV-6", stored(qcow2_head(), "vmdk")), NotApplicable)
    assert isinstance(said("CV-6", stored(qcow2_head(), None)), NotObserved)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(rest: bytes) -> None:
    try:
        assert read_header(b"QFI\xfb" + rest).version >= 0
    except NotAQcow2:
        assert len(rest) < 100


@pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img (qemu-utils) is not installed")
@pytest.mark.parametrize(
    ("options", "compression", "bits"),
    [((), "zlib", 0), (("-o", "compression_type=zstd"), "zstd", 8), (("-o", "compat=0.10"), "zlib", 0)],
)
def test_the_reader_agrees_with_qemu_img(tmp_path: Path, options: tuple[str, ...], compression: str, bits: int) -> None:
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *options, str(tmp_path / "disk"), "1M"], check=True)
    header = read_header((tmp_path / "disk").read_bytes()[:4096])
    assert (header.compression, header.incompatible) == (compression, bits)
