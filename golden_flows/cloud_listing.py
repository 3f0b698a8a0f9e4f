"""What each reference cloud is, for ``golden-flows clouds list``."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

from golden_flows import reference_clouds, standing_clouds
from golden_flows.reference_clouds import Offer
from golden_flows.standing_clouds import Standing

_LABEL = 14
_UNITS = {"instances": "instances", "cores": "cores", "ram_mib": "MiB"}


def entries() -> list[dict[str, Any]]:
    """Every reference cloud, by name; one whose profile cannot be read says what is wrong with it."""
    running = {one.name: one for one in standing_clouds.standing()}
    return [_entry(one, running.get(name)) for name, one in reference_clouds.known_profiles().items()]


def _entry(offer: Offer, up: Standing | None) -> dict[str, Any]:
    if offer.trouble:
        return {"name": offer.name, "error": offer.trouble, "remedy": offer.remedy}
    return {
        "name": offer.name,
        "title": offer.title,
        "up": None if up is None else {"api_url": up.api_url, "evidence": up.evidence},
        "hypervisor": offer.hypervisor,
        "machine": offer.machine,
        "image_format": offer.image_format,
        "networks": [str(one) for one in offer.networks],
        "floating_ips": offer.floating or None,
        "channels": list(offer.channels),
        "auth": list(offer.auth),
        "memory_mib": offer.memory_mib,
        "guests_max": offer.guests_max,
        "guests_mib_max": offer.guests_mib_max,
        "boots_at_once": offer.boots_at_once,
        "starts_from_template": offer.starts_from_template,
        "quota": dict(offer.quota),
    }


def told(listed: Iterable[Mapping[str, Any]], columns: int = 80) -> str:
    """The same for a person."""
    return "\n".join(_block(one, columns) for one in listed)


def _capacity(one: Mapping[str, Any]) -> str:
    limits = [f"{limit} {_UNITS[key]}" for key, limit in one["quota"].items() if limit >= 0]
    boots = f"{one['boots_at_once']} boot at once" if one["boots_at_once"] else "as many boot at once as processors"
    quota = f"quota {', '.join(limits)}" if limits else "no quota"
    return f"{one['guests_max']} guests, {one['guests_mib_max']} MiB together; {boots}; {quota}"


def _block(one: Mapping[str, Any], columns: int) -> str:
    if "error" in one:
        return f"{one['name']}  cannot be read: {one['error']}\n    remedy: {one['remedy']}\n"
    up = one["up"]
    state = f"up at {up['api_url']} ({up['evidence']})" if up else "down"
    rows = {
        "runs on": f"{one['hypervisor']} ({one['machine']}), about {one['memory_mib']} MiB of memory",
        "carries": _capacity(one),
        "starts": "guests boot; many of an image: all but the first from a template"
        if one["starts_from_template"]
        else "guests boot",
        "images": f"kept as {one['image_format']}",
        "networks": ", ".join(one["networks"]),
        "floating IPs": one["floating_ips"] or "none",
        "channels": ", ".join(one["channels"]),
        "auth": ", ".join(one["auth"]) or "no way in",
    }
    lines = textwrap.wrap(one["title"], columns, initial_indent=f"{one['name']}: ", subsequent_indent="    ")
    lines += textwrap.wrap(state, columns, initial_indent="    ", subsequent_indent="    ")
    for label, text in rows.items():
        first = f"    {label:<{_LABEL}}"
        lines += textwrap.wrap(text, columns, initial_indent=first, subsequent_indent=" " * len(first))
    return "\n".join(lines) + "\n"
