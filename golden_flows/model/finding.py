"""What a check says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong."""

    subject: str
    """What was looked at, in the words of its owner: ``port fa:16:3e:01:02:03 on net-b``."""
    expected: str
    actual: str
    remedy: str = ""
    """What the person who runs that cloud can do about it; may be empty."""

    def __str__(self) -> str:
        text = f"{self.subject}: expected {self.expected}, found {self.actual}"
        return f"{text} (remedy: {self.remedy})" if self.remedy else text


@dataclass(frozen=True)
class NotApplicable:
    """The check has nothing to judge in this cell, and ``proof`` shows why."""

    proof: str


@dataclass(frozen=True)
class NotObserved:
    """The facts needed are missing: the check is broken, not passed."""

    reason: str


@dataclass(frozen=True)
class WithShim:
    """A pass that the cell owes to a shim of ours."""

    name: str
    """``tgz-vhd-to-raw``."""
    reason: str
    """What the cloud lacks, that the shim supplied."""


Said: TypeAlias = tuple[Finding, ...] | NotApplicable | NotObserved | WithShim
"""What a check function returns. An empty tuple is a pass."""
