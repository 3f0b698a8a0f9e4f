"""What a cloud makes before anybody uses it."""

from __future__ import annotations

import asyncio
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from refclouds.bootstrap import converted_golden

SIZE_BYTES = 8 << 20


@pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img (qemu-utils) is not installed")
def test_clouds_that_start_at_once_each_get_a_whole_image(tmp_path: Path) -> None:
    """Every cloud is process 1 of its namespace: a name by process number was one name for all of them."""
    golden = tmp_path / "image.raw"
    golden.write_bytes(random.Random(7).randbytes(SIZE_BYTES))

    async def start_four() -> None:
        await asyncio.gather(*(converted_golden(golden, "vhd") for _ in range(4)))

    asyncio.run(start_four())
    (vhd,) = tmp_path.glob("*.vhd")
    back = tmp_path / "back.raw"
    subprocess.run(["qemu-img", "convert", "-f", "vpc", "-O", "raw", vhd, back], check=True)
    assert back.read_bytes()[:SIZE_BYTES] == golden.read_bytes()
    assert not list(tmp_path.glob("*.part"))
