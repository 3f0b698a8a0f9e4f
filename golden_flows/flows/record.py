"""What a story leaves for its readers while it is told: steps, and evidence under the stage it belongs to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import asdict
from fnmatch import fnmatchcase

from golden_flows.clouds import transcript
from golden_flows.clouds.cloud import Cloud
from golden_flows.clouds.evidence import read_cloud_evidence
from golden_flows.journal import Journal
from golden_flows.model.burst import Ramp
from golden_flows.model.cloud import Pair
from golden_flows.model.stage import Stage
from golden_flows.waiting import SYSTEM_CLOCK, Clock

MIB = 1024 * 1024
PROGRESS_EVERY_BYTES = 512 * MIB
PROGRESS_EVERY_S = 10.0

_STAGE_OF_CLOUD_EVIDENCE = (
    ("dhcp.*", Stage.PRIMARY_NIC),
    ("host.json", Stage.BOOT),
    ("console-*", Stage.BOOT),
    ("guest-*", Stage.BOOT),
    ("xenstore-*", Stage.PV_DRIVERS),
)
"""Patterns of names; whatever fits none is shown where the story ends."""


_GUEST = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""A server's id in the name of a piece of evidence."""


def _stage_of(name: str) -> Stage:
    return next((stage for pattern, stage in _STAGE_OF_CLOUD_EVIDENCE if fnmatchcase(name, pattern)), Stage.LIFECYCLE)


class Record:
    """Writes for one cell; ``stage`` is where the story is now."""

    def __init__(self, journal: Journal, pair: Pair, clock: Clock = SYSTEM_CLOCK, control: str = "") -> None:
        """``control``: whose words and evidence these are, where they are not the story's own."""
        self._journal = journal
        self._control = control
        self._pair = pair
        self._now_s = clock.now_s
        self.stage = Stage.EXPORT
        self._noted: set[str] = set()

    def note(self, text: str) -> None:
        """Tell every reader of the report, once, beside whatever the checks say."""
        if text not in self._noted:
            self._noted.add(text)
            where = f"{self._pair.src} → {self._pair.dst}, {self.stage.title}"
            self._journal.write("note", text=f"{where}: {text}")

    def say(self, text: str) -> None:
        """Tell those who wait what is being done."""
        told = f"control {self._control}: {text}" if self._control else text
        self._journal.write("step", src=self._pair.src, dst=self._pair.dst, stage=self.stage, text=told)

    def ramp(self, ramp: Ramp) -> None:
        """How a burst came up, for the reports."""
        self._journal.write("burst", src=self._pair.src, dst=self._pair.dst, **asdict(ramp))

    def progress(self, verb: str) -> Callable[[int, int | None], None]:
        """Tells of a transfer now and then, not at every chunk: how much, how fast, and how long it will take."""
        began_s = self._now_s()
        told_bytes, told_s = 0, began_s

        def tell(done: int, total: int | None) -> None:
            nonlocal told_bytes, told_s
            now_s = self._now_s()
            if done < told_bytes:
                told_bytes = done  # it began anew
            if done - told_bytes < PROGRESS_EVERY_BYTES and now_s - told_s < PROGRESS_EVERY_S:
                return
            told_bytes, told_s = done, now_s
            rate = done / max(now_s - began_s, 0.001)
            of = f" of {total >> 20}" if total else ""
            left = f", {max(0, total - done) / rate:.0f} s left" if total and rate else ""
            self.say(f"{verb} {done >> 20}{of} MiB, {rate / MIB:.0f} MiB/s{left}")

        return tell

    def keep(
        self, name: str, text: str, source: str, media_type: str = "text/plain", *, stages: Iterable[Stage] = ()
    ) -> None:
        """``stages``: whose checks rest on it, where it is seen in another stage than theirs."""
        content = text.encode("utf-8", "replace")
        name = f"control.{self._control}.{name}" if self._control else name
        for stage in stages or (self.stage,):
            self._journal.evidence(self._pair, stage, name, content, source=source, media_type=media_type)

    def keep_bytes(self, name: str, content: bytes, source: str) -> None:
        kind = "application/octet-stream"
        self._journal.evidence(self._pair, self.stage, name, content, source=source, media_type=kind)

    def keep_transcript(self, clouds: Iterable[Cloud]) -> None:
        """What was asked of these clouds' APIs since the last time, and what they answered."""
        if text := transcript.render((cloud.take_transcript() for cloud in clouds), self._journal.redact):
            self.keep("api.jsonl", text, "APIs of both clouds, as the suite asked", transcript.MEDIA_TYPE)

    def keep_cloud_evidence(self, clouds: Iterable[Cloud]) -> None:
        """What a reference cloud keeps of its own accord: leases, DHCP capture, active faults.

        Not what it keeps of guests that another cell has there: that is the other cell's.
        """
        for cloud in clouds:
            for name, media_type, content in read_cloud_evidence(cloud.profile.evidence_url):
                guest = _GUEST.search(name)
                if guest and not cloud.made(guest.group()):
                    continue
                self._journal.evidence(
                    self._pair,
                    _stage_of(name),
                    f"{cloud.name}.{name}",
                    content,
                    source=f"{cloud.name} (the reference cloud's own record)",
                    media_type=media_type,
                )
