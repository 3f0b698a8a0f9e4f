"""What of the Xen hypervisor needs no Xen: what xl is told and says, disks, and a guest's life on a fake host."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from refclouds import disks
from refclouds.faults import Faults
from refclouds.hypervisors import HypervisorSetup
from refclouds.hypervisors.xen import Xen
from refclouds.node import DiskError, DiskFormat, GuestError, GuestSpec, NicSpec
from refclouds.xen import config, listing, pvgrub
from refclouds.xen.host import Ran, XenHostError
from refclouds.xen.listing import Ending

ID = "11111111-2222-3333-4444-555555555555"
GUEST = GuestSpec(
    id=ID,
    name="anne",
    ram_mib=256,
    vcpus=1,
    disk=Path("/share") / ID / "disk",
    disk_format="vpc",
    disk_bus="xen",
    nics=(
        NicSpec("p1", "fa:16:3e:00:00:01", "n1", "10.0.0.5", 24, "netfront"),
        NicSpec("p2", "fa:16:3e:00:00:02", "n2", None, 24, "netfront"),
    ),
    config_drive=Path("/share") / ID / "config-drive",
    machine="pv",
)
PLACES = config.Places("/disks/d", "/host/c.log", ("xbp1", "xbp2"), "/host/config.iso")


# what xl is told


def told(text: str) -> dict[str, str]:
    return dict(line.split(" = ", 1) for line in text.splitlines())


def test_a_paravirtual_guest_is_booted_by_pvgrub_from_its_own_vhd() -> None:
    lines = told(config.domain(GUEST, PLACES, uuid=ID))
    assert (lines["type"], lines["kernel"]) == ('"pv"', f'"{config.PVGRUB}"')
    assert (lines["name"], lines["uuid"], lines["memory"]) == (f'"{ID}"', f'"{ID}"', "256")
    assert lines["disk"] == (
        '["format=vhd,backendtype=qdisk,vdev=xvda,access=rw,target=/disks/d",'
        ' "format=raw,backendtype=qdisk,vdev=xvdb,access=rw,target=/host/config.iso"]'
    )
    assert lines["vif"] == '["mac=fa:16:3e:00:00:01,bridge=xbp1", "mac=fa:16:3e:00:00:02,bridge=xbp2"]'


def test_a_domain_that_has_ended_stays_until_the_cloud_has_seen_why() -> None:
    lines = told(config.domain(GUEST, PLACES, uuid=ID))
    assert {lines[f"on_{event}"] for event in ("poweroff", "reboot", "crash", "watchdog")} == {'"preserve"'}


def test_a_fully_virtual_guest_boots_its_own_sector_on_emulated_hardware() -> None:
    nics = (replace(GUEST.nics[0], model="e1000"), replace(GUEST.nics[1], model="netfront"))
    lines = told(config.domain(replace(GUEST, machine="hvm", nics=nics), PLACES, uuid=ID))
    assert "kernel" not in lines
    assert (lines["type"], lines["boot"], lines["xen_platform_pci"]) == ('"hvm"', '"c"', "1")
    assert "vdev=hda,access=rw" in lines["disk"]
    assert "vdev=hdc,devtype=cdrom,access=ro" in lines["disk"]
    assert lines["vif"] == (
        '["type=ioemu,model=e1000,mac=fa:16:3e:00:00:01,bridge=xbp1", "type=vif,mac=fa:16:3e:00:00:02,bridge=xbp2"]'
    )
    assert "path=/host/c.log,append=on" in lines["device_model_args"]


@pytest.mark.parametrize(("machine", "vdev"), [("pv", "xvdb"), ("hvm", "hdc")])
def test_a_config_drive_of_vfat_is_a_disk(machine: str, vdev: str) -> None:
    guest = replace(GUEST, machine=machine, nics=(), config_drive_format="vfat")
    disk = told(config.domain(guest, replace(PLACES, bridges=()), uuid=ID))["disk"]
    assert f"format=raw,backendtype=qdisk,vdev={vdev},access=rw,target=/host/config.iso" in disk
    assert "cdrom" not in disk


def test_without_the_platform_device_a_guest_keeps_its_emulated_disk() -> None:
    hvm = replace(GUEST, machine="hvm", nics=())
    assert told(config.domain(hvm, replace(PLACES, bridges=()), uuid=ID, emulated_only=True))["xen_platform_pci"] == "0"


def test_what_xl_cannot_be_told_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be told"):
        config.domain(GUEST, replace(PLACES, disk='/disks/"'), uuid=ID)


# what xl says

OTHERS = [f"{digit * 8}-2222-3333-4444-555555555555" for digit in "6789"]
LISTED = f"""\
Name                  ID   Mem VCPUs\tState\tTime(s)   UUID                            Reason-Code\tSecurity Label
Domain-0               0   512     1     r-----      14.1 00000000-0000-0000-0000-000000000000        -
{ID}         3   256     1     -b----       9.9 {ID}        -
{OTHERS[0]}         4   256     1     --psr-       9.9 {OTHERS[0]}        1
{OTHERS[1]}         5   256     1     ---sc-       9.9 {OTHERS[1]}        3
{OTHERS[2]}         6     0     1     --ps-d       9.9 {OTHERS[2]}        0
{OTHERS[3]}         7   256     1     --p---       0.0 {OTHERS[3]}        -
"""


def test_a_listing_says_which_domains_have_ended_and_how() -> None:
    seen = listing.domains(LISTED)
    assert {one.domid: one.ending for one in seen.values()} == {
        0: None,
        3: None,
        4: Ending.REBOOT,
        5: Ending.CRASH,
        6: Ending.POWEROFF,
        7: None,
    }
    assert seen[ID].domid == 3


# what pvgrub says


def test_pvgrub_looks_in_places_that_are_not_there_before_it_gives_up() -> None:
    looks = b"error: no such device: /boot/xen/pvboot-x86_64.elf.\r\nReading (xen/xvda,msdos1)/boot/grub/grub.cfg\r\n"
    assert pvgrub.trouble(looks) == ""
    assert pvgrub.trouble(looks + b"error: not xen image.\r\n") == "error: not xen image."


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"\x02!L\x18", "a bzImage packed with LZ4"),
        (b"(\xb5/\xfd", "a bzImage packed with Zstandard"),
        (b"\xfd7zXZ\0", "a bzImage packed with XZ"),
    ],
)
def test_a_kernel_is_known_by_how_it_is_packed(payload: bytes, said: str) -> None:
    head = bytearray(4096)
    head[0x1F1] = 1
    head[0x202:0x206] = b"HdrS"
    head[0x248] = 16
    head[1024 + 16 : 1024 + 16 + len(payload)] = payload
    assert pvgrub.form(bytes(head)) == said


def test_other_kernels_are_known_too() -> None:
    assert pvgrub.form(b"\x7fELF") == "an ELF file"
    assert pvgrub.form(b"\x1f\x8b\x08") == "a gzip'd file"
    assert pvgrub.form(b"MZ") == "no Linux kernel"


# disks


def virtual_bytes(disk: Path) -> int:
    told = subprocess.run(
        ["qemu-img", "info", "-f", "vpc", "--output=json", disk], check=True, capture_output=True
    ).stdout
    return int(json.loads(told)["virtual-size"])


def raw_of(disk: Path, disk_format: str) -> bytes:
    out = disk.with_suffix(".raw")
    subprocess.run(["qemu-img", "convert", "-f", disk_format, "-O", "raw", disk, out], check=True)
    return out.read_bytes()


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A raw image of 8 MiB with data at both ends; its size is no whole number of cylinders."""
    path = tmp_path / "image.raw"
    with path.open("wb") as file:
        file.write(b"boot sector" * 40)
        file.seek((8 << 20) - 16)
        file.write(b"the very last bytes"[:16])
    return path


