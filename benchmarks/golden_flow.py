"""What the golden flow costs beside the work that it cannot avoid: each part alone, then the whole flow, in turns."""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import cattrs

from benchmarks import big_image, flow, unavoidable
from benchmarks.big_image import BigImage
from benchmarks.flow import Flow
from benchmarks.taking import Taking
from benchmarks.told import Bar, Chart, Figure, Table, ratios, span
from benchmarks.unavoidable import Work

TITLE = "The golden flow"
ABOUT = (
    "The story, first stage to last, over the sum of the work that no flow can avoid, each part alone: the "
    "boots of the same guests in QEMU, qemu-img's conversions, one copy with one hash. Starting the clouds and "
    "writing reports stand apart; user data, reports over the console, logins, the app and the deletions are "
    "the flow's own cost. Not counted as unavoidable, though the flow does it: a second instance, further boots "
    "for stop, start and rebuild, which its checks ask for."
)
SRC, DST = "private", "public-lite"
"""Clouds whose hardware is known here (``machine.py``)."""
PROFILE_ORDER = ("firmware", "boot loader", "kernel decompression", "kernel", "user space", "idle")


@dataclass
class Measurement:
    """Everything one run of the benchmark found."""

    works: list[Work] = field(default_factory=list)
    flows: list[Flow] = field(default_factory=list)
    profile: Work | None = None
    big_image: BigImage | None = None

    @property
    def ratios(self) -> tuple[float, ...]:
        """Each repetition's story over the unavoidable work measured just before it."""
        return ratios([flow.cell_s for flow in self.flows], [work.total_s for work in self.works])


def measure(take: Taking, *, memory: bool = True, profile: bool = True) -> dict[str, Any]:
    """Raises ``FlowFailed``. ``memory``: with the 2 GiB image; ``profile``: with sampled boots."""
    golden = unavoidable.find_golden()
    found = Measurement()
    for number in range(take.repeat):
        folder = take.scratch / f"work-{number}"
        folder.mkdir()
        with take.repetition(f"{SRC} to {DST}"):
            found.works.append(unavoidable.measure(golden, folder))
            shutil.rmtree(folder)
            found.flows.append(flow.run(SRC, DST, take.scratch / f"flow-{number}"))
        take.say(f"ratio {found.ratios[-1]:.2f}")
    if profile and not take.small:
        folder = take.scratch / "profile"
        folder.mkdir()
        found.profile = unavoidable.measure(golden, folder, profile=True)
        take.say("boots profiled")
    if memory and not take.small:
        found.big_image = big_image.measure(take.scratch / "big")
        take.say(f"2 GiB image moved in {found.big_image.seconds:.0f} s")
    measured: dict[str, Any] = cattrs.unstructure(found)
    return measured


# -- the page


def figures(measured: Mapping[str, Any]) -> Iterator[Figure]:
    found = _read(measured)
    yield Figure("flow", statistics.median(found.ratios), span(found.ratios), len(found.ratios))
    peaks = {name: peak for name, peak in _peaks(found).items() if name == "suite" or name.startswith("cloud ")}
    told = ", ".join(f"{name} {peak:.0f}" for name, peak in peaks.items())
    yield Figure("flow memory", max(peaks.values()), told, len(found.flows))


def charts(measured: Mapping[str, Any]) -> Iterator[Chart]:
    found = _read(measured)
    bars = (
        Bar(f"{SRC} to {DST}", "the story", tuple(flow.cell_s for flow in found.flows)),
        Bar(f"{SRC} to {DST}", "the unavoidable work", tuple(work.total_s for work in found.works)),
    )
    yield Chart("The story beside what it cannot avoid", "seconds", bars)
    stages = [stage for stage in found.flows[0].stages if all(stage in flow.stages for flow in found.flows)]
    yield Chart(
        "By stage",
        "seconds",
        tuple(Bar(stage, "stage", tuple(flow.stages[stage] for flow in found.flows)) for stage in stages),
    )


