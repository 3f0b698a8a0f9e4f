"""Reads a waivers file (``--waivers FILE``), and refuses what is expired, unknown, or says too little.

TOML, one table for each::

    [[waivers]]
    id = "OPS-1234"
    check = "N2-3"
    cells = ["private->public", "*->public-lite"]
    reason = "policy routing comes with the agent's next release"
    owner = "anne@example.org"
    until = 2026-12-31
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from golden_flows.errors import UsageError
from golden_flows.model.cloud import Pair
from golden_flows.model.waiver import ARROW, Waiver

KEYS = tuple(one.name for one in fields(Waiver))


def read_waivers(path: Path, checks: Collection[str], cells: Sequence[Pair], today: date) -> tuple[Waiver, ...]:
    """Every waiver of the file. Raises ``UsageError`` that names the file, the waiver and the remedy.

    ``checks`` and ``cells`` are those of the run: a waiver for anything else is a slip.
    """
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read the waivers {path}: {error.strerror}", "correct --waivers FILE") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"the waivers {path} are no TOML: {error}", "mend the file") from error
    tables = document.get("waivers")
    if set(document) != {"waivers"} or not isinstance(tables, list) or not tables:
        raise UsageError(f"{path} holds no waivers", "write one [[waivers]] table for each, and nothing else")
    found = tuple(_waiver(path, number, one) for number, one in enumerate(tables, 1))
    for one in found:
        _require_known(path, one, checks, cells)
        if one.until < today:
            remedy = "mend what it is for, or have its owner answer for it anew"
            raise UsageError(f"{path}: waiver {one.id} expired on {one.until.isoformat()}", remedy)
    for one in found:
        if sum(other.id == one.id for other in found) > 1:
            raise UsageError(f"{path}: two waivers are called {one.id}", "give each an id of its own")
    return found


def _waiver(path: Path, number: int, table: Mapping[str, Any]) -> Waiver:
    what = f"{path}: waiver {number}"
    if not isinstance(table, dict) or set(table) != set(KEYS):
        odd = sorted(set(KEYS) ^ set(table)) if isinstance(table, dict) else []
        raise UsageError(f"{what} lacks or has too much: {', '.join(odd)}", f"it takes: {', '.join(KEYS)}")
    for key in ("id", "check", "reason", "owner"):
        if not isinstance(table[key], str) or not table[key].strip():
            raise UsageError(f"{what}: {key} says nothing", "write a string")
    cells = table["cells"]
    if not isinstance(cells, list) or not cells or not all(isinstance(one, str) and ARROW in one for one in cells):
        raise UsageError(f"{what}: cells is {cells!r}", f'write ["SRC{ARROW}DST"], with * for any name')
    if not isinstance(table["until"], date) or isinstance(table["until"], datetime):
        raise UsageError(f"{what}: until is {table['until']!r}", "write a date without quotes: until = 2026-12-31")
    return Waiver(**{**table, "cells": tuple(cells)})


def _require_known(path: Path, one: Waiver, checks: Collection[str], cells: Sequence[Pair]) -> None:
    if one.check not in checks:
        raise UsageError(f"{path}: waiver {one.id} is for {one.check!r}, which is no check of this run", "correct it")
    for cell in one.cells:
        if not any(replace(one, cells=(cell,)).covers(pair) for pair in cells):
            known = ", ".join(f"{pair.src}{ARROW}{pair.dst}" for pair in cells[:6])
            raise UsageError(
                f"{path}: waiver {one.id} is for {cell!r}, which is no cell of this run", f"cells: {known}"
            )