@pytest.fixture
def vhd(image: Path) -> Path:
    out = image.with_suffix(".vhd")
    options = ["-O", "vpc", "-o", "subformat=dynamic,force_size=on"]
    subprocess.run(["qemu-img", "convert", "-f", "raw", *options, image, out], check=True)
    return out


def own(image: Path, image_format: DiskFormat, disk: Path, size_bytes: int = 0) -> DiskFormat:
    return asyncio.run(disks.own_vhd(image, image_format, disk, size_bytes))


@pytest.mark.parametrize("form", ["vpc", "raw"])
def test_a_guests_disk_is_a_vhd_of_its_own_with_the_images_bytes(form: DiskFormat, image: Path, vhd: Path) -> None:
    disk = image.with_name("disk")
    assert own(vhd if form == "vpc" else image, form, disk) == "vpc"
    assert disk.read_bytes()[:8] == b"conectix"
    assert disk.read_bytes()[-512:-504] == b"conectix"
    assert raw_of(disk, "vpc") == image.read_bytes()
    if form == "vpc":
        assert disk.read_bytes() == vhd.read_bytes()
        assert disk.stat().st_ino != vhd.stat().st_ino


@pytest.mark.parametrize("form", ["vpc", "raw"])
def test_a_larger_flavor_gets_a_larger_vhd(form: DiskFormat, image: Path, vhd: Path) -> None:
    disk, wanted = image.with_name("disk"), 64 << 20
    own(vhd if form == "vpc" else image, form, disk, wanted)
    assert virtual_bytes(disk) == wanted
    assert disk.stat().st_blocks * 512 < wanted // 2
    assert raw_of(disk, "vpc") == image.read_bytes().ljust(wanted, b"\0")


