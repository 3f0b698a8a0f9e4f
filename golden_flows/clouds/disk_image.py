"""Turns a stored disk image into RAW on our side, trusting nothing in it."""

from __future__ import annotations

from pathlib import Path

from golden_flows.clouds.records import Download, Expansion
from golden_flows.model.facts import ConversionFacts, ExportFacts


def expand(path: Path, disk_format: str, out_dir: Path, *, original_bytes: int, timeout_s: float = 120.0) -> Expansion:
    """Expand ``path`` (Glance's word for its format: ``vhd``, ``qcow2``, ``raw`` …) and hash it as RAW.

    The expansion is deleted again. Raises ``MissingProgram`` without qemu-img; everything that is wrong with the
    image itself is in ``error``.
    """
    raise NotImplementedError


def conversion_facts(asked_format: str, export: ExportFacts, stored: Download, expansion: Expansion) -> ConversionFacts:
    """The facts of the conversion stage, put together."""
    raise NotImplementedError
