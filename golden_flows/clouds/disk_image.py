"""Turns a stored disk image into RAW on our side, trusting nothing in it.

The header is read here first, and an image that names another file is refused before qemu-img sees it: qemu-img
would open that file (CVE-2024-32498 and its family). The format is always stated, never guessed.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from golden_flows.clouds.records import Download, Expansion
from golden_flows.clouds.sparse import sha256_of, zeros_only
from golden_flows.errors import InteropError, MissingProgram, shorten
from golden_flows.model.image_facts import ConversionFacts, ExportFacts

MEMORY_LIMIT_BYTES = 2 * 1024**3
CPU_LIMIT_S = 600
SECTOR_BYTES = 512
READABLE = ("qcow2", "vhd", "vmdk")
"""Glance's words for the formats that are expanded here, besides RAW."""
_QCOW2_DATA_FILE = 1 << 2
_VHD_DIFFERENCING = 4
_VMDK_FORMS = ("monolithicSparse", "streamOptimized")
_VMDK_DESCRIPTOR_AT = 1
"""In sectors. QEMU looks for a parent there whatever the header says, in as many as follow, and anywhere in a line."""
_VMDK_DESCRIPTOR_SECTORS = 20
_VMDK_DESCRIPTOR_BYTES_MAX = 64 * 1024
_VMDK_PARENT = "parentFileNameHint"
_CHS_CREATORS = (b"vpc ", b"vs  ")
"""Virtual PC and Virtual Server take their geometry for the size; everybody else takes ``current size``."""


@dataclass(frozen=True)
class _Layout:
    """What a header says. ``driver`` is qemu-img's word for the format."""

    driver: str
    virtual_bytes: int
    options: Mapping[str, str] = field(default_factory=dict)


class _Refused(Exception):
    """The image is one that we do not hand to qemu-img; the text says why."""


class NotConvertible(Exception):
    """Why no RAW disk can be made of an image; it is the image's fault."""


def expand(path: Path, disk_format: str, out_dir: Path, *, original_bytes: int, timeout_s: float = 120.0) -> Expansion:
    """Expand ``path`` (Glance's word for its format: ``vhd``, ``qcow2``, ``raw``, ``vmdk``) and hash it as RAW.

    The expansion is deleted again. Raises ``MissingProgram`` without qemu-img; everything that is wrong with the
    image itself is in ``error``.
    """
    began_s = time.monotonic()
    if disk_format == "raw":
        return _measure(path, original_bytes, began_s)
    limit_bytes = 2 * original_bytes + 1024**3
    try:
        layout = checked_layout(path, disk_format, limit_bytes)
        with tempfile.TemporaryDirectory(prefix="expand-", dir=out_dir) as empty:
            raw = Path(empty) / "expanded.raw"
            _convert(path, layout, raw, limit_bytes, timeout_s)
            return _measure(raw, original_bytes, began_s)
    except NotConvertible as error:
        return Expansion(None, None, None, str(error), time.monotonic() - began_s)


def write_raw(path: Path, disk_format: str, raw: Path, *, limit_bytes: int, timeout_s: float) -> None:
    """Write the disk that ``path`` holds to the new file ``raw``; its folder should hold nothing else.

    ``limit_bytes`` is the largest disk that is taken. Raises ``NotConvertible`` for what is wrong with the image,
    ``MissingProgram`` without qemu-img, ``InteropError`` where this machine has no room.
    """
    _convert(path, checked_layout(path, disk_format, limit_bytes), raw, limit_bytes, timeout_s)


def checked_layout(path: Path, disk_format: str, limit_bytes: int) -> _Layout:
    """What the header says, where it is one that may be handed to qemu-img.

    Raises ``NotConvertible``, or ``InteropError`` where the file cannot be read here.
    """
    try:
        layout = read_layout(path, disk_format)
    except (_Refused, struct.error) as refused:
        raise NotConvertible(f"not expanded: {refused}") from refused
    except OSError as error:
        raise InteropError(f"cannot read {path}: {error.strerror}") from error
    if layout.virtual_bytes > limit_bytes:
        raise NotConvertible(
            f"not expanded: its header claims {layout.virtual_bytes} bytes, at most {limit_bytes} are taken"
        )
    return layout


