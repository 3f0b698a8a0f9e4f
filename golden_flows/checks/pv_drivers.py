"""Does the guest drive the destination's hardware the way it should be driven?"""

from __future__ import annotations

import re
from collections.abc import Sequence

from golden_flows.errors import shorten
from golden_flows.model.check import SILENT_GUEST, check, given, unseen_inside, verdict
from golden_flows.model.cloud import Profile
from golden_flows.model.facts import BootFacts, Facts, GuestFiles, PortFacts
from golden_flows.model.finding import Finding, Said
from golden_flows.model.guest import Drivers, GuestReport, canonical_mac
from golden_flows.model.network_data import served_macs, served_vlans

PARAVIRTUAL = re.compile(r"virtio_\w+|xen_\w+|vbd|vif|hv_\w+|vmxnet3|vmw_pvscsi")
"""Driver names in sysfs. Xen's are named after their bus device: ``vbd`` a disk, ``vif`` a NIC."""

REMEDY_BUNDLE = "publish the bundle anew together with its sha256 in the vendor data"

MODULE_OF = {"vbd": "xen_blkfront", "vif": "xen_netfront"}


@check("PV-1", needs=("boot",))
def drivers_are_the_paravirtual_ones(facts: Facts) -> Said:
    """Root disk and NICs are bound to what the profile declares; where it declares nothing, to paravirtual drivers."""
    boot = given(facts.boot)
    if boot.report is None:
        return SILENT_GUEST
    findings: list[Finding] = []
    unseen: list[str] = []
    root = boot.report.block.root_driver
    if root is None:
        unseen.append("the guest reported no driver of its root disk")
    elif not _is_wanted(root, facts.dst.disk_drivers):
        remedy = "set hw_disk_bus on the image, or declare disk_drivers in the cloud's profile"
        actual, remedy = _told_by(boot.report.drivers, root, remedy)
        findings.append(Finding("driver of the root disk", _wanted(facts.dst.disk_drivers), actual, remedy))
    if not boot.ports:
        unseen.append("the API lists no port of the server")
    for at, port in enumerate(boot.ports):
        declared = _declared_nic(facts.dst, at)
        link = boot.report.link(port.mac)
        if link is None and _is_untold(boot, at):
            unseen.append(f"the metadata does not name {port.name}, so the guest sought no driver for it (see N2-1)")
        elif link is None and port.mac in {one.mac for one in served_vlans(boot.report.network_data)}:
            unseen.append(f"{port.name} is a VLAN, which has no driver of its own, and none was made (see N2-9)")
        elif link is None:
            findings.append(_without_nic(port, declared, boot.report.drivers))
        elif link.driver is None:
            unseen.append(f"the guest reported no driver of {link.name}")
        elif not _is_wanted(link.driver, declared):
            remedy = "set hw_vif_model on the image, or declare nic_drivers in the cloud's profile"
            actual, remedy = _told_by(boot.report.drivers, link.driver, remedy)
            findings.append(Finding(f"driver of {port.name}", _wanted(declared), actual, remedy))
    return verdict(findings, unseen)


@check("PV-2", needs=("source_boot", "boot", "auth"))
def image_holds_drivers_of_both_clouds(facts: Facts) -> Said:
    """The root disk's drivers of both clouds are in the initramfs, the NICs' at least on disk or in the bundle.

    The declared driver of a disk counts, not the emulated one that a guest came up with for lack of it.
    """
    home, away, files = given(facts.source_boot), given(facts.boot), given(facts.auth).files
    if home.report is None or away.report is None:
        return SILENT_GUEST
    if files.initramfs_modules is None or files.modules_on_disk is None:
        return unseen_inside(facts, "the guest's initramfs or its modules on disk could not be listed")
    both = ((facts.src, home, home.report), (facts.dst, away, away.report))
    findings: list[Finding] = []
    unseen: list[str] = []
    for profile, boot, report in both:
        roots = [_module(one) for one in profile.disk_drivers or (report.block.root_driver,) if one]
        if not roots:
            unseen.append(f"no driver of the root disk on {profile.cloud} was reported")
        elif not _early(files, away.report.drivers).intersection(roots):
            remedy = "dracut --add-drivers or /etc/initramfs-tools/modules, before the export; or a driver bundle"
            findings.append(Finding(f"initramfs, for {profile.cloud}", " or ".join(roots), "not in it", remedy))
        nics, missing = _nic_modules(profile, boot, report)
        unseen += missing
        for nic in sorted(nics - _on_disk(files, away.report.drivers)):
            remedy = "install the module in the image, or offer it in the cloud's driver bundle"
            findings.append(Finding(f"modules on disk, for {profile.cloud}", nic, "not there", remedy))
    return verdict(findings, unseen)


