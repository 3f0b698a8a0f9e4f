"""The run's append-only record: JSON lines, written and flushed as things happen.

Reports are a second pass over it, so whatever a reader must have to believe a verdict goes through here.
Several processes (pytest-xdist workers) append to one file: each line is a single ``write`` on an
``O_APPEND`` descriptor. The **ledger** is the part of it that concerns cloud resources: a resource is written
down before it is created and ticked off when its deletion is confirmed.

Every line has ``by``, the writer (one for each process that opens the journal), and ``n``, which counts its lines from
1: a line that is taken out leaves a gap.

Events (field ``event``; every line also has ``at``, an aware UTC timestamp)::

    run_started       schema, run, suite_version, suite_sha256, guideline, guideline_sha256, plan [check ids],
                      plan_sha256, cells [[src, dst]],
                      host {}, argv [], kill_matrix {} (how far the guideline's checks are proved),
                      waivers [{id, check, cells, reason, owner, until}] where there are any,
                      and of a shard: shard "2/4", whole [[src, dst]] (every cell of all shards),
                      and of a merged run: options [] (what its parts were asked beside their pairs)
    note              text
    cloud             cloud, profile {}, clouds_yaml, auth_url
                                                            (never a secret; where `golden-flows clean` finds it again)
    reference_cloud   cloud, pid, evidence                  (started by the run; whatever is on it ends with it)
    stage_started     src, dst, stage
    stage_ended       src, dst, stage, outcome, seconds, detail
    step              src, dst, stage, text                 (progress inside a stage)
    burst             src, dst, asked, way, active_s [], up_s [], lacking []
                                                            (seconds since the request, sorted; who did not come up)
    evidence          src, dst, stage, name, sha256, size_bytes, media_type, source, captured_at
    control           src, dst, control, seconds, answers [{stage, shown}]
                                                            (run because a stage went wrong; no check)
    attribution       src, dst, stage, checks [], party, suspects [], reasons [], controls {name: {shown, words}}
                                                            (whose it is; party null: undecided)
    retold            src, dst, attempt                     (the cell's story begins anew: something was not found out)
    result            src, dst, check, outcome, findings [{}], reason, blocked_by, seconds, flags []
    resource_planned  cloud, kind, name, key
    resource_created  cloud, kind, name, key, id
    resource_gone     cloud, kind, key, id
    run_ended         exit_code, reason
"""

from __future__ import annotations

import base64
import contextlib
import errno
import fcntl
import hashlib
import json
import os
import secrets
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any

from golden_flows.errors import InteropError, RecordError
from golden_flows.model.cloud import Pair
from golden_flows.model.evidence import Evidence
from golden_flows.model.stage import Stage

Subscriber = Callable[[dict[str, Any]], None]

SCHEMA = 1
"""Version of the event formats above; a reader refuses a newer one. A run that states none speaks version 1."""

REDACTED = "[redacted]"


def _plain(value: object) -> object:
    """JSON-ready form of what our own nouns hold."""
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        return {key: _plain(one) for key, one in asdict(value).items()}
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, bytes):
        return value.hex()
    return value


def _forms(secret: bytes) -> Iterator[bytes]:
    """A secret as bytes, as text that somebody decoded with replacement, each as a JSON string, and in Base64."""
    yield base64.b64encode(secret)
    for content in (secret, secret.decode("utf-8", "replace").encode()):
        yield content
        for ascii_only in (True, False):
            yield json.dumps(content.decode("utf-8", "replace"), ensure_ascii=ascii_only)[1:-1].encode()


def _end_torn_line(path: Path, descriptor: int) -> None:
    """End the line that a killed writer left, so that what is appended now is not lost with it."""
    content_bytes = path.stat().st_size
    if not content_bytes:
        return
    with path.open("rb") as journal:
        journal.seek(content_bytes - 1)
        if journal.read(1) != b"\n":
            os.write(descriptor, b"\n")


