"""What the kinds of guest disk differ in."""

from __future__ import annotations

from golden_images import guest_disk
from golden_images.cache import DISKS
from golden_images.guest_disk import Kind

POCKET = Kind("pocket", platforms=("xen",))
EMULATED = Kind("pocket-emulated", platforms=(), more_words="xen_emul_unplug=never", reads_grub_config=True)


def test_every_disk_can_be_asked_for() -> None:
    assert set(DISKS) == {"pocket", "pocket-emulated", "pocket-http", "debian"}


def test_the_travelling_image_has_xen_s_drivers_where_the_root_is_looked_for() -> None:
    assert set(guest_disk.XEN_DRIVERS) <= set(POCKET.boot_modules)


def test_the_emulated_image_has_no_driver_of_xen() -> None:
    assert not [name for name in EMULATED.boot_modules if "xen" in name]


def test_two_disks_never_share_a_root_uuid() -> None:
    assert POCKET.root_uuid != EMULATED.root_uuid


def test_a_paravirtual_xen_guest_is_told_of_no_serial_port() -> None:
    """Its kernel would take the absent ttyS0 for /dev/console, being the last one named."""
    config = POCKET.grub_config()
    assert "console=hvc0" in config
    assert "ttyS0" not in config


def test_the_travelling_image_s_own_grub_needs_no_file() -> None:
    config = POCKET.embedded_config()
    assert f"linux16 /boot/vmlinuz root=UUID={POCKET.root_uuid} console=hvc0 console=ttyS0,115200" in config
    assert "grub.cfg" not in config


def test_the_emulated_image_s_command_line_is_in_a_file_the_guest_can_change() -> None:
    assert "normal /boot/grub/grub.cfg" in EMULATED.embedded_config()
    assert "xen_emul_unplug" not in EMULATED.embedded_config()
    kernel_lines = [line for line in EMULATED.grub_config().splitlines() if line.startswith("linux")]
    assert [line.split()[0] for line in kernel_lines] == ["linux", "linux16"]
    assert all(line.endswith(" xen_emul_unplug=never") for line in kernel_lines)
