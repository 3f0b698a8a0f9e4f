"""What goes wrong on a real Xen, seen as a user of the cloud sees it: by the `openstack` command line."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import golden_images
import platformdirs
import psutil
import pytest
from golden_images import bzimage

from selftests.flows.openstack_clouds import clouds_up, command
from selftests.flows.test_xen_flow import require_memory_for

pytestmark = pytest.mark.qemu

CLOUD = "public"
SEEN_TIMEOUT_S = 240.0
HVM_TIMEOUT_S = 1200.0
BLOCK_BYTES = 4096
KEPT_BACK_BYTES = 4 << 20
"""What ext4 keeps from everybody on a disk of this size (2 % of it)."""


def host_process(state: Path) -> psutil.Process:
    """QEMU of the Xen host whose cloud keeps its state there."""
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or ())
        if "guest=xen-host" in line and str(state) in line:
            return process
    raise AssertionError(f"no Xen host runs for {state}")


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def openstack(state: Path) -> Iterator[Callable[..., Any]]:
    """The command on a cloud that is up, its answer parsed."""
    require_memory_for(CLOUD)
    with clouds_up(state, CLOUD) as env:

        def ask(*argv: str) -> Any:
            return json.loads(command("openstack", "--os-cloud", CLOUD, *argv, "-f", "json", env=env))

        yield ask


def create(name: str, image: str = "golden-pocket") -> list[str]:
    networks = ("--network", "flat", "--network", "multi")
    return ["server", "create", "--image", image, "--flavor", "pocket", *networks, name]


def wait_for_error(openstack: Callable[..., Any], name: str) -> str:
    """The fault of a server that ends in ERROR."""
    deadline = time.monotonic() + SEEN_TIMEOUT_S
    while (server := openstack("server", "show", name))["status"] != "ERROR":
        assert time.monotonic() < deadline, server
    return str(server["fault"])


@pytest.mark.nightly
def test_guests_of_a_host_that_dies_are_in_error_and_the_next_one_gets_a_new_host(
    state: Path, openstack: Callable[..., Any]
) -> None:
    assert openstack(*create("lost"), "--wait")["status"] == "ACTIVE"
    host_process(state).kill()
    assert "the Xen host ended with -9" in wait_for_error(openstack, "lost")
    assert openstack(*create("next"), "--wait")["status"] == "ACTIVE"


def debugfs(image: Path, *requests: str) -> str:
    """Change the file system of a golden image without mounting it; what was printed."""
    script = "".join(f"{one}\n" for one in requests)
    argv = ["debugfs", "-w", "-f", "-", f"{image}?offset={1 << 20}"]
    return subprocess.run(argv, input=script, text=True, check=True, capture_output=True).stdout


def packed_with_lz4(kernel: bytes) -> bytes:
    """A bzImage of the same kernel, its payload an LZ4 stream (of literals only), as Debian's cloud kernels are packed.

    Source: https://docs.kernel.org/arch/x86/boot.html, payload_offset and payload_length;
    https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md, the legacy frame.
    """
    setup = ((kernel[0x1F1] or 4) + 1) * 512
    (offset,) = struct.unpack_from("<I", kernel, 0x248)
    elf, stream = bzimage.kernel_elf(kernel), bytearray(b"\x02!L\x18")
    for at in range(0, len(elf), 8 << 20):
        chunk = elf[at : at + (8 << 20)]
        length = b"\xf0" + b"\xff" * ((len(chunk) - 15) // 255) + bytes([(len(chunk) - 15) % 255])
        stream += struct.pack("<I", len(length) + len(chunk)) + length + chunk
    head = bytearray(kernel[: setup + offset])
    struct.pack_into("<I", head, 0x24C, len(stream))
    return bytes(head + stream)


def test_a_kernel_that_pvgrub_cannot_load_ends_in_error_that_names_its_form(
    tmp_path: Path, openstack: Callable[..., Any]
) -> None:
    cache = platformdirs.user_cache_path("golden-flows")
    golden, stock = (golden_images.ensure(name, cache, lambda line: None) for name in ("pocket", "pocket-emulated"))
    image, other, kernel, config = (tmp_path / name for name in ("image.raw", "other.raw", "vmlinuz", "grub.cfg"))
    shutil.copyfile(golden.image, image)
    shutil.copyfile(stock.image, other)
    debugfs(other, f"dump /boot/vmlinuz {kernel}")  # as Debian packs it; the other image's is packed by us
    kernel.write_bytes(packed_with_lz4(kernel.read_bytes()))
    config.write_text("set timeout=0\nmenuentry x {\nlinux /boot/vmlinuz-lz4 quiet\ninitrd /boot/initrd.img\n}\n")
    debugfs(
        image,
        "rm /boot/grub/grub.cfg",
        "cd /boot",
        f"write {kernel} vmlinuz-lz4",
        "cd grub",
        f"write {config} grub.cfg",
    )
    openstack("image", "create", "--disk-format", "raw", "--container-format", "bare", "--file", str(image), "lz4")
    openstack(*create("cannot-load", "lz4"))
    fault = wait_for_error(openstack, "cannot-load")
    assert "/boot/vmlinuz-lz4" in fault
    assert "the file is a bzImage packed with LZ4; pvgrub needs an ELF kernel" in fault


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("left_bytes", "told"),
    [
        (2 << 20, "guest-agent: drivers failed the disk is full"),
        (-2 << 20, "guest-agent: state failed nothing can be kept"),
    ],
    ids=["too little for drivers", "nothing left"],
)
def test_a_full_disk_takes_no_drivers_and_says_so_and_its_guest_comes_up_all_the_same(
    tmp_path: Path, left_bytes: int, told: str
) -> None:
    cloud = "public-hvm"
    require_memory_for(cloud)
    golden = golden_images.ensure("pocket-emulated", platformdirs.user_cache_path("golden-flows"), lambda line: None)
    image, filler = tmp_path / "image.raw", tmp_path / "filler"
    shutil.copyfile(golden.image, image)
    (free,) = re.findall(r"^Free blocks:\s+(\d+)", debugfs(image, "stats -h"), re.MULTILINE)
    filler.write_bytes(b"\xa5" * (int(free) * BLOCK_BYTES - KEPT_BACK_BYTES - left_bytes))
    debugfs(image, f"write {filler} filler")
    with clouds_up(tmp_path / "state", cloud) as env:

        def openstack(*argv: str) -> str:
            return command("openstack", "--os-cloud", cloud, *argv, env=env)

        openstack("image", "create", "--disk-format", "raw", "--file", str(image), "full")
        openstack(*create("full", "full"))
        deadline, console = time.monotonic() + HVM_TIMEOUT_S, ""
        while "guest: ssh started" not in console:
            assert time.monotonic() < deadline, console
            time.sleep(5)
            with contextlib.suppress(AssertionError):  # 409 while the server is in BUILD
                console = openstack("console", "log", "show", "full")
    assert told in console, [line for line in console.splitlines() if line.startswith("guest-agent:")]
