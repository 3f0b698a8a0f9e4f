"""Probes that are more than one file, as one program for a guest's Python."""

from __future__ import annotations

import json
import subprocess
import sys

from golden_flows.agents.cloud_init import parse_status
from golden_flows.guests.probe import whole_program

NOBODY = "http://127.0.0.1:9"


def run(program: bytes, asked: dict[str, str]) -> bytes:
    argv = [sys.executable, "-I", "-S", "-B", "-", json.dumps(asked)]
    return subprocess.run(argv, input=program, stdout=subprocess.PIPE, check=True, timeout=120).stdout


def test_a_probe_that_imports_nothing_of_ours_goes_as_it_is() -> None:
    assert whole_program("metadata").startswith(b'"""Asks the metadata service')


def test_what_a_probe_imports_of_its_folder_goes_along_each_once() -> None:
    program = whole_program("cloud_init")
    assert program.count(b"'golden_flows.guests.probes.reading'") == 1
    assert program.index(b"'golden_flows.guests.probes.reading'") < program.index(b"'golden_flows.guests.probes.drive'")


def test_it_runs_where_nothing_of_ours_is_installed_and_nobody_serves_metadata() -> None:
    """On this machine, whatever it is: the kernel, its NICs and its root are those of /proc."""
    report = parse_status(json.loads(run(whole_program("cloud_init"), {"runs": "/nonexistent", "host": NOBODY})))
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        assert report.boot_id == file.read().strip()
    assert not any(one.present for one in report.channels if one.name in ("openstack-http", "ec2-http"))
    assert [(one.path, one.status) for one in report.requests] == [("/", None)], "one question is enough"
    assert not report.user_data.present
