"""Finds clouds in clouds.yaml and reads what a deployer says of them under ``interop:``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from golden_flows.model.cloud import Profile


@dataclass(frozen=True)
class CloudConfig:
    """An entry of clouds.yaml, ready to connect to. Its ``repr`` holds no secret."""

    name: str
    profile: Profile
    source_file: str
    """The clouds.yaml that the entry came from; printed by the run."""
    region: str | None
    _region_config: Any = field(repr=False, compare=False)
    """openstacksdk's CloudRegion; holds secrets, so it is in no repr."""


def load_clouds(names: Iterable[str], extra_files: Sequence[Path] = ()) -> dict[str, CloudConfig]:
    """These clouds, by name, in the order asked. The user's own clouds.yaml wins over ``extra_files``.

    Raises ``UsageError`` for a name that no file has (naming those that exist), broken YAML, or missing fields.
    """
    raise NotImplementedError


def known_cloud_names(extra_files: Sequence[Path] = ()) -> tuple[str, ...]:
    """Every name of the user's clouds.yaml and of ``extra_files``, sorted."""
    raise NotImplementedError


def read_profile(name: str, interop: Mapping[str, object]) -> Profile:
    """The profile of cloud ``name`` from its ``interop:`` table, defaults filled in."""
    raise NotImplementedError
