"""Facts of files that the owner asked for at launch, and of requests that a cloud must refuse."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class InjectedFile:
    """One file of ``personality``, looked for in the running guest over SSH."""

    path: str
    sent_bytes: int
    sent_sha256: str
    found_sha256: str | None
    """None where there is no such plain file."""
    owner: int | None = None
    """User id; as ``group`` and ``mode`` None where it could not be read."""
    group: int | None = None
    mode: int | None = None
    """Permission bits, set-user-id and its like included."""


@dataclass(frozen=True, kw_only=True)
class FileFacts:
    """What became of the files that Anne's instance was launched with."""

    carriers: tuple[str, ...]
    """The channels that the cloud claims and that carry files."""
    allowed: int
    """How many files the API takes (``maxPersonality``); 0: none."""
    files: tuple[InjectedFile, ...]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What became of one request for a server, deleted again at once."""

    asked: str
    """``65536 base64 characters of user data``, in the words of a reader."""
    status: int
    """HTTP status."""
    message: str = ""
    server_status: str = ""
    """Of a server that was accepted, when it was looked at last; empty where the API refused it."""

    @property
    def accepted(self) -> bool:
        return 200 <= self.status < 300


@dataclass(frozen=True, kw_only=True)
class LimitFacts:
    """Requests at and beyond the limits of the API."""

    longest: Answer
    """65,535 base64 characters of user data, the most that nova takes."""
    too_long: Answer
    """One more."""
    hostile_files: tuple[Answer, ...]
    """Files whose paths must be refused; empty where the host writes no files."""
