"""What a transfer was like, for its readers: bytes on the wire apart from bytes of the disk."""

from __future__ import annotations

import json
from dataclasses import asdict

from golden_flows.model.image_facts import ExportFacts
from golden_flows.model.transfer import TransferFacts

MIB = 1024 * 1024


def as_json(export: ExportFacts, transfer: TransferFacts) -> str:
    """Everything, with the rates and ratios that follow from it."""
    logical, data = transfer.moved_bytes, transfer.data
    return json.dumps(
        {
            "logical_bytes": logical,
            "data_bytes": data.data_bytes if data else None,
            "disk_over_data": round(logical / data.data_bytes, 2) if data and data.data_bytes else None,
            "wire_bytes": {
                "out_of_the_source": transfer.received_wire_bytes,
                "into_the_destination": transfer.sent_wire_bytes,
            },
            "seconds": round(transfer.seconds, 2),
            "logical_mib_per_s": round(logical / MIB / transfer.seconds, 1) if transfer.seconds else None,
            "lay_on_disk": transfer.spooled,
            "memory": {"before_bytes": transfer.rss_before_bytes, "peak_bytes": transfer.rss_peak_bytes},
            "range": asdict(export.range_probe) if export.range_probe else None,
            "resume": asdict(export.resume) if export.resume else None,
        },
        indent=1,
    )


def in_words(transfer: TransferFacts) -> str:
    """One line: what was moved, what of it is data, and what went over the wire."""
    data = f", {transfer.data.data_bytes // MIB} MiB of it not zero" if transfer.data else ""
    out = (
        "an export that was here already"
        if transfer.received_wire_bytes is None
        else f"{transfer.received_wire_bytes // MIB} MiB out"
    )
    return (
        f"moved a disk of {transfer.moved_bytes // MIB} MiB{data}, in {transfer.seconds:.1f} s; on the wire: "
        f"{out}, {transfer.sent_wire_bytes // MIB} MiB in"
    )
