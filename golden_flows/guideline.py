"""Reads guidelines and gathers the checks they name."""

from __future__ import annotations

import hashlib
import importlib
import json
import pkgutil
import tomllib
from importlib import resources

import golden_flows.checks
from golden_flows.errors import UsageError
from golden_flows.model.check import REGISTRY, Check
from golden_flows.model.guideline import Guideline, KillMatrix, Level, NotObservable, Requirement
from golden_flows.model.stage import Stage

CURRENT = "2026.11"


def load_checks() -> dict[str, Check]:
    """Every check by id, from every file in ``golden_flows/checks``."""
    for module in pkgutil.iter_modules(golden_flows.checks.__path__):
        importlib.import_module(f"{golden_flows.checks.__name__}.{module.name}")
    return dict(REGISTRY)


def load_guideline(version: str = CURRENT) -> Guideline:
    """The guideline of that date. Raises ``UsageError`` naming those that exist."""
    return parse_guideline(read_guideline(version))


def read_guideline(version: str) -> bytes:
    """The file of the guideline of that date, to be copied or hashed. Raises as ``load_guideline``."""
    folder = resources.files("golden_flows") / "guidelines"
    known = sorted(one.name.removesuffix(".toml") for one in folder.iterdir() if one.name.endswith(".toml"))
    if version not in known:
        raise UsageError(f"no guideline {version!r}", f"choose one of: {', '.join(known)}")
    return (folder / f"{version}.toml").read_bytes()


def guideline_sha256(version: str) -> str:
    """Which text of it this suite has. Raises as ``load_guideline``."""
    return hashlib.sha256(read_guideline(version)).hexdigest()


def parse_guideline(content: bytes) -> Guideline:
    """The guideline in a file of these bytes. Raises ``ValueError`` or ``KeyError`` where it is none."""
    document = tomllib.loads(content.decode("utf-8"))
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
            applies=one.get("applies", ""),
            option=one.get("option", ""),
        )
        for one in document["checks"]
    ]
    requirements.sort(key=lambda one: order.index(one.stage))  # stable: file order within a stage
    not_observable = tuple(NotObservable(**one) for one in document["not_observable"])
    return Guideline(document["version"], tuple(requirements), not_observable)


def load_kill_matrix(version: str) -> KillMatrix | None:
    """What is told of the kill matrix of that guideline (``python -m selftests.proof document`` writes it)."""
    file = resources.files("golden_flows") / "guidelines" / f"{version}.proof.json"
    return KillMatrix(**json.loads(file.read_text("utf-8"))) if file.is_file() else None
