"""What drives the guest's disk and NICs, before and after drivers came, as a table for readers."""

from __future__ import annotations

from golden_flows.model.guest import Drivers, GuestReport, Link


def table(report: GuestReport, earlier: GuestReport | None, at_home: GuestReport | None = None) -> str:
    """One block per moment: at home; abroad before the drivers came, after, and after the reboot where it took one."""
    first = earlier or report
    blocks = []
    if at_home is not None:
        blocks.append(["at home", *_state(at_home)])
    if first.links_before_drivers:
        blocks.append(["before drivers were installed", *map(_nic, first.links_before_drivers)])
    if earlier is not None:
        blocks.append([f"installed in the first boot, {earlier.boot_id}", *_state(earlier)])
        blocks.append([f"after the reboot, boot {report.boot_id}", *_state(report)])
    else:
        blocks.append(["as the guest reported", *_state(report)])
    blocks.append(["drivers", *_drivers(first.drivers)])
    return "\n\n".join("\n".join([block[0], *(f"  {line}" for line in block[1:])]) for block in blocks) + "\n"


def _state(report: GuestReport) -> list[str]:
    return [f"disk {report.block.root_device}  {report.block.root_driver}", *map(_nic, report.links)]


def _nic(link: Link) -> str:
    return f"nic  {link.name} {link.mac}  {link.driver}  {link.state}"


def _drivers(drivers: Drivers) -> list[str]:
    lines = [f"{drivers.verdict}: {drivers.reason}"]
    if drivers.bundle is not None:
        bundle = drivers.bundle
        lines.append(f"bundle {bundle.url} for kernel {bundle.kernel}: {', '.join(bundle.modules) or 'no modules'}")
        lines.append(f"sha256 {bundle.sha256_actual} (announced {bundle.sha256_expected})")
    if drivers.seconds is not None:
        lines.append(f"took {drivers.seconds} s, reboot {drivers.reboot or 'not needed'}")
    return lines
