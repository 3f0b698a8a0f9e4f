"""The weaker proof: facts bent as a fault bends them, judged by the checks. No guest, no cloud: a matter of seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from golden_flows.model.facts import Facts
from golden_flows.model.guest import AgentPhase, Service
from golden_flows.model.transfer import TransferFacts
from selftests.golden_flows.checks.facts_builder import (
    MIB,
    SIZE_BYTES,
    failing,
    healthy_facts,
    platform,
    with_block,
    with_import,
    with_platform,
    with_report,
)
from selftests.golden_flows.checks.nic_facts import inside, with_inside
from selftests.golden_flows.checks.test_faults import SEEN


def _mover_that_holds_the_image() -> Facts:
    kept = TransferFacts(
        moved_bytes=SIZE_BYTES,
        seconds=1.0,
        chunk_bytes=MIB,
        workers=2,
        rss_before_bytes=60 * MIB,
        rss_peak_bytes=60 * MIB + SIZE_BYTES,
    )
    return replace(healthy_facts(), transfer=kept)


def _second_address_first() -> Facts:
    *others, last = inside().nics
    return with_inside(nics=(*others, replace(last, addresses=("192.168.200.31/24",))))


WITHOUT_FAULT: Mapping[str, Facts] = {
    "TX-6": _mover_that_holds_the_image(),
    "BT-3": with_block(cmdline_root="/dev/sda1"),
    "N2-8": _second_address_first(),
    "PV-3": with_report(services=(Service(name="xe-daemon", state="failed"),)),
    "BT-7": with_platform(root=replace(platform().root, disk_bytes=SIZE_BYTES + (1 << 30))),
    "BT-10": with_platform(crng_ready_s=95.0),
    "BT-11": with_report(phases=(AgentPhase(name="detect", verdict="failed", began_s=4.0, ended_s=124.0),)),
    "CV-9": with_import(seconds=4000.0),
    "PV-7": with_platform(image={"hw_vif_multiqueue_enabled": "true"}, cpus=4),
}
"""Facts that no fault of a cloud makes, by the check that finds them; why, ``test_guideline`` says."""


@dataclass(frozen=True)
class OnFacts:
    """The checks that fail on bent facts. Judged here and now, never remembered."""

    by_fault: Mapping[str, tuple[str, ...]]
    without_fault: Mapping[str, tuple[str, ...]]
    """By the check that has to."""


def try_on_facts() -> OnFacts:
    return OnFacts(_caught(SEEN), _caught(WITHOUT_FAULT))


def _caught(seen: Mapping[str, Facts]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(sorted(failing(facts))) for name, facts in sorted(seen.items())}
