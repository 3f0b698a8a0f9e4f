"""Our driver against a reference cloud's real API on loopback; its node only records."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from golden_flows.clouds.cloud import Cloud, connect
from golden_flows.clouds.config import load_clouds
from golden_flows.clouds.records import ServerRef, ServerRequest
from golden_flows.journal import Journal
from golden_flows.ledger import Ledger
from golden_flows.waiting import Clock, Deadline
from selftests.refclouds.api.conftest import Running, golden, serve

__all__ = ["golden"]

RUN = "t1"


@dataclass
class Driven:
    """A cloud as the suite drives it, and the other side of the wire."""

    cloud: Cloud
    ledger: Ledger
    journal: Journal
    reference: Running
    file: Path

    def boot(self, name: str = "anne", *, image: str | None = None) -> ServerRef:
        cloud, deadline = self.cloud, Deadline.after(20)
        found = cloud.show_image(image) if image else cloud.find_image("golden-pocket")
        asked = ServerRequest(
            name=name,
            image_id=found.id,
            flavor=cloud.pick_flavor(None, found.disk_bytes_needed, 128),
            networks=cloud.find_networks(["private"] if self.reference.cloud.profile.name == "private" else ["flat"]),
            user_data=b"\x00\xff binary",
            metadata={"who": "anne"},
        )
        server = cloud.boot(asked, deadline)
        assert cloud.wait_server(server.id, deadline).status == "ACTIVE"
        return server


Drive = Callable[..., Driven]


@pytest.fixture
def drive(tmp_path: Path, golden: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Drive]:
    """Starts a reference cloud with these faults and variants, and connects to it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    driven: list[Driven] = []

    def start(name: str = "private", *faults: str, variants: Sequence[str] = ()) -> Driven:
        reference = serve(name, faults, tmp_path / f"state-{len(driven)}", golden, variants=variants)
        file = tmp_path / f"clouds-{len(driven)}.yaml"
        entry = {**reference.auth("anne"), "region_name": "RegionOne"}
        file.write_text(yaml.safe_dump({"clouds": {name: entry}}))
        journal = Journal(tmp_path / f"run-{len(driven)}")
        journal.write("run_started", run=RUN)
        ledger = Ledger(journal, RUN)
        one = Driven(connect(load_clouds([name], [file])[name], ledger, journal), ledger, journal, reference, file)
        driven.append(one)
        return one

    yield start
    for one in driven:
        one.cloud.close()
        one.journal.close()
        one.reference.stop()


@dataclass
class HastyClock:
    """Time in which a second is over in 20 ms, so that waiting for nothing to happen is short."""

    rate: float = 50.0
    began_s: float = field(default_factory=time.monotonic)

    def deadline(self, seconds: float) -> Deadline:
        def now_s() -> float:
            return self.began_s + (time.monotonic() - self.began_s) * self.rate

        return Deadline.after(seconds, Clock(now_s, lambda left_s: time.sleep(left_s / self.rate)))


@pytest.fixture
def hasty() -> HastyClock:
    return HastyClock()