def _convert(path: Path, layout: _Layout, raw: Path, limit_bytes: int, timeout_s: float) -> None:
    """Run qemu-img under limits. Raises ``NotConvertible`` with what it complained of."""
    programs = {program: shutil.which(program) for program in ("qemu-img", "prlimit")}
    for program, package in (("qemu-img", "qemu-utils"), ("prlimit", "util-linux")):
        if programs[program] is None:
            raise MissingProgram(f"{program} is not installed", f"apt-get install {package}")
    # With the driver "file" no name is taken for a URL; without a backing no parent is opened, whoever names one.
    file = {"driver": "file", "filename": str(path.resolve())}
    image = {"driver": layout.driver, **layout.options, "backing": None, "file": file}
    # prlimit(1) and not preexec_fn, which may deadlock in a process with threads.
    limits = [f"--as={MEMORY_LIMIT_BYTES}", f"--cpu={CPU_LIMIT_S}", f"--fsize={limit_bytes}", "--core=0"]
    command = [str(programs["prlimit"]), *limits, "--", str(programs["qemu-img"])]
    command += ["convert", "-O", "raw", f"json:{json.dumps(image)}", str(raw)]
    try:
        done = subprocess.run(
            command,
            cwd=raw.parent,
            env={"LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NotConvertible(f"qemu-img took longer than {timeout_s:.0f} s") from error
    if done.returncode:
        told = done.stderr.decode("utf-8", "replace")
        if os.strerror(errno.ENOSPC) in told:  # in C, as LC_ALL says
            raise InteropError(f"no room to expand {path} in {raw.parent}", "free some space in the scratch folder")
        complaint = shorten(told.replace(str(path.resolve()), path.name), 300)
        raise NotConvertible(f"qemu-img: {complaint or f'exit code {done.returncode}'}")


def _measure(raw: Path, original_bytes: int, began_s: float) -> Expansion:
    size = raw.stat().st_size
    extra = zeros_only(raw, original_bytes, size) if size > original_bytes else None
    digest = sha256_of(raw, min(size, original_bytes))
    return Expansion(size, digest, extra, "", time.monotonic() - began_s)


def read_layout(path: Path, disk_format: str) -> _Layout:
    """What the header of ``qcow2``, ``vhd`` or ``vmdk`` says. Raises ``_Refused``, ``struct.error`` or ``OSError``."""
    with open(path, "rb") as file:
        head = file.read(SECTOR_BYTES)
        if disk_format == "qcow2":
            return _qcow2(head)
        if disk_format in ("vhd", "vpc"):
            size = file.seek(0, 2)
            file.seek(max(0, size - SECTOR_BYTES))
            return _vhd(head, file.read(SECTOR_BYTES))
        if disk_format == "vmdk":
            return _vmdk(head, file.read)
    raise _Refused(f"no safe way is known here to open disk format {disk_format!r}")


def _qcow2(head: bytes) -> _Layout:
    """Source: QEMU docs/interop/qcow2.txt."""
    magic, version, backing_offset, _, _, virtual_bytes = struct.unpack_from(">4sIQIIQ", head)
    if magic != b"QFI\xfb" or version not in (2, 3):
        raise _Refused("it has no qcow2 header")
    if backing_offset:
        raise _Refused("it names a backing file")
    if version == 3 and struct.unpack_from(">Q", head, 72)[0] & _QCOW2_DATA_FILE:
        raise _Refused("it names an external data file")
    return _Layout("qcow2", virtual_bytes)


def _vhd(head: bytes, footer: bytes) -> _Layout:
    """Source: Microsoft, Virtual Hard Disk Image Format Specification. Dynamic: a copy of the footer is in front."""
    dynamic = head.startswith(b"conectix")
    for one in (footer, head) if dynamic else (footer,):
        if not one.startswith(b"conectix"):
            raise _Refused("it has no VHD footer")
        if struct.unpack_from(">I", one, 60)[0] == _VHD_DIFFERENCING:
            raise _Refused("it is a differencing VHD, which names a parent file")
    creator, current_bytes = footer[28:32], struct.unpack_from(">Q", footer, 48)[0]
    return _Layout("vpc", current_bytes, {} if creator in _CHS_CREATORS else {"force_size_calc": "current_size"})


def _vmdk(head: bytes, read: Callable[[int], bytes]) -> _Layout:
    """One sparse file with its descriptor inside, which ``read`` begins with.

    Source: VMware, Virtual Disk Format 5.0; QEMU block/vmdk.c.
    """
    if not head.startswith(b"KDMV"):
        raise _Refused("it has no header of a sparse VMDK")
    _, _, _, sectors, _, descriptor_at, descriptor_sectors = struct.unpack_from("<4sIIQQQQ", head)
    if not sectors:
        raise _Refused("it leaves its size to a descriptor, which may name any file")
    if descriptor_at != _VMDK_DESCRIPTOR_AT:
        raise _Refused(f"its descriptor is not in sector {_VMDK_DESCRIPTOR_AT}, where readers look for it")
    length = min(max(descriptor_sectors, _VMDK_DESCRIPTOR_SECTORS) * SECTOR_BYTES, _VMDK_DESCRIPTOR_BYTES_MAX)
    whole = read(length).decode("latin-1")
    descriptor = whole[: descriptor_sectors * SECTOR_BYTES].rstrip("\0")
    pairs = (line.partition("=") for line in descriptor.splitlines())
    values = {key.strip(): value.strip().strip('"') for key, _, value in pairs}
    if values.get("createType") not in _VMDK_FORMS:
        raise _Refused(f"its form is {shorten(values.get('createType', 'not stated'), 40)}, not one file of its own")
    if _VMDK_PARENT in whole or values.get("parentCID") != "ffffffff":
        raise _Refused("it names a parent file")
    if len(re.findall(r"^(?:RW|RDONLY|NOACCESS)\s", descriptor, re.MULTILINE)) != 1:
        raise _Refused("it has more than one extent")
    return _Layout("vmdk", sectors * SECTOR_BYTES)


def conversion_facts(asked_format: str, export: ExportFacts, stored: Download, expansion: Expansion) -> ConversionFacts:
    """The facts of the conversion stage, put together. ``asked_format`` is what the image was imported as."""
    return ConversionFacts(
        asked_format=asked_format,
        disk_format=stored.image.disk_format,
        downloaded_bytes=stored.downloaded_bytes,
        head=stored.head,
        footer=stored.tail,
        api_virtual_size_bytes=stored.image.virtual_size_bytes,
        original_bytes=export.raw.size_bytes,
        original_sha256=export.raw.sha256,
        expanded_bytes=expansion.expanded_bytes,
        expanded_sha256=expansion.sha256,
        extra_tail_is_zero=expansion.extra_tail_is_zero,
        expand_error=expansion.error or stored.error,
    )
