"""Templates without any guest: the id in memory, memory shared by descriptor, the shelf, QEMU's command line."""

from __future__ import annotations

import asyncio
import errno
import gc
import itertools
import os
import subprocess
import sys
import uuid
from dataclasses import replace
from pathlib import Path

import pytest
from refclouds import anonymous_memory, template_names
from refclouds.faults import NO_FAULTS
from refclouds.node import GuestSpec, NicSpec
from refclouds.qemu_command import Wiring, arguments, in_order
from refclouds.template import NoTemplate, Template, make, require_generation_driver
from refclouds.template_shelf import TEMPLATES_MAX, Shelf
from refclouds.variants import NO_VARIANTS, Variants

OLD, NEW = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0", "11112222-3333-4444-5555-666677778888"
SPEC = GuestSpec(
    id=NEW,
    name="a",
    ram_mib=256,
    vcpus=1,
    disk=Path("/d/disk"),
    disk_format="qcow2",
    disk_bus="sata",
    nics=(
        NicSpec("p1", "fa:16:3e:00:00:01", "n1", None, 0, "e1000"),
        NicSpec("p2", "fa:16:3e:00:00:02", "n2", None, 0, "vmxnet3"),
    ),
    config_drive=Path("/d/config-drive"),
    machine="pc",
)


def test_a_copy_is_renamed_wherever_its_id_stands() -> None:
    memory = b"".join(
        (
            b"..." + OLD.encode(),  # SMBIOS text
            b"....." + OLD[:20].encode() + b"|",  # the disk's serial number
            b"f0e1d2-cb45-a9687-9887"[:20],  # something else
            bytes(OLD[:20].encode()[index ^ 1] for index in range(20)),  # the same, as ATA tells it
            uuid.UUID(OLD).bytes_le,
        )
    )
    places = template_names.find([(0, memory)], OLD)
    changed = template_names.renamed(memory, places, NEW)
    assert len(changed) == len(memory)
    for form in template_names.forms(OLD):
        assert form not in changed
    for form in template_names.forms(NEW):
        assert form in changed
    assert b"f0e1d2-cb45-a9687-9887"[:20] in changed


def test_an_id_across_two_pieces_of_memory_is_found_once() -> None:
    size = anonymous_memory._CHUNK_BYTES
    fd = anonymous_memory.create("test", 3 * size)
    try:
        os.pwrite(fd, OLD.encode(), size - 10)
        os.pwrite(fd, OLD.encode(), 2 * size + 5)
        os.pwrite(fd, b"x", 2 * size - 5)  # so that there is no hole between them
        for offset in range(size, 2 * size, 4096):
            os.pwrite(fd, b"x", offset + 100)
        places = template_names.find(anonymous_memory.held(fd), OLD)
        assert sorted(one.offset for one in places if one.form == 0) == [size - 10, 2 * size + 5]
        assert template_names.count(anonymous_memory.held(fd), OLD.encode()) == 2
    finally:
        os.close(fd)


def test_a_kernel_that_keeps_no_generation_id_makes_no_template() -> None:
    firmwares, kernels = uuid.UUID(OLD).bytes_le, b"...." + uuid.UUID(OLD).bytes_le
    require_generation_driver([(0, firmwares), (4096, kernels)], OLD)
    require_generation_driver([(0, firmwares + kernels)], OLD)
    with pytest.raises(NoTemplate, match="no driver for the VM generation ID"):
        require_generation_driver([(0, firmwares), (4096, OLD.encode()), (8192, uuid.UUID(OLD).bytes)], OLD)
    with pytest.raises(NoTemplate):  # pieces of memory overlap: this is one copy, seen twice
        require_generation_driver([(0, kernels), (4, firmwares)], OLD)


def test_looking_at_memory_does_not_fill_its_holes() -> None:
    fd = anonymous_memory.create("test", 64 << 20)
    try:
        os.pwrite(fd, b"word", 40 << 20)
        before = anonymous_memory.held_bytes(fd)
        assert template_names.count(anonymous_memory.held(fd), b"word") == 1
        assert anonymous_memory.held_bytes(fd) == before < 1 << 20
    finally:
        os.close(fd)


CHILD = """
import mmap, sys
fd = int(sys.argv[1])
memory = mmap.mmap(fd, 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE)
print("mapped", flush=True)
for line in sys.stdin:
    print(memory[5000:5003].decode(), flush=True)
"""