def test_a_snapshot_of_a_guests_vhd_is_exact(image: Path, vhd: Path) -> None:
    disk, out = image.with_name("disk"), image.with_name("out")
    own(vhd, "vpc", disk)
    subprocess.run(["qemu-io", "-f", "vpc", "-c", "write -P 66 1M 64k", disk], check=True, capture_output=True)
    asyncio.run(disks.flatten(disk, "vpc", out, "raw"))
    expected = bytearray(image.read_bytes())
    expected[1 << 20 : (1 << 20) + (64 << 10)] = b"B" * (64 << 10)
    assert out.read_bytes() == bytes(expected)


@pytest.mark.parametrize(
    ("size_bytes", "said"), [(1 << 20, "too small for an image"), (2041 << 30, "a VHD holds at most 2040 GiB")]
)
def test_a_size_that_cannot_be_is_refused(size_bytes: int, said: str, vhd: Path) -> None:
    with pytest.raises(DiskError, match=said):
        own(vhd, "vpc", vhd.with_name("disk"), size_bytes)


# a guest's life, on a fake host


class FakeHost:
    """A dom0 that knows the few commands we use."""

    evidence = "Xen, not real"

    def __init__(self, share: Path) -> None:
        self.share = share
        self.on_death: Callable[[str], None] | None = None
        self.domains: dict[str, tuple[int, str, str]] = {}  # name -> number, state, reason
        self.ran: list[str] = []
        self.nics: set[str] = set()
        self.booted = 0
        self.is_up = False
        self.refuse = ""
        self.obeys = True
        self.events = share / "consoles" / "domain-events"

    async def ensure(self) -> None:
        if not self.is_up:
            self.booted, self.is_up = self.booted + 1, True

    async def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float = 60.0) -> Ran:
        await asyncio.sleep(0)
        if not self.is_up:
            raise XenHostError("the Xen host does not run")
        match argv:
            case ["sh", "-c", script, "sh", _, name, *strings] if "xl create" in script:
                if self.refuse:
                    return Ran(1, "", self.refuse)
                self.ran.append(f"create {' '.join(strings)}".strip())
                number = max([domid for domid, _, _ in self.domains.values()], default=0) + len(self.ran)
                self.domains[name] = (number, "--p---", "-")
                return Ran(0, f"{number}\n", "")
            case ["sh", "-c", script, *_] if "xenstore-watch" in script:
                self.ran.append("watch")
            case ["xl", "list", "-v"]:
                lines = [
                    f"{name} {domid} 256 1 {state} 9.9 {ID} {why}" for name, (domid, state, why) in self.domains.items()
                ]
                return Ran(0, "\n".join(lines), "")
            case ["xl", "destroy", name]:
                self.ran.append("destroy")
                return Ran(0 if self.domains.pop(name, None) else 1, "", "no such domain")
            case ["xl", "shutdown", "-F", name]:
                self.ran.append("shutdown")
                if self.obeys:
                    self.end(name, "0")
            case ["xl", "unpause" | "pause" as word, name]:
                self.ran.append(word)
                self.domains[name] = (self.domains[name][0], "-b----" if word == "unpause" else "--p---", "-")
        return Ran(0, "", "")

    async def check(self, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float = 60.0) -> str:
        ran = await self.run(argv, stdin=stdin, timeout_s=timeout_s)
        if ran.code:
            raise XenHostError(ran.err)
        return ran.out

    def end(self, name: str, reason: str) -> None:
        self.domains[name] = (self.domains[name][0], f"---s{'-rscw'[int(reason)]}-", reason)
        with self.events.open("a") as file:
            file.write("@releaseDomain\n")

    def die(self) -> None:
        self.is_up = False
        self.domains.clear()
        self.nics.clear()
        assert self.on_death is not None
        self.on_death("the Xen host ended with 137")

    async def attach_nic(self, port_id: str, netdev: str, fd: int) -> str:
        self.nics.add(port_id)
        return f"xb{port_id}"

    async def detach_nic(self, port_id: str) -> None:
        self.nics.discard(port_id)

    def dom0_path(self, path: Path) -> str:
        return f"/host/{path.relative_to(self.share)}"

    def dom0_disk_path(self, path: Path) -> str:
        return f"/disks/{path.relative_to(self.share)}"

    async def flush(self, path: Path) -> None:
        self.ran.append("flush")

    async def close(self) -> None:
        self.is_up = False


