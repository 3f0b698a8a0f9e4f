"""Parts of the Xen host that are only values."""

import re
from pathlib import Path

import pytest
from golden_images import HostImage
from refclouds import profile, qmp_nics
from refclouds.xen import command, memory, nics
from refclouds.xen.host import XenHost, XenHostError

IMAGE = HostImage("xen-host", Path("/c/xen"), Path("/c,1/vmlinux"), Path("/c/dom0"), {}, "4.17.7+13-g1", "6.1", "0")
WIRING = command.HostWiring(8, 9, Path("/s/console-dom0.log"), Path("/s/disks"))


def after(line: list[str], option: str) -> str:
    return line[line.index(option) + 1]


def test_the_host_has_ram_for_its_guests_and_its_own() -> None:
    line = command.arguments(IMAGE, WIRING, guests_mib=2048)
    assert int(after(line, "-m")) == memory.host_mib(2048)
    assert 2048 + memory.DOM0_MIB < memory.host_mib(2048) < 2048 + memory.DOM0_MIB + 512


def test_traps_of_emulation_are_stepped_around() -> None:
    line = command.arguments(IMAGE, WIRING, guests_mib=512)
    assert {"-smap", "-smep"} <= set(after(line, "-cpu").split(","))
    assert "bootscrub=0" in after(line, "-append").split()
    assert re.fullmatch(r"tcg,tb-size=\d+", after(line, "-accel"))
    assert command.arguments(IMAGE, WIRING, guests_mib=512, accel="kvm")[line.index("-cpu") + 1] == "host"


def test_a_comma_in_a_path_does_not_make_another_module() -> None:
    assert after(command.arguments(IMAGE, WIRING, guests_mib=512), "-initrd").startswith("/c,,1/vmlinux ")


def test_a_saved_host_s_memory_is_mapped_for_one_host_alone() -> None:
    for resumed, share in ((False, "share=on"), (True, "share=off")):
        line = command.arguments(IMAGE, WIRING, guests_mib=512, ram=command.RamFile(Path("/r"), resumed))
        assert after(line, "-object").endswith(f"mem-path=/r,{share}")
        assert ("-incoming" in line) is resumed
        assert after(line, "-machine").endswith("memory-backend=ram")


def test_there_is_no_user_networking() -> None:
    line = command.arguments(IMAGE, WIRING, guests_mib=512)
    assert not [word for word in line if word == "-netdev" or word.startswith("user,")]


def test_too_little_memory_names_both_figures_and_the_cloud_that_does_with_less() -> None:
    with pytest.raises(XenHostError, match=rf"needs {memory.needed_mib(2048)} MiB .* 900 MiB are available") as caught:
        memory.require(2048, available_mib=900)
    assert f"'{memory.ALTERNATIVE}'" in str(caught.value)
    assert "\n" not in str(caught.value)
    memory.require(2048, available_mib=memory.needed_mib(2048))


def test_the_alternative_exists() -> None:
    assert memory.ALTERNATIVE in profile.names()


@pytest.mark.parametrize(
    ("netdev", "expected"),
    [
        ("tap,fd=7,vhost=off", {"type": "tap", "fd": "xb", "vhost": False}),
        ("dgram,local.type=fd,local.str=7", {"type": "dgram", "local": {"type": "fd", "str": "xb"}}),
    ],
)
def test_a_netdev_as_text_becomes_arguments_of_the_monitor(netdev: str, expected: dict[str, object]) -> None:
    assert qmp_nics.netdev_arguments("net0", netdev, 7, "xb") == {**expected, "id": "net0"}


def test_names_of_a_port_fit_the_kernel_and_differ() -> None:
    ports = ["0123abcd-4567-89ab", "0123abcd-4667-89ab"]
    assert len({nics.bridge_name(port) for port in ports}) == 2
    assert all(len(nics.bridge_name(port)) <= 15 for port in ports)
    macs = {nics.dom0_mac(port) for port in ports}
    assert len(macs) == 2
    assert all(re.fullmatch(r"02(:[0-9a-f]{2}){5}", mac) for mac in macs)


def test_dom0_sees_files_of_the_share_alone(tmp_path: Path) -> None:
    host = XenHost(IMAGE, tmp_path, share=tmp_path / "disks", guest_memory_mib=512)
    assert host.dom0_path(tmp_path / "disks/a/b.cfg") == "/host/a/b.cfg"
    assert host.dom0_disk_path(tmp_path / "disks/a/disk") == "/disks/a/disk"
    with pytest.raises(ValueError, match="not in the subpath"):
        host.dom0_path(tmp_path / "images/x")


def test_the_evidence_says_which_xen() -> None:
    host = XenHost(IMAGE, Path("/s"), share=Path("/s/disks"), guest_memory_mib=512)
    assert host.evidence.startswith("Xen 4.17.7, real, in QEMU ")
