from __future__ import annotations

from dataclasses import replace

import pytest

from golden_flows.model.facts import AuthFacts, Facts
from golden_flows.model.finding import NotObserved
from golden_flows.model.guest import DriverBundle, Drivers
from selftests.golden_flows.checks.facts_builder import (
    auth,
    failing,
    healthy_facts,
    report,
    said,
    source_boot,
    with_block,
    with_boot,
    with_files,
    with_links,
)

BUNDLE = DriverBundle(
    url="http://a/b", kernel="6.1", sha256_expected="a" * 64, sha256_actual="a" * 64, modules=("vmxnet3",)
)


def refused_bundle() -> Facts:
    bundle = replace(BUNDLE, sha256_actual="b" * 64)
    drivers = Drivers(bundle=bundle, verdict="failed", reason="sha256 does not match")
    facts = with_boot(report=replace(report(), links=report().links[:1], drivers=drivers))
    return replace(facts, auth=without_vmxnet3())


def without_vmxnet3() -> AuthFacts:
    modules = auth().files.modules_on_disk or ()
    return replace(
        auth(), files=replace(auth().files, modules_on_disk=tuple(one for one in modules if one != "vmxnet3"))
    )


def _undeclared(facts: Facts) -> Facts:
    return replace(facts, dst=replace(facts.dst, disk_drivers=(), nic_drivers=()))


def test_another_disk_driver_than_declared_is_a_finding() -> None:
    assert failing(with_block(root_driver="virtio_blk")) == {"PV-1"}


def test_an_emulated_nic_where_another_is_declared_is_a_finding() -> None:
    first, second = report().links
    assert failing(with_links(first, replace(second, driver="e1000"))) == {"PV-1"}


@pytest.mark.parametrize("driver", ["e1000", "ata_piix", "8139cp", "virtio", "pcnet32", "xvirtio_net"])
def test_emulated_hardware_is_a_finding_where_nothing_is_declared(driver: str) -> None:
    first, second = report().links
    assert "PV-1" in failing(_undeclared(with_links(first, replace(second, driver=driver))))


@pytest.mark.parametrize("driver", ["virtio_net", "virtio-net", "xen-netfront", "vif", "hv_netvsc", "vmxnet3"])
def test_paravirtual_nics_pass_where_nothing_is_declared(driver: str) -> None:
    links = tuple(replace(one, driver=driver) for one in report().links)
    facts = with_boot(report=replace(report(), links=links, block=replace(report().block, root_driver="xen-blkfront")))
    assert said("PV-1", _undeclared(facts)) == ()


def test_the_last_declared_nic_driver_stands_for_the_rest() -> None:
    links = tuple(replace(one, driver="e1000") for one in report().links)
    facts = with_links(*links)
    assert said("PV-1", replace(facts, dst=replace(facts.dst, nic_drivers=("e1000",)))) == ()


def test_a_refused_bundle_is_told_with_both_digests() -> None:
    assert failing(refused_bundle()) == {"PV-1", "PV-2"}
    found = said("PV-1", refused_bundle())
    assert isinstance(found, tuple)
    assert "sha256 does not match" in found[0].actual
    assert "bbbb" in found[0].actual


def hvm(drivers: Drivers) -> Facts:
    """Emulated hardware still, on a cloud whose drivers should have replaced it."""
    links = tuple(replace(one, driver="e1000") for one in report().links)
    facts = with_boot(report=replace(report(), links=links, drivers=drivers))
    return replace(facts, dst=replace(facts.dst, disk_drivers=("vbd",), nic_drivers=("vif",)))


@pytest.mark.parametrize(
    ("drivers", "words", "remedy"),
    [
        (Drivers(verdict="failed", reason="bundles are for kernel 5.10, this is 6.1"), "for kernel 5.10", "its kernel"),
        (Drivers(verdict="failed", reason="no space left on device"), "no space left", "agent's log"),
        (
            Drivers(bundle=replace(BUNDLE, sha256_actual="b" * 64), verdict="failed", reason="sha256"),
            "announced aaaa",
            "publish the bundle anew",
        ),
        (Drivers(bundle=BUNDLE, verdict="ok", reboot="pending"), "no boot after the installation", "agent's log"),
        (Drivers(verdict="skipped", reason="nothing is missing"), "e1000", "profile"),
    ],
    ids=["wrong kernel", "full disk", "corrupt bundle", "no reboot", "none wanted"],
)
def test_emulated_devices_are_told_with_the_story_of_their_drivers(drivers: Drivers, words: str, remedy: str) -> None:
    found = said("PV-1", hvm(drivers))
    assert isinstance(found, tuple)
    assert len(found) == 3
    assert all(words in one.actual or "ata_piix" in one.actual for one in found)
    assert all(remedy in one.remedy for one in found)


