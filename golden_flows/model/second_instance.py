"""Facts of the instances that come after the first: one of its own snapshot, and itself, rebuilt."""

from __future__ import annotations

from dataclasses import dataclass

from golden_flows.model.guest import GuestReport


@dataclass(frozen=True, kw_only=True)
class MachineIdentity:
    """By what a machine is told from its copy; read over SSH."""

    host_key: str | None = None
    """``SHA256:…`` of the key that SSH showed."""
    machine_id: str | None = None
    """sha256 of /etc/machine-id; empty where there is none, None where we could not look."""


@dataclass(frozen=True, kw_only=True)
class LaterBoot:
    """One more boot with user data of its own."""

    server_id: str
    status: str
    fault: str = ""
    sent_sha256: str
    """Of its user data."""
    report: GuestReport | None
    nonce_expected: str
    nonce_found: str | None
    """What Anne's app answered; None when nothing did."""


@dataclass(frozen=True, kw_only=True)
class Neighbour:
    """The first instance asks the twin's app, which answers with the address that it was asked from."""

    own: str
    """The fixed address of the first instance, by the API."""
    peer: str
    """The twin's."""
    seen_as: str | None = None
    """None when nothing answered, or something else than the app."""
    stranger: str = ""
    """What that said."""
    error: str = ""
    """Why nothing could be asked."""


@dataclass(frozen=True, kw_only=True)
class SecondInstanceFacts:
    """A twin boots from a snapshot of the first instance, with gzip'd user data, while that is rebuilt with others."""

    first_uuid: str
    first: MachineIdentity
    no_snapshot: str = ""
    """Why the cloud makes none, as it tells it; empty where it does."""
    twin: LaterBoot | None = None
    twin_identity: MachineIdentity = MachineIdentity()
    no_rebuild: str = ""
    """Why the cloud does not rebuild with other user data, as it tells it; empty where it does."""
    rebuilt: LaterBoot | None = None
    """With a multipart: a script, a script with CR LF line ends, and a text."""
    neighbour: Neighbour | None = None
    """None where there was nobody to ask."""
    error: str = ""
    """What kept us from looking further."""
