"""Small journals of runs that went well, badly and not to their end."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from golden_flows.model.cloud import Pair
from golden_flows.model.guideline import Guideline, Level, Requirement
from golden_flows.model.plan import Plan
from golden_flows.model.stage import Stage

BEGAN = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)

CHECKS = (
    ("EX-1", Stage.EXPORT, "the export has the size that Glance says"),
    ("TX-6", Stage.TRANSFER, "memory stays bounded"),
    ("IM-2", Stage.IMPORT, "the import ends active"),
    ("CV-1", Stage.CONVERSION, "the stored image has the asked format"),
    ("BT-1", Stage.BOOT, "the server becomes active"),
    ("BT-8", Stage.BOOT, "the console is captured"),
    ("N1-1", Stage.PRIMARY_NIC, "the lease carries the port's address"),
    ("MD-1", Stage.METADATA, "the metadata listings are there"),
    ("N2-1", Stage.SECONDARY_NIC, "the second NIC is described by its MAC"),
    ("PV-1", Stage.PV_DRIVERS, "the root disk is paravirtual"),
    ("AU-1", Stage.AUTH, "the key logs in"),
    ("UD-1", Stage.USER_DATA, "user data arrives unchanged"),
    ("AP-1", Stage.APPLICATION, "the app answers from outside"),
    ("LC-2", Stage.LIFECYCLE, "nothing is left behind"),
)

GUIDELINE = Guideline(
    "2026.11",
    tuple(
        Requirement(
            id=check_id,
            title=title,
            stage=stage,
            level=Level.ADVISORY if check_id == "TX-6" else Level.REQUIRED,
            source="https://docs.example.org/clause",
            remedy=f"what a deployer does about {check_id}",
            faults=(),
        )
        for check_id, stage, title in sorted(CHECKS, key=lambda one: list(Stage).index(one[1]))
    ),
)


def load_guideline(version: str) -> Guideline:
    assert version == GUIDELINE.version
    return GUIDELINE


class JournalBuilder:
    """Writes a journal line by line; every event is one second after the last."""

    def __init__(self, folder: Path, run: str = "run-1", began: datetime = BEGAN) -> None:
        self.folder, self.run, self.now = folder, run, began
        (folder / "evidence").mkdir(parents=True, exist_ok=True)
        self.path = folder / "journal.jsonl"
        self.path.touch()

    def say(self, event: str, **fields: object) -> JournalBuilder:
        self.now += timedelta(seconds=1)
        line = json.dumps({"at": self.now.isoformat(), "event": event, **fields})
        with self.path.open("a", encoding="utf-8") as journal:
            journal.write(line + "\n")
        return self

    def start(self, *pairs: tuple[str, str], plan: list[str] | None = None, **fields: object) -> JournalBuilder:
        planned = [one.id for one in GUIDELINE.requirements] if plan is None else plan
        cells = pairs or (("private", "public"),)
        self.say(
            "run_started",
            run=self.run,
            guideline="2026.11",
            **{
                "suite_version": "0.1.0",
                "plan": planned,
                "plan_sha256": Plan(tuple(Pair(*one) for one in cells), tuple(planned), "2026.11").sha256,
                "cells": [list(one) for one in cells],
                "host": {"python": "3.11"},
                "argv": ["golden-flows"],
                **fields,
            },
        )
        for cloud in sorted({one for pair in pairs or (("private", "public"),) for one in pair}):
            self.cloud(cloud)
        return self

    def cloud(self, name: str, **fields: object) -> JournalBuilder:
        profile = {"cloud": name, "evidence_level": "reference cloud on emulated hardware", "auth": ["key"]}
        return self.say("cloud", cloud=name, profile={**profile, "evidence_detail": f"QEMU, cloud {name!r}", **fields})

    def stage(
        self, stage: Stage, outcome: str = "pass", *, src: str = "private", dst: str = "public", detail: str = ""
    ) -> JournalBuilder:
        self.say("stage_started", src=src, dst=dst, stage=stage.value)
        seconds = 3.0 if outcome != "blocked" else 0.0
        return self.say(
            "stage_ended", src=src, dst=dst, stage=stage.value, outcome=outcome, seconds=seconds, detail=detail
        )

    def evidence(
        self,
        stage: Stage,
        name: str,
        content: bytes,
        media_type: str = "text/plain",
        *,
        src: str = "private",
        dst: str = "public",
    ) -> str:
        sha256 = hashlib.sha256(content).hexdigest()
        (self.folder / "evidence" / sha256).write_bytes(content)
        self.say(
            "evidence",
            src=src,
            dst=dst,
            stage=stage.value,
            name=name,
            sha256=sha256,
            size_bytes=len(content),
            media_type=media_type,
            source="destination os-getConsoleOutput",
            captured_at=self.now.isoformat(),
        )
        return sha256

    def result(
        self, check: str, outcome: str = "pass", *, src: str = "private", dst: str = "public", **fields: object
    ) -> JournalBuilder:
        said = {"findings": [], "reason": "", "blocked_by": None, "seconds": 0.01, "flags": [], **fields}
        return self.say("result", src=src, dst=dst, check=check, outcome=outcome, **said)

    def attribution(
        self, stage: Stage, *checks: str, party: str | None = None, src: str = "private", dst: str = "public", why: str
    ) -> JournalBuilder:
        return self.say(
            "attribution",
            src=src,
            dst=dst,
            stage=stage.value,
            checks=list(checks),
            party=party,
            suspects=[party] if party else ["image", "destination"],
            reasons=[why],
            controls={"own-image": {"shown": "same", "words": why}},
        )

    def all_pass(self, *, but: tuple[str, ...] = (), src: str = "private", dst: str = "public") -> JournalBuilder:
        for stage in Stage:
            self.stage(stage, src=src, dst=dst)
        for check_id, _, _ in CHECKS:
            if check_id not in but:
                self.result(check_id, src=src, dst=dst)
        return self

    def end(self, exit_code: int = 0, reason: str = "") -> JournalBuilder:
        return self.say("run_ended", exit_code=exit_code, reason=reason)


def finding(**fields: str) -> dict[str, str]:
    return {"subject": "port fa:16:3e:01:02:03", "expected": "a link", "actual": "none", "remedy": "", **fields}


HOSTILE = (
    "</pre></td><script>alert(1)</script><img src=x onerror=alert(2)> \x1b[31mred\x1b]0;title\x07 \u202eabc \x9b "
    "`|*_[a](javascript:x) ]]>\ud800"
)
"""What a guest may print to hurt whoever reads the report."""


@pytest.fixture
def load() -> Callable[[str], Guideline]:
    return load_guideline


@pytest.fixture
def attack() -> str:
    return HOSTILE


@pytest.fixture
def journal(tmp_path: Path) -> JournalBuilder:
    return JournalBuilder(tmp_path / "runs" / "run-1")


@pytest.fixture
def healthy(journal: JournalBuilder) -> Path:
    return journal.start().all_pass().end().folder


@pytest.fixture
def failing(journal: JournalBuilder) -> Path:
    """N2-1 fails; the app is blocked by it; PV-1 could not be found out; UD-1 is not applicable; AU-1 never ran."""
    journal.start().all_pass(but=("N2-1", "AP-1", "PV-1", "UD-1", "AU-1"))
    journal.cloud("public", active_faults=["nd_empty"])
    journal.evidence(Stage.SECONDARY_NIC, "anne-dst.console.log", b"eth1: no carrier\n")
    journal.result("N2-1", "fail", findings=[finding()])
    journal.result("AP-1", "blocked", reason="no address to ask", blocked_by="secondary_nic")
    journal.result("PV-1", "broken", reason="the guest never reported")
    journal.result("UD-1", "not-applicable", reason="the cloud offers no user data: GET answered 404")
    journal.attribution(Stage.SECONDARY_NIC, "N2-1", party="destination", why="it does so to its own image")
    return journal.end(1).folder


@pytest.fixture
def killed(journal: JournalBuilder) -> Path:
    """Everything that was judged passed, and then the run was killed in the middle of a line."""
    journal.start().stage(Stage.EXPORT).result("EX-1")
    journal.say("resource_planned", cloud="public", kind="server", name="anne-dst", key="k1")
    journal.say("stage_started", src="private", dst="public", stage="boot")
    with journal.path.open("a") as line:
        line.write('{"at": "2026-11-22T10:01:0')
    return journal.folder


@pytest.fixture
def bursting(journal: JournalBuilder) -> Path:
    """Three of four came up, after 2, 5 and 11 s; of the fourth the cloud speaks hostile words."""
    journal.start().all_pass()
    figures = {"asked": 4, "way": "one request", "active_s": [0.5, 0.5, 0.7, 0.9], "up_s": [2.0, 5.0, 11.0]}
    journal.say("burst", src="private", dst="public", **figures, lacking=[f"burst-4: {HOSTILE}"])
    return journal.end().folder


@pytest.fixture
def hostile(journal: JournalBuilder) -> Path:
    """Every string that a guest or a cloud can choose is an attack."""
    journal.start().all_pass(but=("N2-1", "PV-1")).cloud("public", evidence_detail=HOSTILE, active_faults=[HOSTILE])
    journal.say("note", text=HOSTILE)
    journal.evidence(Stage.SECONDARY_NIC, HOSTILE, f"boot {HOSTILE}".encode("utf-8", "replace"))
    journal.evidence(Stage.SECONDARY_NIC, "page.html", b" <html><script>alert(3)</script>")
    journal.stage(Stage.BOOT, "broken", detail=HOSTILE)
    journal.result("N2-1", "fail", findings=[dict.fromkeys(("subject", "expected", "actual", "remedy"), HOSTILE)])
    journal.result("PV-1", "broken", reason=HOSTILE, flags=[HOSTILE])
    journal.attribution(Stage.PV_DRIVERS, "PV-1", why=HOSTILE)
    journal.attribution(Stage.SECONDARY_NIC, "N2-1", why=HOSTILE)
    journal.attribution(Stage.BOOT, why=HOSTILE)
    return journal.end(1).folder


@pytest.fixture
def crowd(journal: JournalBuilder) -> Path:
    """Two sources, three destinations, one pair not asked for: N2-1 fails to ``c``, ``b`` → ``c`` never ended its boot,
    ``b`` → ``a`` owes its export to a shim. What failed speaks hostile words."""
    journal.start(("a", "a"), ("a", "b"), ("a", "c"), ("b", "a"), ("b", "c"))
    for src, dst in (("a", "a"), ("a", "b")):
        journal.all_pass(src=src, dst=dst)
    journal.all_pass(src="b", dst="a", but=("EX-1",)).result("EX-1", src="b", dst="a", flags=["shim=qcow2-to-raw"])
    wrong = [finding(actual=HOSTILE)]
    journal.all_pass(src="a", dst="c", but=("N2-1",)).result("N2-1", "fail", src="a", dst="c", findings=wrong)
    journal.stage(Stage.BOOT, "broken", src="b", dst="c", detail=HOSTILE)
    journal.result("N2-1", "fail", src="b", dst="c", findings=wrong)
    journal.result("AP-1", "blocked", src="b", dst="c", blocked_by="boot")
    journal.attribution(Stage.SECONDARY_NIC, "N2-1", src="b", dst="c", party="destination", why=HOSTILE)
    return journal.end(1).folder
