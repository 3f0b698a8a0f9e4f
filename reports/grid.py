"""Every pair of a run at a glance: sources down, destinations across; and where each check was not a pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from urllib.parse import quote

from golden_flows.model.guideline import Level
from golden_flows.model.matrix import Cell, Run
from golden_flows.model.outcome import Outcome
from reports.rows import (
    Judgement,
    active_faults,
    check_rows,
    evidence_details,
    evidence_words,
    is_plain,
    judge,
    means_words,
    shims,
    stage_troubles,
    waivers,
)

FEW = 3
"""So many pairs stand side by side in one table; more are shown as a grid, and each on its own."""

_NAMED = 3
"""So many checks are named in a square of the grid; of more, the number is."""

_PLACES = 8
"""So many pairs are named for one trouble."""

_MARKS: Mapping[str, str] = {
    "s": "with a shim of ours, which supplies what a cloud of that pair lacks",
    "w": "with a waiver: a check failed, and somebody answers for it",
}
"""What stands beside the symbol of a square where there is no room for words."""


@dataclass(frozen=True)
class Square:
    """One pair in the grid."""

    cell: Cell
    judgement: Judgement
    shims: tuple[str, ...]
    waivers: tuple[str, ...]
    failed: tuple[str, ...]
    """Required checks that failed."""
    unjudged: tuple[str, ...]
    """Required checks of which nothing was found out: broken, blocked, not run."""

    @property
    def words(self) -> str:
        """``compatible``, ``with shim qcow2-to-raw and waiver OPS-1``, ``fail: N2-1 MD-3``,
        ``not judged: EX-1 IM-2 and 11 more``.
        """
        if self.judgement is Judgement.NOT_COMPATIBLE:
            return f"fail: {_named(self.failed)}"
        if self.judgement is Judgement.COMPATIBLE:
            means = means_words(self.shims, self.waivers)
            return f"with {means}" if means else self.judgement.value
        return f"not judged: {_named(self.unjudged)}" if self.unjudged else self.judgement.value

    @property
    def marks(self) -> str:
        """``s``, ``w``, ``sw`` or nothing."""
        return "s" * bool(self.shims) + "w" * bool(self.waivers)

    @property
    def evidence(self) -> str:
        return evidence_words(self.cell)

    @property
    def anchor(self) -> str:
        """Of this pair's own part of the page; the same in every run."""
        return f"{quote(self.cell.pair.src, safe='')}/{quote(self.cell.pair.dst, safe='')}"


@dataclass(frozen=True)
class Grid:
    """N sources × M destinations; a pair that was not asked for has no square."""

    sources: tuple[str, ...]
    destinations: tuple[str, ...]
    squares: dict[tuple[str, str], Square]

    @property
    def evidence(self) -> tuple[str, ...]:
        """How real it all was: each level that a pair has, then what each cloud is, once."""
        cells = [one.cell for one in self.squares.values()]
        return tuple(
            dict.fromkeys(
                (
                    *(one.evidence for one in self.squares.values()),
                    *(one for cell in cells for one in evidence_details(cell)),
                )
            )
        )

    @property
    def faults(self) -> tuple[str, ...]:
        """Faults that any of the clouds was told to have, as ``public: nd_empty``."""
        return tuple(dict.fromkeys(fault for one in self.squares.values() for fault in active_faults(one.cell)))

    @property
    def marks(self) -> dict[str, str]:
        """Those that a square has, with what they mean."""
        used = {mark for one in self.squares.values() for mark in one.marks}
        return {mark: meaning for mark, meaning in _MARKS.items() if mark in used}

    def row(self, source: str) -> tuple[Square | None, ...]:
        return tuple(self.squares.get((source, one)) for one in self.destinations)


@dataclass(frozen=True)
class Trouble:
    """One check, or stage, that ended alike in these pairs, and not well."""

    name: str
    """``N2-1``, ``stage boot``."""
    title: str
    outcome: Outcome
    squares: tuple[Square, ...]
    said: str
    """What was found in the first of them."""


def is_grid(run: Run) -> bool:
    """Whether the run has too many pairs to stand side by side."""
    return len(run.cells) > FEW


def grid(run: Run) -> Grid:
    squares = {(cell.pair.src, cell.pair.dst): _square(run, cell) for cell in run.cells}
    return Grid(
        tuple(dict.fromkeys(src for src, _ in squares)), tuple(dict.fromkeys(dst for _, dst in squares)), squares
    )