class Stage:
    """A hypervisor on a fake host, and what it told."""

    def __init__(self, share: Path, *faults: str) -> None:
        folder = share / "consoles"
        folder.mkdir()
        (share / ID).mkdir()
        self.host = FakeHost(share)
        setup = HypervisorSetup(folder, lambda port: ("tap,fd=7", 7), faults=Faults.parse(faults), share=share)
        self.xen = Xen(setup, self.host)  # type: ignore[arg-type]  # a fake
        self.spec = replace(GUEST, disk=share / ID / "disk", config_drive=None)
        self.told: list[tuple[str, object]] = []
        self.xen.on_exit = lambda guest, status: self.told.append(("exit", status))
        self.xen.on_lost = lambda guest, why: self.told.append(("lost", why))

    async def until(self, probe: Callable[[], object]) -> None:
        async with asyncio.timeout(5):
            while not probe():
                await asyncio.sleep(0.02)

    @property
    def config(self) -> str:
        return self.spec.disk.with_name("domain.cfg").read_text()


def play(share: Path, *faults: str) -> Callable[[Callable[[Stage], Awaitable[None]]], Stage]:
    def run(act: Callable[[Stage], Awaitable[None]]) -> Stage:
        stage = Stage(share, *faults)

        async def main() -> None:
            try:
                await act(stage)
            finally:
                await stage.xen.close()

        asyncio.run(main())
        return stage

    return run


