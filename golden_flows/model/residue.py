"""What a machine leaves in its image, by which a copy of it can be mistaken for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Residue:
    """A file, or a kind of files."""

    kind: str
    """``udev-net-rules``, ``history``, ``manual-clean``, ``connection``, ``lease``, ``host-key``, ``machine-id``."""
    path: str


RENEWED = ("host-key", "machine-id", "lease", "cloud-init")
"""What every instance has, and agents make anew at the first boot of a copy (AU-3, AU-4 and N2-13 see to it)."""
