"""One measurement as JSON and as a Markdown page that says the same."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.big_image import BigImage
from benchmarks.flow import Flow
from benchmarks.unavoidable import Work

AIM_RATIO = 1.25
AIM_MIB = 150
PROFILE_ORDER = ("firmware", "boot loader", "kernel decompression", "kernel", "user space", "idle")


@dataclass
class Measurement:
    """Everything one run of the benchmark found."""

    date: str
    host: dict[str, str]
    cells: tuple[str, str]
    loads: list[dict[str, float]] = field(default_factory=list)
    """One-minute load average before each part of each repetition."""
    works: list[Work] = field(default_factory=list)
    flows: list[Flow] = field(default_factory=list)
    profile: Work | None = None
    big_image: BigImage | None = None

    @property
    def ratios(self) -> list[float]:
        """Each repetition's story over the unavoidable work measured just before it."""
        return [round(flow.cell_s / work.total_s, 3) for flow, work in zip(self.flows, self.works, strict=True)]

    def to_json(self) -> dict[str, Any]:
        """Plain values, with the totals and ratios that the page states."""
        document = asdict(self)
        document["ratios"] = self.ratios
        document["unavoidable_s"] = [round(work.total_s, 2) for work in self.works]
        return document


def span(values: Sequence[float], digits: int = 2) -> str:
    """Median and range: ``12.30 (12.10-12.90)``."""
    middle = f"{statistics.median(values):.{digits}f}"
    return middle if len(values) == 1 else f"{middle} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    rule = ["---", *("---:" for _ in head[1:])]
    return ["", *(f"| {' | '.join(row)} |" for row in (head, rule, *rows))]


def to_markdown(found: Measurement) -> str:
    """The page."""
    src, dst = found.cells
    lines = [f"# {src} → {dst}, {found.date}", ""]
    lines += [f"- {name}: {value}" for name, value in found.host.items()]
    lines += [f"- repetitions: {len(found.flows)}, interleaved; seconds are medians, with the range in brackets"]
    for part in found.loads[0] if found.loads else ():
        lines.append(f"- load average before {part}: {', '.join(f'{load[part]:.2f}' for load in found.loads)}")
    lines += _ratio(found) + _unavoidable(found.works) + _stages(found) + _steps(found.flows)
    lines += _profile(found.profile) + _memory(found)
    return "\n".join(lines) + "\n"


def _ratio(found: Measurement) -> list[str]:
    flows, totals = found.flows, [work.total_s for work in found.works]
    rows = [
        ("the story, first stage to last", span([flow.cell_s for flow in flows])),
        ("the unavoidable work, alone", span(totals)),
        (f"**ratio (aim {AIM_RATIO})**", f"**{span(found.ratios)}**"),
        ("start: suite, both clouds (warm cache)", span([flow.start_s for flow in flows])),
        ("end: reports, clouds stopped", span([flow.end_s for flow in flows])),
        ("wall time of the whole command", span([flow.wall_s for flow in flows])),
        ("whole command over unavoidable work", span([f.wall_s / t for f, t in zip(flows, totals, strict=True)])),
    ]
    return ["", "## The flow beside what it cannot avoid", *table(("", "seconds"), rows)]


def _unavoidable(works: Sequence[Work]) -> list[str]:
    rows = [(name, span([work.counted[name] for work in works])) for name in works[0].counted]
    rows.append(("**sum**", f"**{span([work.total_s for work in works])}**"))
    rows += [(f"{name} (not counted)", span([work.beside[name] for work in works])) for name in works[0].beside]
    return ["", "## The unavoidable work", *table(("part", "seconds"), rows)]


def _stages(found: Measurement) -> list[str]:
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
    return ["", "## By stage", *table(("stage", "seconds", "of it unavoidable", "over"), rows)]


def _steps(flows: Sequence[Flow]) -> list[str]:
    names = [name for name in flows[0].steps if all(name in flow.steps for flow in flows)]
    rows = [(name, span([flow.steps[name] for flow in flows])) for name in names]
    return ["", "## By step, as the flow told them", *table(("step", "seconds"), rows)]


def _profile(work: Work | None) -> list[str]:
    if work is None:
        return []
    rows = []
    for name, boot in work.boots.items():
        seconds = boot["profile"]
        rows.append((name, *(f"{seconds.get(part, 0.0):.1f}" for part in PROFILE_ORDER), f"{boot['to_ssh_s']:.1f}"))
    marks = [(name, *(f"{at_s:.1f}" for at_s in boot["marks"].values())) for name, boot in work.boots.items()]
    heads = next(iter(work.boots.values()))["marks"]
    return [
        "",
        "## Where a bare boot's time goes",
        "",
        "One sampled boot each: what the virtual CPU was running, in seconds; then what the console said, and when.",
        *table(("boot", *PROFILE_ORDER, "to SSH"), rows),
        *table(("boot", *heads), marks),
    ]


def _memory(found: Measurement) -> list[str]:
    peaks: dict[str, float] = {}
    for flow in found.flows:
        for name, peak in flow.peaks_mib.items():
            peaks[name] = max(peak, peaks.get(name, 0.0))
    big = found.big_image.peaks_mib if found.big_image else {}
    rows = [(name, f"{peak:.0f}", f"{big[name]:.0f}" if name in big else "") for name, peak in peaks.items()]
    took = f"; export and import of that image took {found.big_image.seconds:.0f} s" if found.big_image else ""
    return [
        "",
        f"## Peak resident memory, MiB (aim {AIM_MIB} for the suite and for each cloud)",
        "",
        f"Peak is VmHWM. The second column moves a sparse 2 GiB image with 300 MiB of data, and boots nothing{took}.",
        *table(("process", "golden flow", "2 GiB image"), rows),
    ]
