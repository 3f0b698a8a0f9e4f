"""The table of devices before and after drivers came."""

from __future__ import annotations

from dataclasses import replace

from golden_flows.flows.devices import table
from golden_flows.model.guest import Block, DriverBundle, Drivers, GuestReport, Link

EMULATED = (Link(name="eth0", mac="fa:16:3e:00:00:01", driver="e1000", state="up"),)
PARAVIRTUAL = (Link(name="eth0", mac="fa:16:3e:00:00:01", driver="vif", state="up"),)
BUNDLE = DriverBundle(
    url="http://a/b", kernel="6.1", sha256_expected="a1", sha256_actual="a1", modules=("xen_blkfront", "xen_netfront")
)


def report(boot_id: str, links: tuple[Link, ...], disk: str, drivers: Drivers) -> GuestReport:
    block = Block(root_device="/dev/x1", root_driver=disk)
    return GuestReport(run="r", boot_id=boot_id, kernel="6.1", verdict="ok", links=links, block=block, drivers=drivers)


def test_two_boots_stand_side_by_side() -> None:
    installed = Drivers(bundle=BUNDLE, verdict="ok", reason="2 modules", seconds=3.5, reboot="pending")
    earlier = report("boot-1", EMULATED, "ata_piix", installed)
    after = report("boot-2", PARAVIRTUAL, "vbd", Drivers(verdict="ok", reboot="done", previous_boot_id="boot-1"))
    blocks = table(after, earlier).split("\n\n")
    assert [block.splitlines()[0] for block in blocks] == [
        "installed in the first boot, boot-1",
        "after the reboot, boot boot-2",
        "drivers",
    ]
    assert "ata_piix" in blocks[0]
    assert "e1000" in blocks[0]
    assert "vbd" in blocks[1]
    assert "vif" in blocks[1]
    assert "xen_blkfront, xen_netfront" in blocks[2]
    assert "reboot pending" in blocks[2]


def test_what_it_had_at_home_comes_first() -> None:
    told = table(report("b", PARAVIRTUAL, "vbd", Drivers()), None, report("a", EMULATED, "ata_piix", Drivers()))
    assert told.startswith(
        "at home\n  disk /dev/x1  ata_piix\n  nic  eth0 fa:16:3e:00:00:01  e1000  up\n\nas the guest"
    )


def test_a_hot_switch_shows_what_was_there_before() -> None:
    switched = Drivers(bundle=replace(BUNDLE, sha256_actual="b2"), verdict="failed", reason="sha256 does not match")
    told = table(replace(report("b", EMULATED, "ata_piix", switched), links_before_drivers=EMULATED), None)
    assert told.startswith("before drivers were installed\n  nic  eth0")
    assert "failed: sha256 does not match" in told
    assert "sha256 b2 (announced a1)" in told
