"""``badge.svg``: the outcome in one line, for a README or a status page.

Drawn by hand, without a font of its own or anything from elsewhere. Whoever sees no colour reads a symbol and words,
and how real the clouds were is always a part of it.
"""

from __future__ import annotations

import unicodedata
from pathlib import Path
from xml.sax.saxutils import escape

from golden_flows.model.evidence import EvidenceLevel
from golden_flows.model.matrix import Run
from reports.atomic import put_text
from reports.rows import Judgement, active_faults, evidence_level, judge, waivers

NAME = "badge.svg"

_PX_EACH = 6.6
"""Of an average letter; ``textLength`` then fits the text to the room it was given."""
_PAD_PX = 8
_HEIGHT_PX = 20
_LABEL, _SOFT = "#3b444b", "#59636b"
_COLOURS = {Judgement.COMPATIBLE: "#1f7a4d", Judgement.NOT_COMPATIBLE: "#b3261e", Judgement.UNJUDGED: "#8a5a00"}
_SHAPES = {
    Judgement.COMPATIBLE: "M0 5 L3.5 8.5 L10 1",
    Judgement.NOT_COMPATIBLE: "M1 1 L9 9 M9 1 L1 9",
    Judgement.UNJUDGED: "M2 3 A3 3 0 1 1 5 6 L5 7 M5 9.3 L5 9.6",
}
_SHAPE_PX = 14
_LEVELS = {
    EvidenceLevel.REAL_CLOUD: "real cloud",
    EvidenceLevel.REAL_HYPERVISOR: "reference cloud",
    EvidenceLevel.EMULATED: "reference cloud, emulated",
}


def write(run: Run, folder: Path) -> Path:
    return put_text(folder / NAME, badge(run))


def badge(run: Run) -> str:
    outcome, words, level = verdict(run)
    parts = [(f"golden-flows {run.guideline.version}", _LABEL, ""), (words, _COLOURS[outcome], _SHAPES[outcome])]
    parts += [(level, _SOFT, "")] if level else []
    title = escape(f"golden-flows {run.guideline.version}: {words}{f' ({level})' if level else ''}")
    shapes, x = [], 0.0
    for text, colour, shape in parts:
        room = _width(text)
        left = x + _PAD_PX + (_SHAPE_PX if shape else 0)
        width = left + room + _PAD_PX - x
        shapes.append(f'<rect x="{x:.1f}" width="{width:.1f}" height="{_HEIGHT_PX}" fill="{colour}"/>')
        if shape:
            place = f"translate({x + _PAD_PX:.1f} 5)"
            shapes.append(
                f'<path transform="{place}" d="{shape}" fill="none" stroke="#fff" stroke-width="2" '
                'stroke-linecap="round" stroke-linejoin="round"/>'
            )
        shapes.append(
            f'<text x="{left:.1f}" y="14" textLength="{room:.1f}" lengthAdjust="spacingAndGlyphs">{escape(text)}</text>'
        )
        x += width
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{x:.1f}" height="{_HEIGHT_PX}" role="img" '
        f'aria-label="{title.replace(chr(34), "&quot;")}">\n<title>{title}</title>\n'
        f'<clipPath id="round"><rect width="{x:.1f}" height="{_HEIGHT_PX}" rx="4"/></clipPath>\n'
        '<g clip-path="url(#round)" fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">\n'
        + "\n".join(shapes)
        + "\n</g>\n</svg>\n"
    )


def verdict(run: Run) -> tuple[Judgement, str, str]:
    """(the worst of all pairs, in words, how real the least real of their clouds was)."""
    judged = [judge(run, cell) for cell in run.cells]
    outcome = next(
        (one for one in (Judgement.NOT_COMPATIBLE, Judgement.UNJUDGED, Judgement.COMPATIBLE) if one in judged),
        Judgement.UNJUDGED,
    )
    good = sum(one is Judgement.COMPATIBLE for one in judged)
    words = f"{good} of {len(judged)} pairs compatible" if len(judged) > 1 else outcome.value
    if any(waivers(cell.results.values()) for cell in run.cells if judge(run, cell) is Judgement.COMPATIBLE):
        words += " with waivers"
    if any(active_faults(cell) for cell in run.cells):
        return outcome, words, "told to misbehave"
    levels = [level for level in (evidence_level(cell) for cell in run.cells) if level]
    if len(levels) < len(judged) or not levels:
        return outcome, words, "clouds unknown"
    return outcome, words, _LEVELS[max(levels, key=list(EvidenceLevel).index)]


def _width(text: str) -> float:
    return sum(_PX_EACH * (2 if unicodedata.east_asian_width(one) in "WF" else 1) for one in text)