class Journal:
    """Writes events and evidence of one run, and tells subscribers (progress display) of each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "journal.jsonl"
        self._subscribers: list[Subscriber] = []
        self._secrets: tuple[bytes, ...] = ()
        """In every form in which they may come, longest first: none hides a part of another."""
        self._lock = threading.Lock()
        self._torn = False
        self._by, self._lines = secrets.token_hex(4), 0
        try:
            (folder / "evidence").mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            _end_torn_line(self.path, self._descriptor)
        except OSError as error:
            raise RecordError(
                f"cannot write results to {folder}: {error.strerror}", "free some space or choose --results FOLDER"
            ) from error
        with contextlib.suppress(OSError):  # a file system without locks: then only the owner file tells
            # Shared with this run's other processes; the kernel lets go of it however this one ends.
            fcntl.flock(self._descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)

    def subscribe(self, subscriber: Subscriber) -> None:
        self._subscribers.append(subscriber)

    def hide(self, secret: str | bytes | None) -> None:
        """From now on this value is replaced wherever it would be written, in events and in evidence.

        Also where it comes as a JSON string, or in Base64, as user data does in the Compute API.
        """
        if secret and len(secret) >= 6:
            forms = _forms(secret.encode() if isinstance(secret, str) else secret)
            with self._lock:  # a new tuple: another thread may just be going through the old one
                self._secrets = tuple(sorted({*self._secrets, *forms}, key=lambda form: (-len(form), form)))

    def redact(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret.decode("utf-8", "replace"), REDACTED)
        return text

    def adopt(self, line: bytes) -> None:
        """Append an event that another machine's journal of this run has, as it stands. Raises ``RecordError``."""
        with self._lock:
            self._append(line + b"\n")
        event = json.loads(line)
        for subscriber in self._subscribers:
            subscriber(event)

    def adopt_evidence(self, digest: str, content: bytes) -> None:
        """Keep evidence of another machine. Raises ``RecordError`` when it is not what its name says, too."""
        if hashlib.sha256(content).hexdigest() != digest:
            raise RecordError(f"evidence {digest[:12]}… did not arrive as it was sent", "run again")
        self._keep(digest, content)

    def _redacted(self, value: object) -> object:
        """Before JSON escapes a secret's quotes and newlines, and for subscribers as well as for the file."""
        if isinstance(value, str):
            return self.redact(value)
        if isinstance(value, dict):
            return {self.redact(key): self._redacted(one) for key, one in value.items()}
        return [self._redacted(one) for one in value] if isinstance(value, list) else value

    def write(self, event: str, **fields: object) -> None:
        """Append one event. Raises ``RecordError`` when the disk is full: a run without a record is no run."""
        plain = {key: self._redacted(_plain(value)) for key, value in fields.items()}
        document = {"at": datetime.now(UTC).isoformat(), "event": event, **plain}
        with self._lock:
            self._lines += 1
            line = json.dumps({**document, "by": self._by, "n": self._lines}, ensure_ascii=False) + "\n"
            # A guest may have said "\\ud800" in JSON: escaped again it is still JSON, encoded strictly it would raise.
            self._append(line.encode("utf-8", "backslashreplace"))
        for subscriber in self._subscribers:
            subscriber(document)

    def _append(self, line: bytes) -> None:
        content = (b"\n" if self._torn else b"") + line
        try:
            written_bytes = os.write(self._descriptor, content)
            if written_bytes < len(content):  # a disk that fills up takes a part without complaint
                self._torn = True
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._torn = False
        except OSError as error:
            raise RecordError(
                f"cannot write the journal {self.path}: {error.strerror}",
                "free some space there, or choose --results FOLDER; then run again",
            ) from error

    def evidence(
        self, pair: Pair, stage: Stage, name: str, content: bytes, *, source: str, media_type: str = "text/plain"
    ) -> Evidence:
        """Keep these bytes as evidence, redacted *before* they are hashed."""
        for secret in self._secrets:
            content = content.replace(secret, REDACTED.encode())
        digest = hashlib.sha256(content).hexdigest()
        self._keep(digest, content)
        kept = Evidence(name, digest, len(content), media_type, source, datetime.now(UTC))
        self.write(
            "evidence",
            src=pair.src,
            dst=pair.dst,
            stage=stage,
            **{
                "name": kept.name,
                "sha256": kept.sha256,
                "size_bytes": kept.size_bytes,
                "media_type": kept.media_type,
                "source": kept.source,
                "captured_at": kept.captured_at.isoformat(),
            },
        )
        return kept

    def _keep(self, digest: str, content: bytes) -> None:
        target = self.folder / "evidence" / digest
        partial = target.with_name(f".{digest}.{os.getpid()}")
        try:
            partial.write_bytes(content)
            partial.replace(target)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise RecordError(
                f"cannot keep evidence in {target.parent}: {error.strerror}",
                "free some space there, or choose --results FOLDER; then run again",
            ) from error

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def is_held(path: Path) -> bool:
    """Whether a live process has this journal open for writing: its run is still at work."""
    try:
        with path.open("rb") as journal:
            fcntl.flock(journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def read_events(path: Path) -> Iterator[dict[str, Any]]:
    """Events of a journal in the order written.

    A torn last line (a killed run) ends the iteration quietly. A torn line before others (a killed worker, or a
    killed run that was cleaned up later) becomes an event ``damaged`` with its ``line`` number.
    Where lines are missing between those that are there, an event ``lost`` says how many, in the end.
    Raises ``InteropError`` when the file cannot be read or does not begin like a journal.
    """
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except OSError as error:
        raise InteropError(
            f"cannot read the journal {path}: {error.strerror}", "is this the folder of a run?"
        ) from error
    written: defaultdict[str, set[int]] = defaultdict(set)
    for number, line in enumerate(lines, 1):
        try:
            document = json.loads(line)
            if not isinstance(document, dict) or not isinstance(document.get("event"), str):
                raise ValueError("not an event")
            if not isinstance(document.get("n", 0), int):
                raise ValueError("not numbered as an event is")
        except (ValueError, RecursionError) as error:
            if number == len(lines) and not line.endswith(b"\n"):
                break
            if number == 1:
                raise InteropError(f"{path}, line {number}: not a journal event ({error})") from error
            document = {"event": "damaged", "line": number}
        if "by" in document and "n" in document:
            written[str(document.pop("by"))].add(document.pop("n"))
        yield document
    lost = sum(max(numbers) - len(numbers) for numbers in written.values())
    if lost:
        yield {"event": "lost", "lines": lost}
