"""Which suite this is, to the byte."""

from __future__ import annotations

import hashlib
from importlib import metadata, resources
from pathlib import Path

PACKAGES = ("golden_flows", "interop_tests", "reports")
SUFFIXES = (".py", ".toml")


def version() -> str:
    return metadata.version("golden-flows")


def sources_sha256() -> str:
    """Of the listing that ``sha256sum`` makes of the referee's sources and guidelines, sorted by path."""
    root = Path(str(resources.files("golden_flows"))).parent
    files = (path for name in PACKAGES for path in (root / name).rglob("*") if path.suffix in SUFFIXES)
    named = sorted((path.relative_to(root).as_posix(), path) for path in files)
    lines = (f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {name}\n" for name, path in named)
    return hashlib.sha256("".join(lines).encode()).hexdigest()