def test_what_is_written_into_one_copy_no_other_sees() -> None:
    fd = anonymous_memory.create("test", 1 << 20)
    os.pwrite(fd, b"old", 5000)
    children = [
        subprocess.Popen(
            [sys.executable, "-c", CHILD, str(fd)],
            pass_fds=[fd],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    try:
        assert [_line(child) for child in children] == ["mapped", "mapped"]
        anonymous_memory.write_into_process(children[0].pid, fd, [(5000, b"new")])
        assert [_ask(child) for child in children] == ["new", "old"]
        assert os.pread(fd, 3, 5000) == b"old"
        with pytest.raises(OSError, match="does not map"):
            anonymous_memory.write_into_process(os.getpid(), fd, [(0, b"x")])
    finally:
        for child in children:
            child.kill()
            child.communicate()
        os.close(fd)


def test_only_the_mapping_of_that_very_memory_is_written_to(tmp_path: Path) -> None:
    """Files on other devices have the same inodes, and a file may be mapped from its middle."""
    memory = os.stat_result((0o600, 77, os.makedev(0, 0x1A), *[0] * 7))
    maps = ["7f01-7f02 rw-p 00000000 08:01 77 /x", "7f03-7f04 rw-p 00001000 00:1a 77 /memfd:t (deleted)"]
    (tmp_path / "maps").write_text("\n".join(maps))
    with pytest.raises(OSError, match="does not map"):
        anonymous_memory._mapped_at(tmp_path, memory)
    maps.append("7f05-7f06 rw-p 00000000 00:1a 77 /memfd:t (deleted)")
    (tmp_path / "maps").write_text("\n".join(maps))
    assert anonymous_memory._mapped_at(tmp_path, memory) == 0x7F05


def test_a_name_of_which_only_a_part_could_be_written_is_an_error() -> None:
    fd = anonymous_memory.create("test", 1 << 20)
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(fd)], pass_fds=[fd], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert _line(child) == "mapped"
        os.ftruncate(fd, 8192)  # behind it, the mapping is there and its memory is not
        with pytest.raises(OSError, match="only 2 of 4 bytes"):
            anonymous_memory.write_into_process(child.pid, fd, [(8190, b"word")])
    finally:
        child.kill()
        child.communicate()
        os.close(fd)


def _line(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


def _ask(child: subprocess.Popen[str]) -> str:
    assert child.stdin is not None
    child.stdin.write("?\n")
    child.stdin.flush()
    return _line(child)


# -- the command line ------------------------------------------------------------------------------------------------


def test_a_guest_that_boots_has_memory_of_its_own_and_all_its_devices() -> None:
    line = " ".join(arguments(SPEC, Wiring(3, ("tap,fd=4", "tap,fd=5"), Path("/c"))))
    assert "memory-backend" not in line
    assert "-incoming" not in line
    assert f"vmgenid,guid={NEW}" in line
    assert line.index("mac=fa:16:3e:00:00:01") < line.index("mac=fa:16:3e:00:00:02")
    assert "file=/d/config-drive" in line


def test_a_guest_from_a_template_gets_its_nics_later_and_its_generation_at_once() -> None:
    wiring = Wiring(3, (), Path("/c"), "/proc/self/fd/9", incoming=True)
    line = " ".join(arguments(SPEC, wiring))
    assert "mem-path=/proc/self/fd/9,share=off" in line
    assert "-incoming defer -S" in line
    assert f"vmgenid,guid={NEW}" in line
    assert "mac=" not in line


def test_a_template_has_the_same_hardware_as_the_guests_that_start_from_it() -> None:
    """QEMU takes a machine over only into the same one; else it says so when the first guest starts."""
    template = replace(SPEC, id=OLD, nics=(), config_drive=None, disk=Path("/t/disk"))
    of_template = Wiring(3, (), Path("/t/c"), "/proc/self/fd/9", ram_shared=True, empty_drive=True, generation_id=OLD)
    of_guest = Wiring(3, (), Path("/c"), "/proc/self/fd/9", incoming=True)
    assert _devices(arguments(template, of_template), OLD) == _devices(arguments(SPEC, of_guest), NEW)


def _devices(argv: list[str], machine_id: str) -> list[str]:
    pairs = itertools.pairwise(argv)
    wanted = ("-device", "-machine", "-cpu", "-m", "-smp")
    return [
        f"{key} {value}".replace(machine_id, "ID").replace(machine_id[:20], "SERIAL").replace("drive=config,", "")
        for key, value in pairs
        if key in wanted
    ]


def test_another_order_of_nics_is_the_same_for_those_that_come_later() -> None:
    assert in_order(SPEC.nics, NO_VARIANTS) == list(SPEC.nics)
    assert in_order(SPEC.nics, Variants.parse(["nic_order"])) == list(SPEC.nics[::-1])


# -- the shelf -------------------------------------------------------------------------------------------------------


class Maker:
    """Makes templates of a page, or none, when it is let."""

    def __init__(self) -> None:
        self.made: list[tuple[int, int]] = []  # descriptor and inode of each one's memory
        self.asked: list[str] = []
        self.may = asyncio.Event()
        self.may.set()
        self.fails: Exception | None = None

    async def __call__(self, spec: GuestSpec, folder: Path) -> Template:
        self.asked.append(spec.template)
        await self.may.wait()
        if self.fails:
            raise self.fails
        template = Template(anonymous_memory.create("t", 4096), b"", (), (), b"", 4.0)
        self.made.append((template.ram_fd, os.fstat(template.ram_fd).st_ino))
        return template

    def is_open(self, number: int) -> bool:
        """Its descriptor may be another's already."""
        fd, inode = self.made[number]
        try:
            return os.fstat(fd).st_ino == inode
        except OSError:
            return False


async def forgotten() -> None:
    """The loop lets go of what it has just woken somebody with."""
    await asyncio.sleep(0)
    gc.collect()


def wanting(word: str) -> GuestSpec:
    return replace(SPEC, template=word)


def test_guests_that_ask_at_once_share_one_template(tmp_path: Path) -> None:
    async def story() -> None:
        maker = Maker()
        maker.may.clear()
        shelf = Shelf(tmp_path, maker)
        asking = [asyncio.create_task(shelf.find(wanting("a"))) for _ in range(3)]
        await asyncio.sleep(0)
        asking[0].cancel()  # a server that is deleted while it waits takes nothing from the others
        await asyncio.sleep(0)
        maker.may.set()
        first, second = await asyncio.gather(*asking[1:])
        assert first is second is not None
        assert await shelf.find(wanting("")) is None
        assert maker.asked == ["a"]
        del asking
        await shelf.close()
        assert maker.is_open(0)  # whoever has it may still start from it
        del first, second
        await forgotten()
        assert not maker.is_open(0)

    asyncio.run(story())


@pytest.mark.parametrize(
    "why", [NoTemplate("its kernel did not start"), OSError("too many open files"), KeyError("status")], ids=repr
)
def test_where_no_template_can_be_made_the_guests_boot_and_it_is_not_tried_again(
    why: Exception, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        maker = Maker()
        maker.fails = why
        shelf = Shelf(tmp_path, maker)
        assert await shelf.find(wanting("a")) is None
        assert await shelf.find(wanting("a")) is None
        assert maker.asked == ["a"]

    asyncio.run(story())
    assert f"no template for a, its guests boot: {why}" in caplog.text
    assert ("Traceback" in caplog.text) == (not isinstance(why, NoTemplate))


def test_a_template_for_which_there_is_no_memory_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(name: str, flags: int) -> int:
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    monkeypatch.setattr(os, "memfd_create", full)
    with pytest.raises(NoTemplate, match="Cannot allocate memory"):
        asyncio.run(make(SPEC, tmp_path / "t", accel="tcg", faults=NO_FAULTS))


def test_a_template_that_cannot_be_made_gives_its_memory_and_its_folder_back(tmp_path: Path) -> None:
    with pytest.raises(NoTemplate):  # there is no disk to copy
        asyncio.run(make(replace(SPEC, disk=tmp_path / "none"), tmp_path / "t", accel="tcg", faults=NO_FAULTS))
    assert not [one for one in Path("/proc/self/fd").iterdir() if "memfd:template" in os.path.realpath(one)]
    assert not (tmp_path / "t").exists()


def test_the_disk_of_a_template_that_a_killed_cloud_was_making_goes_when_it_starts_again(tmp_path: Path) -> None:
    for folder in (f"template-{OLD}", NEW):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "disk").write_bytes(b"x")
    Shelf(tmp_path, Maker())
    assert [one.name for one in tmp_path.iterdir()] == [NEW]


def test_an_old_template_makes_room_for_a_new_one(tmp_path: Path) -> None:
    async def story() -> None:
        maker = Maker()
        shelf = Shelf(tmp_path, maker)
        for number in range(TEMPLATES_MAX + 1):
            await shelf.find(wanting(str(number)))
        await forgotten()
        assert [maker.is_open(number) for number in range(TEMPLATES_MAX + 1)] == [False] + [True] * TEMPLATES_MAX
        shelf.drop("1")
        shelf.drop("unknown")
        await forgotten()
        assert not maker.is_open(1)
        await shelf.close()

    asyncio.run(story())


def test_a_guest_whose_template_is_given_up_while_it_waits_boots(tmp_path: Path) -> None:
    async def story() -> None:
        maker = Maker()
        maker.may.clear()
        shelf = Shelf(tmp_path, maker)
        waiting = asyncio.create_task(shelf.find(wanting("a")))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        shelf.drop("a")
        assert await waiting is None

    asyncio.run(story())
