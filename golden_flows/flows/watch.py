"""The always-on watch: what the consoles of this cell's guests say that nobody asked for, and clocks that drift.

Run beside every stage, and told in every report even where all checks pass; it fails nothing.
"""

from __future__ import annotations

from golden_flows.clouds.cloud import Cloud
from golden_flows.errors import InteropError, RecordError, shorten
from golden_flows.flows.record import Record
from golden_flows.model import console_signs
from golden_flows.model.platform_seen import PlatformSeen

CLOCK_S = 2.0
"""An offset worth telling; BT-9 fails at more."""


def console(record: Record, cloud: str, server: str, text: str) -> None:
    """Tell of every sign on one console; once, however often it is looked at."""
    for sign in console_signs.read(text):
        record.note(f"{sign.kind} on the console of {server} on {cloud}: {shorten(sign.line, 160)!r}")


def clock(record: Record, cloud: str, seen: PlatformSeen) -> None:
    """Tell of a clock that is beside the API's."""
    offset_s = seen.clock_offset_s
    if offset_s is not None and abs(offset_s) > CLOCK_S + seen.clock_uncertainty_s:
        record.note(f"clock of the guest on {cloud}: {offset_s:+.1f} s beside the API's Date")


def consoles(record: Record, cloud: Cloud) -> None:
    """Every console of this run there, once more before its server goes."""
    try:
        for server, text in cloud.own_consoles():
            console(record, cloud.name, server, text)
    except RecordError:
        raise
    except InteropError as error:
        record.say(f"the consoles on {cloud.name} could not be read once more: {shorten(str(error), 160)}")
