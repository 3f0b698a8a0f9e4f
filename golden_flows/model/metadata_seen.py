"""What a probe in the guest saw of the metadata service, once somebody was logged in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

AGENT_BUDGET_S = 10.0
"""How long agents wait for one answer: cloud-init's ``timeout`` of its OpenStack data source, and Ignition's."""


@dataclass(frozen=True, kw_only=True)
class MetadataAnswer:
    """One GET from inside the guest."""

    what: str
    """The path, or what was special about the question."""
    status: int | None
    """None when there was no answer."""
    identity: str | None = None
    """Whose data it was: the uuid, or the EC2 instance id where that was asked for."""
    elapsed_s: float | None = None
    error: str = ""

    def __str__(self) -> str:
        return f"no answer ({self.error or 'no reason given'})" if self.status is None else str(self.status)


@dataclass(frozen=True, kw_only=True)
class MetadataChange:
    """The API was asked to change the server's metadata. Source: Compute API ``POST /servers/{id}/metadata``."""

    status: int
    """HTTP status of the answer."""
    message: str = ""
    """Why it was refused, as the cloud tells it."""
    asked: str = ""
    seen: str | None = None
    """What the guest read last."""
    waited_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class MetadataSeen:
    """``own`` None: nothing was asked. ``tree`` says whether there was anything to ask, ``unseen`` what went wrong."""

    tree: str = ""
    """``openstack-http``, or ``ec2-http`` where there is only that; empty without metadata over HTTP."""
    behind: str = ""
    """The shim of ours that has the service's address in this guest, so that nobody there can ask the cloud's own."""
    unseen: str = ""
    own: MetadataAnswer | None = None
    meta_asked: Mapping[str, str] = field(default_factory=dict)
    """What the server was launched with."""
    meta_read: Mapping[str, str] | None = None
    """None where it is no object of texts. The EC2 tree does not carry it at all."""
    missing: tuple[MetadataAnswer, ...] = ()
    """Paths that do not exist."""
    owned: bool = False
    """Whether the cloud may be attacked: a reference cloud, or its owner said so."""
    forged: tuple[MetadataAnswer, ...] = ()
    """With headers by which proxies tell the metadata service who asks. Sent where ``owned`` only."""
    second: tuple[MetadataAnswer, ...] = ()
    """From the address of the second NIC, once as the routes go and once over that NIC."""
    in_turn: tuple[MetadataAnswer, ...] = ()
    at_once: tuple[MetadataAnswer, ...] = ()
    change: MetadataChange | None = None
