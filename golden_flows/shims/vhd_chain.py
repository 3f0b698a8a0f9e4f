"""Reads the disk that a chain of VHDs amounts to, from its newest link down: the first link that has a sector says it.

qemu-img cannot: it takes a differencing disk for a whole one. Source: Microsoft, "Virtual Hard Disk Image Format
Specification" 1.0; the rules of a sound chain are those of XenServer's vhd-util and nova's XenAPI plugin.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import IO

from golden_flows.model.vhd import (
    DIFFERENCING,
    DYNAMIC,
    EPOCH_S,
    FIXED,
    FOOTER_BYTES,
    HEADER_BYTES,
    DynamicHeader,
    NotAVhd,
    VhdFooter,
    read_footer,
    read_header,
)

DISK_MAX_BYTES = 256 * 1024**3
"""More than any image of this suite; every byte of it is hashed, holes too."""
CLOCK_SLACK_S = 300
BLOCK_BYTES_RANGE = (512 * 1024, 16 * 1024**2)
_SECTOR_BYTES = 512
_NOT_HERE = 0xFFFFFFFF


class BadChain(Exception):
    """What is wrong with it, names included."""


@dataclass(frozen=True)
class Link:
    """One file of the chain."""

    name: str
    file: IO[bytes]
    file_bytes: int
    footer: VhdFooter
    header: DynamicHeader | None
    """None for a fixed disk."""
    table: Sequence[int]
    """Where each block begins, in sectors; empty for a fixed disk."""

    def describe(self) -> str:
        """For evidence: ``0.vhd: differencing, 201326592 bytes, creator tap, uuid …, on …``."""
        kind = {FIXED: "fixed", DYNAMIC: "dynamic", DIFFERENCING: "differencing"}[self.footer.disk_type]
        below = f", on {self.header.parent_uuid}" if self.header and kind == "differencing" else ""
        creator = self.footer.creator.strip(" \0")
        return f"{self.name}: {kind}, {self.footer.current_bytes} bytes, creator {creator}, {self.footer.uuid}{below}"


@contextmanager
def open_chain(files: Sequence[Path], now_s: float) -> Iterator[tuple[Link, ...]]:
    """The links, newest first, each sound in itself and made on the next. ``now_s`` counts from 1970.

    Raises ``BadChain`` or ``OSError``.
    """
    with ExitStack() as stack:
        opened = [(f"{number}.vhd", stack.enter_context(open(path, "rb"))) for number, path in enumerate(files)]
        links = tuple(_open_link(name, file) for name, file in opened)
        _require_sound(links, now_s)
        yield links


def _open_link(name: str, file: IO[bytes]) -> Link:
    size = file.seek(0, 2)
    try:
        footer = read_footer(_read(file, max(0, size - FOOTER_BYTES), FOOTER_BYTES))
        if footer.checksum != footer.computed_checksum:
            raise BadChain(f"{name}: the footer's checksum is wrong")
        if footer.disk_type == FIXED:
            return Link(name, file, size, footer, None, ())
        header = read_header(_read(file, footer.data_offset, HEADER_BYTES))
    except NotAVhd as error:
        raise BadChain(f"{name}: {error}") from error
    if header.checksum != header.computed_checksum:
        raise BadChain(f"{name}: the dynamic disk header's checksum is wrong")
    block = header.block_bytes
    if not BLOCK_BYTES_RANGE[0] <= block <= BLOCK_BYTES_RANGE[1] or block & (block - 1):
        raise BadChain(f"{name}: blocks of {block} bytes")
    _require_size(name, footer)
    blocks = -(-footer.current_bytes // block)
    raw_table = _read(file, header.table_offset, 4 * blocks)
    if header.entries < blocks or len(raw_table) != 4 * blocks:
        raise BadChain(f"{name}: a block table of {header.entries} entries, {blocks} are needed")
    return Link(name, file, size, footer, header, struct.unpack(f">{blocks}I", raw_table))


def _read(file: IO[bytes], offset: int, length: int) -> bytes:
    if offset >= file.seek(0, 2):
        return b""  # an offset beyond what a file can have is the chain's fault, and would be told as the disk's
    file.seek(offset)
    return file.read(length)


def _require_size(name: str, footer: VhdFooter) -> None:
    size = footer.current_bytes
    if not 0 < size <= DISK_MAX_BYTES or size % _SECTOR_BYTES:
        raise BadChain(f"{name}: a disk of {size} bytes")


def _require_sound(links: Sequence[Link], now_s: float) -> None:
    if links[0].footer.hidden:
        raise BadChain(f"{links[0].name} is marked hidden, so another disk belongs on top of it")
    for link in links:
        _require_size(link.name, link.footer)
        if link.footer.disk_type not in (FIXED, DYNAMIC, DIFFERENCING):
            raise BadChain(f"{link.name}: disk type {link.footer.disk_type}")
        if link.footer.timestamp_s + EPOCH_S > now_s + CLOCK_SLACK_S:
            raise BadChain(f"{link.name} was made in the future")
    for upper, lower in pairwise(links):
        _require_made_on(upper, lower)
    last = links[-1]
    if last.footer.disk_type == DIFFERENCING and last.header:
        raise BadChain(f"{last.name} is a difference to {last.header.parent_uuid}, which is not in the archive")


def _require_made_on(upper: Link, lower: Link) -> None:
    if upper.footer.disk_type != DIFFERENCING or upper.header is None:
        raise BadChain(f"{upper.name} is a whole disk, yet {lower.name} follows it")
    if upper.header.parent_uuid != lower.footer.uuid:
        raise BadChain(
            f"{upper.name} is a difference to {upper.header.parent_uuid}; {lower.name} is {lower.footer.uuid}"
        )
    if upper.header.parent_timestamp_s < lower.footer.timestamp_s:
        raise BadChain(f"{lower.name} was made after {upper.name} was put on it")
    if upper.footer.current_bytes < lower.footer.current_bytes:
        raise BadChain(f"{upper.name} is smaller than {lower.name} below it")


def stream(links: Sequence[Link], sink: Callable[[bytes], None]) -> None:
    """Give the disk to ``sink`` from its first byte to its last, one block at a time. Raises ``BadChain``."""
    size = links[0].footer.current_bytes
    window = min((link.header.block_bytes for link in links if link.header), default=BLOCK_BYTES_RANGE[1])
    zeros = bytes(window)
    for start in range(0, size, window):
        length = min(window, size - start)
        pieces = _resolve(links, start, length)
        if not pieces:
            sink(zeros[:length])
            continue
        block = bytearray(length)
        for offset, data in pieces:
            block[offset : offset + len(data)] = data
        sink(bytes(block))


def _resolve(links: Sequence[Link], start: int, length: int) -> list[tuple[int, bytes]]:
    """(offset in the window, bytes) of everything that some link has; the upper link wins."""
    sectors = length // _SECTOR_BYTES
    wanted = (1 << sectors) - 1
    pieces: list[tuple[int, bytes]] = []
    for link in links:
        data_at, present = _present(link, start, sectors)
        taken = wanted & present
        for run in re.finditer("1+", f"{taken:0{sectors}b}") if taken else ():
            offset, count = run.start() * _SECTOR_BYTES, len(run.group()) * _SECTOR_BYTES
            data = _read(link.file, data_at + offset, count)
            if len(data) != count:
                raise BadChain(f"{link.name} ends in the middle of its data")
            pieces.append((offset, data))
        wanted &= ~taken
        if not wanted:
            break
    return pieces


def _present(link: Link, start: int, sectors: int) -> tuple[int, int]:
    """Where a link's data of this window begins, and its sectors as bits, the first sector highest."""
    left = max(0, min(sectors, (link.footer.current_bytes - start) // _SECTOR_BYTES))
    inside = ((1 << left) - 1) << (sectors - left)
    if link.header is None:
        return start, inside
    block, within = divmod(start, link.header.block_bytes)
    if block >= len(link.table) or link.table[block] == _NOT_HERE:
        return 0, 0
    bits = link.header.block_bytes // _SECTOR_BYTES
    bitmap_bytes = -(-bits // 8 // _SECTOR_BYTES) * _SECTOR_BYTES
    bitmap_at = link.table[block] * _SECTOR_BYTES
    bitmap = _read(link.file, bitmap_at, bits // 8)
    if len(bitmap) != bits // 8:
        raise BadChain(f"{link.name} ends before its block {block}")
    first = within // _SECTOR_BYTES
    present = int.from_bytes(bitmap, "big") >> (bits - first - sectors) & ((1 << sectors) - 1)
    return bitmap_at + bitmap_bytes + within, present & inside