def test_devices_that_were_switched_over_pass() -> None:
    done = Drivers(bundle=BUNDLE, verdict="ok", reboot="done", previous_boot_id="boot-0")
    links = tuple(replace(one, driver="vif") for one in report().links)
    block = replace(report().block, root_driver="vbd")
    facts = with_boot(report=replace(report(), links=links, block=block, drivers=done))
    assert said("PV-1", replace(facts, dst=replace(facts.dst, disk_drivers=("vbd",), nic_drivers=("vif",)))) == ()


def test_an_unknown_driver_earns_no_pass() -> None:
    first, second = report().links
    assert isinstance(said("PV-1", with_links(first, replace(second, driver=None))), NotObserved)
    assert isinstance(said("PV-1", with_block(root_driver=None)), NotObserved)


@pytest.mark.parametrize("missing", ["virtio_blk", "ata_piix"])
def test_an_initramfs_for_one_cloud_only_is_a_finding(missing: str) -> None:
    kept = tuple(one for one in auth().files.initramfs_modules or () if one != missing)
    assert failing(with_files(initramfs_modules=kept)) == {"PV-2"}


def test_a_nic_module_may_come_in_the_bundle() -> None:
    facts = with_boot(report=replace(report(), drivers=Drivers(bundle=BUNDLE, verdict="ok")))
    assert said("PV-2", replace(facts, auth=without_vmxnet3())) == ()
    assert said("PV-2", replace(healthy_facts(), auth=without_vmxnet3())) != ()


def switched(drivers: Drivers, root_driver: str) -> Facts:
    """An image without Xen's drivers on a Xen cloud."""
    links = tuple(replace(one, driver="vif") for one in report().links)
    block = replace(report().block, root_driver=root_driver)
    facts = with_boot(report=replace(report(), links=links, block=block, drivers=drivers))
    dst = replace(facts.dst, disk_drivers=("vbd",), nic_drivers=("vif",))
    files = replace(auth().files, modules_on_disk=("virtio_net",))
    return replace(facts, dst=dst, auth=replace(auth(), files=files))


XEN_BUNDLE = replace(BUNDLE, modules=("xen-blkfront", "xen-netfront"))


def test_the_root_disk_s_driver_may_come_in_the_bundle_that_the_guest_has_booted_with() -> None:
    assert said("PV-2", switched(Drivers(bundle=XEN_BUNDLE, verdict="ok", reboot="done"), "vbd")) == ()
    for drivers in (
        Drivers(bundle=XEN_BUNDLE, verdict="ok", reboot="pending"),
        Drivers(bundle=XEN_BUNDLE, verdict="failed", reboot="done"),
        Drivers(),
    ):
        found = said("PV-2", switched(drivers, "ata_piix"))
        assert isinstance(found, tuple)
        assert ("initramfs, for public", "xen_blkfront") in [(one.subject, one.expected) for one in found]


def test_xen_names_its_drivers_after_the_bus() -> None:
    block = replace(report().block, root_driver="vbd")
    links = tuple(replace(one, driver="vif") for one in report().links)
    facts = with_boot(report=replace(report(), block=block, links=links))
    files = replace(
        auth().files,
        initramfs_modules=("xen-blkfront", "virtio_blk"),
        modules_on_disk=("xen-netfront", "virtio_net"),
    )
    assert said("PV-2", _undeclared(replace(facts, auth=replace(auth(), files=files)))) == ()


@pytest.mark.parametrize("name", ["initramfs_modules", "modules_on_disk"])
def test_unlisted_modules_earn_no_pass(name: str) -> None:
    assert isinstance(said("PV-2", with_files(**{name: None})), NotObserved)


def test_a_source_that_never_reported_earns_no_pass() -> None:
    facts = replace(healthy_facts(), source_boot=replace(source_boot(), report=None))
    assert isinstance(said("PV-2", facts), NotObserved)
