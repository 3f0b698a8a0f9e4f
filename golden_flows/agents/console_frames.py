"""CRC-guarded report lines on a serial console, read back.

A line is ``@ICT1 <run> <seq> <n>/<m> <b64url> <crc32>``; the CRC is over the text before the last blank. A block of m
lines is one zlib-compressed JSON document, and is printed twice. ``seq`` starts anew with each boot, and the console
keeps the lines of earlier boots: blocks are told apart by their place, and a join is believed only if zlib's checksum
is right.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

MARKER = "@ICT1"
CONSOLE_LIMIT_CHARS = 4 * 1024 * 1024
LINES_LIMIT = 999
DOCUMENT_LIMIT_BYTES = 1024 * 1024
UNPACKED_LIMIT_BYTES = 64 * 1024 * 1024
"""Of all documents of a console; what comes behind is not unpacked. Two hundred bytes can say megabytes of zeros."""

UNKNOWN_RUN = "-"
"""What an agent without metadata prints: it cannot know the run, and must still be heard."""

_LINE = re.compile(
    MARKER + r" ([A-Za-z0-9._-]{1,40}) ([0-9]{1,6}) ([0-9]{1,3})/([0-9]{1,3}) ([A-Za-z0-9_-]{1,190}) ([0-9a-f]{8})"
)


@dataclass
class _Block:
    """Lines of one block, in one pass from low to high numbers."""

    key: tuple[str, int, int]
    """(run, seq, number of lines)"""
    parts: dict[int, str] = field(default_factory=dict)

    def joined_with(self, other: _Block) -> _Block | None:
        """Both blocks' lines, or None where they contradict each other."""
        if self.key != other.key or any(other.parts.get(n, part) != part for n, part in self.parts.items()):
            return None
        return _Block(self.key, {**self.parts, **other.parts})

    @property
    def is_whole(self) -> bool:
        """No line is missing."""
        return len(self.parts) == self.key[2]

    def document(self) -> bytes | None:
        """The document of a whole block, when its checksum is right."""
        payload = "".join(self.parts[n] for n in range(1, self.key[2] + 1))
        try:
            packed = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
            unpacker = zlib.decompressobj()
            document = unpacker.decompress(packed, DOCUMENT_LIMIT_BYTES)
        except (binascii.Error, ValueError, zlib.error):
            return None
        return document if unpacker.eof else None

    @property
    def unpacked_bytes_max(self) -> int:
        """What its document can come to: a byte of deflate tells of 1032 at most."""
        return min(DOCUMENT_LIMIT_BYTES, 1032 * sum(map(len, self.parts.values())))


def documents(text: str, run: str | None) -> Iterator[Mapping[str, object]]:
    """Every whole document on a console, in the order in which they were begun; copies only once."""
    blocks: list[_Block] = []
    open_blocks: dict[tuple[str, int, int], _Block] = {}
    for line_run, seq, number, total, part in _lines(text[-CONSOLE_LIMIT_CHARS:]):
        if run is not None and line_run not in (run, UNKNOWN_RUN):
            continue
        key = (line_run, seq, total)
        block = open_blocks.get(key)
        if block is None or number <= next(reversed(block.parts)):
            block = open_blocks[key] = _Block(key)
            blocks.append(block)
        block.parts[number] = part
    seen: set[bytes] = set()
    unpacked_bytes = 0
    for block in _completed(blocks):
        if unpacked_bytes > UNPACKED_LIMIT_BYTES:
            return
        document = block.document()
        if document is None:
            unpacked_bytes += block.unpacked_bytes_max
            continue
        unpacked_bytes += len(document)
        digest = hashlib.sha256(document).digest()
        if digest not in seen:
            seen.add(digest)
            parsed = _parse(document)
            if parsed is not None:
                yield parsed


def _completed(blocks: list[_Block]) -> list[_Block]:
    """The whole ones; a damaged one completed from its second copy, which is the next block of the same key."""
    found: list[_Block] = []
    copies: dict[tuple[str, int, int], _Block] = {}
    for block in reversed(blocks):  # one pass: a guest may print 100 000 blocks of which none is whole
        copy = copies.get(block.key)
        whole = block if block.is_whole or copy is None else block.joined_with(copy)
        if whole is not None and whole.is_whole:
            found.append(whole)
        copies[block.key] = block
    return found[::-1]


def _lines(text: str) -> Iterator[tuple[str, int, int, int, str]]:
    """(run, seq, n, m, payload) of each undamaged line. Kernel messages may stand before or after one."""
    for match in _LINE.finditer(text):
        run, seq, number, total, part, crc = match.groups()
        body = match.group(0)[: -len(crc) - 1]
        if zlib.crc32(body.encode("ascii")) != int(crc, 16):
            continue
        if 1 <= int(number) <= int(total) <= LINES_LIMIT:
            yield run, int(seq), int(number), int(total), part


def _parse(document: bytes) -> Mapping[str, object] | None:
    try:
        parsed = json.loads(document)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None
