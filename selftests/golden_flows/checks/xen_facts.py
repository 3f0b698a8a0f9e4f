"""Facts of a healthy cell whose destination is a Xen cloud with all of Xen's own ways: private → public."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from golden_flows.model.facts import BootFacts, Facts, PasswordChange
from golden_flows.model.guest import Block, GuestReport, GuestTools, Route, Service
from golden_flows.model.ipv6 import Address6, Ipv6Facts, MetadataAnswer, Nic6, Subnet6
from golden_flows.model.xen import HypervisorSeen, Xenstore, XenstoreCommand, XenstoreNic
from selftests.golden_flows.checks.facts_builder import (
    MAC1,
    MAC2,
    SERVER,
    attempt,
    auth,
    boot,
    healthy_facts,
    network_data,
    port,
    power,
    report,
)

GATEWAY6 = "fd00:64::1"


def xenstore() -> Xenstore:
    return Xenstore(
        vifs={"0": "4", "1": "4"},
        pvaddons={
            "Installed": "1",
            "MajorVersion": "7",
            "MinorVersion": "0",
            "MicroVersion": "0",
            "BuildVersion": "1",
        },
        commands=(
            XenstoreCommand(name="version", returncode="0", message="1.0"),
            XenstoreCommand(name="resetnetwork", returncode="0"),
            XenstoreCommand(name="keyinit", returncode="D0", message="123"),
            XenstoreCommand(name="password", returncode="0"),
        ),
        networking=(
            XenstoreNic(
                mac=MAC1,
                label="flat",
                ips=("192.168.100.20/24",),
                ip6s=("fd00:64::20/64",),
                gateway="192.168.100.1",
                gateway6=GATEWAY6,
                gateway6_key="gateway_v6",
            ),
            XenstoreNic(mac=MAC2, label="multi", ips=("192.168.200.20/24",)),
        ),
    )


def _with_ipv6(document: dict[str, Any]) -> dict[str, object]:
    network = {"id": "network2", "link": "tap1", "network_id": "n-1", "type": "ipv6"}
    told = {**network, "ip_address": "fd00:64::20", "netmask": "ffff:ffff:ffff:ffff::", "routes": []}
    return {**document, "networks": [*document["networks"], told]}


def xen_report() -> GuestReport:
    first, second = report().links
    return replace(
        report(),
        hypervisor=HypervisorSeen(type="xen", guest_type="PV", uuid=SERVER),
        identity=replace(report().identity, smbios_uuid=None, smbios_product=None),
        block=Block(root_device="/dev/xvda1", root_driver="vbd", cmdline_root="UUID=1-2", fstab_root="UUID=1-2"),
        links=(
            replace(first, driver="vif", addresses=(*first.addresses, "fd00:64::20/64")),
            replace(second, driver="vif"),
        ),
        routes=(*report().routes, Route(family=6, destination="default", gateway=GATEWAY6, interface="eth0")),
        network_data=_with_ipv6(network_data()),
        xenstore=xenstore(),
        tools=GuestTools(verdict="ok", running=True, version="7.0.0-1"),
        services=(Service(name="guest-tools", state="running"),),
    )


SUBNET6 = Subnet6(cidr="fd00:64::/64", gateway_ip=GATEWAY6)
"""Told by xenstore alone: no router announces it."""


def xen_ipv6() -> Ipv6Facts:
    address = Address6(ip="fd00:64::20", prefixlen=64, permanent=True)
    nic = Nic6(name="eth0", mac=MAC1, accept_ra=1, addresses=(address,), heard=False)
    return Ipv6Facts(nics=(nic,), metadata=(MetadataAnswer(interface="eth0", status=200, uuid=SERVER),))


def xen_boot() -> BootFacts:
    first = replace(port(0), fixed_ip6="fd00:64::20", gateway6_ip=GATEWAY6, subnet6=SUBNET6)
    return replace(boot(), report=xen_report(), ports=(first, port(1)))


def xen_facts() -> Facts:
    files = replace(
        auth().files,
        initramfs_modules=("virtio_blk", "xen_blkfront", "ext4"),
        modules_on_disk=("virtio_net", "xen_netfront"),
    )
    changed = PasswordChange(status=202, attempts=(attempt("new-password", True), attempt("old-password", False)))
    healthy = healthy_facts()
    dst = replace(
        healthy.dst,
        hypervisor="xen",
        disk_drivers=("vbd",),
        nic_drivers=("vif",),
        driver_bundle=False,
        channels=(*healthy.dst.channels, "xenstore"),
    )
    channels = (*xen_report().channels, replace(xen_report().channels[0], name="xenstore", used=False))
    told = replace(xen_boot(), report=replace(xen_report(), channels=channels))
    late = replace(auth(), files=files, password_change=changed)
    again = replace(power(), ports=told.ports)
    return replace(healthy, dst=dst, boot=told, auth=late, ipv6=xen_ipv6(), power=again)


# Each of these bends one part of the Xen cell; keyword names are fields of that part.


def with_xen_report(**changes: Any) -> Facts:
    facts = xen_facts()
    if facts.boot is None or facts.boot.report is None:
        raise ValueError("the healthy guest reports")
    return replace(facts, boot=replace(facts.boot, report=replace(facts.boot.report, **changes)))


def with_xenstore(**changes: Any) -> Facts:
    return with_xen_report(xenstore=replace(xenstore(), **changes))


def with_xen_boot(**changes: Any) -> Facts:
    facts = xen_facts()
    if facts.boot is None:
        raise ValueError("the healthy server boots")
    return replace(facts, boot=replace(facts.boot, **changes))


def with_xen_auth(**changes: Any) -> Facts:
    facts = xen_facts()
    if facts.auth is None:
        raise ValueError("the healthy guest lets its owner in")
    return replace(facts, auth=replace(facts.auth, **changes))


def with_command(name: str, returncode: str, message: str = "") -> Facts:
    """The guest answered the host's command so."""
    commands = tuple(
        replace(one, returncode=returncode, message=message) if one.name == name else one for one in xenstore().commands
    )
    return with_xenstore(commands=commands)
