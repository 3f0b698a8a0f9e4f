"""Reads guidelines and gathers the checks they name."""

from __future__ import annotations

import importlib
import json
import pkgutil
import tomllib
from importlib import resources

import golden_flows.checks
from golden_flows.errors import UsageError
from golden_flows.model.check import REGISTRY, Check
from golden_flows.model.guideline import Guideline, KillMatrix, Level, Requirement
from golden_flows.model.stage import Stage

CURRENT = "2026.11"


def load_checks() -> dict[str, Check]:
    """Every check by id, from every file in ``golden_flows/checks``."""
    for module in pkgutil.iter_modules(golden_flows.checks.__path__):
        importlib.import_module(f"{golden_flows.checks.__name__}.{module.name}")
    return dict(REGISTRY)


def load_guideline(version: str = CURRENT) -> Guideline:
    """The guideline of that date. Raises ``UsageError`` naming those that exist."""
    folder = resources.files("golden_flows") / "guidelines"
    file = folder / f"{version}.toml"
    if not file.is_file():
        known = sorted(one.name.removesuffix(".toml") for one in folder.iterdir() if one.name.endswith(".toml"))
        raise UsageError(f"no guideline {version!r}", f"choose one of: {', '.join(known)}")
    document = tomllib.loads(file.read_text("utf-8"))
    order = list(Stage)
    requirements = [
        Requirement(
            id=one["id"],
            title=one["title"],
            stage=Stage(one["stage"]),
            level=Level(one["level"]),
            source=one["source"],
            remedy=one["remedy"],
            faults=tuple(one["faults"]),
            option=one.get("option", ""),
        )
        for one in document["checks"]
    ]
    requirements.sort(key=lambda one: order.index(one.stage))  # stable: file order within a stage
    return Guideline(document["version"], tuple(requirements))


def load_kill_matrix(version: str) -> KillMatrix | None:
    """What is told of the kill matrix of that guideline (``python -m selftests.proof document`` writes it)."""
    file = resources.files("golden_flows") / "guidelines" / f"{version}.proof.json"
    return KillMatrix(**json.loads(file.read_text("utf-8"))) if file.is_file() else None
