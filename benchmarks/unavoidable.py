"""The work that the flow cannot avoid, each part alone and with nothing around it: boots, conversions, one copy."""

from __future__ import annotations

import hashlib
import http.server
import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PAYLOAD_MIB = 16
PAYLOAD_AT_MIB = 160
"""Free space of the golden disk: makes the snapshot as full as Anne's."""
CHUNK_BYTES = 1 << 20
NAMESPACES = ("unshare", "--user", "--map-root-user", "--net", "--pid", "--fork", "--kill-child", "--")
_VHD = ("-o", "subformat=dynamic,force_size=on")


@dataclass(frozen=True)
class Golden:
    """The golden image and the driver bundle for its kernel."""

    image: Path
    kernel: str
    bundle: Path


@dataclass
class Work:
    """Seconds of one repetition. ``counted`` is the unavoidable work; ``beside`` is measured for comparison only."""

    counted: dict[str, float] = field(default_factory=dict)
    beside: dict[str, float] = field(default_factory=dict)
    boots: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def total_s(self) -> float:
        """Sum of what counts."""
        return sum(self.counted.values())


def find_golden() -> Golden:
    """Build the image unless it is cached. Raises ``CalledProcessError``."""
    argv = [sys.executable, "-m", "golden_images", "build", "pocket", "--json"]
    built = json.loads(subprocess.run(argv, stdout=subprocess.PIPE, check=True).stdout)
    kernel = str(built["kernel_release"])
    bundle = next(bundle for bundle in built["drivers"] if bundle["platform"] == "vmware")
    return Golden(Path(built["image"]), kernel, Path(bundle["path"]))


def measure(golden: Golden, folder: Path, *, profile: bool = False) -> Work:
    """One pass over everything, in the order of the flow, on the same disk. ``folder`` is empty and stays ours.

    ``profile`` samples the boots, which slows them a little: its seconds are not for the comparison.
    """
    work = Work()
    home, raw, export, vhd, abroad = (folder / name for name in ("home", "snapshot", "export", "vhd", "abroad"))
    _overlay(golden.image, "raw", home)
    first = _boot("private", golden, home, folder, profile=profile)[0]
    work.counted["boot, private form"], work.boots["private"] = first["to_ssh_s"], first
    _fill(home)
    work.counted["convert qcow2 to raw"] = _timed(lambda: convert("qcow2", home, "raw", raw))
    work.counted["copy with one hash"] = _timed(lambda: _copy(raw, export))
    work.beside["copy over HTTP, twice"] = _timed(lambda: _copy_over_http(raw, times=2))
    work.counted["convert raw to vhd"] = _timed(lambda: convert("raw", export, "vpc", vhd))
    work.beside["convert vhd to raw"] = _timed(lambda: convert("vpc", vhd, "raw", folder / "back"))
    _overlay(vhd, "vpc", abroad)
    second, again = _boot("public-lite", golden, abroad, folder, "--reboot", profile=profile)
    work.counted["boot, public form"], work.boots["public"] = second["to_ssh_s"], second
    work.counted["reboot, public form"] = again["shutdown_s"] + again["to_ssh_s"]
    work.boots["public again"] = again
    return work


def _boot(form: str, golden: Golden, disk: Path, folder: Path, *more: str, profile: bool) -> list[dict[str, Any]]:
    argv = [*NAMESPACES, sys.executable, "-m", "benchmarks.bare_boot", form, str(disk), str(folder)]
    argv += ["--bundle", str(golden.bundle), "--kernel", golden.kernel, *more, *(["--profile"] if profile else [])]
    boots: list[dict[str, Any]] = json.loads(subprocess.run(argv, stdout=subprocess.PIPE, check=True).stdout)
    return boots


def _timed(work: Callable[[], object]) -> float:
    began_s = time.monotonic()
    work()
    return round(time.monotonic() - began_s, 3)


def _overlay(base: Path, base_format: str, disk: Path) -> None:
    argv = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", base_format, "-b", str(base), str(disk)]
    subprocess.run(argv, check=True)


def _fill(disk: Path) -> None:
    command = f"write -q -P 90 {PAYLOAD_AT_MIB}M {PAYLOAD_MIB}M"
    subprocess.run(["qemu-io", "-f", "qcow2", "-c", command, str(disk)], check=True)


def convert(from_format: str, source: Path, to_format: str, target: Path) -> None:
    """By qemu-img."""
    options = _VHD if to_format == "vpc" else ()
    argv = ["qemu-img", "convert", "-q", "-f", from_format, "-O", to_format, *options, str(source), str(target)]
    subprocess.run(argv, check=True)


def _copy(source: Path, target: Path) -> str:
    digest = hashlib.sha512()
    with source.open("rb") as reader, target.open("wb") as writer:
        while chunk := reader.read(CHUNK_BYTES):
            digest.update(chunk)
            writer.write(chunk)
    return digest.hexdigest()


def _copy_over_http(source: Path, *, times: int) -> None:
    """Through a plain server on loopback: what moving the bytes costs that the flow moves out and in."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(source.parent))

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/{source.name}"
        for _ in range(times):
            with urllib.request.urlopen(url) as answer:  # the server three lines above
                while answer.read(CHUNK_BYTES):
                    continue
        server.shutdown()
