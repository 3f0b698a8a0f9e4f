"""Bytes that a verdict rests on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum


@dataclass(frozen=True)
class Evidence:
    """A file in the run's ``evidence/`` folder, named by its sha256."""

    name: str
    """``anne-dst.console.log``; unique within a cell and stage."""
    sha256: str
    size_bytes: int
    media_type: str
    source: str
    """Where it was seen: ``destination os-getConsoleOutput``."""
    captured_at: datetime
    """Aware, UTC."""


class EvidenceLevel(Enum):
    """How real the cloud was that a cell speaks of."""

    REAL_CLOUD = "real cloud"
    REAL_HYPERVISOR = "reference cloud on a real hypervisor"
    EMULATED = "reference cloud on emulated hardware"