def test_a_guest_starts_stops_cleanly_and_starts_again(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        await stage.xen.start(stage.spec)
        assert (stage.xen.is_running(ID), stage.host.nics) == (True, {"p1", "p2"})
        await stage.xen.stop(ID, graceful_s=5)
        assert (stage.xen.is_running(ID), stage.host.nics, stage.host.domains) == (False, set(), {})
        await stage.xen.start(stage.spec)
        assert stage.xen.is_running(ID)
        await stage.xen.destroy(ID)

    stage = play(tmp_path)(act)
    life = ["create", "unpause", "shutdown", "destroy", "flush", "create", "unpause", "destroy"]
    assert (stage.host.ran, stage.host.booted, stage.told) == (["watch", *life], 1, [])


def test_a_guest_that_does_not_listen_is_ended(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        stage.host.obeys = False
        await stage.xen.start(stage.spec)
        await stage.xen.stop(ID, graceful_s=0.1)
        assert not stage.xen.is_running(ID)

    assert play(tmp_path)(act).host.domains == {}


def test_acpi_off_never_asks_the_guest(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        await stage.xen.start(stage.spec)
        await stage.xen.stop(ID, graceful_s=0.1)
        assert not stage.xen.is_running(ID)

    assert "shutdown" not in play(tmp_path, "acpi_off")(act).host.ran


def test_a_guest_that_powers_off_is_told_of_and_one_that_reboots_gets_a_new_domain(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        await stage.xen.start(stage.spec)
        first = stage.host.domains[ID][0]
        stage.host.end(ID, "1")
        await stage.until(lambda: ID in stage.host.domains and stage.host.domains[ID][:2] == (first, "---sr-"))
        await stage.until(lambda: stage.host.domains.get(ID, (first,))[0] != first and stage.xen.is_running(ID))
        assert stage.told == []
        stage.host.end(ID, "0")
        await stage.until(lambda: stage.told)
        assert (stage.told, stage.xen.is_running(ID), stage.host.domains) == ([("exit", 0)], False, {})

    play(tmp_path)(act)


def test_a_guest_that_crashes_is_no_success(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        await stage.xen.start(stage.spec)
        stage.host.end(ID, "3")
        await stage.until(lambda: stage.told)

    assert play(tmp_path)(act).told == [("exit", 1)]


def test_when_the_host_dies_its_guests_are_lost_with_its_words_and_can_be_started_anew(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        await stage.xen.start(stage.spec)
        stage.host.die()
        assert not stage.xen.is_running(ID)
        await stage.xen.start(stage.spec)
        assert stage.xen.is_running(ID)

    stage = play(tmp_path)(act)
    assert stage.told == [("lost", "the Xen host ended with 137")]
    assert (stage.host.booted, stage.host.ran.count("watch")) == (2, 2)


def test_a_kernel_that_pvgrub_cannot_load_ends_the_guest_with_its_reason(tmp_path: Path, vhd: Path) -> None:
    async def act(stage: Stage) -> None:
        stage.spec.disk.write_bytes(vhd.read_bytes())
        await stage.xen.start(stage.spec)
        (tmp_path / "consoles" / f"guest-{ID}.log").write_bytes(b"error: not xen image.\r\n")
        await stage.until(lambda: stage.told)
        assert not stage.xen.is_running(ID)
        assert b"no kernel could be found" in stage.xen.console(ID)

    ((kind, why),) = play(tmp_path)(act).told
    assert kind == "lost"
    assert "pvgrub says 'error: not xen image.'" in str(why)


def test_what_xl_refuses_is_said_and_nothing_stays(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        stage.host.refuse = "xl: not enough memory"
        with pytest.raises(GuestError, match="Xen did not start the guest: xl: not enough memory"):
            await stage.xen.start(stage.spec)
        assert (stage.xen.is_running(ID), stage.host.nics) == (False, set())

    play(tmp_path)(act)


def test_a_reset_keeps_the_nics(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        await stage.xen.start(stage.spec)
        await stage.xen.reset(ID)
        assert (stage.xen.is_running(ID), stage.host.nics) == (True, {"p1", "p2"})

    assert play(tmp_path)(act).told == []


def test_a_snapshot_of_a_cached_disk_flushes_first(tmp_path: Path, vhd: Path) -> None:
    async def act(stage: Stage) -> None:
        await stage.xen.start(stage.spec)
        await stage.xen.pause(ID)
        await stage.xen.snapshot_disk(ID, vhd, "vpc", tmp_path / "out", "raw")
        await stage.xen.resume(ID)

    assert play(tmp_path)(act).host.ran[-4:] == ["unpause", "pause", "flush", "unpause"]


def test_warming_boots_the_host_once(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        stage.xen.warm()
        stage.xen.warm()
        await stage.xen.start(stage.spec)

    assert play(tmp_path)(act).host.booted == 1


def test_smbios_strings_are_novas_on_hvm_and_a_pv_guest_has_its_uuid(tmp_path: Path) -> None:
    async def hvm(stage: Stage) -> None:
        await stage.xen.start(replace(stage.spec, machine="hvm"))

    (tmp_path / "hvm").mkdir()
    assert "create bios-vendor Xen system-manufacturer OpenStack Foundation" in play(tmp_path / "hvm")(hvm).host.ran[1]

    async def pv(stage: Stage) -> None:
        await stage.xen.start(stage.spec)

    for name, faults in (("whole", ()), ("faulty", ("smbios=generic",))):
        (tmp_path / name).mkdir()
        stage = play(tmp_path / name, *faults)(pv)
        assert stage.host.ran[1] == "create"
        assert (f'uuid = "{ID}"' in stage.config) is not bool(faults)


def test_the_console_is_its_last_100_kib(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        assert stage.xen.console(ID) == b""
        (tmp_path / "consoles" / f"guest-{ID}.log").write_bytes(b"old" + b"x" * 102_400)
        assert stage.xen.console(ID) == b"x" * 102_400

    play(tmp_path)(act)
