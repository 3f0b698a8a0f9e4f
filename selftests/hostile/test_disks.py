"""Whatever bytes a cloud calls a disk: a header is read or refused by the one error that its reader names."""

from __future__ import annotations

import contextlib
import struct
import tarfile
import time
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden_flows.clouds import disk_image
from golden_flows.clouds.disk_image import NotConvertible
from golden_flows.model import disk_signature, file_system, gpt, qcow2, vhd
from golden_flows.shims import vhd_chain, xenserver_archive
from golden_flows.shims.vhd_chain import BadChain
from golden_flows.shims.xenserver_archive import BadArchive
from selftests.vhd_archives import Chain, make_chain, member, patch_footer, patch_header, zipped

NUMBERS = st.one_of(st.sampled_from((0, 1, 2**31, 2**32 - 1, 2**54, 2**63, 2**64 - 1)), st.integers(0, 2**64 - 1))
MAGIC = {"qcow2": (b"QFI\xfb\0\0\0\3", b"QFI\xfb\0\0\0\2"), "vhd": (b"conectix",), "vmdk": (b"KDMV\1\0\0\0\3\0\0\0",)}
BYTES = st.binary(max_size=2000)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("disks")


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    return make_chain(tmp_path_factory.mktemp("chain"))


@given(st.sampled_from(sorted(MAGIC)), st.data(), st.lists(NUMBERS, max_size=16), BYTES)
def test_no_header_goes_to_qemu_img_unread(
    folder: Path, disk_format: str, data: st.DataObject, numbers: list[int], rest: bytes
) -> None:
    path = folder / "stored"
    head = data.draw(st.sampled_from(MAGIC[disk_format]))
    path.write_bytes(head + struct.pack(f">{len(numbers)}Q", *numbers) + rest + data.draw(st.just(b"") | st.just(head)))
    with contextlib.suppress(NotConvertible):
        disk_image.checked_layout(path, disk_format, 1 << 40)


@pytest.mark.parametrize("blanks", [" ", "\t", "\n", "a=\n", '="', '" '])
def test_a_descriptor_of_blanks_is_read_at_once(blanks: str, folder: Path) -> None:
    """A pattern once took the cube of its length: 20 KB were never read to the end."""
    path = folder / "blanks.vmdk"
    head = struct.pack("<4sIIQQQQ", b"KDMV", 1, 3, 100, 128, 1, 128).ljust(512, b"\0")
    path.write_bytes(head + b"a=" + (blanks * 60_000)[:60_000].encode() + b'""x')
    began_s = time.process_time()
    with pytest.raises(NotConvertible):
        disk_image.checked_layout(path, "vmdk", 1 << 40)
    assert time.process_time() - began_s < 2


@given(st.binary(max_size=600), st.lists(NUMBERS, min_size=6, max_size=60), BYTES)
def test_headers_are_read_or_refused_by_their_own_error(short: bytes, numbers: list[int], rest: bytes) -> None:
    body = struct.pack(f">{len(numbers)}Q", *numbers) + rest
    for content in (short, *(magic + body for magics in MAGIC.values() for magic in magics)):
        with contextlib.suppress(qcow2.NotAQcow2):
            assert qcow2.read_header(content).features() is not None
        with contextlib.suppress(vhd.NotAVhdFooter):
            assert vhd.read_footer(content[:512]).chs_bytes >= 0
        assert isinstance(disk_signature.foreign_formats(content, content[-512:]), list)
    with contextlib.suppress(vhd.NotAVhd):
        vhd.read_header((b"cxsparse" + body)[:1024])


@given(BYTES)
def test_what_is_zipped_is_named_whatever_it_is(content: bytes) -> None:
    packed = zlib.compressobj(wbits=31)
    assert "gzip" in disk_signature.inside_gzip(packed.compress(content) + packed.flush())
    assert "gzip" in disk_signature.inside_gzip(b"\x1f\x8b" + content)


