"""The part of a report that tells of the hypervisor and of xenstore. Every value in it is the host's or the guest's."""

from __future__ import annotations

from golden_flows.agents.fields import Fields
from golden_flows.model.guest import canonical_mac
from golden_flows.model.xen import HypervisorSeen, Xenstore, XenstoreCommand, XenstoreNic


def hypervisor_of(one: Fields) -> HypervisorSeen:
    return HypervisorSeen(
        type=one.text_or_none("type"), guest_type=one.text_or_none("guest_type"), uuid=one.text_or_none("uuid")
    )


def xenstore_of(one: Fields) -> Xenstore:
    return Xenstore(
        vifs=_texts(one, "vifs"),
        pvaddons=_texts(one, "pvaddons"),
        commands=one.each("commands", _command),
        networking=one.each("networking", _nic),
    )


def _texts(one: Fields, key: str) -> dict[str, str]:
    return {name: value for name, value in one.text_map(key).items() if value is not None}


def _command(one: Fields) -> XenstoreCommand:
    return XenstoreCommand(
        name=one.text("name"),
        returncode=one.text("returncode", ""),
        message=one.text("message", ""),
        at_s=one.number("at_s"),
    )


def _nic(one: Fields) -> XenstoreNic:
    return XenstoreNic(
        mac=canonical_mac(one.text("mac")),
        label=one.text("label", ""),
        ips=one.texts("ips"),
        ip6s=one.texts("ip6s"),
        gateway=one.text_or_none("gateway"),
        gateway6=one.text_or_none("gateway6"),
        gateway6_key=one.text_or_none("gateway6_key"),
    )