def _declared_nic(profile: Profile, at: int) -> tuple[str, ...]:
    """The declared driver of the NIC at this place; the last one stands for all that follow."""
    return profile.nic_drivers[at : at + 1] or profile.nic_drivers[-1:]


def _is_untold(boot: BootFacts, at: int) -> bool:
    """Whether the guest could not know of this NIC: not the first, and not in the metadata."""
    served = served_macs(boot.report.network_data) if boot.report is not None else frozenset()
    return at > 0 and canonical_mac(boot.ports[at].mac) not in served


def _is_wanted(driver: str, declared: Sequence[str]) -> bool:
    if declared:
        return _module(driver) in map(_module, declared)
    return PARAVIRTUAL.fullmatch(driver.replace("-", "_")) is not None


def _wanted(declared: Sequence[str]) -> str:
    return f"{' or '.join(declared)}, as the profile says" if declared else "a paravirtual driver"


def _without_nic(port: PortFacts, declared: Sequence[str], drivers: Drivers) -> Finding:
    actual = (
        f"no NIC with this MAC in the guest; drivers {shorten(drivers.verdict, 20)}: {shorten(drivers.reason, 120)}"
    )
    remedy = "offer a driver bundle for the guest's kernel, or put the driver into the image"
    digests = _digests(drivers)
    return Finding(
        f"NIC of {port.name}", f"bound to {_wanted(declared)}", actual + digests, REMEDY_BUNDLE if digests else remedy
    )


def _told_by(drivers: Drivers, driver: str, remedy: str) -> tuple[str, str]:
    """What drives the device, and what to do: where drivers were to be installed and were not, their story."""
    actual = shorten(driver, 60)
    if drivers.verdict not in ("failed", "unsupported") and drivers.reboot != "pending":
        return actual, remedy
    digests = _digests(drivers)
    story = "no boot after the installation was seen" if drivers.reboot == "pending" else shorten(drivers.reason, 120)
    actual += f"; drivers {shorten(drivers.verdict, 20)}: {story}{digests}"
    return actual, REMEDY_BUNDLE if digests else "read the agent's log on the console, and offer drivers for its kernel"


def _digests(drivers: Drivers) -> str:
    """Both digests of a bundle that is not what was announced; else empty."""
    bundle = drivers.bundle
    if bundle is None or bundle.sha256_actual == bundle.sha256_expected:
        return ""
    came, announced = shorten(bundle.sha256_actual or "unknown", 12), shorten(bundle.sha256_expected, 12)
    return f" (bundle sha256 {came}, announced {announced})"


def _nic_modules(profile: Profile, boot: BootFacts, report: GuestReport) -> tuple[set[str], list[str]]:
    """Modules of this cloud's NICs as seen, else as declared; and the ports of which neither is known."""
    modules: set[str] = set()
    missing: list[str] = []
    for at, port in enumerate(boot.ports):
        link = report.link(port.mac)
        names = (link.driver,) if link is not None and link.driver else _declared_nic(profile, at)
        if link is None and _is_untold(boot, at):
            names = ()
        modules.update(map(_module, names))
        if not names:
            missing.append(f"no driver of {port.name} is known")
    return modules, missing


def _early(files: GuestFiles, drivers: Drivers) -> set[str]:
    """Modules that are there before the root file system is: a bundle's once the guest has booted with it."""
    booted = drivers.bundle.modules if drivers.bundle is not None and drivers.reboot == "done" else ()
    return set(map(_module, (*(files.initramfs_modules or ()), *(booted if drivers.verdict == "ok" else ()))))


def _on_disk(files: GuestFiles, drivers: Drivers) -> set[str]:
    installed = drivers.bundle.modules if drivers.bundle is not None and drivers.verdict == "ok" else ()
    return set(map(_module, (*(files.modules_on_disk or ()), *(files.initramfs_modules or ()), *installed)))


def _module(driver: str) -> str:
    name = driver.removesuffix(".ko").replace("-", "_")
    return MODULE_OF.get(name, name)
