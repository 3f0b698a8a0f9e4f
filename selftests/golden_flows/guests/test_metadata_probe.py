"""The probe as a guest's Python runs it, against the reference clouds' own metadata service and its faults."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import resources
from typing import Any

import pytest
import uvicorn
from metadata_shims.instance import Instance, Vif
from refclouds.faults import Faults
from refclouds.metadata_service import MetadataService

from golden_flows.agents.fields import Fields
from golden_flows.errors import GuestError
from golden_flows.flows.metadata_inside import _FORGED, OPENSTACK_PATH, _parse, _told
from golden_flows.flows.story import METADATA
from golden_flows.model.facts import Facts
from golden_flows.model.metadata_seen import MetadataChange
from selftests.golden_flows.checks.facts_builder import SERVER, failing, healthy_facts

ANNE = Instance(
    uuid=SERVER,
    ec2_id="i-1",
    name="a",
    hostname="a.b",
    project_id="p",
    fixed_ips=("127.0.0.1", "127.0.0.2"),
    vifs=tuple(Vif(mac=f"fa:16:3e:00:00:0{at}", label="n", ips=(f"127.0.0.{at}",)) for at in (1, 2)),
)
CHANGED = "interop_changed"


@contextmanager
def served(service: MetadataService) -> Iterator[int]:
    """The port where it answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(service, lifespan="off", log_config=None, proxy_headers=False))
        thread = threading.Thread(target=lambda: server.run([listener]), daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = server.force_exit = True
            thread.join(10)


def probe(port: int, **more: Any) -> dict[str, Any]:
    program = (resources.files("golden_flows.guests.probes") / "metadata.py").read_bytes()
    asked = {"host": "127.0.0.1", "port": port, "identity": OPENSTACK_PATH, "budget_s": 2.0, **more}
    argv = [sys.executable, "-I", "-S", "-B", "-", json.dumps(asked)]
    done = subprocess.run(argv, input=program, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def facts_of(port: int, publish_again: Any = lambda: None) -> Facts:
    """As the flow would gather them."""
    second = [{"what": "from 127.0.0.2", "ip": "127.0.0.2", "device": ""}]
    more = {"missing": ["/openstack/latest/none"], "forged": list(_FORGED), "second": second}
    seen = _parse(Fields(probe(port, in_turn=20, at_once=8, **more)), METADATA)
    publish_again()
    meta = probe(port)["meta"] or {}
    change = MetadataChange(status=200, asked="new", seen=meta.get(CHANGED), waited_s=20.0)
    seen = replace(seen, tree="openstack-http", owned=True, change=change)
    assert "20 GETs in turn: p50" in _told(seen)
    return replace(healthy_facts(), metadata_seen=seen)


@pytest.mark.parametrize(
    ("fault", "fails"),
    [
        (None, set()),
        ("404_as_500", {"MD-4"}),
        ("error_200", {"MD-4"}),
        ("trust_headers", {"MD-6"}),
        ("by_ip_only", {"MD-7"}),
        ("md_slow", {"MD-12"}),
        ("cache=inf", {"MD-14"}),
    ],
)
def test_each_fault_of_the_service_is_seen_from_inside(fault: str | None, fails: set[str]) -> None:
    service = MetadataService(("openstack",), Faults.parse([fault] if fault else []))
    service.publish(replace(ANNE, meta=METADATA))

    def change() -> None:
        service.publish(replace(ANNE, meta={**METADATA, CHANGED: "new"}))
        if fault == "md_slow":
            time.sleep(4.0)  # until it has done with those who went away

    with served(service) as port:
        assert failing(facts_of(port, change)) == fails


def test_nobody_there_is_no_answer_and_no_traceback() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    seen = _parse(Fields(probe(port)), {})
    assert seen.own is not None
    assert seen.own.status is None
    assert "ConnectionRefusedError" in seen.own.error


@pytest.mark.parametrize("answer", [{"own": 1}, {"own": {"status": "200"}}, {"missing": [1]}, {"in_turn": {}}])
def test_an_answer_of_another_form_is_refused(answer: dict[str, object]) -> None:
    with pytest.raises(GuestError, match="metadata probe"):
        _parse(Fields(answer, "metadata probe"), {})


def test_metadata_that_is_no_text_is_nothing_read() -> None:
    assert _parse(Fields({"meta": {"a": 1}}), {}).meta_read is None