def tables(measured: Mapping[str, Any]) -> Iterator[Table]:
    found = _read(measured)
    yield _ratio(found)
    yield _unavoidable(found.works)
    yield _stages(found)
    yield _steps(found.flows)
    yield from _profile(found.profile)
    yield _memory(found)


def _read(measured: Mapping[str, Any]) -> Measurement:
    return cattrs.structure(measured, Measurement)


def _ratio(found: Measurement) -> Table:
    flows, totals = found.flows, [work.total_s for work in found.works]
    rows = [
        ("the story, first stage to last", span([flow.cell_s for flow in flows])),
        ("the unavoidable work, alone", span(totals)),
        ("ratio", span(found.ratios)),
        ("start: suite, both clouds (warm cache)", span([flow.start_s for flow in flows])),
        ("end: reports, clouds stopped", span([flow.end_s for flow in flows])),
        ("wall time of the whole command", span([flow.wall_s for flow in flows])),
        ("whole command over unavoidable work", span([f.wall_s / t for f, t in zip(flows, totals, strict=True)])),
    ]
    return Table("The flow beside what it cannot avoid", ("", "seconds"), rows)


def _unavoidable(works: Sequence[Work]) -> Table:
    rows = [(name, span([work.counted[name] for work in works])) for name in works[0].counted]
    rows.append(("sum", span([work.total_s for work in works])))
    rows += [(f"{name} (not counted)", span([work.beside[name] for work in works])) for name in works[0].beside]
    return Table("The unavoidable work", ("part", "seconds"), rows)


def _stages(found: Measurement) -> Table:
    flows, works = found.flows, found.works
    parts = {
        "export": ("boot, private form", "convert qcow2 to raw"),
        "transfer": ("copy with one hash", "convert raw to vhd"),
        "boot": ("boot, public form",),
        "user_data": ("reboot, public form",),
    }
    rows = []
    for stage in flows[0].stages:
        took = [flow.stages[stage] for flow in flows]
        bare = [sum(work.counted[part] for part in parts.get(stage, ())) for work in works]
        over = [a - b for a, b in zip(took, bare, strict=True)]
        rows.append((stage, span(took), f"{statistics.median(bare):.2f}", f"{statistics.median(over):.2f}"))
    return Table("By stage", ("stage", "seconds", "of it unavoidable", "over"), rows)


def _steps(flows: Sequence[Flow]) -> Table:
    names = [name for name in flows[0].steps if all(name in flow.steps for flow in flows)]
    rows = [(name, span([flow.steps[name] for flow in flows])) for name in names]
    return Table("By step, as the flow told them", ("step", "seconds"), rows)


def _profile(work: Work | None) -> Iterator[Table]:
    if work is None:
        return
    rows = []
    for name, boot in work.boots.items():
        seconds = boot["profile"]
        rows.append((name, *(f"{seconds.get(part, 0.0):.1f}" for part in PROFILE_ORDER), f"{boot['to_ssh_s']:.1f}"))
    marks = [(name, *(f"{at_s:.1f}" for at_s in boot["marks"].values())) for name, boot in work.boots.items()]
    heads = next(iter(work.boots.values()))["marks"]
    yield Table("Where a bare boot's time goes: one sampled boot each", ("boot", *PROFILE_ORDER, "to SSH"), rows)
    yield Table("What the console said, and when", ("boot", *heads), marks)


def _peaks(found: Measurement) -> dict[str, float]:
    peaks: dict[str, float] = {}
    for one in found.flows:
        for name, peak in one.peaks_mib.items():
            peaks[name] = max(peak, peaks.get(name, 0.0))
    return peaks


def _memory(found: Measurement) -> Table:
    big = found.big_image.peaks_mib if found.big_image else {}
    rows = [(name, f"{peak:.0f}", f"{big[name]:.0f}" if name in big else "") for name, peak in _peaks(found).items()]
    title = "Peak resident memory, MiB; the second column moves a sparse 2 GiB image with 300 MiB of data"
    return Table(title, ("process", "golden flow", "2 GiB image"), rows)
