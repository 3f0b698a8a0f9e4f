"""Facts of the way back: Anne's instance abroad is exported in its turn, and runs at home again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from golden_flows.model.second_instance import LaterBoot, MachineIdentity


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What tells a machine, and what is on its disks; read over SSH."""

    identity: MachineIdentity = field(default_factory=MachineIdentity)
    file_systems: tuple[str, ...] = ()
    """``ext4 6f1d2c3b-…``, sorted: every one that keeps a uuid of its own, wherever it lies."""
    payloads: Mapping[str, str] = field(default_factory=dict)
    """sha256 of what Anne wrote, by path; empty for a file that is not there."""


@dataclass(frozen=True, kw_only=True)
class ReturnTripFacts:
    """``error``: what kept us from looking further."""

    home: Machine | None = None
    """Before the disk left; None where nobody could look inside."""
    abroad: Machine | None = None
    """Before it was exported again, with what was written there."""
    no_snapshot: str = ""
    """Why the cloud abroad makes none, as it tells it; empty where it does."""
    damage: str = ""
    """Why the export must not travel."""
    shim: str = ""
    """What made RAW of the export; empty where it came so."""
    image_status: str | None = None
    """How the import at home ended; None where there was none."""
    image_message: str = ""
    back: LaterBoot | None = None
    machine: Machine | None = None
    """At home again."""
    run_count: int | None = None
    """How often the user data of this launch ran; None where the agent keeps no count."""
    abroad_key_accepted: bool | None = None
    """Whether the key of the instance abroad still logs in; None where there was none, or we could not find out."""
    error: str = ""

    @property
    def stopped(self) -> str:
        """Why a cloud let it come no further; empty where it came home, or we do not know."""
        if self.damage:
            return self.damage
        if self.image_status is None and self.image_message:
            return f"the image was not taken in at home: {self.image_message}"
        if self.image_status not in (None, "active"):
            return f"the image at home ended as {self.image_status!r}: {self.image_message or 'no reason given'}"
        if self.back is not None and self.back.report is None:
            return f"at home again the server is {self.back.status}, and its guest never reported"
        return ""
