"""The probe as a guest's Python runs it, on this machine's own loopback and network configuration."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import resources
from typing import Any

import pytest

from golden_flows.agents.fields import Fields
from golden_flows.errors import GuestError
from golden_flows.flows.network_inside import parse
from golden_flows.guests.probes import network

LOOPBACK_MTU = 65_536
raw_sockets = pytest.mark.skipif(os.geteuid() != 0, reason="raw sockets are root's, in a guest as well")


def probe(**asked: Any) -> dict[str, Any]:
    program = (resources.files("golden_flows.guests.probes") / "network.py").read_bytes()
    argv = [sys.executable, "-I", "-S", "-B", "-", json.dumps(asked)]
    done = subprocess.run(argv, input=program, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_without_questions_it_tells_what_lies_about() -> None:
    seen = parse(Fields(probe(), "network"), ())
    assert seen.pings == ()
    assert seen.renewal is None
    assert seen.resolvers == ()
    assert seen.left == ()
    assert "lo" not in {one.name for one in seen.nics}


@raw_sockets
def test_a_packet_that_the_kernel_does_not_send_whole_is_too_long_at_once() -> None:
    sizes = [LOOPBACK_MTU + 1, 84, 1500]
    seen = parse(Fields(probe(ip="127.0.0.1", gateway="127.0.0.1", sizes=sizes), "network"), ())
    outcomes = [(one.size_bytes, one.outcome) for one in seen.pings]
    assert outcomes == [(84, "answered"), (1500, "answered"), (LOOPBACK_MTU + 1, "too-long")]


@raw_sockets
def test_a_dhcp_server_that_is_silent_is_an_answer_of_its_own() -> None:
    told = probe(ip="127.0.0.1", mac="02:00:00:00:00:01", dhcp_server="127.0.0.1")
    seen = parse(Fields(told, "network"), ())
    assert seen.renewal is not None
    assert (seen.renewal.answer, seen.renewal.error) == ("", "")


def test_an_address_is_not_found_inside_another() -> None:
    left = probe(home=["27.0.0.1", "127.0.0.10", "127.0.0"])["left"]
    assert left == []


def test_an_address_in_use_is_found() -> None:
    assert {"what": "127.0.0.1", "where": "a NIC"} in probe(home=["127.0.0.1"])["left"]


def test_a_name_server_that_nobody_answers_at_is_told_so() -> None:
    (told,) = probe(resolvers=["127.0.0.253"], questions=[["1.0.0.127.in-addr.arpa", 12]])["resolvers"]
    assert told["answers"] == []
    assert told["error"]


@pytest.mark.parametrize(
    "answer", [{"pings": [{"outcome": 1}]}, {"renewal": []}, {"left": [{"what": "x"}]}, {"nics": 1}]
)
def test_an_answer_of_another_form_is_refused(answer: dict[str, object]) -> None:
    with pytest.raises(GuestError, match="network"):
        parse(Fields(answer, "network"), ())


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (b"\4anne\7example\0", ["anne.example"]),
        (b"\4anne\7example\0\1b\xc0\5", ["anne.example", "b.example"]),
        (b"\xc0\0", [""]),
        (b"\xc0", [""]),
        (b"\4an", ["an"]),
    ],
    ids=["one", "pointer", "loop", "cut pointer", "cut label"],
)
def test_search_domains_are_read_however_they_are_packed(data: bytes, names: list[str]) -> None:
    assert network.domains(data) == names
