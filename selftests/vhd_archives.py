"""Archives as XenServer packs them, sound and hostile: the shim's reader and the reference cloud's must cope."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from refclouds.images import archive, vhd, vhd_chain

MIB = 1 << 20
SIZE_BYTES = 5 * MIB + 512
"""Neither whole blocks nor whole granules."""


@dataclass(frozen=True)
class Chain:
    """Two links and the disk that they amount to."""

    folder: Path
    disk: bytes

    @property
    def links(self) -> list[Path]:
        return [self.folder / "0.vhd", self.folder / "1.vhd"]

    def packed(self) -> Path:
        path = self.folder / "image.tgz"
        archive.pack(self.links, path)
        return path


def make_chain(folder: Path) -> Chain:
    """A base made by qemu-img, and on it a guest's writes: some data, zeros over data, the last sector."""
    before = bytearray(SIZE_BYTES)
    for at in (0, 2 * MIB - 5000, 4 * MIB + 100):
        before[at : at + 10_000] = os.urandom(10_000)
    after = bytearray(before)
    after[1000:1010] = b"0123456789"
    after[2 * MIB - 512 : 2 * MIB + 512] = bytes(1024)
    after[3 * MIB : 3 * MIB + 5000] = os.urandom(5000)
    after[-3:] = b"end"
    base, disk = folder / "base.raw", folder / "disk.raw"
    base.write_bytes(before)
    disk.write_bytes(after)
    to_vhd(base, folder / "1.vhd")
    vhd_chain.write_difference(disk, base, folder / "1.vhd", "1.vhd", folder / "0.vhd")
    return Chain(folder, bytes(after))


def to_vhd(raw: Path, target: Path) -> None:
    options = "subformat=dynamic,force_size=on"
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "vpc", "-o", options, raw, target], check=True)


def patch_footer(path: Path, at: int, data: bytes) -> None:
    """Change the last footer, with a right checksum."""
    content = bytearray(path.read_bytes())
    footer = content[-512:]
    footer[at : at + len(data)] = data
    path.write_bytes(bytes(content[:-512]) + vhd.footer_with_checksum(bytes(footer)))


def patch_header(path: Path, at: int, data: bytes) -> None:
    """Change the dynamic disk header, with a right checksum."""
    content = bytearray(path.read_bytes())
    header = content[512:1536]
    header[at : at + len(data)] = data
    content[512:1536] = vhd.header_with_checksum(bytes(header))
    path.write_bytes(bytes(content))


def member(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = "") -> bytes:
    """One tar member, padded."""
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = len(content), kind, link
    return info.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512)


def zipped(*members: bytes) -> bytes:
    return gzip.compress(b"".join(members) + bytes(1024), 1)


def pax(content: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("0.vhd")
        info.size, info.pax_headers = len(content), {"comment": "x" * 100}
        tar.addfile(info, io.BytesIO(content))
    return gzip.compress(stream.getvalue(), 1)


HOSTILE: dict[str, Callable[[bytes], bytes]] = {
    # name: from a sound archive to a bad one
    "a path that leads up": lambda _: zipped(member("../0.vhd", b"x")),
    "an absolute path": lambda _: zipped(member("/etc/0.vhd", b"x")),
    "a symbolic link": lambda _: zipped(member("0.vhd", kind=tarfile.SYMTYPE, link="/etc/passwd")),
    "a hard link": lambda _: zipped(member("0.vhd", kind=tarfile.LNKTYPE, link="1.vhd")),
    "a device": lambda _: zipped(member("0.vhd", kind=tarfile.CHRTYPE)),
    "a sparse file": lambda _: zipped(member("0.vhd", kind=tarfile.GNUTYPE_SPARSE)),
    "a long name": lambda _: zipped(member("././@LongLink", b"x" * 5000, tarfile.GNUTYPE_LONGNAME)),
    "a pax header": lambda _: pax(b"x"),
    "a foreign file": lambda _: zipped(member("disk.vmdk", b"x")),
    "old names": lambda _: zipped(member("snap.vhd", b"x"), member("image.vhd", b"x")),
    "a link too far": lambda _: zipped(member("30.vhd", b"x")),
    "the same link twice": lambda _: zipped(member("0.vhd", b"x"), member("0.vhd", b"x")),
    "a gap": lambda _: zipped(member("0.vhd", b"x"), member("2.vhd", b"x")),
    "no newest link": lambda _: zipped(member("1.vhd", b"x")),
    "nothing": lambda _: zipped(),
    "a bomb": lambda _: zipped(member("0.vhd", bytes(80 * MIB))),
    "a cut": lambda sound: sound[: len(sound) // 2],
    "a cut before gzip's checksum": lambda sound: sound[:-6],
    "a flipped bit": lambda sound: sound[:-5] + bytes([sound[-5] ^ 1]) + sound[-4:],
    "no gzip": lambda _: b"conectix" * 1000,
    "no tar": lambda _: gzip.compress(b"x" * 5000),
    "links that are no VHDs": lambda _: zipped(member("0.vhd", b"x" * 5000)),
}

BREAK: dict[str, Callable[[Chain], None]] = {
    # name: what breaks a chain
    "a parent that is another": lambda chain: patch_header(chain.links[0], 40, bytes(16)),
    "a parent made later": lambda chain: patch_header(chain.links[0], 56, bytes(4)),
    "a link of the future": lambda chain: patch_footer(chain.links[1], 24, b"\xff" * 4),
    "a hidden newest link": lambda chain: patch_footer(chain.links[0], 85, b"\1"),
    "a child smaller than its parent": lambda chain: patch_footer(chain.links[0], 48, (MIB).to_bytes(8, "big")),
    "a disk of 3 TiB": lambda chain: patch_footer(chain.links[0], 48, (3 << 40).to_bytes(8, "big")),
    "half a sector": lambda chain: patch_footer(chain.links[0], 48, (SIZE_BYTES + 1).to_bytes(8, "big")),
    "an unknown type": lambda chain: patch_footer(chain.links[0], 60, (7).to_bytes(4, "big")),
    "blocks of nothing": lambda chain: patch_header(chain.links[0], 32, bytes(4)),
    "a block table outside": lambda chain: patch_header(chain.links[0], 16, (1 << 40).to_bytes(8, "big")),
    "a header outside": lambda chain: patch_footer(chain.links[0], 16, b"\xff" * 8),
    "a block table where no file can have one": lambda chain: patch_header(chain.links[0], 16, b"\x3f" + bytes(7)),
    "a header where no file can have one": lambda chain: patch_footer(chain.links[0], 16, b"\x3f" + bytes(7)),
    "a whole disk over another": lambda chain: to_vhd(chain.folder / "disk.raw", chain.links[0]),
    "a missing parent": lambda chain: _swap(chain.links[0], chain.links[1]),
    "data that ends early": lambda chain: _cut_data(chain.links[1]),
    "a footer's checksum": lambda chain: _flip(chain.links[1], -512 + 64),
    "a header's checksum": lambda chain: _flip(chain.links[1], 512 + 36),
}


def _swap(first: Path, second: Path) -> None:
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one)


def _cut_data(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2 // 512 * 512] + content[-512:])


def _flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(bytes(content))