def partitioned(table: int, count: int, size: int, entries: bytes) -> bytes:
    """A GPT whose header has the right checksum, whatever it says."""
    header = bytearray(b"EFI PART".ljust(92, b"\0"))
    struct.pack_into("<I", header, 12, 92)
    struct.pack_into("<Q", header, 24, 1)
    struct.pack_into("<QII", header, 72, table, count, size)
    struct.pack_into("<I", header, 16, zlib.crc32(header))
    mbr = bytes(450) + b"\xee" + bytes(59) + b"\x55\xaa"
    return mbr + bytes(header).ljust(512, b"\0") + entries


@given(NUMBERS, st.integers(0, 2**32 - 1), st.sampled_from((0, 1, 127, 128, 4096, 2**32 - 1)), BYTES, st.booleans())
def test_no_partition_table_makes_us_read_without_end(
    table: int, count: int, size: int, entries: bytes, near: bool
) -> None:
    disk = partitioned(2 if near else table, count, size, entries)
    asked: list[int] = []

    def read(at: int, length: int) -> bytes:
        asked.append(length)
        return disk[at : at + length]

    seen = file_system.look(read)
    assert len(seen.file_systems) <= seen.partitions <= 128
    assert max(asked) <= 128 * 4096
    assert len(asked) <= 2 + 128
    assert gpt.protective_sectors(disk) == 0
    assert gpt.alternate_lba(disk) == 0
    for rubbish in (entries, disk[: len(entries)]):
        gpt.alternate_lba(rubbish)
        gpt.protective_sectors(rubbish)
        file_system.look(lambda at, length, of=rubbish: of[at : at + length])  # type: ignore[misc]  # a default


@settings(max_examples=settings().max_examples // 4)  # each is megabytes
@given(st.booleans(), st.integers(8, 500), st.binary(min_size=1, max_size=8))
def test_a_chain_that_lies_with_right_checksums_is_read_or_refused(
    chain: Chain, in_footer: bool, at: int, lie: bytes
) -> None:
    sound = chain.links[0].read_bytes()
    try:
        (patch_footer if in_footer else patch_header)(chain.links[0], at, lie)
        with contextlib.suppress(BadChain), vhd_chain.open_chain(chain.links, time.time()) as links:
            size = links[0].footer.current_bytes
            assert 0 < size <= vhd_chain.DISK_MAX_BYTES
            given_bytes = []
            if size <= 1 << 26:
                vhd_chain.stream(links, lambda block: given_bytes.append(len(block)))
                assert sum(given_bytes) == size
            assert all(link.describe() for link in links)
    finally:
        chain.links[0].write_bytes(sound)


@given(st.integers(0, 500), st.binary(min_size=1, max_size=12), st.booleans())
def test_an_archive_that_lies_with_right_checksums_is_unpacked_or_refused(
    tmp_path_factory: pytest.TempPathFactory, at: int, lie: bytes, twice: bool
) -> None:
    one = bytearray(member("0.vhd", b"x" * 700))
    one[at : at + len(lie)] = lie
    one[148:156] = b"%06o\0 " % (256 + sum(one[:148]) + sum(one[156:512]))
    folder = tmp_path_factory.mktemp("archive")
    path = folder / "image.tgz"
    path.write_bytes(zipped(bytes(one[: 512 + 1024]), *([member("1.vhd", b"y")] if twice else [])))
    (folder / "out").mkdir()
    with contextlib.suppress(BadArchive):
        assert xenserver_archive.unpack(path, folder / "out")
    assert {one.name for one in (folder / "out").iterdir()} <= {f"link-{number}" for number in range(30)}
    assert sum(one.stat().st_size for one in folder.rglob("*")) < 1 << 20


@given(BYTES)
def test_rubbish_is_no_archive(folder: Path, content: bytes) -> None:
    path = folder / "rubbish.tgz"
    for packed in (content, b"\x1f\x8b\x08" + content, zipped(content.ljust(tarfile.BLOCKSIZE, b"\0"))):
        path.write_bytes(packed)
        with pytest.raises(BadArchive):
            xenserver_archive.unpack(path, folder)
