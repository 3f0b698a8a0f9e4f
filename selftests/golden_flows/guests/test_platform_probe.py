"""What the platform probe makes of a machine: it runs on this one's own Python."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from golden_flows.errors import GuestError
from golden_flows.flows import platform as look
from golden_flows.guests.probes import platform


def test_it_answers_in_json_that_the_suite_reads() -> None:
    argv = [sys.executable, "-I", "-S", "-B", str(Path(platform.__file__)), "{}"]
    told = json.loads(subprocess.run(argv, capture_output=True, check=True, timeout=60).stdout)
    seen = look.parse(told)
    assert seen.has_efi is Path("/sys/firmware/efi").is_dir()
    assert seen.cpus
    assert seen.root.file_system_bytes


@pytest.mark.parametrize("document", [[], {"root": 1}, {"queues": {"eth0": 1}}, {"ports": [1]}], ids=str)
def test_what_no_probe_of_ours_says_is_refused(document: object) -> None:
    with pytest.raises(GuestError):
        look.parse(document)


@pytest.mark.parametrize(
    ("log", "ready_s"),
    [
        ("[    0.000000] Linux version 6.1\n[    1.250000] random: crng init done", 1.25),
        ("[    0.000000] Linux version 6.1", None),
    ],
)
def test_the_kernel_s_word_on_random_bytes_is_found(log: str, ready_s: float | None, monkeypatch: object) -> None:
    found = platform._CRNG.search(log)
    assert (float(found[1]) if found else None) == ready_s
    assert platform._FIRST_LINE.search(log)
