"""A plan as a person reads it, also in 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping

from golden_flows.errors import InteropError
from golden_flows.model.discovery import Discovery
from golden_flows.planning.expecting import Ahead
from golden_flows.planning.outlook import Outlook
from golden_flows.planning.plan import CellAhead, PlanAhead
from golden_flows.printable import printable
from golden_flows.shims import export, metadata

MIB = 1024 * 1024
CELLS_IN_FULL = 4
"""Of more cells only the counts are told."""
KINDS = {
    "server": ("server", "servers"),
    "port": ("port", "ports"),
    "keypair": ("key pair", "key pairs"),
    "security_group": ("security group", "security groups"),
    "floating_ip": ("floating IP", "floating IPs"),
    "image": ("image", "images"),
    "snapshot": ("snapshot", "snapshots"),
}
"""In the order in which they are told."""


def render(plan: PlanAhead, columns: int = 80) -> str:
    """All of the plan; lines of at most ``columns`` where words allow, and nothing in them that is no text."""
    return "\n".join(map(printable, _Page(columns).page(plan))) + "\n"


class _Page:
    def __init__(self, columns: int) -> None:
        self._columns = max(60, columns)

    def page(self, plan: PlanAhead) -> Iterator[str]:
        count = len(plan.cells)
        yield f"{count} cell{'s' if count > 1 else ''}, guideline {plan.guideline.version}; nothing has been made"
        for note in plan.notes:
            yield from self._wrap(note, "note    ")
        for cloud in plan.clouds.values():
            yield ""
            yield from self._cloud(plan, cloud)
        brief = count > CELLS_IN_FULL
        yield from ("", "which checks apply, and which do not: name few pairs, or --json") if brief else ()
        for cell in plan.cells:
            yield from () if brief else ("",)
            yield from self._cell(cell, brief)
        yield ""
        yield from self._shims(plan)

    def _cloud(self, plan: PlanAhead, cloud: Outlook) -> Iterator[str]:
        profile = cloud.profile
        yield from self._wrap(f"{cloud.where}; {profile.evidence_level.value}", f"{cloud.name}: ", "  ")
        for trouble in cloud.troubles:
            yield from self._trouble(trouble)
        if found := cloud.discovery:
            yield from self._row("compute", f"up to {found.compute_microversion}" if found.compute_microversion else "")
            yield from self._row("import", _offered(found))
        yield from self._row("networks", ", ".join(map(str, cloud.networks or ())) or "unknown")
        yield from self._row(
            "floating IPs", profile.floating_network or "none: fixed addresses are reached as they are"
        )
        yield from self._row("way in", profile.access or "direct" if not cloud.is_reference else "SOCKS, once it is up")
        yield from self._row("flavor", _flavor(cloud))
        yield from self._row("launched with", ", ".join(profile.auth) or "no way in")
        yield from self._row("told by", ", ".join(profile.channels) or "nothing")
        if any(one.pair.src == cloud.name for one in plan.cells):
            yield from self._row("Anne's image", _image(plan, cloud))
        if cloud.troubles:
            return
        yield from self._row("would be made", _counted(plan.counts(cloud.name)))
        yield from self._row("", _fleeting(plan, cloud))
        yield from self._row("at once", _at_once(plan, cloud))
        for note in cloud.notes:
            yield from self._row("note", note)

    def _trouble(self, trouble: InteropError) -> Iterator[str]:
        yield from self._wrap(trouble.what, "  cannot begin: ", "    ")
        if trouble.remedy:
            yield from self._wrap(trouble.remedy, "    remedy: ", "    ")

    def _cell(self, cell: CellAhead, brief: bool) -> Iterator[str]:
        if not cell.checks:
            yield f"{cell.pair}: cannot begin"
            return
        applies, not_, open_ = (cell.of(one) for one in (Ahead.APPLIES, Ahead.DOES_NOT, Ahead.OPEN))
        memory = f"; {cell.memory_mib} MiB of this machine" if cell.memory_mib else ""
        counts = f"{len(applies)} checks apply, {len(not_)} do not"
        if brief:
            yield f"{cell.pair}: {counts}, {len(open_)} open{memory}"
            return
        told = f"{counts}, {len(open_)} are decided in the run{memory}{' for reference clouds' if memory else ''}"
        yield from self._wrap(told, f"{cell.pair}: ", "  ")
        yield from self._wrap(" ".join(applies), "  apply  ", "         ")
        yield from self._reasons("do not apply", not_)
        yield from self._reasons("decided in the run", open_)

    def _reasons(self, heading: str, reasons: Mapping[str, str]) -> Iterator[str]:
        if reasons:
            yield f"  {heading}"
        for why, names in _by_reason(reasons).items():
            yield from self._wrap(why, f"    {' '.join(names)}  ", "      ")

    def _shims(self, plan: PlanAhead) -> Iterator[str]:
        ready = ", ".join((*export.READY, *metadata.READY))
        yield from self._wrap(ready if plan.shims else "none, as said by --no-shims", "shims that stand ready: ", "  ")

    def _row(self, name: str, text: str) -> Iterator[str]:
        if text:
            yield from self._wrap(text, f"  {name:<14}", " " * 16)

    def _wrap(self, text: str, first: str, further: str | None = None) -> Iterator[str]:
        yield from textwrap.wrap(
            text,
            self._columns,
            initial_indent=first,
            subsequent_indent=" " * len(first) if further is None else further,
            break_long_words=False,
            break_on_hyphens=False,
        )


def _by_reason(reasons: Mapping[str, str]) -> dict[str, list[str]]:
    """Checks that have one reason in common are told together."""
    found: dict[str, list[str]] = {}
    for name, why in reasons.items():
        found.setdefault(why, []).append(name)
    return found


def _offered(found: Discovery) -> str:
    if found.import_methods is None:
        return "unknown"
    return ", ".join(found.import_methods) or "none: images go by PUT"


def _flavor(cloud: Outlook) -> str:
    flavor = cloud.flavor
    if flavor is None:
        return cloud.profile.flavor or "unknown"
    disk = f"{flavor.disk_gib} GiB disk" if flavor.disk_gib else "disk as large as the image"
    picked = "" if cloud.profile.flavor else "; the smallest that fits"
    return f"{flavor.name} ({flavor.ram_mib} MiB, {disk}{picked})"


def _image(plan: PlanAhead, cloud: Outlook) -> str:
    """Which, and the bytes that travel: what is exported is the root disk."""
    name = f"{plan.own_image}, imported first" if plan.own_image else cloud.image or "none"
    disk = cloud.travelling_bytes
    return name if not disk else f"{name}; about {disk // MIB} MiB leave as RAW, and arrive at each destination"


def _counted(counts: Mapping[str, int]) -> str:
    told = [(counts[kind], words) for kind, words in KINDS.items() if counts.get(kind)]
    return ", ".join(f"{count} {words[count > 1]}" for count, words in told)


def _fleeting(plan: PlanAhead, cloud: Outlook) -> str:
    brief = sorted({one.name for one in plan.makes[cloud.name] if one.at_once})
    return f"deleted again at once: {', '.join(brief)}; all the rest at the end of the cell" if brief else ""


def _at_once(plan: PlanAhead, cloud: Outlook) -> str:
    servers = plan.servers_at_once(cloud.name)
    memory = f", {servers * cloud.flavor.ram_mib} MiB of its memory" if cloud.flavor else ""
    return f"at most {servers} server{'s' if servers > 1 else ''} for each pair{memory}"
