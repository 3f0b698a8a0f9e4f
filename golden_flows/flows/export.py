"""A snapshot leaves its cloud in RAW, by a shim of ours where the cloud has no RAW to give."""

from __future__ import annotations

from pathlib import Path

from golden_flows.clouds import mover
from golden_flows.clouds.cloud import Cloud
from golden_flows.clouds.mover import Spooled
from golden_flows.flows.record import Record
from golden_flows.shims import export as shims
from golden_flows.waiting import Deadline


def export_raw(cloud: Cloud, image_id: str, spool: Path, deadline: Deadline, to: Record, *, shims_may: bool) -> Spooled:
    """``shims_may``: whether one may help. What is wrong with the export is in its facts; raises ``InteropError``."""
    to.say(f"exporting from {cloud.name}")
    spooled = mover.export_to_spool(cloud, image_id, spool, deadline=deadline, progress=to.progress("exported"))
    make_raw = shims.find(spooled.facts) if shims_may else None
    if make_raw is None:
        return spooled
    told = f"{spooled.facts.disk_format}/{spooled.facts.container_format}"
    to.say(f"the export is {told}, not RAW: a shim turns it into RAW")
    return shims.to_raw(spooled, make_raw)