def troubles(run: Run, of: Grid) -> tuple[Trouble, ...]:
    """What went wrong, and in which pairs; worst first, in the guideline's order; last, what failed and is waived.

    Stages that went wrong themselves are among them; checks that were only blocked by one are not.
    """
    found: dict[tuple[str, str, Outcome], list[tuple[Square, str]]] = {}
    for square in of.squares.values():
        for name, title, outcome, said in _not_well(run, square.cell):
            found.setdefault((name, title, outcome), []).append((square, said))
    ids = [one.id for one in run.guideline.requirements]
    order = [name for name, _, _ in found]
    every = [
        Trouble(name, title, outcome, tuple(square for square, _ in where), where[0][1])
        for (name, title, outcome), where in sorted(
            found.items(),
            key=lambda one: (
                _WORST_FIRST.index(one[0][2]),
                ids.index(one[0][0]) if one[0][0] in ids else -1,
                order.index(one[0][0]),
            ),
        )
    ]
    return tuple(_together(list(group)) for _, group in groupby(every, key=_sameness))


def _sameness(one: Trouble) -> object:
    """Equal for neighbours that can share one explanation."""
    return (one.outcome, one.squares, one.said) if one.said and one.outcome is not Outcome.FAIL else one.name


def _together(alike: Sequence[Trouble]) -> Trouble:
    """What a dead cloud leaves unjudged is said once, not seventy times."""
    if len(alike) == 1:
        return alike[0]
    return replace(alike[0], name=f"{len(alike)} checks", title=" ".join(one.name for one in alike))


def places(trouble: Trouble, of: Grid) -> str:
    """Where a trouble is, in few words: ``every pair``, ``every source → vmdk``, or the pairs themselves."""
    there = [(one.cell.pair.src, one.cell.pair.dst) for one in trouble.squares]
    if set(there) == set(of.squares):
        return "every pair"
    for at, words in ((0, "{} → every destination"), (1, "every source → {}")):
        names = tuple(dict.fromkeys(one[at] for one in there))
        if set(there) == {pair for pair in of.squares if pair[at] in names} and len(there) > len(names):
            return words.format(", ".join(names))
    named = ", ".join(str(one.cell.pair) for one in trouble.squares[:_PLACES])
    more = len(trouble.squares) - _PLACES
    return f"{named} and {more} pairs more" if more > 0 else named


_WORST_FIRST = (Outcome.FAIL, Outcome.BROKEN, Outcome.NOT_RUN, Outcome.PASS)


def _not_well(run: Run, cell: Cell) -> Iterator[tuple[str, str, Outcome, str]]:
    for stage in stage_troubles(cell):
        yield f"stage {stage.stage.title}", "", stage.outcome, stage.detail
    for _, row in check_rows(run, cell):
        result, asked = row.result, row.requirement
        if result.outcome not in _WORST_FIRST or is_plain(result):
            continue
        weight = "" if asked.level is Level.REQUIRED else f" ({asked.level.value})"
        found = [str(one) for one in result.findings[:1]]
        if result.outcome is Outcome.PASS:
            flags = f" ({', '.join(result.flags)})"
            yield asked.id, f"{asked.title}{weight}{flags}", result.outcome, ": ".join((row.reason, *found))
        else:
            yield asked.id, f"{asked.title}{weight}", result.outcome, found[0] if found else row.reason


def _square(run: Run, cell: Cell) -> Square:
    required = [row for _, row in check_rows(run, cell) if row.requirement.level is Level.REQUIRED]
    failed = tuple(row.requirement.id for row in required if row.result.outcome is Outcome.FAIL)
    unjudged = tuple(
        row.requirement.id
        for row in required
        if row.result.outcome is not Outcome.FAIL and not row.result.outcome.certifies
    )
    results = cell.results.values()
    return Square(cell, judge(run, cell), shims(results), waivers(results), failed, unjudged)


def _named(checks: Sequence[str]) -> str:
    if len(checks) <= _NAMED:
        return " ".join(checks)
    shown = checks[: _NAMED - 1]  # one more would take the room of "and 1 more"
    return f"{' '.join(shown)} and {len(checks) - len(shown)} more"
